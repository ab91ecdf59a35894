"""A home for time series on the web: the client.

A client is a user's access to a timetric service. It takes its config from a mapping, from the
environment, or from the file that ``timetric serve`` made::

    client = timetric.TimetricClient()

A series is one quantity over time, at its own URL. It is found by its ID, or made::

    series = client.series("p-DpewL0TO-iBE4nMBCTsQ")
    series = client.create_series(title="Oranges", caption="Oranges in the bowl")

Its points are plain tuples ``(timestamp, value)``: Unix seconds, UTC, and a float, None, True
or False::

    series.update(14)                           # a value, stamped now
    series.update([("2009-03-10", 12), (1236735000, 3.5)])
    with open("oranges.csv") as file:
        series.update(file)
    series.latest()
    for timestamp, value in series:
        print(timestamp, value)
    series.delete()                             # its data; the series itself stays

A call has done all that it says when it returns; otherwise it raises an error under
TimetricClientError. A write returns a Receipt, and is done once however often it had to be sent;
where no answer comes, WriteInDoubt can settle it later. Importing this package opens
nothing and loads no HTTP library.
"""

from timetric.client import TimetricClient
from timetric.exceptions import (
    BadReply,
    BadRequest,
    ConfigError,
    Conflict,
    ConnectionFailed,
    DeadlineExceeded,
    Forbidden,
    InsecureWarning,
    InvalidPoint,
    NotAuthorized,
    NotFound,
    RateLimited,
    Rewritten,
    ServiceError,
    ServiceUnavailable,
    SpoolError,
    SpoolFull,
    TimetricClientError,
    TooLarge,
    WriteInDoubt,
)
from timetric.points import Point, Value
from timetric.receipt import Receipt
from timetric.series import Series
from timetric.window import Window

__all__ = [
    "BadReply",
    "BadRequest",
    "ConfigError",
    "Conflict",
    "ConnectionFailed",
    "DeadlineExceeded",
    "Forbidden",
    "InsecureWarning",
    "InvalidPoint",
    "NotAuthorized",
    "NotFound",
    "Point",
    "RateLimited",
    "Receipt",
    "Rewritten",
    "Series",
    "ServiceError",
    "ServiceUnavailable",
    "SpoolError",
    "SpoolFull",
    "TimetricClient",
    "TimetricClientError",
    "TooLarge",
    "Value",
    "Window",
    "WriteInDoubt",
]
