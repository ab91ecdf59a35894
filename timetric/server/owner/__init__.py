"""The pages of series for those who keep them: /new/, and what stands below /series/ID/."""

from __future__ import annotations

from collections.abc import Callable

from falcon import App, Request, Response

from timetric.server.credentials import Random
from timetric.server.owner.metadata import EditResource, PublishResource
from timetric.server.owner.new import NewResource
from timetric.server.owner.own import Owners
from timetric.server.owner.removal import ClearResource, RemoveResource
from timetric.server.owner.writes import AddResource, UploadResource
from timetric.server.session import Sessions
from timetric.server.storage import Storage


def add_routes(
    app: App[Request, Response],
    storage: Storage,
    sessions: Sessions,
    clock: Callable[[], float],
    random: Random,
    max_body: int,
) -> None:
    """Put the pages into the app."""
    owners = Owners(storage, sessions)
    few, many = (storage, owners, clock, random), (storage, owners, clock, random, max_body)
    add = app.add_route
    add("/new", NewResource(*many))
    add("/series/{id}/add", AddResource(*few))
    add("/series/{id}/upload", UploadResource(*many))
    add("/series/{id}/edit", EditResource(storage, owners, clock, max_body))
    add("/series/{id}/publish", PublishResource(storage, owners, clock))
    add("/series/{id}/clear", ClearResource(*few))
    add("/series/{id}/remove", RemoveResource(*few))
