"""The table of all measures."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from benchmarks import calls, charts, pictures, reads, searches, space, updates, uploads, writes
from benchmarks.stage import Actor, Stage


class Measure(NamedTuple):
    """A row of the table.

    ``title`` has places for the sizes. ``take`` gives one figure, or None where a contender is not
    asked for it. ``wanted`` is the most that we want of ourselves. What is taken ``once``, in the
    first round only, hardly changes.
    """

    name: str
    title: str
    unit: str
    take: Callable[[Stage, Actor], float | None]
    wanted: float | None = None
    once: bool = False

    @property
    def more_is_better(self) -> bool:
        return self.unit.endswith("/s")


MEASURES = [
    Measure("ingest", "upload {large:,} rows", "s", uploads.large("readable")),
    Measure("ingest-ack", "... until acknowledged", "s", uploads.large("acknowledged")),
    Measure("ingest-huge", "upload {huge:,} rows", "s", uploads.huge),
    Measure("write", "write single points, 1 client", "/s", writes.alone),
    Measure("write-8", "write single points, 8 clients", "/s", writes.eight),
    Measure("latest", "latest of {large:,}", "ms", reads.latest),
    Measure("read", "read all {large:,} as CSV", "s", reads.everything),
    Measure("range", "read {small:,} of {huge:,}", "ms", reads.part),
    Measure("buckets", "{large:,} to 1,000 means", "ms", reads.means(lambda stage: stage.large)),
    Measure("buckets-huge", "{huge:,} to 1,000 means", "ms", reads.means(lambda stage: stage.huge)),
    Measure(
        "flat-latest", "latest: of {huge:,} over of {small:,}", "x", reads.flat_latest, wanted=1.3
    ),
    Measure(
        "flat-append", "append: to {huge:,} over to {small:,}", "x", reads.flat_append, wanted=1.3
    ),
    Measure(
        "wait", "longest wait beside an upload of {huge:,}", "s", uploads.longest_wait, wanted=0.5
    ),
    Measure("wait-upload", "that upload", "s", uploads.upload_beside),
    Measure("iterate", "iterate over {large:,} tuples, by the Python client", "s", reads.iteration),
    Measure("iterate-csv", "... over the same as CSV, by csv.reader", "s", reads.iteration_by_csv),
    Measure("tuples", "a list of {large:,} tuples, by the Python client", "s", reads.tuples),
    Measure("tuples-csv", "... of the same as CSV, by csv.reader", "s", reads.tuples_by_csv),
    Measure("pandas", "{huge:,} points into pandas", "s", reads.frame, wanted=1.0),
    Measure(
        "iterate-memory",
        "memory of a client that iterates over {huge:,}",
        "MB",
        reads.iteration_memory,
        wanted=32,
        once=True,
    ),
    Measure("update", "update of {large:,} pairs, by the client", "s", updates.update("client")),
    Measure("update-curl", "the same CSV by curl", "s", updates.update("curl")),
    Measure("update-over-curl", "... the one over the other", "x", updates.update("ratio"), 1.5),
    Measure(
        "client-latest",
        "client latest over bare httplib2",
        "x",
        calls.latest_over_bare,
        wanted=1.25,
    ),
    Measure(
        "picture",
        "a picture of {large:,} points, PNG",
        "ms",
        pictures.picture("chart.png", lambda stage: stage.large),
        wanted=100,
    ),
    Measure(
        "picture-svg",
        "... as SVG",
        "ms",
        pictures.picture("chart.svg", lambda stage: stage.large),
        wanted=100,
    ),
    Measure(
        "picture-huge",
        "a picture of {huge:,} points, PNG",
        "ms",
        pictures.picture("chart.png", lambda stage: stage.huge),
    ),
    Measure("disk-regular", "bytes a point, regular", "B", space.disk("regular"), 1.1, once=True),
    Measure(
        "disk-jittered", "bytes a point, jittered", "B", space.disk("jittered"), 2.5, once=True
    ),
    Measure("disk-random", "bytes a point, random", "B", space.disk("random"), 11.5, once=True),
    Measure("memory", "memory, idle", "MB", space.memory("idle"), once=True),
    Measure(
        "memory-upload",
        "more while {huge:,} are uploaded",
        "MB",
        space.memory("upload"),
        wanted=200,
        once=True,
    ),
    Measure(
        "memory-download",
        "more while {huge:,} are read",
        "MB",
        space.memory("download"),
        wanted=200,
        once=True,
    ),
    Measure("many", "load {series:,} series of {small:,}", "s", space.many("load"), once=True),
    Measure("many-read", "read one of these", "ms", space.many("read"), once=True),
    Measure("many-disk", "bytes a point of these", "B", space.many("disk"), once=True),
    Measure(
        "newest",
        "the newest of {searched:,} series",
        "ms",
        searches.search("newest"),
        30,
        once=True,
    ),
    Measure(
        "common", "... with a word that half have", "ms", searches.search("common"), 100, once=True
    ),
    Measure("rare", "... with a word that one has", "ms", searches.search("rare"), 5, once=True),
    Measure("chart", "the first chart of {huge:,}, in Chromium", "ms", charts.chart("first"), 1000),
    Measure("zoom", "the slowest of four zooms into it", "ms", charts.chart("zoom"), 200),
]
