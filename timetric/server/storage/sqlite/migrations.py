"""The schema of a SQLite store, version by version, and how an older store becomes a newer one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from timetric.server.blocks import SIZE
from timetric.server.storage import StorageError
from timetric.server.storage.sqlite.tables import SqliteTables
from timetric.server.storage.tail import fold

#: What makes a store of each version out of the one before it; a new file gets them all.
MIGRATIONS = (
    """
    CREATE TABLE users(
        key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL);
    CREATE TABLE tokens(
        key TEXT PRIMARY KEY, name TEXT NOT NULL, owner INTEGER NOT NULL REFERENCES users,
        digest BLOB NOT NULL, created REAL NOT NULL, UNIQUE(owner, name));
    CREATE TABLE series(
        key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        owner INTEGER NOT NULL REFERENCES users,
        title TEXT NOT NULL, caption TEXT NOT NULL, description TEXT NOT NULL,
        tags TEXT NOT NULL, unit TEXT NOT NULL, source TEXT NOT NULL, source_url TEXT NOT NULL,
        latitude REAL, longitude REAL, public INTEGER NOT NULL,
        created REAL NOT NULL, updated REAL NOT NULL);
    CREATE INDEX series_by_owner ON series(owner);
    -- v has no type, so that SQLite keeps a REAL, NULL or INTEGER 0 or 1 (false, true) as it is
    CREATE TABLE tail(
        series INTEGER NOT NULL, t REAL NOT NULL, v, PRIMARY KEY(series, t)) WITHOUT ROWID;
    """,
    """
    ALTER TABLE series ADD COLUMN points INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE series ADD COLUMN tail INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE series ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE series ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
    -- fresh: 1 where no block holds a point at that instant, so that points can be counted
    ALTER TABLE tail ADD COLUMN fresh INTEGER NOT NULL DEFAULT 1;
    -- a block's key is never used again: the same keys are the same blocks
    CREATE TABLE blocks(
        key INTEGER PRIMARY KEY AUTOINCREMENT, series INTEGER NOT NULL,
        first REAL NOT NULL, final REAL NOT NULL, size INTEGER NOT NULL, last,
        minimum REAL, maximum REAL, total REAL, numbers INTEGER NOT NULL,
        codec INTEGER NOT NULL, crc INTEGER NOT NULL, times BLOB NOT NULL, vals BLOB NOT NULL);
    CREATE UNIQUE INDEX blocks_by_time ON blocks(series, first, final);
    UPDATE series SET tail = (SELECT count(*) FROM tail WHERE tail.series = series.key);
    UPDATE series SET points = tail;
    """,
    """
    CREATE TABLE applications(
        key TEXT PRIMARY KEY, name TEXT NOT NULL, owner INTEGER NOT NULL REFERENCES users,
        callback TEXT, predates_1_0a INTEGER NOT NULL, created REAL NOT NULL, UNIQUE(owner, name));
    CREATE TABLE request_tokens(
        key TEXT PRIMARY KEY,
        application TEXT NOT NULL REFERENCES applications ON DELETE CASCADE,
        callback TEXT, needs_verifier INTEGER NOT NULL, expires REAL NOT NULL,
        user INTEGER REFERENCES users, wrong INTEGER NOT NULL DEFAULT 0);
    CREATE INDEX request_tokens_by_application ON request_tokens(application);
    CREATE INDEX request_tokens_by_expiry ON request_tokens(expires);
    CREATE TABLE access_tokens(
        key TEXT PRIMARY KEY,
        application TEXT NOT NULL REFERENCES applications ON DELETE CASCADE,
        user INTEGER NOT NULL REFERENCES users, created REAL NOT NULL);
    CREATE INDEX access_tokens_by_application ON access_tokens(application);
    CREATE TABLE nonces(digest BLOB PRIMARY KEY, expires REAL NOT NULL) WITHOUT ROWID;
    CREATE INDEX nonces_by_expiry ON nonces(expires);
    CREATE TABLE links(
        user INTEGER PRIMARY KEY REFERENCES users, digest BLOB NOT NULL UNIQUE,
        expires REAL NOT NULL);
    CREATE TABLE sessions(
        digest BLOB PRIMARY KEY, user INTEGER NOT NULL REFERENCES users,
        expires REAL NOT NULL) WITHOUT ROWID;
    CREATE INDEX sessions_by_expiry ON sessions(expires);
    -- of the secret key that OAuth secrets are derived from: one row at most
    CREATE TABLE fingerprint(
        key INTEGER PRIMARY KEY CHECK (key = 1), digest BLOB NOT NULL);
    """,
    """
    -- a block's bytes apart from what describes it, so that many blocks can be swapped in a moment
    CREATE TABLE bodies(
        key INTEGER PRIMARY KEY AUTOINCREMENT, times BLOB NOT NULL, vals BLOB NOT NULL);
    INSERT INTO bodies(key, times, vals) SELECT key, times, vals FROM blocks;
    CREATE TABLE heads(
        key INTEGER PRIMARY KEY, series INTEGER NOT NULL,
        first REAL NOT NULL, final REAL NOT NULL, size INTEGER NOT NULL, last,
        minimum REAL, maximum REAL, total REAL, numbers INTEGER NOT NULL,
        codec INTEGER NOT NULL, crc INTEGER NOT NULL);
    INSERT INTO heads SELECT key, series, first, final, size, last, minimum, maximum, total,
        numbers, codec, crc FROM blocks;
    DROP TABLE blocks;
    ALTER TABLE heads RENAME TO blocks;
    CREATE UNIQUE INDEX blocks_by_time ON blocks(series, first, final);
    -- bodies in no block: claimed by a write on its way, or to be swept
    CREATE TABLE loose(key INTEGER PRIMARY KEY, claimed INTEGER NOT NULL);
    CREATE INDEX loose_by_claim ON loose(claimed);
    """,
    """
    -- password: a hash with its parameters, most_...: the quota of one who signed up
    ALTER TABLE users ADD COLUMN password TEXT;
    ALTER TABLE users ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE users ADD COLUMN most_series INTEGER;
    ALTER TABLE users ADD COLUMN most_points INTEGER;
    ALTER TABLE tokens ADD COLUMN read_only INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE tokens ADD COLUMN expires REAL;
    ALTER TABLE tokens ADD COLUMN last_used REAL;
    ALTER TABLE applications ADD COLUMN read_only INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE applications ADD COLUMN expires REAL;
    ALTER TABLE access_tokens ADD COLUMN last_used REAL;
    CREATE INDEX access_tokens_by_user ON access_tokens(user);
    -- a key that tells a session from others without letting anybody in
    CREATE TABLE visits(
        key INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE,
        user INTEGER NOT NULL REFERENCES users, created REAL NOT NULL, last_seen REAL NOT NULL,
        expires REAL NOT NULL, agent TEXT NOT NULL, address TEXT NOT NULL);
    INSERT INTO visits(digest, user, created, last_seen, expires, agent, address)
        SELECT digest, user, expires - 1209600, expires - 1209600, expires, '', '' FROM sessions;
    DROP TABLE sessions;
    ALTER TABLE visits RENAME TO sessions;
    CREATE INDEX sessions_by_expiry ON sessions(expires);
    CREATE INDEX sessions_by_user ON sessions(user);
    """,
    """
    -- what writes with an Idempotency-Key did: series is an ID, or empty where one was made
    CREATE TABLE receipts(
        owner INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
        series TEXT NOT NULL, key TEXT NOT NULL,
        meaning BLOB NOT NULL, receipt TEXT NOT NULL, expires REAL NOT NULL,
        PRIMARY KEY(owner, series, key)) WITHOUT ROWID;
    CREATE INDEX receipts_by_expiry ON receipts(expires);
    """,
    """
    -- what a search looks at, and narrow for it; the rest of its tables follow this one
    CREATE TABLE listed(
        series INTEGER PRIMARY KEY, owner INTEGER NOT NULL, public INTEGER NOT NULL,
        created REAL NOT NULL);
    CREATE INDEX listed_by_age ON listed(created, series, public, owner);
    CREATE INDEX listed_by_owner ON listed(owner, created, series, public);
    CREATE TABLE tagged(
        tag TEXT NOT NULL, series INTEGER NOT NULL, PRIMARY KEY(tag, series)) WITHOUT ROWID;
    CREATE VIRTUAL TABLE words USING fts5(
        title, caption, tags, description, content = '',
        tokenize = 'unicode61 remove_diacritics 2');
    CREATE VIEW tags(tag, series) AS
        SELECT each.value, series.key FROM series, json_each(series.tags) AS each;
    CREATE VIEW texts(series, title, caption, tags, description) AS
        SELECT key, title, caption, (SELECT group_concat(tag, ' ') FROM tags WHERE series = key),
            description FROM series;
    CREATE TRIGGER listed_put AFTER INSERT ON listed BEGIN
        INSERT INTO tagged SELECT tag, series FROM tags WHERE series = NEW.series;
        INSERT INTO words(rowid, title, caption, tags, description)
            SELECT * FROM texts WHERE series = NEW.series;
    END;
    -- of an index without its texts a row is taken out by giving them once more
    CREATE TRIGGER listed_taken BEFORE DELETE ON listed BEGIN
        DELETE FROM tagged WHERE (tag, series) IN (SELECT * FROM tags WHERE series = OLD.series);
        INSERT INTO words(words, rowid, title, caption, tags, description)
            SELECT 'delete', * FROM texts WHERE series = OLD.series;
    END;
    CREATE TRIGGER series_made AFTER INSERT ON series BEGIN
        INSERT INTO listed VALUES (NEW.key, NEW.owner, NEW.public, NEW.created);
    END;
    CREATE TRIGGER series_changing BEFORE UPDATE OF
        owner, title, caption, description, tags, public ON series BEGIN
        DELETE FROM listed WHERE series = OLD.key;
    END;
    CREATE TRIGGER series_changed AFTER UPDATE OF
        owner, title, caption, description, tags, public ON series BEGIN
        INSERT INTO listed VALUES (NEW.key, NEW.owner, NEW.public, NEW.created);
    END;
    CREATE TRIGGER series_gone BEFORE DELETE ON series BEGIN
        DELETE FROM listed WHERE series = OLD.key;
    END;
    INSERT INTO listed SELECT key, owner, public, created FROM series;
    """,
    """
    -- a short name of the owner's own; its words are found like tags
    ALTER TABLE series ADD COLUMN slug TEXT;
    CREATE UNIQUE INDEX series_by_slug ON series(slug, owner) WHERE slug IS NOT NULL;
    DROP VIEW texts;
    CREATE VIEW texts(series, title, caption, tags, description) AS
        SELECT key, title, caption,
            -- without a slug as it was before, as the index has it
            CASE WHEN slug IS NULL THEN said ELSE ifnull(said || ' ', '') || slug END, description
        FROM (SELECT key, title, caption, slug, description,
            (SELECT group_concat(tag, ' ') FROM tags WHERE series = key) AS said FROM series);
    DROP TRIGGER series_changing;
    DROP TRIGGER series_changed;
    CREATE TRIGGER series_changing BEFORE UPDATE OF
        owner, title, caption, description, tags, public, slug ON series BEGIN
        DELETE FROM listed WHERE series = OLD.key;
    END;
    CREATE TRIGGER series_changed AFTER UPDATE OF
        owner, title, caption, description, tags, public, slug ON series BEGIN
        INSERT INTO listed VALUES (NEW.key, NEW.owner, NEW.public, NEW.created);
    END;
    """,
)
VERSION = len(MIGRATIONS)

_APPLICATION = 0x74696D65  # "time": tells our files from other SQLite files


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring the store to this version, inside the caller's transaction. Raises StorageError."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application not in (0, _APPLICATION):
        raise StorageError(f"{path} is not a timetric store; give another directory with --data")
    if version > VERSION:
        raise StorageError(
            f"{path} was made by a newer timetric (store version {version}, this one reads up to "
            f"{VERSION}); upgrade timetric"
        )
    for migration in MIGRATIONS[version:]:
        for statement in _statements(migration):
            db.execute(statement)
    if version == 1:
        _pack(db)
    if version < VERSION:
        db.execute(f"PRAGMA application_id = {_APPLICATION}")
        db.execute(f"PRAGMA user_version = {VERSION}")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; those of a trigger's body stay in it."""
    statement = ""
    for piece in script.split(";"):
        statement += f"{piece};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _pack(db: sqlite3.Connection) -> None:
    """Version 1 kept all points as rows: pack the long series' rows into blocks."""
    long = db.execute("SELECT key FROM series WHERE tail >= ?", (SIZE,)).fetchall()
    for (key,) in long:
        rows = SqliteTables(db, key)
        while rows.state().tail >= SIZE:
            fold(rows)
