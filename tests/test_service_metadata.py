"""The fields of a series, read from a form."""

from __future__ import annotations

import pytest

from timetric.server.metadata import BadMetadata, Metadata

NEEDED = {"title": ["Power"], "caption": ["Drawn by the office"]}


def test_title_and_caption_are_enough() -> None:
    assert Metadata.from_fields(NEEDED) == Metadata("Power", "Drawn by the office")


def test_every_field_is_read_and_unknown_ones_are_ignored() -> None:
    fields = {
        **NEEDED,
        "description": ["Two lines:\none\r\ntwo"],
        "tags": ["energy; office ;", "energy", "public data"],
        "unit": ["kW"],
        "source": ["The meter"],
        "source_url": ["https://example.org/meter?a=1"],
        "latitude": ["-90"],
        "longitude": ["180.0"],
        "public": ["true"],
        "colour": ["red"],
    }
    assert Metadata.from_fields(fields) == Metadata(
        title="Power",
        caption="Drawn by the office",
        description="Two lines:\none\r\ntwo",
        tags=("energy", "office", "public data"),
        unit="kW",
        source="The meter",
        source_url="https://example.org/meter?a=1",
        latitude=-90.0,
        longitude=180.0,
        public=True,
    )


def test_an_accent_typed_in_two_ways_is_one_tag() -> None:
    fields = {**NEEDED, "tags": ["e\u0301te\u0301;\u00e9t\u00e9"]}
    assert Metadata.from_fields(fields).tags == ("\u00e9t\u00e9",)


def test_empty_texts_count_as_left_out() -> None:
    names = ("description", "tags", "unit", "source", "source_url", "latitude", "longitude")
    fields = {**NEEDED, **{name: [""] for name in names}}
    assert Metadata.from_fields(fields) == Metadata.from_fields(NEEDED)


def test_the_longest_texts_are_taken() -> None:
    fields = {"title": ["é" * 200], "caption": ["é" * 1000]}
    assert Metadata.from_fields(fields) == Metadata("é" * 200, "é" * 1000)


def test_the_same_text_twice_counts_once() -> None:
    fields = {**NEEDED, "title": ["Power", "Power"], "public": ["true", "true"]}
    metadata = Metadata.from_fields(fields)
    assert (metadata.title, metadata.public) == ("Power", True)


@pytest.mark.parametrize(
    ("field", "texts"),
    [
        ("title", []),
        ("title", [" \n"]),
        ("title", ["é" * 201]),
        ("title", ["a\0b"]),
        ("title", ["a\x1bb"]),
        ("title", ["one\ntwo"]),
        ("title", ["Power", "Energy"]),
        ("caption", ["c" * 1001]),
        ("description", ["a\x07"]),
        ("tags", ["a;\x00b"]),
        ("unit", ["k\x85W"]),
        ("source_url", ["javascript:alert(1)"]),
        ("source_url", ["//example.org/"]),
        ("source_url", ["http://"]),
        ("source_url", ["http://[bad/"]),
        ("source_url", ["http://example.org/a b"]),
        ("latitude", ["90.01"]),
        ("latitude", ["nan"]),
        ("latitude", ["null"]),
        ("longitude", ["-180.5"]),
        ("longitude", ["1e999"]),
        ("longitude", ["east"]),
        ("public", [""]),
        ("public", ["True"]),
        ("public", ["1"]),
        ("public", ["true", "false"]),
    ],
)
def test_a_field_that_cannot_be_taken_is_named(field: str, texts: list[str]) -> None:
    fields = {**NEEDED, field: texts} if texts else {"caption": ["C"]}
    with pytest.raises(BadMetadata, match=field) as caught:
        Metadata.from_fields(fields)
    assert caught.value.field == field
