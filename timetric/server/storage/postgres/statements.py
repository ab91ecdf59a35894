"""What is said to PostgreSQL about series and points, in one place.

Each statement of the data path says ``series =``, or puts its key in, and speaks of that series'
rows alone, in tables that have the key first in their primary key: so a cluster that spreads series
over its nodes sends each to one of them. tests/test_postgres_sql.py holds this.
"""

from __future__ import annotations

#: The tables that a cluster spreads; the others are the same on each node.
SPREAD = ("states", "blocks", "bodies", "tail", "receipts")

# a series' own row; it is locked by whoever writes to the series, before anything else is looked at

#: All of it stands in the row that is locked: what a statement reads elsewhere may be older.
LOCK = """SELECT version, generation, points, tail, final, most_points
    FROM states JOIN series ON series.key = states.series JOIN users ON users.key = series.owner
    WHERE states.series = %s FOR UPDATE OF states"""
STATE = "SELECT version, generation, points, tail, final FROM states WHERE series = %s"
TOUCH = """UPDATE states SET updated = %s, version = version + 1, points = points + %s,
    tail = tail + %s, generation = generation + %s WHERE series = %s"""
COUNT = "UPDATE states SET points = points + %s, tail = tail + %s WHERE series = %s"
REACH = """UPDATE states SET final = coalesce((SELECT final FROM blocks
        WHERE series = %(series)s ORDER BY first DESC LIMIT 1), '-Infinity')
    WHERE series = %(series)s"""
EMPTIED = """UPDATE states SET points = 0, tail = 0, final = '-Infinity' WHERE series = %s"""
SETTLE = "UPDATE states SET version = %s, generation = %s, updated = %s WHERE series = %s"
NEW_STATE = "INSERT INTO states(series, version, updated) VALUES (%s, %s, %s)"

#: Take away a whole history, but no bytes that are to come into blocks yet; and the row itself.
DROP_ALL = (
    """DELETE FROM bodies USING blocks WHERE bodies.series = %s
        AND blocks.series = bodies.series AND blocks.key = bodies.key""",
    "DELETE FROM blocks WHERE series = %s",
    "DELETE FROM tail WHERE series = %s",
)
DROP_STATE = "DELETE FROM states WHERE series = %s"

# the tail; a value is a number in v, or true or false in truth, or null in both

TAIL = """SELECT t, v, truth, fresh FROM tail WHERE series = %s AND t >= %s AND t < %s
    ORDER BY t LIMIT %s"""
PUT_TAIL = """INSERT INTO tail(series, t, v, truth, fresh)
    SELECT %s, * FROM unnest(%s::float8[], %s::float8[], %s::boolean[], %s::boolean[])
    ON CONFLICT (series, t)
    DO UPDATE SET v = excluded.v, truth = excluded.truth, fresh = excluded.fresh"""
ADD_TO_TAIL = """INSERT INTO tail(series, t, v, truth, fresh) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (series, t) DO NOTHING"""
#: Defined in the schema (postgres/schema.py); it is sent to the node of its first argument.
ADD_POINT = """SELECT add_point(%s::int8, %s::float8, %s::float8, %s::boolean, %s::float8, %s::int8,
    %s::int8, %s::text, %s::bytea, %s::text, %s::text, %s::float8)"""
DROP_TAIL = "DELETE FROM tail WHERE series = %s AND t = ANY(%s::float8[])"

#: The last point of a series; the tail's where both end at the same instant.
LATEST = """SELECT t, v, truth FROM (
        (SELECT t, v, truth, 1 AS above FROM tail WHERE series = %(series)s
            ORDER BY t DESC LIMIT 1)
        UNION ALL (SELECT final, last, last_truth, 0 FROM blocks WHERE series = %(series)s
            ORDER BY first DESC LIMIT 1)) AS ends
    ORDER BY t DESC, above DESC LIMIT 1"""

# blocks, and apart from them their bytes

