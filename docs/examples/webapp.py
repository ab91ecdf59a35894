"""A web application whose users count things, each in time series of their own."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from functools import lru_cache, partial
from pathlib import Path

from flask import Flask, redirect, render_template_string, request, session, url_for

import timetric
from timetric.oauth1 import Token

PAGE = """<!doctype html><title>Counters</title><p>{{ text }}</p>{% if button %}
<form method="post"{% if action %} action="{{ action }}"{% endif %}>{% if field %}
<input name="{{ field }}" required>{% endif %} <button>{{ button }}</button></form>{% endif %}"""
page = partial(render_template_string, PAGE)
STATUS = {timetric.BadRequest: 400, timetric.Forbidden: 403, timetric.NotFound: 404}

app = Flask(__name__)
app.config.from_mapping(DATABASE="webapp.db", SESSION_COOKIE_SAMESITE="Lax")
app.config.from_prefixed_env()
logging.basicConfig(level="INFO")

application = timetric.TimetricClient()  # shared by all threads; it acts for no user


def database(sql: str, *values: str) -> tuple[str, ...] | None:
    """The answer's first row. Any thread may ask, since each call connects anew."""
    with closing(sqlite3.connect(app.config["DATABASE"])) as connection, connection:
        return connection.execute(sql, values).fetchone()


Path(app.config["DATABASE"]).touch(mode=0o600)  # it holds secrets
database("CREATE TABLE IF NOT EXISTS token (user, kind, key, secret, PRIMARY KEY (user, kind))")


def kept(kind: str) -> Token | None:
    """The request token or the access token of whoever is signed in."""
    sql = "SELECT key, secret FROM token WHERE user = ? AND kind = ?"
    row = database(sql, session["user"], kind)
    return Token(*row) if row else None


def keep(kind: str, token: Token) -> None:
    sql = "REPLACE INTO token VALUES (?, ?, ?, ?)"
    database(sql, session["user"], kind, token.key, token.secret)


@lru_cache(maxsize=100)
def client_with(token: Token) -> timetric.TimetricClient:
    """The one client of this token, shared by all threads."""
    access = {"oauth_token": token.key, "oauth_secret": token.secret}
    return timetric.TimetricClient({**application.config, **access})


def client() -> timetric.TimetricClient:
    """That of whoever is signed in. Raises NotAuthorized before they have connected."""
    token = kept("access")
    if token is None:
        raise timetric.NotAuthorized("not connected yet")
    return client_with(token)


@app.before_request
def sign_in_first():
    if "user" not in session and request.endpoint != "sign_in":
        return page(text="Who are you?", button="Sign in", field="name", action=url_for("sign_in"))


@app.post("/sign-in")
def sign_in():
    session["user"] = request.form["name"]  # yours asks for a password
    return redirect(url_for("home"), 303)


@app.post("/connect")
def connect():
    token = application.get_request_token(url_for("callback", _external=True))
    keep("request", token)
    return redirect(application.get_authorize_url(token), 303)


@app.get("/callback")
def callback():
    token, answer = kept("request"), request.args
    if token is None or token.key != answer.get("oauth_token") or "oauth_verifier" not in answer:
        raise timetric.NotAuthorized("the user said no, or the answer is to another's question")
    own = timetric.TimetricClient({**application.config})  # the shared one stays nobody's
    keep("access", own.get_access_token(token, answer["oauth_verifier"]))
    return redirect(url_for("home"), 303)


@app.errorhandler(timetric.TimetricClientError)
def tell(error: timetric.TimetricClientError):
    app.logger.info("%r, %s %r: %s", session["user"], request.method, request.path, error)
    if isinstance(error, timetric.NotAuthorized):  # not connected yet, or revoked: ask
        return page(text="May we use your data?", button="Connect", action=url_for("connect")), 403
    return page(text=error), STATUS.get(type(error), 502)


@app.route("/", methods=["GET", "POST"])
def home():
    mine = client()
    if request.method == "GET":
        return page(text="What do you want to count?", button="Start", field="title")
    series = mine.create_series(title=request.form["title"], caption="Counted by hand")
    return redirect(url_for("counter", id=series.id), 303)


@app.route("/counters/<id>", methods=["GET", "POST"])
def counter(id: str):
    series = client().series(id)
    if request.method == "GET":
        return page(text=f"Counted: {series.latest()[1] or 0:g}", button="Count one")
    series.increment(1)
    return redirect(url_for("counter", id=id), 303)
