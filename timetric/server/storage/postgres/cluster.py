"""A PostgreSQL store spread over the nodes of a cluster, by the extension Citus.

The tables of points go by the key of their series, all rows of one to one node. What those who own
and find series need stands on each node. The rest stays where it is, on the coordinator, to
which the service connects.
"""

from __future__ import annotations

from collections.abc import Iterator

from timetric.server.storage import StorageError
from timetric.server.storage.postgres.database import PostgresDatabase
from timetric.server.storage.postgres.pool import Connection
from timetric.server.storage.postgres.statements import SPREAD

#: The same on each node: they are joined with the others, and referred to.
EVERYWHERE = ("users", "series", "makings")

_FIRST = SPREAD[0]
#: What is said to Citus of each table.
TABLES = {
    **{table: f"SELECT create_reference_table('{table}')" for table in EVERYWHERE},
    _FIRST: f"SELECT create_distributed_table('{_FIRST}', 'series')",
    **{
        table: f"SELECT create_distributed_table('{table}', 'series', colocate_with => '{_FIRST}')"
        for table in SPREAD[1:]
    },
}
#: Run on the node that has the series.
FUNCTION = """SELECT create_distributed_function('add_point(bigint, double precision,
    double precision, boolean, double precision, bigint, bigint, text, bytea, text, text,
    double precision)', 'the_series', colocate_with => 'states')"""

_HAS_CITUS = "SELECT to_regproc('create_distributed_table') IS NOT NULL"
_DONE = "SELECT table_name::text FROM citus_tables"


def spread_tables(database: PostgresDatabase) -> Iterator[str]:
    """Spread the tables, and say of each that it is done; those that are spread stay.

    Each is a transaction of its own, so it may be begun again after an error. Raises StorageError
    where there is no Citus.
    """
    if not database.row(_HAS_CITUS)[0]:
        raise StorageError(
            "the database has no Citus; on all nodes install it, name it in "
            "shared_preload_libraries, and say CREATE EXTENSION citus. One PostgreSQL server needs "
            "none of this"
        )
    done = {table for (table,) in database.rows(_DONE)}
    for table, statement in TABLES.items():
        if table in done:
            yield f"{table} is spread already"
            continue
        _say(database, statement)
        yield f"{table} {'is on each node' if table in EVERYWHERE else 'is spread by series'}"
    _say(database, FUNCTION)
    yield "writes of single points run on the node of their series"


def _say(database: PostgresDatabase, statement: str) -> None:
    def job(db: Connection) -> None:
        db.execute("SET LOCAL statement_timeout = 0")  # what a table holds already is moved
        db.execute(statement)

    database.write(job)
