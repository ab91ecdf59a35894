"""The SQL of the PostgreSQL store: each series' rows are one node's, whoever spreads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from timetric.cli import main
from timetric.server.storage import StorageError, open_storage, spread
from timetric.server.storage.postgres import statements as statements
from timetric.server.storage.postgres.cluster import EVERYWHERE, FUNCTION, TABLES
from timetric.server.storage.postgres.statements import SPREAD

SPREAD_TABLE = re.compile(rf"\b({'|'.join(SPREAD)})\b")
#: A series' key as a value; of a join, the one table's column is the other's.
ITS_KEY = re.compile(r"\bseries = (%s|%\(series\)s)")
JOINED = re.compile(r"(bodies|blocks)\.series = (bodies|blocks)\.series")
PUTS_KEY = re.compile(r"^(INSERT INTO|COPY) \w+\(series, ")

#: Stands for Citus: functions of its names, which write down what they were asked.
STUB = """
    CREATE TABLE calls(number serial, said text);
    CREATE TABLE citus_tables(table_name regclass);
    CREATE FUNCTION create_reference_table(t regclass) RETURNS void LANGUAGE sql AS $$
        INSERT INTO citus_tables VALUES (t);
        INSERT INTO calls(said) VALUES ('reference ' || t) $$;
    CREATE FUNCTION create_distributed_table(
        t regclass, by text, colocate_with text DEFAULT 'default'
    ) RETURNS void LANGUAGE sql AS $$
        INSERT INTO citus_tables VALUES (t);
        INSERT INTO calls(said)
            VALUES ('distributed ' || t || ' ' || by || ' ' || colocate_with) $$;
    CREATE FUNCTION create_distributed_function(
        f regprocedure, by text, colocate_with text
    ) RETURNS void LANGUAGE sql AS $$
        INSERT INTO calls(said) VALUES ('function ' || f::regproc || ' ' || by) $$;
"""


def said() -> Iterator[tuple[str, str]]:
    """Each statement of the data path, under its name."""
    for name, found in vars(statements).items():
        texts = found if isinstance(found, tuple) else (found,)
        for text in texts if name.isupper() and not name.startswith("_") else ():
            if isinstance(text, str) and re.match("SELECT|INSERT|UPDATE|DELETE|COPY|WITH", text):
                yield name, text


def test_each_statement_of_the_data_path_says_whose_rows_it_means() -> None:
    of_rows = {(name, text) for name, text in said() if SPREAD_TABLE.search(text)}
    assert len(of_rows) > 25
    wrong = [name for name, text in of_rows if not (ITS_KEY.search(text) or PUTS_KEY.match(text))]
    assert wrong == []


def test_each_part_of_a_statement_says_it() -> None:
    """Each table that is looked into or changed, and where one is joined it is by the key."""
    for name, text in said():
        looks = re.findall(rf"(?:FROM|UPDATE|JOIN|USING) ({'|'.join(SPREAD)})\b", text)
        keys = len(ITS_KEY.findall(text)) + len(JOINED.findall(text))
        assert keys >= len(looks), name


def test_the_key_of_the_series_comes_first_in_each_table(postgres: str) -> None:
    with psycopg.connect(postgres) as db:
        rows = db.execute(
            """SELECT relname, array(SELECT attname::text FROM unnest(indkey::int2[])
                    WITH ORDINALITY AS place(number, at)
                    JOIN pg_attribute ON attrelid = indrelid AND attnum = number ORDER BY at)
                FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
                WHERE (indisprimary OR indisunique) AND relname = ANY(%s)""",
            [list(SPREAD)],
        ).fetchall()
    assert {table for table, _ in rows} == set(SPREAD)
    assert [row for row in rows if row[1][0] != "series"] == []


def test_no_spread_table_refers_to_another_or_has_triggers(postgres: str) -> None:
    with psycopg.connect(postgres) as db:
        references = db.execute(
            "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint"
            " WHERE contype = 'f'"
        ).fetchall()
        triggers = db.execute(
            "SELECT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
        ).fetchall()
    assert triggers == []
    assert [pair for pair in references if {*pair} & {*SPREAD}] == []
    # what is on each node refers to nothing that is not
    assert [to for table, to in references if table in EVERYWHERE and to not in EVERYWHERE] == []


def test_a_write_of_a_point_looks_at_no_other_series(postgres: str) -> None:
    """The function is the one place where statements stand in the database."""
    with psycopg.connect(postgres) as db:
        ((body,),) = db.execute("SELECT prosrc FROM pg_proc WHERE proname = 'add_point'")
    looks = re.findall(rf"(?:FROM|UPDATE) (?:{'|'.join(SPREAD)})\b", body)
    assert len(looks) == 5
    assert len(re.findall(r"\bseries = the_series", body)) == 5
    assert len(re.findall(r"INSERT INTO \w+", body)) == len(
        re.findall(r"VALUES \(the_series", body)
    )


def test_a_cluster_is_told_what_to_spread() -> None:
    assert TABLES == {
        "users": "SELECT create_reference_table('users')",
        "series": "SELECT create_reference_table('series')",
        "makings": "SELECT create_reference_table('makings')",
        "states": "SELECT create_distributed_table('states', 'series')",
        "blocks": "SELECT create_distributed_table('blocks', 'series', colocate_with => 'states')",
        "bodies": "SELECT create_distributed_table('bodies', 'series', colocate_with => 'states')",
        "tail": "SELECT create_distributed_table('tail', 'series', colocate_with => 'states')",
        "receipts": (
            "SELECT create_distributed_table('receipts', 'series', colocate_with => 'states')"
        ),
    }
    assert "'the_series', colocate_with => 'states'" in FUNCTION


def test_a_store_is_spread_once(postgres: str, capsys: pytest.CaptureFixture[str]) -> None:
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute(STUB)
        assert main(["cluster", "init", "--data", postgres]) == 0
        calls = [text for (text,) in db.execute("SELECT said FROM calls ORDER BY number")]
        assert calls == [
            *("reference users", "reference series", "reference makings"),
            "distributed states series default",
            *(f"distributed {table} series states" for table in SPREAD[1:]),
            "function add_point the_series",
        ]
        db.execute("DELETE FROM calls")
        assert main(["cluster", "init", "--data", postgres]) == 0
        assert db.execute("SELECT said FROM calls").fetchall() == [
            ("function add_point the_series",)
        ]
    assert "tail is spread by series" in capsys.readouterr().out


def test_one_server_is_told_that_it_is_none(
    postgres: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StorageError, match="no Citus"):
        list(spread(postgres))
    assert main(["cluster", "init", "--data", postgres]) == 1
    assert "no Citus" in capsys.readouterr().err
    assert main(["cluster", "init", "--data", "directory"]) == 1
    assert "has no nodes" in capsys.readouterr().err
    with closing(open_storage(postgres)) as storage:
        storage.ping()
