"""The points of a form: pasted, or in a file; and where the first line is that is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import BinaryIO, NamedTuple

from falcon import Request

from timetric.display.wording import plain
from timetric.exceptions import InvalidPoint
from timetric.server.body import PASTED, PIECE, Fields, only, page_file, read_page_form
from timetric.server.intake import NOTHING, Upload, read_csv
from timetric.server.pages import PageProblem

_SHOWN = 200  # characters of a bad line
_HEADING = " If it is a heading, take it out."
_COMMA = " Write a comma between time and value."


class Sent(NamedTuple):
    """What a form brought. ``file`` is the name of a file, "" without one.

    ``fields`` are as the form would have them next: the text of a small file stands in ``pasted``,
    since a browser does not keep a file from page to page.
    """

    fields: Fields
    file: str
    upload: Upload
    fault: PageProblem | None

    @property
    def is_kept(self) -> bool:
        """Whether the points are in the form that is shown next."""
        return not self.file or bool(only(self.fields, "pasted"))


def read_sent(req: Request, limit: int) -> Sent:
    """A form whose body has at most ``limit`` bytes. Raises Problem."""
    fields = read_page_form(req, limit)
    text, file = only(fields, "pasted") or "", page_file(req, limit)
    if file is None:
        upload, fault = _parsed(lambda: BytesIO(text.encode("utf-8")), "pasted")
        return Sent(fields, "", upload, fault)
    if text.strip():
        both = PageProblem(400, "Paste the points or choose a file, not both.", field="csv")
        return Sent(fields, file.name, NOTHING, both)
    small = file.stream.read(PASTED + 1)
    if len(small) <= PASTED:
        return _small(fields, file.name, small)
    upload, fault = _parsed(lambda: _stream(req, limit), "csv")
    return Sent(fields, file.name, upload, fault)


def _small(fields: Fields, name: str, data: bytes) -> Sent:
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    is_text = "\0" not in text and "\ufffd" not in text
    upload, fault = _parsed(lambda: BytesIO(data), "pasted" if is_text else "csv")
    return Sent(fields | {"pasted": [text if is_text else ""]}, name, upload, fault)


def _stream(req: Request, limit: int) -> BinaryIO:
    file = page_file(req, limit)
    assert file is not None, "it was there before"
    return file.stream


def _parsed(read: Callable[[], BinaryIO], field: str) -> tuple[Upload, PageProblem | None]:
    """The points of a file, which is read again for the text of a line that is none."""
    try:
        return read_csv(read()), None
    except InvalidPoint as error:
        line = error.line or 1
        detail = error.detail.removeprefix(f"line {line}: ")
        text = line_text(read(), line)
        members = {"field": field, "line": line, "text": plain(text[:_SHOWN])}
        return NOTHING, PageProblem(400, f"Line {line}: {detail}.{_hint(line, text)}", **members)


def _hint(line: int, text: str) -> str:
    """What may be the matter: spreadsheets have tabs, semicolons and headings."""
    if "," not in text and ("\t" in text or ";" in text):
        return _COMMA
    return _HEADING if line == 1 and text[:1].isalpha() else ""


def line_text(file: BinaryIO, number: int) -> str:
    """The beginning of the line with that number, from 1."""
    for line, text in _beginnings(file):
        if line == number:
            return text.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").strip()
    return ""


def _beginnings(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each line's number and its first bytes, in bounded memory."""
    number, rest = 1, b""
    while piece := file.read(PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield number, line
            number += 1
        rest = rest[:PIECE]
    yield number, rest
