"""The schema of a PostgreSQL store, version by version, and how an older store becomes a newer one.

Several processes may start at once on one database: a lock lets one of them do it.
"""

from __future__ import annotations

import psycopg

from timetric.server.storage import StorageError
from timetric.server.storage.postgres.database import PostgresDatabase
from timetric.server.storage.postgres.pool import Connection
from timetric.server.storage.postgres.schema import ACCOUNTS, SERIES

#: What makes a store of each version out of the one before it; a new database gets them all.
#: While processes are restarted one by one, those of the version before go on with the new tables.
MIGRATIONS: tuple[tuple[str, ...], ...] = ((*ACCOUNTS, *SERIES),)
VERSION = len(MIGRATIONS)

_LOCK = 0x74696D65  # "time": the advisory lock of who migrates

#: Tells our databases from others. (to_regclass answers from a session's cache, which may be old.)
_IS_STORE = """SELECT EXISTS (SELECT FROM pg_tables
    WHERE schemaname = current_schema() AND tablename = 'timetric_store')"""
_VERSION = "SELECT version FROM timetric_store"


def migrate(database: PostgresDatabase, make: bool = True) -> None:
    """Bring the store to this version, or ``make`` it where there is none. Raises StorageError."""
    found = version(database)
    if found == VERSION:
        return
    if found is None and not make:
        raise StorageError(
            "there is no store in that database; name the service's with --data, or make it by "
            "starting the service: timetric serve"
        )
    try:
        database.write(_migrate)
    except psycopg.errors.DuplicateTable as error:
        raise StorageError(
            "the database holds tables of something else; make one for timetric alone: "
            "CREATE DATABASE timetric"
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise StorageError(
            f"the database's user may not make tables in it ({error.diag.message_primary}); "
            "make that user its owner"
        ) from error


def version(database: PostgresDatabase) -> int | None:
    """Of which version the store there is; None where there is none."""
    if not database.row(_IS_STORE)[0]:
        return None
    found: int = database.row(_VERSION)[0]
    return found


def _migrate(db: Connection) -> None:
    db.execute("SET LOCAL statement_timeout = 0")  # others may be at it, and it may be much
    db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    version = _version(db)
    if version > VERSION:
        raise StorageError(
            f"the database was made by a newer timetric (store version {version}, this one reads "
            f"up to {VERSION}); upgrade timetric"
        )
    for migration in MIGRATIONS[version:]:
        for statement in migration:
            db.execute(statement)
    db.execute("UPDATE timetric_store SET version = %s", (VERSION,))


def _version(db: Connection) -> int:
    """0 for a new store, which becomes one here."""
    row = db.execute(_IS_STORE).fetchone()
    if row is None or not row[0]:
        db.execute("CREATE TABLE timetric_store(version integer NOT NULL)")
        db.execute("INSERT INTO timetric_store VALUES (0)")
    row = db.execute(_VERSION).fetchone()
    assert row is not None, "it has one row"
    version: int = row[0]
    return version
