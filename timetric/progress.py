"""How far a long call has come, for its caller: a bar, or a function of the caller's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Optional, Union

from timetric.exceptions import BadRequest, ConfigError
from timetric.timestamps import shown

#: What a caller gives: True for a bar, or a function of (done, total); the total may be None.
Progress = Union[bool, None, Callable[[int, Optional[int]], object]]


@contextmanager
def meter(progress: Progress, total: int | None, unit: str) -> Iterator[Callable[[int], object]]:
    """Gives a function to be told how much of ``total`` is done in all; it may go back.

    ``unit`` is that of both, such as "B" or " points". Raises ConfigError where a bar is wanted and
    tqdm is not installed, BadRequest where ``progress`` is neither; what the caller's function
    raises ends the call.
    """
    if progress is None or progress is False:
        yield _ignore
        return
    if progress is not True:
        if not callable(progress):
            raise BadRequest(f"progress {shown(progress)} is neither True nor a function")
        tell = progress
        yield lambda done: tell(done, total)
        return
    with _tqdm()(total=total, unit=unit, unit_scale=True) as bar:
        yield lambda done: bar.update(done - bar.n)


def _ignore(done: int) -> None:
    pass


def _tqdm() -> Callable[..., Any]:
    try:
        from tqdm.auto import tqdm
    except ImportError as error:  # the extra "progress" is not installed
        raise ConfigError("progress=True shows a bar by tqdm: pip install tqdm") from error
    bar: Callable[..., Any] = tqdm
    return bar
