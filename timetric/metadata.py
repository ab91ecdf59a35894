"""What a series says of itself, as its owner writes it and as the service tells it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from timetric.exceptions import BadReply, BadRequest
from timetric.points import format_value
from timetric.timestamps import shown

if TYPE_CHECKING:
    from timetric.series import Series

T = TypeVar("T")

#: The most characters of each (protocol.md, Metadata).
_LENGTHS = {"title": 200, "caption": 1000}

_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRequest(f"{name} {shown(value)} is no text")
    return value.strip()


def _required(name: str, value: object) -> str:
    text, most = _text(name, value), _LENGTHS[name]
    if not text:
        raise BadRequest(f"a series needs a {name}")
    if len(text) > most:
        raise BadRequest(f"the {name} has {len(text)} characters, and {most} are allowed")
    return text


def _tags(name: str, value: object) -> tuple[str, ...]:
    """Each once, in Unicode's form NFC, as the service keeps them; one text is one tag."""
    tags = [value] if isinstance(value, str) else () if value is None else value
    if not isinstance(tags, Iterable):
        raise BadRequest(f"tags {shown(value)} are no texts")
    from unicodedata import normalize  # a megabyte, which most programs do without

    normal = [normalize("NFC", _text("a tag", tag)) for tag in tags]
    for tag in normal:
        if ";" in tag:
            raise BadRequest(f"the tag {shown(tag)} holds a semicolon, which parts tags")
    return tuple(dict.fromkeys(tag for tag in normal if tag))


def _number(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadRequest(f"{name} {shown(value)} is no number of degrees")
    return float(value)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise BadRequest(f"{name} {shown(value)} is neither True nor False")
    return value


def slug_of(name: str, value: object) -> str | None:
    """A slug, or None without one. Raises BadRequest for what is none."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _SLUG.fullmatch(value):
        raise BadRequest(
            f"{name} {shown(value)} is not 1 to 64 of a-z, 0-9, . _ and -, of which the first is "
            "a letter or digit"
        )
    return value


#: How each field that its owner sets is read. What it gives is what the handle then knows.
_WRITTEN: dict[str, Callable[[str, object], Any]] = {
    "title": _required,
    "caption": _required,
    "description": _text,
    "tags": _tags,
    "unit": _text,
    "source": _text,
    "source_url": _text,
    "latitude": _number,
    "longitude": _number,
    "public": _flag,
    "slug": slug_of,
}

#: What a series says where nothing was given.
_UNSAID = {
    **dict.fromkeys(("description", "unit", "source", "source_url"), ""),
    **dict.fromkeys(("latitude", "longitude", "slug")),
    "tags": (),
    "public": False,
}

#: What the service tells beside these; times are Unix seconds, UTC.
_TOLD: dict[str, Callable[[Any], Any]] = {"owner": str, "created": float, "updated": float}


def checked(fields: Mapping[str, object]) -> dict[str, Any]:
    """These fields as they are known from then on.

    >>> checked({"title": " Office power", "tags": ["energy", "energy"]})
    {'title': 'Office power', 'tags': ('energy',)}

    Raises BadRequest for what can't be taken, and for names of no field.
    """
    for name in fields:
        if name not in _WRITTEN:
            raise BadRequest(f"{shown(name)} is no field to be set; {', '.join(_WRITTEN)} are")
    return {name: _WRITTEN[name](name, value) for name, value in fields.items()}


def of_a_new_one(fields: Mapping[str, object]) -> dict[str, Any]:
    """All that a series made of these fields will say, as ``checked`` gives it."""
    return {**_UNSAID, **checked(fields)}


def as_form(known: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Checked fields as a form; what is empty is left out."""
    pairs = []
    for name, value in known.items():
        texts = value if isinstance(value, tuple) else [value]
        pairs += [(name, _written(each)) for each in texts if each not in (None, "")]
    return pairs


def as_patch(known: Mapping[str, Any]) -> dict[str, Any]:
    """Checked fields as a JSON merge patch (RFC 7396), in which null clears."""
    return {name: None if value == "" else value for name, value in known.items()}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """What the service tells of a series, by name. Raises BadReply where it is none of ours."""
    try:
        told = {name: read(item[name]) for name, read in _TOLD.items()}
        written = {name: _read(name, item.get(name)) for name in _WRITTEN}
    except (LookupError, TypeError, ValueError) as error:  # BadRequest is a ValueError
        raise BadReply("the service told of a series what it can't say of itself") from error
    return {**written, **told}


def _read(name: str, value: object) -> Any:
    """A field of JSON. What is longer than we would send is the service's business."""
    if name in _LENGTHS:
        return _text(name, value)
    return _WRITTEN[name](name, value)


def _written(value: str | float | bool) -> str:
    return value if isinstance(value, str) else format_value(value)


class Told(Generic[T]):
    """A field of a series' metadata, as an attribute of its handle.

    It is asked for, with all the others, when it is first read; then it is remembered.
    """

    def __set_name__(self, owner: type[Series], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, series: None, owner: type[Series]) -> Told[T]: ...

    @overload
    def __get__(self, series: Series, owner: type[Series]) -> T: ...

    def __get__(self, series: Series | None, owner: type[Series]) -> Told[T] | T:
        if series is None:
            return self
        if self._name not in series.about:
            series.describe()
        found: T = series.about[self._name]
        return found
