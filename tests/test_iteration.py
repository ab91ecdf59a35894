"""Iteration against services that misbehave, or know less: cuts, rewrites, damage, plain CSV."""

from __future__ import annotations

import io
import struct
import threading
from collections.abc import Iterator

import pytest

import timetric
from tests.misbehaving import (
    Behaviour,
    Peer,
    Service,
    answer,
    answer_and_close,
    http,
    keep_silent,
    misbehaving,
)
from timetric.pages import LIMIT

ID = "A" * 22
RECORDS = "application/vnd.timetric.points"
POINTS = [(float(t), t / 4) for t in range(8)]
BYTES = struct.pack("<16d", *(cell for point in POINTS for cell in point))

pytestmark = pytest.mark.filterwarnings(  # a connection that nobody closed is an error
    "error::ResourceWarning", "error::pytest.PytestUnraisableExceptionWarning"
)


def page(body: bytes = BYTES, *, after: float | None = None, of: str = "7.1", **more: str) -> bytes:
    """A page of records, whose history has that version and generation, and perhaps a next one."""
    link = f'<http://elsewhere.example/?after={after}&limit={LIMIT}>; rel="next"'
    fields = {"content_type": RECORDS, "timetric_words": "no", "etag": f'"{of}-points"', **more}
    return http(body=body, **fields, **({} if after is None else {"link": link}))


def csv(body: bytes, **more: str) -> bytes:
    return http(body=body, content_type="text/csv; charset=utf-8", **more)


def cut(reply: bytes, missing: int) -> Behaviour:
    """The reply without its last bytes, and then the connection's end."""
    return answer_and_close(reply[:-missing])


def chunked(pieces: list[bytes], *, ended: bool) -> bytes:
    head = f'HTTP/1.1 200 OK\r\nContent-Type: {RECORDS}\r\nETag: "7.1-points"\r\n'
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    head += "Timetric-Words: no\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + body + (b"0\r\n\r\n" if ended else b"")


def series(service: Service, retries: int = 1) -> timetric.Series:
    config = {"url": service.url, "authtype": "apitoken"}
    config.update(apitoken_key="k", apitoken_secret="s")
    return timetric.TimetricClient(config, timeout=5, retries=retries).series(ID)


def queries(service: Service) -> list[str]:
    return [request.target.partition("?")[2] for request in service.requests]


def paths(service: Service) -> list[str]:
    return [request.target.partition("?")[0].rpartition(ID)[2] for request in service.requests]


def test_a_short_series_is_one_request_for_records_as_they_are() -> None:
    with misbehaving(answer(page())) as service:
        assert list(series(service)) == POINTS
        [request] = service.requests
    assert request.target == f"/series/{ID}/points/?limit={LIMIT}"
    assert request.headers["accept"].split(",")[0] == RECORDS
    assert request.headers["accept-encoding"] == "identity"


def test_a_further_page_is_asked_of_the_same_service() -> None:
    first, second = page(BYTES[:64], after=3.0), page(BYTES[64:])
    with misbehaving(answer(first, second)) as service:
        assert list(series(service)) == POINTS
        assert queries(service) == [f"limit={LIMIT}", f"after=3.0&limit={LIMIT}"]
        assert {request.headers["host"] for request in service.requests} == {service.url[7:]}


# pages that break off


@pytest.mark.parametrize("missing", [1, 16, 33, 112])
def test_a_page_that_is_cut_goes_on_after_its_last_whole_point(missing: int) -> None:
    came = (len(BYTES) - missing) // 16
    with misbehaving(cut(page(), missing), answer(page(BYTES[16 * came :]))) as service:
        assert list(series(service)) == POINTS
        rest = f"limit={LIMIT}&after={float(came - 1)}"
        assert queries(service) == [f"limit={LIMIT}", rest]


def test_a_chunked_page_that_is_cut_goes_on_too() -> None:
    broken = chunked([BYTES[:50], BYTES[50:72]], ended=False)[:-4]
    with misbehaving(answer_and_close(broken), answer(page(BYTES[64:]))) as service:
        assert list(series(service)) == POINTS
        assert queries(service)[1] == f"limit={LIMIT}&after=3.0"


def test_a_page_that_is_cut_before_its_first_point_is_asked_for_again() -> None:
    with misbehaving(cut(page(), len(BYTES) - 9), answer(page())) as service:
        assert list(series(service)) == POINTS
        assert queries(service) == [f"limit={LIMIT}"] * 2


