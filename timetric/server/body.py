"""What a request carries: its query, its form, its points; the body as a file of known length."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, NamedTuple, cast
from urllib.parse import parse_qsl

import orjson
from falcon import Request, Response
from falcon.media import MultipartFormHandler
from falcon.media.multipart import BodyPart, MultipartParseOptions
from falcon.typing import ReadableIO
from falcon.util.mediatypes import parse_header

from timetric.server.intake import Upload, read_csv, read_records
from timetric.server.problem import Problem
from timetric.server.unpacked import Unpacked

Pairs = list[tuple[str, str]]
Fields = dict[str, list[str]]

#: Bytes read at a time; of a body held in memory; that all plain text fields may have together.
PIECE, MEMORY, TEXT = 1 << 16, 1 << 20, 1 << 16
#: Bytes of the points that somebody may paste into a page; more are sent as a file.
PASTED = 1 << 20
_NAMES = 1000  # fields of a query or form
_LONG = f"The form has more than {TEXT} bytes; is it CSV? Then send it with Content-Type: text/csv."

#: The 16-byte form of points.
POINTS = "application/vnd.timetric.points"

_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_PACKED = {"identity": False, "gzip": True, "x-gzip": True}  # by Content-Encoding


class BodyKeeper:
    """Middleware that holds a body which was read, for others to read, until the reply stands."""

    def process_request(self, req: Request, resp: Response) -> None:
        req.context.body = None

    def process_response(
        self, req: Request, resp: Response, resource: object, req_succeeded: bool
    ) -> None:
        if req.context.body is not None:
            req.context.body.close()


class File(NamedTuple):
    """A file that a page's form brings, under the name that it has with whoever sends it."""

    name: str
    stream: BinaryIO


class Form(NamedTuple):
    """The fields of query and body together, and the points that came with them, if any."""

    fields: Fields
    upload: Upload | None


def read_query(req: Request) -> Fields:
    """The fields of the query. Raises Problem where it can't be read."""
    return _collected(query_pairs(req))


def read_semicolon_query(req: Request) -> Fields:
    """Those of a query whose fields may be joined by semicolons too, as programs of 2009 do it."""
    text = req.query_string.replace(";", "&")
    return _collected(_parsed(text.encode("latin-1"), "The query"))


def query_pairs(req: Request) -> Pairs:
    """The query's names and texts, as they come. Raises Problem where it can't be read."""
    return _parsed(req.query_string.encode("latin-1"), "The query")


def form_pairs(req: Request) -> Pairs:
    """Those of an urlencoded body, none of any other. Raises Problem where it can't be read."""
    return _parsed(form_text(req), "The form")


def read_own_form(req: Request) -> Fields:
    """The fields of an urlencoded body; what stands in the address is another's to choose."""
    return _collected(form_pairs(req))


def form_text(req: Request) -> bytes:
    """An urlencoded body, nothing of any other. Raises Problem."""
    if _media_type(req) != _FORM or not req.content_length or is_packed(req):
        return b""
    if req.content_length > TEXT:
        raise Problem(400, _LONG)
    return kept(req, TEXT).read()


def plain_pairs(req: Request, limit: int) -> Pairs:
    """The names and texts of a multipart body's fields that are no file. Raises Problem."""
    pairs, left = [], TEXT
    for part in _parts(kept(req, limit), req):
        if part.filename is None and _part_name(part) != "csv":
            pairs.append(_field(part, left))
            left -= len(pairs[-1][1].encode("utf-8"))
    return pairs


def read_page_form(req: Request, limit: int) -> Fields:
    """The text fields of a page's form, which may have a file too; ``pasted`` may be long.

    Raises Problem.
    """
    if not is_multipart(req):
        return read_own_form(req)
    pairs, left = [], TEXT
    for part in _parts(kept(req, limit), req):
        if _part_name(part) == "pasted":
            pairs.append(_pasted(part))
        elif _part_name(part) != "csv":
            pairs.append(_field(part, left))
            left -= len(pairs[-1][1].encode("utf-8"))
    return _collected(pairs)


def page_file(req: Request, limit: int) -> File | None:
    """The file ``csv`` of a page's form, from its start; None where none was chosen."""
    parts = _parts(kept(req, limit), req) if is_multipart(req) else ()
    for part in parts:
        if _part_name(part) == "csv" and part.filename:
            return File(part.filename, cast(BinaryIO, part.stream))
    return None


def is_multipart(req: Request) -> bool:
    return _media_type(req) == _MULTIPART


def is_packed(req: Request) -> bool:
    """Whether the body is packed by gzip. Raises Problem for any other Content-Encoding."""
    coding = (req.get_header("Content-Encoding") or "identity").strip().lower()
    if coding not in _PACKED:
        raise Problem(415, "Send the body as it is, or with Content-Encoding: gzip.")
    return _PACKED[coding]


def only(fields: Fields, name: str) -> str | None:
    """The one text of a field, None where it is missing. Raises Problem for two that differ."""
    texts = set(fields.get(name, ()))
    if len(texts) > 1:
        raise Problem(400, f"{name} is given twice, with different texts.", field=name)
    return texts.pop() if texts else None


def read_points(req: Request, limit: int) -> Upload:
    """The body, of at most ``limit`` bytes, as points. Raises Problem, InvalidPoint."""
    if is_multipart(req):
        raise Problem(415, "Send the points as they are, as text/csv, not in a multipart form.")
    read = read_records if _media_type(req) == POINTS else read_csv
    packed, file = is_packed(req), kept(req, limit)
    return read(cast(BinaryIO, Unpacked(file, limit)) if packed else file)


