"""The client: its config, what it creates, and whom it trusts with the credentials."""

from __future__ import annotations

import shelve
from pathlib import Path

import pytest

import timetric
from tests.conftest import ROOT, RunningService
from timetric.auth import ApiToken, Auth, from_config
from timetric.request import Request

TOKEN = {"authtype": "apitoken", "apitoken_key": "the-key", "apitoken_secret": "hush-hush"}


def test_a_series_is_created_with_its_data(
    service: RunningService, client: timetric.TimetricClient
) -> None:
    series = client.create_series([(1, 2), (3, None)], title="Tïtle; <b>", caption="A & B")
    assert list(series) == [(1.0, 2.0), (3.0, None)]
    assert series.url == f"{service.url}series/{series.id}/"
    assert series == client.series(series.id)


def test_a_series_is_created_from_a_file(client: timetric.TimetricClient) -> None:
    with open(ROOT / "timetric/data/co2-mauna-loa-weekly.csv", "rb") as file:
        series = client.create_series(file, title="CO2", caption="ppm", tags=["co2", "air"])
    assert len(list(series)) == 2284


@pytest.mark.parametrize("metadata", [{"title": "t"}, {"caption": "c"}, {}])
def test_title_and_caption_must_be_given(
    client: timetric.TimetricClient, metadata: dict[str, str]
) -> None:
    with pytest.raises(TypeError):
        client.create_series(**metadata)  # type: ignore[arg-type]


def test_metadata_that_can_not_be_taken_is_named(client: timetric.TimetricClient) -> None:
    with pytest.raises(timetric.BadRequest, match="source_url"):
        client.create_series(title="t", caption="c", source_url="javascript:alert(1)")


def test_bad_data_makes_no_series(client: timetric.TimetricClient) -> None:
    with pytest.raises(timetric.InvalidPoint, match="item 1"):
        client.create_series([(1, 2), (3, "many")], title="t", caption="c")


@pytest.mark.parametrize("id", ["", "A" * 21, "A" * 21 + "/", "../" + "A" * 19, "é" * 22])
def test_what_can_be_no_id_is_refused(client: timetric.TimetricClient, id: str) -> None:
    with pytest.raises(ValueError, match="series ID"):
        client.series(id)


def test_wrong_credentials_are_told_without_showing_them(service: RunningService) -> None:
    client = timetric.TimetricClient({**service.config, "apitoken_secret": "hush-hush"})
    with pytest.raises(timetric.NotAuthorized) as caught:
        client.series("A" * 22).latest()
    assert caught.value.status == 401
    assert caught.value.request_id
    assert "hush" not in str(caught.value)


def test_credentials_go_to_their_own_service_only(client: timetric.TimetricClient) -> None:
    for url in ("http://example.org/series/", "//example.org/", "http://127.0.0.1.example.org/"):
        with pytest.raises(timetric.BadRequest, match="credentials"):
            client.get(url)


def test_the_http_methods_of_2009(series: timetric.Series) -> None:
    client = series.client
    response, body = client.post(series.url, {"value": "3"})
    assert (response.status, body) == (204, b"")
    response, body = client.get(series.url + "csv/")
    assert response["content-type"].startswith("text/csv")
    assert body.endswith(b",3.0\n")
    client.post(series.url, files={"csv": [(1, 2)]})
    client.put(series.url, b"5,6\n", "text/csv")
    assert list(series) == [(5.0, 6.0)]
    assert client.delete(series.url)[0].status == 204


def test_the_config_stays_the_callers_own() -> None:
    config = dict(TOKEN)
    assert timetric.TimetricClient(config).config is config
    assert config == TOKEN


def test_a_shelf_with_dashes_is_a_config(tmp_path: Path, service: RunningService) -> None:
    with shelve.open(str(tmp_path / "config")) as config:
        config.update({key.replace("_", "-"): value for key, value in service.config.items()})
        client = timetric.TimetricClient(config)
        assert client.url == service.url
        with pytest.raises(timetric.NotFound):
            client.series("A" * 22).latest()


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"authtype": "apitoken", "apitoken_key": "k"}, "apitoken_secret"),
        ({**TOKEN, "authtype": "magic"}, "'magic'"),
        ({**TOKEN, "url": "ftp://example.org/"}, "ftp"),
        ({**TOKEN, "url": "example.org"}, "example.org"),
        ({**TOKEN, "url": "http://["}, "http://["),
        ({**TOKEN, "url": "http://example.org:99999/"}, "99999"),
        ({**TOKEN, "url": 8000}, "8000"),
        ({**TOKEN, "url": "http://me:hush-hush@example.org/"}, "credentials"),
    ],
)
def test_a_config_that_can_not_work_is_refused(config: dict[str, str], says: str) -> None:
    with pytest.raises(timetric.ConfigError) as caught:
        timetric.TimetricClient(config)
    assert says in str(caught.value)
    assert "hush-hush" not in str(caught.value)


def test_nothing_of_a_client_shows_its_secret() -> None:
    client = timetric.TimetricClient(TOKEN)
    shown = [repr(client), str(client)]
    shown += [repr(value) for name, value in vars(client).items() if name != "config"]
    shown += [repr(client.auth.sign(Request("GET", "http://127.0.0.1/")))]
    assert "hush-hush" not in "".join(shown)
    assert "the-key" in repr(client)


class Stamp:
    """A third strategy, to show that the seam needs no more than sign()."""

    def sign(self, request: Request) -> Request:
        return Request(request.method, request.url, {"x-stamp": "1"}, request.body)


@pytest.mark.parametrize("strategy", [from_config(TOKEN), Stamp()])
def test_every_strategy_signs_a_copy(strategy: Auth) -> None:
    request = Request("POST", "http://127.0.0.1/?a=1", {"content-type": "text/csv"}, b"1,2\n")
    signed = strategy.sign(request)
    assert (signed.method, signed.url, signed.body) == (request.method, request.url, request.body)
    assert dict(request.headers) == {"content-type": "text/csv"}
    assert signed.headers != request.headers


def test_a_token_is_sent_as_basic_credentials() -> None:
    signed = ApiToken("the-key", "hush-hush").sign(Request("GET", "http://127.0.0.1/"))
    assert signed.headers["authorization"] == "Basic dGhlLWtleTpodXNoLWh1c2g="


def test_a_closed_client_opens_again(service: RunningService) -> None:
    with timetric.TimetricClient(service.config) as client:
        series = client.create_series(title="t", caption="c")
    assert series.latest() == (None, None)


def test_a_request_may_have_further_headers(series: timetric.Series) -> None:
    headers = {"Accept": "application/json", "If-None-Match": "*"}
    with pytest.raises(timetric.TimetricClientError) as caught:
        series.client.request("GET", series.url + "points/", headers=headers)
    assert caught.value.status == 304
