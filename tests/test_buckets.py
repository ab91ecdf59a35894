"""Buckets: where they begin, and what the numbers in them come to.

What the service says is compared with a plain Python reckoning: datetimes, a dict, and fsum.
"""

from __future__ import annotations

import json
import math
import sqlite3
import struct
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.service import Reply, Service, running_service
from timetric.points import Point, Value, format_csv, parse_csv
from timetric.server.aggregates import AGGREGATES, Bucketing
from timetric.server.buckets import parse_every, split
from timetric.server.columns import Columns
from timetric.server.metadata import Metadata
from timetric.server.storage import Damaged, Rewritten, Series, Storage, Window, open_storage
from timetric.timestamps import END, FIRST, format_iso, parse_timestamp

DAY = 86400
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
SECONDS = {"s": 1, "min": 60, "h": 3600}
DAYS = {"d": (1, date(1970, 1, 1)), "w": (7, date(1970, 1, 5))}
MONTHS = {"mo": 1, "q": 3, "y": 12}

#: With summer times, half hours, midnights that are missing or come twice, and days left out.
ZONES = [
    "UTC",
    "Africa/Casablanca",
    "America/Havana",
    "America/Juneau",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Manila",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
    "Pacific/Kwajalein",
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


# the reckoning


def shown_day(t: int, zone: str) -> date:
    return (EPOCH + timedelta(seconds=t)).astimezone(ZoneInfo(zone)).date()


@cache
def first_instant(day: date, zone: str) -> float:
    """The first second at which a calendar shows that day or a later one, found by looking."""
    begin = (day - EPOCH.date()).days * DAY
    near = range(begin - DAY, begin + DAY, 300)
    about = next(t for t in near if shown_day(t, zone) >= day)
    return float(next(t for t in range(about - 299, about + 1) if shown_day(t, zone) >= day))


def first_day(number: int, count: int, unit: str) -> date:
    if unit in DAYS:
        length, origin = DAYS[unit]
        return origin + timedelta(days=number * count * length)
    year, month = divmod(number * count * MONTHS[unit], 12)
    return date(1970 + year, 1 + month, 1)


def number_of(day: date, count: int, unit: str) -> int:
    if unit in DAYS:
        length, origin = DAYS[unit]
        return (day - origin).days // (count * length)
    return ((day.year - 1970) * 12 + day.month - 1) // (count * MONTHS[unit])


def start_of(t: float, count: int, unit: str, zone: str) -> float:
    """When the bucket that an instant is in begins."""
    if unit in SECONDS:
        width = count * SECONDS[unit]
        return float(math.floor(t) // width * width)
    number = number_of(shown_day(int(t // 1), zone), count, unit)
    starts = (first_instant(first_day(n, count, unit), zone) for n in (number + 1, number))
    return next(start for start in starts if start <= t)


REDUCE = {
    "mean": lambda values: math.fsum(values) / len(values),
    "min": min,
    "max": max,
    "sum": math.fsum,
    "count": len,
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
}


def reckoned(
    points: dict[float, Value], count: int, unit: str, zone: str
) -> dict[float, list[float]]:
    """The numbers in each bucket, by its start."""
    numbers = sorted((t, v) for t, v in points.items() if type(v) is float)
    found: dict[float, list[float]] = {}
    for t, v in numbers:
        found.setdefault(start_of(t, count, unit, zone), []).append(v)
    return found


def assert_alike(found: list[Point], buckets: dict[float, list[float]], name: str) -> None:
    assert [t for t, _ in found] == list(buckets)
    for (t, v), values in zip(found, buckets.values()):
        slack = 1e-12 * sum(map(abs, values)) if name in ("mean", "sum") else 0
        assert v == pytest.approx(REDUCE[name](values), rel=0, abs=slack), format_iso(t)


# where buckets begin

LENGTHS = st.tuples(st.integers(1, 40), st.sampled_from([*SECONDS, *DAYS, *MONTHS]))
MODERN = st.floats(parse_timestamp("1860-01-01"), parse_timestamp("2100-01-01"))


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.one_of(MODERN, MODERN.map(math.floor)), min_size=1, max_size=20, unique=True),
    LENGTHS,
    st.sampled_from(ZONES),
)
@example([1325239199.5, 1325239200.0, 1325325600.0], (1, "d"), "Pacific/Apia")
@example([1130639399.0, 1130639400.0, 1130641260.0, 1130644860.0], (1, "d"), "America/St_Johns")
def test_each_instant_is_in_the_bucket_that_the_calendar_says(
    times: list[float], length: tuple[int, str], zone: str
) -> None:
    count, unit = length
    times = sorted(map(float, times))
    buckets = parse_every(f"{count}{unit}", ZoneInfo(zone))
    assert buckets is not None
    places, starts = split(buckets, np.array(times))
    sizes = np.diff(places, append=len(times))
    assert np.repeat(starts, sizes).tolist() == [start_of(t, count, unit, zone) for t in times]


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32), LENGTHS, st.sampled_from(ZONES))
def test_many_instants_are_in_the_buckets_they_are_in_alone(
    seed: int, length: tuple[int, str], zone: str
) -> None:
    """Wherever they are looked up, among many in few buckets, or few in many."""
    count, unit = length
    buckets = parse_every(f"{count}{unit}", ZoneInfo(zone))
    assert buckets is not None
    chance = np.random.default_rng(seed)
    t = np.sort(chance.uniform(0, 10.0 ** chance.uniform(4, 9), 300)) + chance.uniform(-4e9, 3e9)
    found = split(buckets, t)
    alone = [split(buckets, t[[place]]).starts[0] for place in range(len(t))]
    assert np.repeat(found.starts, np.diff(found.places, append=len(t))).tolist() == alone
    assert np.all(np.diff(found.starts) > 0)


#: A length, a zone, and instants, each with the start of the bucket that it is in.
BY_HAND = [
    ("1d", "UTC", "1969-12-31T23:59:59.5", "1969-12-31T00:00:00"),
    ("1h", "Asia/Kathmandu", "2020-01-01T00:50:00", "2020-01-01T00:00:00"),
    ("7h", "UTC", "1970-01-01T07:00:00", "1970-01-01T07:00:00"),
    ("7h", "UTC", "1969-12-31T23:59:59", "1969-12-31T17:00:00"),
    # weeks are counted from a Monday
    ("1w", "UTC", "1970-01-04T23:59:59", "1969-12-29T00:00:00"),
    ("2w", "UTC", "1970-01-18T23:59:59", "1970-01-05T00:00:00"),
    ("1w", "Asia/Kolkata", "2020-01-05T18:29:59", "2019-12-29T18:30:00"),
    ("1w", "Asia/Kolkata", "2020-01-05T18:30:00", "2020-01-05T18:30:00"),
    ("2mo", "UTC", "2024-02-29T12:00:00", "2024-01-01T00:00:00"),
    ("1q", "Australia/Lord_Howe", "2020-03-31T13:00:00", "2020-03-31T13:00:00"),
    ("3y", "UTC", "1969-06-01T00:00:00", "1967-01-01T00:00:00"),
    # days of 23 and 25 hours
    ("1d", "Europe/Berlin", "2024-03-31T21:59:59", "2024-03-30T23:00:00"),
    ("1d", "Europe/Berlin", "2024-03-31T22:00:00", "2024-03-31T22:00:00"),
    ("1d", "Europe/Berlin", "2024-10-27T22:59:59", "2024-10-26T22:00:00"),
    # no midnight: the day begins at one
    ("1d", "America/Sao_Paulo", "2018-11-04T02:59:59", "2018-11-03T03:00:00"),
    ("1d", "America/Sao_Paulo", "2018-11-04T03:00:00", "2018-11-04T03:00:00"),
    # clocks went from 23:30 to 0:30
    ("1d", "America/Toronto", "1919-03-31T04:29:59", "1919-03-30T05:00:00"),
    ("1d", "America/Toronto", "1919-03-31T04:30:00", "1919-03-31T04:30:00"),
    # midnight twice, at one o'clock and at a minute past midnight
    ("1d", "America/Havana", "2012-11-04T04:30:00", "2012-11-04T04:00:00"),
    ("1d", "America/Havana", "2012-11-04T05:30:00", "2012-11-04T04:00:00"),
    ("1d", "America/St_Johns", "2005-10-30T02:30:30", "2005-10-30T02:30:00"),
    ("1d", "America/St_Johns", "2005-10-30T03:00:00", "2005-10-30T02:30:00"),
    # the 30th of December was left out
    ("1d", "Pacific/Apia", "2011-12-30T09:59:59", "2011-12-29T10:00:00"),
    ("1d", "Pacific/Apia", "2011-12-30T10:00:00", "2011-12-30T10:00:00"),
    ("1mo", "Pacific/Apia", "2011-12-31T10:00:00", "2011-12-31T10:00:00"),
    # the ends of all time
    ("1y", "UTC", "0001-01-01T00:00:00", "0001-01-01T00:00:00"),
    ("1d", "America/New_York", "0001-01-01T01:00:00", "0001-01-01T00:00:00"),
    ("1d", "America/New_York", "9999-12-31T23:59:59", "9999-12-31T05:00:00"),
    ("1d", "Asia/Tokyo", "9999-12-31T23:59:59", "9999-12-31T15:00:00"),
    ("999999999999y", "Asia/Tokyo", "1969-12-31T14:59:59", "0001-01-01T00:00:00"),
    ("999999999999y", "Asia/Tokyo", "9999-12-31T23:59:59", "1969-12-31T15:00:00"),
    ("999999999999h", "UTC", "0001-01-01T00:00:00", "0001-01-01T00:00:00"),
]


@pytest.mark.parametrize(("every", "zone", "instant", "start"), BY_HAND)
def test_a_bucket_begins_where_the_calendar_says(
    service: Service, every: str, zone: str, instant: str, start: str
) -> None:
    path = service.create(f"{instant},1\n".encode())
    query = urlencode({"every": every, "tz": zone, "aggregate": "count"})
    reply = service.owner_sends("GET", f"{path}csv/iso.csv?{query}")
    assert reply.body == f"{start},1.0\n".encode()


# what the numbers come to


class Told(NamedTuple):
    """A series, and what it was told: bulk uploads that make blocks, then a tail over them."""

    path: str
    points: dict[float, Value]


def told(service: Service, chance: np.random.Generator) -> Told:
    size, step = int(chance.integers(1, 12_000)), 10.0 ** chance.uniform(-1, 5)
    t = np.unique(
        np.round(chance.uniform(-5e8, 1.5e9) + np.cumsum(chance.uniform(0, step, size)), 2)
    )
    points: dict[float, Value] = {}
    uploads = [t, chance.choice(t, 300), chance.choice(t, 20) + chance.integers(0, 2), t[-1:] + 5]
    path = service.create()
    words = chance.choice([0, 0.1, 0.999])
    for times in uploads[: chance.integers(1, 5)]:
        values = np.round(chance.normal(0, 100, len(times)), 1).tolist()
        rows = [
            (t, (None, True, False)[int(t) % 3] if chance.random() < words else v)
            for t, v in zip(np.unique(times).tolist(), values)
        ]
        write(service, path, rows)
        points.update(rows)
    return Told(path, points)


def write(service: Service, path: str, rows: list[Point]) -> None:
    body = b"".join(format_csv(rows))
    assert service.owner_sends("POST", path, body, {"Content-Type": "text/csv"}).status == 204


def asked(service: Service, path: str, **query: object) -> list[Point]:
    """All points, page by page."""
    found: list[Point] = []
    following: str | None = f"{path}csv/?{urlencode(query)}"
    while following:
        reply = service.owner_sends("GET", following)
        assert reply.status == 200, reply.body
        page = list(parse_csv(reply.body))
        assert len(page) <= int(str(query.get("limit", len(page))))
        found += page
        following = next_of(reply)
    return found


def next_of(reply: Reply) -> str | None:
    link = reply.headers["Link"]
    if link is None:
        return None
    parts = urlsplit(link.partition(">")[0].lstrip("<"))
    return f"{parts.path}?{parts.query}"


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32))
def test_the_service_reckons_as_one_does_by_hand(service: Service, seed: int) -> None:
    chance = np.random.default_rng(seed)
    path, points = told(service, chance)
    span = max(points) - min(points)
    for name in AGGREGATES:
        zone, count = str(chance.choice(ZONES)), int(chance.integers(1, 40))
        unit = str(chance.choice([*SECONDS, *DAYS, *MONTHS]))
        start, end = np.round(min(points) + span * chance.uniform(-0.2, 1.2, 2), 2).tolist()
        window = {"start": start, "end": end} if chance.random() < 0.5 else {}
        within = {t: v for t, v in points.items() if not window or start <= t < end}
        expected = reckoned(within, count, unit, zone)
        query = {"every": f"{count}{unit}", "aggregate": name, "tz": zone, **window}
        assert_alike(asked(service, path, **query), expected, name)
        limit = int(chance.integers(len(expected) // 7 + 1, len(expected) + 2))
        for order in ("asc", "desc"):
            pages = asked(service, path, **query, limit=limit, order=order)
            assert_alike(sorted(pages), expected, name)
            assert pages == sorted(pages, reverse=order == "desc")


def test_a_bucket_that_start_or_end_cuts_keeps_its_stamp(service: Service) -> None:
    path = service.create(b"".join(b"%d,%d\n" % (t, t) for t in range(0, 100, 10)))
    query = {"every": "50s", "aggregate": "sum"}
    assert asked(service, path, **query) == [(0.0, 100.0), (50.0, 350.0)]
    assert asked(service, path, **query, start=40, end=70) == [(0.0, 40.0), (50.0, 110.0)]
    assert asked(service, path, **query, after=40) == [(50.0, 350.0)]
    assert asked(service, path, **query, start=70, end=60) == []


def test_what_follows_a_page_is_asked_for_by_the_next_bucket(service: Service) -> None:
    path = service.create(b"0,1\n5,2\n100,3\n200,4\n")
    query = "every=10s&aggregate=last&tz=Asia%2FTokyo&after=0&end=201&limit=1&oauth_token=x"
    first = next_of(service.owner_sends("GET", f"{path}csv/?{query}"))
    assert first
    assert first.startswith(f"{path}csv/?")
    common = {"every": ["10s"], "aggregate": ["last"], "tz": ["Asia/Tokyo"], "limit": ["1"]}
    assert parse_qs(urlsplit(first).query) == {**common, "start": ["100.0"], "end": ["201.0"]}
    last = next_of(service.owner_sends("GET", f"{path}csv/?{query}&order=desc"))
    assert last
    start = [repr(math.nextafter(0, 1))]
    assert parse_qs(urlsplit(last).query) == {
        **common,
        "start": start,
        "end": ["200.0"],
        "order": ["desc"],
    }


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_page_may_be_longer_than_what_is_read_ahead(service: Service, order: str) -> None:
    path = service.create(b"".join(b"%d,1\n" % t for t in range(270_000)))
    found = asked(service, path, every="1s", aggregate="count", limit=265_000, order=order)
    assert sorted(found) == [(float(t), 1.0) for t in range(270_000)]


HUGE = 1.6e308
BEYOND = [
    [HUGE] * 3,
    [-HUGE, -HUGE, HUGE, HUGE],
    [-HUGE, -HUGE, HUGE, 1e307],
    [HUGE, 1e308, -HUGE, 3.0],
    [5e-324, 5e-324],
]


@pytest.mark.parametrize("values", BEYOND)
@pytest.mark.parametrize("times", [1, 200, 3000], ids=["tail", "block", "blocks"])
def test_a_sum_past_the_range_of_doubles_is_null_and_a_mean_never_is(
    service: Service, values: list[float], times: int
) -> None:
    values = values * times
    path = service.create(b"".join(format_csv((float(t), v) for t, v in enumerate(values))))
    total = sum(map(Fraction, values))
    slack = 1e-12 * max(map(abs, values))
    [(_, mean)] = asked(service, path, every="1d", aggregate="mean")
    assert mean == pytest.approx(float(total / len(values)), rel=0, abs=slack)
    [(_, found)] = asked(service, path, every="1d", aggregate="sum")
    if abs(total) > sys.float_info.max:
        assert found is None
    else:
        assert found == pytest.approx(float(total), rel=0, abs=slack * times)


def test_a_hundred_years_of_a_point_each_do_not_cost_all_the_seconds_between(
    service: Service,
) -> None:
    path = service.create(b"0001-01-01,1\n1970-01-01,2\n9999-12-31,3\n")
    found = asked(service, path, every="1s", aggregate="first")
    assert found == [(FIRST, 1.0), (0.0, 2.0), (END - DAY, 3.0)]
    zone = {"tz": "Europe/Berlin"}
    assert len(asked(service, path, every="1d", aggregate="first", **zone)) == 3


# what is asked, and how it is answered

REFUSED = [
    ("every=1h", "aggregate"),
    ("every=1h&aggregate=median", "aggregate"),
    ("every=1h&aggregate=", "aggregate"),
    ("aggregate=mean", "aggregate"),
    ("tz=UTC", "tz"),
    ("every=1h&aggregate=mean&limit=0", "limit"),
    ("every=1h&aggregate=mean&start=soon", "start"),
    ("every=1h&aggregate=mean&max_points=5", "max_points"),
    *(
        (f"aggregate=mean&every={every}", "every")
        for every in (
            "",
            "h",
            "0h",
            "-1h",
            "1.5h",
            "1",
            "1H",
            "1m",
            "1ms",
            "1+h",
            "%D9%A1h",
            "1" * 20 + "h",
        )
    ),
    *(
        (f"aggregate=mean&every=1d&tz={zone}", "tz")
        for zone in ("", "Mars/Base", "utc", "localtime", "right/UTC", "posix/UTC", "America")
        + ("../UTC", "/etc/passwd", "%2B01:00", "CEST", "Europe/Berlin%00", "Z%C3%BCrich")
    ),
]


@pytest.mark.parametrize(("query", "field"), REFUSED)
def test_what_cannot_be_meant_is_refused_and_named(
    service: Service, query: str, field: str
) -> None:
    path = service.create(b"0,1\n")
    for address in ("csv/", "points/"):
        reply = service.owner_sends("GET", f"{path}{address}?{query}")
        assert reply.status == 400
        assert json.loads(reply.body)["field"] == field


def test_leading_zeros_and_unescaped_zones_are_understood(service: Service) -> None:
    path = service.create(b"18000,1\n")
    query = "every=007d&aggregate=count&tz=Etc/GMT+5"
    assert service.owner_sends("GET", f"{path}csv/?{query}").body == b"18000.0,1.0\n"


def test_buckets_come_in_every_form_with_a_weak_validator(service: Service) -> None:
    path = service.create(b"10,1\n20,null\n70,2.5\n140,true\n")
    address = f"{path}points/?every=1min&aggregate=max"
    reply = service.owner_sends("GET", address, headers={"Accept": "application/json"})
    assert json.loads(reply.body) == {"points": [[0.0, 1.0], [60.0, 2.5]]}
    assert reply.headers["ETag"].startswith('W/"')
    known = {"Accept": "application/json", "If-None-Match": reply.headers["ETag"]}
    assert service.owner_sends("GET", address, headers=known).status == 304
    binary = {"Accept": "application/vnd.timetric.points"}
    reply = service.owner_sends("GET", address, headers=binary)
    assert reply.body == struct.pack("<4d", 0, 1, 60, 2.5)
    assert reply.headers["Timetric-Words"] == "no"


def test_a_sum_that_is_null_may_come_in_the_binary_form(service: Service) -> None:
    path = service.create(b"0,1e308\n1,1e308\n60,1\n")
    binary = {"Accept": "application/vnd.timetric.points"}
    address = f"{path}points/?every=1min&aggregate=sum"
    reply = service.owner_sends("GET", address, headers=binary)
    assert struct.unpack("<dQdd", reply.body) == (0.0, 0x7FF8_0000_0000_0001, 60.0, 1.0)
    assert reply.headers["Timetric-Words"] is None


@pytest.mark.parametrize("csv", [b"", b"0,null\n5,true\n"])
def test_where_there_are_no_numbers_there_are_no_buckets(service: Service, csv: bytes) -> None:
    path = service.create(csv)
    for name in AGGREGATES:
        assert asked(service, path, every="1h", aggregate=name, limit=1) == []


# how they are read


def stored(storage: Storage, points: int) -> Series:
    """A series of so many points, one a second; each value is its time."""
    owner = storage.accounts.add_user("owner", 0.0)
    t = np.arange(float(points))
    metadata = Metadata.from_fields({"title": ["T"], "caption": ["C"]})
    storage.create("series", owner, metadata, Columns(t, t), 0.0)
    return storage.series("series")


def read(storage: Storage, series: Series, every: str, name: str) -> Iterator[Columns]:
    buckets = parse_every(every, timezone.utc)
    assert buckets is not None
    return storage.aggregate(series, Window(), Bucketing(buckets, name))


@pytest.mark.parametrize("name", AGGREGATES)
def test_blocks_within_one_bucket_are_not_decoded(tmp_path: Path, name: str) -> None:
    """So what they hold does not matter; but where it does, damage shows."""
    storage = open_storage(tmp_path)
    series = stored(storage, 100_000)
    whole = [piece.v.tolist() for piece in read(storage, series, "1y", name)]
    with sqlite3.connect(tmp_path / "timetric.sqlite3") as db:
        # of the first block the first number is needed, which its summary does not tell
        db.execute("UPDATE bodies SET vals = x'00' WHERE key > (SELECT min(key) FROM bodies)")
    assert [piece.v.tolist() for piece in read(storage, series, "1y", name)] == whole
    with pytest.raises(Damaged, match="block"):
        list(read(storage, series, "1000s", name))
    storage.close()


@pytest.mark.parametrize("change", ["clear", "replace"])
def test_a_history_that_is_rewritten_meanwhile_is_not_mixed(place: Path | str, change: str) -> None:
    storage = open_storage(place)
    series = stored(storage, 600_000)
    pieces = read(storage, series, "1000s", "mean")
    assert len(next(pieces).t) > 100
    if change == "clear":
        storage.clear(series, 0.0, 10.0, 1.0)
    else:
        storage.replace(series, Columns(np.array([5.0]), np.array([5.0])), 1.0)
    with pytest.raises(Rewritten):
        list(pieces)
    storage.close()


def test_a_million_buckets_come_piece_by_piece(place: Path | str) -> None:
    storage = open_storage(place)
    series = stored(storage, 1_000_000)
    pieces = [len(piece.t) for piece in read(storage, series, "1s", "sum")]
    assert sum(pieces) == 1_000_000
    assert max(pieces) <= 300_000
    storage.close()