def test_a_page_may_be_cut_more_often_than_there_are_retries_as_long_as_it_gets_on() -> None:
    parts = [page(BYTES[16 * start :]) for start in range(8)]
    cuts = [cut(part, len(BYTES) - 16 * (start + 1)) for start, part in enumerate(parts[:-1])]
    with misbehaving(*cuts, answer(parts[-1])) as service:
        assert list(series(service, retries=1)) == POINTS
        assert len(service.requests) == 8


def test_a_page_that_gets_nowhere_raises_after_the_retries() -> None:
    with misbehaving(*[cut(page(), len(BYTES))] * 5) as service:
        with pytest.raises(timetric.ConnectionFailed, match="closed in the middle"):
            list(series(service, retries=1))
        assert len(service.requests) == 2


def test_without_retries_a_cut_is_an_error() -> None:
    with misbehaving(cut(page(), 16), answer(page())) as service:
        with pytest.raises(timetric.ConnectionFailed):
            list(series(service, retries=0))
        assert len(service.requests) == 1


def test_a_page_in_reverse_goes_on_before_its_last_point() -> None:
    reverse = b"".join(BYTES[i : i + 16] for i in range(112, -1, -16))
    with misbehaving(cut(page(reverse), 16 * 3), answer(page(reverse[80:]))) as service:
        assert list(reversed(series(service)["1970":])) == POINTS[::-1]
        assert queries(service) == [
            f"start=0.0&limit={LIMIT}&order=desc",
            f"start=0.0&limit={LIMIT}&order=desc&end=3.0",
        ]


def test_the_rest_of_a_page_may_have_words_and_a_next_page() -> None:
    word = struct.pack("<dQ", 8.0, 0x7FF8_0000_0000_0001)
    rest = page(BYTES[96:] + word, after=8.0, timetric_words="maybe")
    last = page(struct.pack("<2d", 9.0, 1.5))
    with misbehaving(cut(page(), 32), answer(rest, last)) as service:
        assert list(series(service)) == [*POINTS, (8.0, None), (9.0, 1.5)]


def test_a_page_that_the_service_ends_within_a_record_goes_on() -> None:
    ended = chunked([BYTES[:64], b"\0"], ended=True)
    with misbehaving(answer(ended, page(BYTES[64:]))) as service:
        assert list(series(service)) == POINTS
        assert queries(service)[1] == f"limit={LIMIT}&after=3.0"


def test_a_service_that_only_ends_within_records_is_not_asked_for_ever() -> None:
    with misbehaving(answer(page(BYTES[:65]), page(b"\0"))) as service:
        with pytest.raises(timetric.BadReply, match="in the middle"):
            list(series(service))
        assert len(service.requests) == 2


def test_buckets_that_are_cut_are_asked_for_again_whole() -> None:
    with misbehaving(cut(page(), 16), answer(page())) as service:
        assert list(series(service).resample("1s")) == POINTS
        assert len(set(queries(service))) == 1


# rewrites meanwhile


def test_pages_of_two_histories_are_not_mixed() -> None:
    first, second = page(BYTES[:64], after=3.0, of="7.1"), page(BYTES[64:], of="8.2")
    with misbehaving(answer(first, second)) as service:
        points = iter(series(service))
        assert [next(points) for _ in range(4)] == POINTS[:4]
        with pytest.raises(timetric.Rewritten, match=ID):
            next(points)


def test_points_that_were_only_added_meanwhile_are_no_rewrite() -> None:
    first, second = page(BYTES[:64], after=3.0, of="7.1"), page(BYTES[64:], of="9.1")
    with misbehaving(answer(first, second)) as service:
        assert list(series(service)) == POINTS


def test_the_rest_of_a_page_is_not_taken_from_another_history() -> None:
    other = page(BYTES[96:], of="8.2")
    with misbehaving(cut(page(), 32), answer(other)) as service, pytest.raises(timetric.Rewritten):
        list(series(service))


def test_a_service_that_tells_no_generation_is_believed() -> None:
    first, second = page(BYTES[:64], after=3.0, etag=""), page(BYTES[64:], etag='"opaque"')
    with misbehaving(answer(first, second)) as service:
        assert list(series(service)) == POINTS


# replies that are none


@pytest.mark.parametrize("word", [0x7FF8 << 48, (0x7FF8 << 48) | 4, 0x7FF0 << 48])
def test_a_value_that_is_none_is_a_bad_reply(word: int) -> None:
    damaged = page(struct.pack("<dQ", 1.0, word), timetric_words="maybe")
    with misbehaving(answer(damaged)) as service, pytest.raises(timetric.BadReply, match="value"):
        list(series(service))