def read_document(req: Request, types: Iterable[str]) -> object:
    """A JSON body of one of these types. Raises Problem."""
    if _media_type(req) not in types:
        raise Problem(415, f"Send the body as {' or '.join(types)}.")
    _refuse_packed(req)
    try:
        document: object = orjson.loads(kept(req, TEXT).read())
    except orjson.JSONDecodeError as error:  # told where it ends to be any
        raise Problem(400, f"The body is no JSON: {error}.") from error
    return document


def read_form(req: Request, limit: int) -> Form:
    """Query and body, of at most ``limit`` bytes, together. Raises Problem, InvalidPoint.

    Old clients send their fields in both: the same texts in both count once.
    """
    read = _READERS.get(_media_type(req), _read_raw)
    body = read(req, limit)
    fields = read_query(req)
    for name, texts in body.fields.items():
        if fields.setdefault(name, texts) != texts:
            raise Problem(400, f"{name} differs between the query and the body.", field=name)
    if "csv" in fields:
        raise Problem(400, "csv is no text field: send a multipart file, or a text/csv body.")
    return Form(fields, body.upload)


def _refuse_packed(req: Request) -> None:
    if is_packed(req):
        raise Problem(415, "Only points as the body may be packed; send this one as it is.")


def _media_type(req: Request) -> str:
    return parse_header(req.content_type or "")[0].lower()


def _declared_length(req: Request, limit: int) -> int:
    if req.get_header("Transfer-Encoding") or req.content_length is None:
        raise Problem(
            411, "The body needs a Content-Length: without it, one cut short looks whole."
        )
    if req.content_length > limit:
        raise Problem(
            413,
            f"The body has {req.content_length} bytes, and {limit} are taken; send it in parts.",
        )
    return req.content_length


def kept(req: Request, limit: int) -> BinaryIO:
    """The whole body, from its start, in memory or in a temporary file. Raises Problem."""
    if req.context.body is None:
        req.context.body = _spooled(req, _declared_length(req, limit))
    file: BinaryIO = req.context.body
    file.seek(0)
    return file


def _spooled(req: Request, length: int) -> BinaryIO:
    file = SpooledTemporaryFile(max_size=MEMORY)  # noqa: SIM115 the keeper closes it
    while left := length - file.tell():
        piece = req.stream.read(min(left, PIECE))
        if not piece:
            file.close()
            raise Problem(400, f"The body ended {left} of {length} bytes early.")
        file.write(piece)
    return cast(BinaryIO, file)


def _read_urlencoded(req: Request, limit: int) -> Form:
    _refuse_packed(req)
    text = kept(req, limit).read(TEXT + 1)
    if text and b"=" not in text:
        raise Problem(
            400, "The body is no form; is it CSV? Then say so, with Content-Type: text/csv."
        )
    if len(text) > TEXT:
        raise Problem(400, _LONG)
    return Form(_collected(_parsed(text, "The form")), None)


def _read_multipart(req: Request, limit: int) -> Form:
    """The fields and the CSV of a multipart form; the CSV is parsed straight from the file."""
    _refuse_packed(req)
    pairs, upload, left = [], None, TEXT
    for part in _parts(kept(req, limit), req):
        if _part_name(part) != "csv":
            pairs.append(_field(part, left))
            left -= len(pairs[-1][1].encode("utf-8"))
        elif upload is None:
            upload = read_csv(cast(BinaryIO, part.stream))
        else:
            raise Problem(400, "The form has two parts csv.", field="csv")
    return Form(_collected(pairs), upload)


def _parts(file: BinaryIO, req: Request) -> Iterable[BodyPart]:
    options = MultipartParseOptions()
    options.max_body_part_count = _NAMES
    handler = MultipartFormHandler(options)
    parts: Iterable[BodyPart] = handler.deserialize(
        cast(ReadableIO, file), req.content_type, req.content_length
    )
    return parts


def _field(part: BodyPart, left: int) -> tuple[str, str]:
    """A text field, for which so many bytes are left. Raises Problem."""
    name, text = _part_name(part), part.stream.read(left + 1)
    if len(text) > left:
        raise Problem(400, f"The form's text fields have more than {TEXT} bytes.")
    return name, _decoded(text, f"The field {name}")


def _pasted(part: BodyPart) -> tuple[str, str]:
    text = part.stream.read(PASTED + 1)
    if len(text) > PASTED:
        raise Problem(413, "More than 1 MiB was pasted; send it as a file.", field="pasted")
    return "pasted", _decoded(text, "What was pasted")


def _read_raw(req: Request, limit: int) -> Form:
    """Points, whatever they are called; an empty body that is called nothing is none."""
    upload = read_points(req, limit)
    return Form({}, upload if req.content_type or req.content_length else None)


_READERS: dict[str, Callable[[Request, int], Form]] = {
    _FORM: _read_urlencoded,
    _MULTIPART: _read_multipart,
}


def _part_name(part: BodyPart) -> str:
    try:
        return part.name or ""
    except UnicodeDecodeError as error:
        raise Problem(400, "The name of a part of the form is not UTF-8.") from error


def _decoded(text: bytes, what: str) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem(400, f"{what} is not UTF-8.") from error


def _parsed(text: bytes, what: str) -> list[tuple[str, str]]:
    """The pairs of a query or a urlencoded form; a blank as + or %20."""
    if not text:
        return []
    try:
        return parse_qsl(
            _decoded(text, what), keep_blank_values=True, errors="strict", max_num_fields=_NAMES
        )
    except ValueError as error:  # escapes that are not UTF-8, or more fields than that
        raise Problem(400, f"{what} can't be read: not UTF-8, or too many fields.") from error


def _collected(pairs: Iterable[tuple[str, str]]) -> Fields:
    fields: Fields = {}
    for name, text in pairs:
        fields.setdefault(name, []).append(text)
    return fields
