"""How a store in a database is, seen without opening it as a service does: nothing changes."""

from __future__ import annotations

from timetric.server.storage import Condition, StorageError
from timetric.server.storage.postgres.database import PostgresDatabase
from timetric.server.storage.postgres.migrations import VERSION, version

_OTHERS = """SELECT EXISTS (SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'timetric'
    AND pid <> pg_backend_pid())"""


def condition(database: PostgresDatabase) -> Condition:
    """Raises StorageError where there is no store, or it can't be read."""
    found = version(database)
    if found is None:
        raise StorageError("there is no store in that database")
    (in_use,) = database.row(_OTHERS)
    return Condition(found, VERSION, in_use, stuck=False)
