"""Many points in one write: packed where the service takes that, else as CSV."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from timetric.exceptions import BadRequest
from timetric.progress import Progress
from timetric.receipt import Receipt
from timetric.records import RECORDS
from timetric.upload import CSV, points_file, unpacked_file
from timetric.write import Write

if TYPE_CHECKING:
    from timetric.client import TimetricClient


def send_points(
    client: TimetricClient, method: str, path: str, data: object, progress: Progress = None
) -> Receipt:
    """Write a caller's pairs or file to the path of a series.

    Raises InvalidPoint naming the pair that can't be taken, before anything is sent, and the
    write's errors.
    """
    with points_file(data, packed=client.packs) as (content_type, body):
        write = Write(method, path, body, content_type)
        try:
            return write.send(client, progress)
        except BadRequest as error:  # perhaps the service knows nothing but CSV
            if error.status != 415 or content_type != RECORDS:
                raise
        client.packs = False
        with unpacked_file(body) as text:
            return replace(write, body=text, content_type=CSV).send(client, progress)
