"""Nothing acknowledged is lost, nothing is done twice, whatever befalls service and network.

A few seconds of each fault; the sizes of ``pytest -m slow``, which prints its figures, are set by
TIMETRIC_FAULTS_DISASTERS (such as kills) and _WRITES at least, _SECONDS at most, _CLIENTS, _REST
(seconds between disasters at most) and TIMETRIC_TEST_SEED.
TIMETRIC_FAULTS_REPORT names a file that gets them as a line of JSON. See docs/reliability.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.faults import siege as befalls
from tests.faults.ledger import End
from tests.faults.network import network
from tests.faults.relay import relay
from tests.faults.siege import Plan, Siege

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning"),
]

#: A long siege, where nothing else is asked for.
LONG = {"disasters": 100, "writes": 20_000, "clients": 12, "seconds": 1800, "rest": 1}

Start = Callable[..., Siege]


@pytest.fixture
def plan(request: pytest.FixtureRequest) -> Plan:
    seed = os.environ.get("TIMETRIC_TEST_SEED") or str(random.randrange(10**6))
    print(f"TIMETRIC_TEST_SEED={seed}")
    if request.config.getoption("markexpr") != "slow":
        return Plan(seed, disasters=2, writes=0, clients=6, seconds=60, rest=0.6, round=2)
    return Plan(seed, **{name: asked(name, usual) for name, usual in LONG.items()})


def asked(name: str, usual: int) -> int:
    return int(os.environ.get(f"TIMETRIC_FAULTS_{name.upper()}", usual))


@pytest.fixture
def start(tmp_path: Path, plan: Plan, request: pytest.FixtureRequest) -> Iterator[Start]:
    """Starts the service of a siege, of whose end it tells."""
    sieges: list[Siege] = []

    def start(**options: Any) -> Siege:
        sieges.append(Siege(tmp_path, plan, **options))
        return sieges[-1]

    yield start
    for siege in sieges:
        siege.close()
        report({"fault": request.node.name, **siege.figures()})


def report(figures: dict[str, Any]) -> None:
    print(json.dumps(figures, indent=2))
    path = os.environ.get("TIMETRIC_FAULTS_REPORT")
    if path:
        with open(path, "a") as file:
            print(json.dumps(figures), file=file)


def through(siege: Siege, url: str) -> dict[str, Any]:
    return {**siege.config, "url": url}


def assert_worked(siege: Siege) -> None:
    """That there was load, and that it met something."""
    assert siege.writes[End.DONE] > 10 * siege.disasters
    assert siege.tally.ends["read"] > 0


def test_kills_and_a_bad_network(start: Start, plan: Plan) -> None:
    siege = start()
    with network(siege.config["url"], seed=int(plan.seed)) as (url, bad):
        siege.stand(befalls.kill, [siege.config, through(siege, url)])
    assert_worked(siege)
    assert set(bad.met) == {fate.__name__ for fate in bad.fates} | {"forward"}
    assert siege.tally.ends["ConnectionFailed"] + siege.tally.ends["WriteInDoubt"] > 0


def test_no_file_may_grow(start: Start) -> None:
    siege = start()
    siege.stand(befalls.no_room)
    assert_worked(siege)
    assert siege.writes[End.REFUSED] > 0


def test_the_disk_is_full(start: Start, tmp_path: Path) -> None:
    if not befalls.may_mount(tmp_path):
        pytest.skip("this machine lets users mount nothing")
    siege = start(wrapper=befalls.small_disk(tmp_path / "data", "256m"))
    siege.stand(befalls.full_disk)
    assert_worked(siege)
    assert siege.writes[End.REFUSED] > 0


def test_no_file_descriptor_is_left(start: Start) -> None:
    siege = start()
    siege.stand(befalls.no_descriptors)
    assert_worked(siege)


def test_the_clock_goes_back_an_hour(start: Start, tmp_path: Path) -> None:
    siege = start()
    siege.service.kill()
    (tmp_path / "offset").write_text("0")
    siege.wrap([sys.executable, "-m", "tests.faults.served", str(tmp_path / "offset")])
    siege.stand(befalls.clock_back)
    assert_worked(siege)
    assert set(siege.tally.ends) == {"read", "write"}, "no call has a reason to fail"


def test_bytes_are_damaged_under_tls(start: Start, plan: Plan, tmp_path: Path) -> None:
    """Each connection with a damaged byte ends, and all else holds as ever."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    made = authority.issue_cert("127.0.0.1")
    made.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    made.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    files = ("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"))
    siege = start(flags=files)
    siege.config["ca_certs"] = str(tmp_path / "ca.pem")
    with relay(siege.config["url"], int(plan.seed), each=50) as (url, damaging):
        siege.stand(befalls.nothing, [through(siege, url)])
    assert_worked(siege)
    assert damaging.damaged > 0


def test_bytes_are_damaged_in_clear(start: Start, plan: Plan) -> None:
    """Nothing tells all of it; but calls end with an answer or a typed error, and no 500."""
    siege = start()
    with relay(siege.config["url"], int(plan.seed), each=50) as (url, damaging):
        siege.stand(befalls.nothing, [through(siege, url)], is_sure=False)
    assert_worked(siege)
    assert damaging.damaged > 0
    assert "Traceback" not in siege.service.log()
