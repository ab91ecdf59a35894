"""A service for tests, in this process: ``with timetric.testing.service() as service:``.

It is the real one, over a real store in a temporary directory, on a port of loopback. Only its
clock is set by hand. Needs the extra ``timetric[testing]``; see docs/testing. pytest finds the
fixture ``timetric_service`` here where a conftest.py says ``pytest_plugins =
["timetric.testing"]``. PYTEST_DONT_REWRITE: nothing is asserted here, and a test may have imported
this before pytest does.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from timetric.exceptions import ConfigError
from timetric.testing.clock import Clock
from timetric.testing.faults import Faults
from timetric.testing.kit import Service
from timetric.testing.server import Server

if TYPE_CHECKING:
    import pytest

__all__ = ["Clock", "Service", "service"]


@contextmanager
def service() -> Iterator[Service]:
    """A service of its own, empty, and gone when the block ends. Any number may run at once.

    Nothing of the user's is read or written: no config, no environment, no home. Raises ConfigError
    without the extra ``timetric[testing]``.
    """
    _require()
    from timetric.server import create_app
    from timetric.server.keyring import Keyring
    from timetric.server.storage import open_storage

    clock = Clock(float(int(time.time())))
    keyring = Keyring(b"of a store that ends with a test")
    with ExitStack() as ends:
        directory = ends.enter_context(tempfile.TemporaryDirectory(prefix="timetric-testing-"))
        storage = ends.enter_context(closing(open_storage(directory, "normal")))
        # At any speed, so that no thread outlives the test to watch over slow bodies.
        app = create_app(storage, keyring=keyring, clock=clock, min_speed=0)
        faults = Faults(app, clock)
        server = Server(faults)
        ends.callback(server.stop)
        yield ends.enter_context(closing(Service(storage, keyring, clock, faults, server)))


def pytest_configure(config: pytest.Config) -> None:
    """pytest calls this where it is told of this module as a plugin, and nobody else does."""
    import pytest

    class Fixtures:
        @pytest.fixture
        def timetric_service(self) -> Iterator[Service]:
            """A timetric service of this test's own: timetric.testing.Service."""
            with service() as running:
                yield running

    config.pluginmanager.register(Fixtures(), "timetric fixtures")


def _require() -> None:
    """Raises ConfigError where the service can't run here."""
    if sys.version_info < (3, 10):
        raise ConfigError("timetric.testing runs the service, which needs Python 3.10 or newer")
    try:
        import waitress  # noqa: F401

        import timetric.server.app  # noqa: F401
    except ModuleNotFoundError as error:  # the extra is not installed, or not all of it
        raise ConfigError(
            f"timetric.testing lacks {error.name}; run: pip install 'timetric[testing]'"
        ) from error