#: Where the last block begins that begins at the start of an interval or before.
_FIRST = """coalesce((SELECT first FROM blocks WHERE series = %(series)s AND first <= %(start)s
    ORDER BY first DESC LIMIT 1), '-Infinity')"""
_WITHIN = f"""blocks.series = %(series)s AND first >= {_FIRST} AND first < %(end)s
    AND final >= %(start)s"""
_BLOCK = """SELECT blocks.key, first, final, size, codec, crc, times, vals FROM blocks
    JOIN bodies ON bodies.series = blocks.series AND bodies.key = blocks.key"""
_HEAD = "SELECT key, first, final, last, minimum, maximum, total, numbers FROM blocks"

SPANS = f"""SELECT key, first, final, size FROM blocks
    WHERE series = %(series)s AND first >= {_FIRST} AND first < %(end)s ORDER BY first"""
BLOCKS = f"{_BLOCK} WHERE blocks.series = %s AND blocks.key = ANY(%s)"
HEADS = f"{_HEAD} WHERE {_WITHIN} ORDER BY first LIMIT %(limit)s"
HEADS_BACKWARDS = f"{_HEAD} WHERE {_WITHIN} ORDER BY first DESC LIMIT %(limit)s"
PACKED = f"{_BLOCK} WHERE {_WITHIN} ORDER BY first LIMIT %(limit)s"
PACKED_BACKWARDS = f"{_BLOCK} WHERE {_WITHIN} ORDER BY first DESC LIMIT %(limit)s"
TOLD = """SELECT first, final, size, last, last_truth, minimum, maximum, total, numbers FROM blocks
    WHERE series = %s AND key = %s"""
MAY_HOLD_WORDS = f"""SELECT
    EXISTS (SELECT FROM blocks WHERE {_WITHIN} AND numbers < size)
    OR EXISTS (SELECT FROM tail WHERE series = %(series)s AND t >= %(start)s AND t < %(end)s
        AND v IS NULL)"""

#: Block keys are never used again: the same keys are the same blocks.
KEYS = "SELECT array_agg(nextval('block_keys')) FROM generate_series(1, %s)"
PUT_BODIES = "COPY bodies(series, key, times, vals) FROM STDIN (FORMAT BINARY)"
BODY_TYPES = ("int8", "int8", "bytea", "bytea")
PUT_BLOCKS = """COPY blocks(series, key, first, final, size, last, last_truth, minimum, maximum,
    total, numbers, codec, crc) FROM STDIN (FORMAT BINARY)"""
BLOCK_TYPES = (
    *("int8", "int8", "float8", "float8", "int4", "float8", "bool", "float8", "float8", "float8"),
    *("int4", "int2", "int8"),
)
DROP_BLOCKS = "DELETE FROM blocks WHERE series = %s AND key = ANY(%s)"
DROP_BODIES = "DELETE FROM bodies WHERE series = %s AND key = ANY(%s)"

# receipts of writes to a series

FIND_RECEIPT = """SELECT meaning, receipt FROM receipts
    WHERE series = %s AND owner = %s AND key = %s AND expires > %s"""
#: And some that have expired go.
KEEP_RECEIPT = """WITH gone AS (DELETE FROM receipts
        WHERE series = %(series)s AND (owner, key) IN (
            SELECT owner, key FROM receipts WHERE series = %(series)s AND expires <= %(now)s
                AND key <> %(key)s ORDER BY expires LIMIT 10))
    INSERT INTO receipts(series, owner, key, meaning, receipt, expires)
    VALUES (%(series)s, %(owner)s, %(key)s, %(meaning)s, %(receipt)s, %(expires)s)
    ON CONFLICT (series, owner, key) DO UPDATE
    SET meaning = excluded.meaning, receipt = excluded.receipt, expires = excluded.expires"""

#: When all of a store moves to another.
RECEIPTS = """SELECT key, meaning, receipt, expires FROM receipts
    WHERE series = %s AND owner = %s"""
PUT_RECEIPT = """INSERT INTO receipts(series, owner, key, meaning, receipt, expires)
    VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (series, owner, key) DO NOTHING"""