def test_what_is_no_page_of_points_is_a_bad_reply() -> None:
    html = http(body=b"<p>Please sign in to the hotel's network", content_type="text/html")
    with misbehaving(answer(html)) as service, pytest.raises(timetric.BadReply, match="points/"):
        list(series(service))


def test_a_failure_of_a_page_ahead_is_raised_where_the_points_are_taken() -> None:
    first, failed = page(after=7.0), http("500 Internal Server Error")
    with misbehaving(answer(first, failed)) as service:
        points = iter(series(service))
        assert [next(points) for _ in POINTS] == POINTS
        with pytest.raises(timetric.ServiceError) as caught:
            next(points)
    assert caught.value.status == 500
    assert list(points) == []


def test_a_silent_page_ahead_keeps_nobody_who_does_not_want_it() -> None:
    def stall(peer: Peer) -> None:
        peer.request()
        peer.send(page(after=7.0))
        keep_silent(peer)

    with misbehaving(stall) as service:
        points = iter(series(service))
        assert [next(points) for _ in POINTS] == POINTS
        [reader] = readers()
        del points
        assert reader.daemon  # nor does it keep the program from ending
    reader.join(15)
    assert not reader.is_alive()


def readers() -> Iterator[threading.Thread]:
    return (thread for thread in threading.enumerate() if thread.name == "timetric-reader")


# services without records

NOT_FOUND, NOT_ACCEPTABLE = http("404 Not Found"), http("406 Not Acceptable")
ROWS = b"".join(b"%d,%r\n" % point for point in POINTS)


@pytest.mark.parametrize("refusal", [NOT_FOUND, NOT_ACCEPTABLE])
def test_a_service_without_records_is_asked_for_csv_from_then_on(refusal: bytes) -> None:
    link = f'<http://elsewhere.example/?after=3.0&limit={LIMIT}>; rel="next"'
    first = csv(b"0,0.0\n1,0.25\n2,null\n3,true\n", link=link)
    with misbehaving(answer(refusal, first, csv(b"4,1.0\n"), csv(ROWS))) as service:
        old = series(service)
        assert list(old) == [*POINTS[:2], (2.0, None), (3.0, True), POINTS[4]]
        assert list(old) == POINTS
        assert paths(service) == ["/points/"] + ["/csv/unix.csv"] * 3
        assert queries(service)[2] == f"after=3.0&limit={LIMIT}"


def test_a_series_that_there_is_not_says_nothing_of_the_service() -> None:
    with misbehaving(answer(NOT_FOUND, NOT_FOUND, page())) as service:
        absent = series(service)
        with pytest.raises(timetric.NotFound):
            list(absent)
        assert list(absent) == POINTS
        assert paths(service) == ["/points/", "/csv/unix.csv", "/points/"]


def test_a_service_may_answer_with_csv_at_once() -> None:
    with misbehaving(answer(csv(ROWS))) as service:
        assert list(series(service)) == POINTS


def test_csv_that_is_none_is_a_bad_reply() -> None:
    bad = csv(b"0,0.0\n1,many\n")
    with misbehaving(answer(bad)) as service, pytest.raises(timetric.BadReply, match="line 2"):
        list(series(service))


def test_a_service_that_knows_no_windows_is_not_believed() -> None:
    old = answer(NOT_FOUND, csv(ROWS))
    with misbehaving(old) as service, pytest.raises(timetric.BadReply, match="window"):
        list(series(service)[2:4])


@pytest.mark.parametrize("part", [reversed, timetric.Window.latest, timetric.Window.resample])
def test_what_such_a_service_may_not_know_is_not_guessed(part: object) -> None:
    with misbehaving(answer(NOT_FOUND)) as service, pytest.raises(timetric.NotFound):
        old = series(service)[:]
        list(old.resample("1d") if part is timetric.Window.resample else part(old))  # type: ignore[operator]


def test_csv_that_the_service_could_not_finish_is_not_taken_for_a_history() -> None:
    unfinished = csv(ROWS + b"unfinished: the rest can not be read\n")
    with misbehaving(answer(unfinished, unfinished)) as service:
        broken = series(service)
        with pytest.raises(timetric.BadReply, match="line 9: 'unfinished"):
            broken.csv()
        with pytest.raises(timetric.BadReply, match="line 9: 'unfinished"):
            broken.csv(io.StringIO())
