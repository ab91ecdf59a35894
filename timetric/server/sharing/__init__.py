"""What is shown of a series elsewhere: pictures by URL, pages to be framed, and oEmbed."""

from __future__ import annotations

from typing import Any

from falcon import App

from timetric.server.access import Access
from timetric.server.caching import Caching
from timetric.server.sharing.embed import EmbedResource
from timetric.server.sharing.oembed import OEmbedResource
from timetric.server.sharing.pictures import PicturesResource
from timetric.server.storage import Storage


def add_routes(app: App[Any, Any], storage: Storage, access: Access, caching: Caching) -> None:
    """The addresses of all of them."""
    pictures = PicturesResource(storage, access, caching)
    app.add_route("/series/{id}/chart.svg", pictures, suffix="svg")
    app.add_route("/series/{id}/chart.png", pictures, suffix="png")
    app.add_route("/series/{id}/sparkline.svg", pictures, suffix="sparkline")
    embed = EmbedResource(storage, access, caching)
    app.add_route("/embed/{id}", embed)
    app.add_route("/embed/{id}/graph", embed, suffix="graph")
    app.add_route("/oembed", OEmbedResource(access))
