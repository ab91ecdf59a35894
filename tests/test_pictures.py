"""chart.svg, chart.png and sparkline.svg: what is drawn, for whom, and how it is kept."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from lxml import etree
from PIL import Image, ImageChops

from tests.dancing import FORM, signed_in
from tests.service import Reply, Service, basic, running_service
from timetric.display.look import DARK, LIGHT

SVG = "{http://www.w3.org/2000/svg}"
NAMES = ["chart.svg", "chart.png", "sparkline.svg"]
HOSTILE = "</text><script>alert(1)</script>&\"'\ufffe\u202e<b onload=x>"
#: A line from the bottom left of a chart to its top right.
RISING = b"".join(b"%d,%d\n" % (t, t) for t in range(11))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


def make(service: Service, csv: bytes = RISING, **fields: str) -> str:
    """The path of a new series, public unless told otherwise."""
    told = urlencode({"title": "T", "caption": "C", "public": "true", **fields})
    reply = service.owner_sends("POST", f"/create/?{told}", csv, {"Content-Type": "text/csv"})
    assert reply.status == 201, reply
    return "/" + reply.headers["Location"].removeprefix(service.url)


def drawn(reply: Reply) -> Any:
    """The root of an SVG, which must be well-formed."""
    assert (reply.status, reply.headers["Content-Type"]) == (200, "image/svg+xml"), reply
    return etree.fromstring(reply.body)


def image(reply: Reply) -> Image.Image:
    assert (reply.status, reply.headers["Content-Type"]) == (200, "image/png"), reply
    return Image.open(io.BytesIO(reply.body)).convert("RGB")


def texts(svg: Any) -> list[str]:
    return ["".join(text.itertext()) for text in svg.iter(f"{SVG}text")]


def line(svg: Any) -> str:
    """The path of what is drawn of the points."""
    [group] = [group for group in svg.iter(f"{SVG}g") if group.get("class") == "timetric-line"]
    return str(group.find(f"{SVG}path").get("d"))


def rgb(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color[1:]))


def blue(picture: Image.Image) -> set[tuple[int, int]]:
    """The places of pixels that have much of the line's blue; nothing else on a chart is blue."""
    red, _, blue = picture.split()
    much = ImageChops.invert(ImageChops.subtract(blue, red))
    return low(much, 255 - 90)


# what is drawn


def test_a_chart_has_title_unit_axes_and_line(service: Service) -> None:
    svg = drawn(service.send("GET", make(service, title="Office power", unit="kW") + "chart.svg"))
    assert (svg.get("width"), svg.get("height"), svg.get("role")) == ("600", "300", "img")
    assert svg.get("aria-label") == "Office power, kW"
    assert texts(svg)[0] == "Office powerkW"
    assert {"0", "2", "10", "00:00:08"} <= set(texts(svg))
    assert line(svg).count("L") == 10
    assert line(svg).startswith("M")


def test_a_png_shows_the_same(service: Service) -> None:
    picture = image(service.send("GET", make(service) + "chart.png?width=400&height=200"))
    assert picture.size == (400, 200)
    places = blue(picture)
    assert picture.getpixel((0, 0)) == picture.getpixel((399, 199)) == rgb(LIGHT.ground)
    lowest, highest = min(places), max(places)
    assert lowest[0] < 40 and lowest[1] > 170, "the line begins at the bottom left"
    assert highest[0] > 385 and highest[1] < 45, "and ends at the top right"
    middle = [y for x, y in places if x == (lowest[0] + highest[0]) // 2]
    assert middle and all(abs(y - (lowest[1] + highest[1]) / 2) <= 3 for y in middle)


def test_a_line_is_smooth(service: Service) -> None:
    picture = image(service.send("GET", make(service) + "chart.png"))
    shades = {color for _, color in picture.getcolors(1 << 16) or ()}
    assert {rgb(LIGHT.ground), rgb(LIGHT.line)} < shades
    assert len(shades) > 20


def test_a_scale_makes_all_of_it_larger(service: Service) -> None:
    path = make(service, title="Office power")
    once, twice = (
        image(service.send("GET", f"{path}chart.png?width=300&height=150&scale={scale}"))
        for scale in (1, 2)
    )
    assert (once.size, twice.size) == ((300, 150), (600, 300))
    ends = [max(x for x, y in ink(picture) if y < picture.height / 6) for picture in (once, twice)]
    assert abs(2 * ends[0] - ends[1]) <= 4, "the title too"


def ink(picture: Image.Image) -> set[tuple[int, int]]:
    """The places of pixels that are closer to black than to the ground."""
    return low(picture.convert("L"), 128)


def low(grey: Image.Image, limit: int) -> set[tuple[int, int]]:
    """The places of pixels below a limit."""
    pixels, width = grey.tobytes(), grey.width
    return {(at % width, at // width) for at, much in enumerate(pixels) if much < limit}


def test_dark_is_dark(service: Service) -> None:
    path = make(service)
    picture = image(service.send("GET", path + "chart.png?dark=true"))
    assert picture.getpixel((0, 0)) == rgb(DARK.ground)
    assert blue(picture)
    styles = {
        query: drawn(service.send("GET", f"{path}chart.svg{query}")).findtext(f"{SVG}style")
        for query in ("", "?dark=true", "?dark=false")
    }
    assert "prefers-color-scheme:dark" in styles[""]
    assert DARK.ground in styles["?dark=true"] and "prefers" not in styles["?dark=true"]
    assert LIGHT.ground in styles["?dark=false"] and "prefers" not in styles["?dark=false"]


def test_a_sparkline_is_a_line_and_nothing_else(service: Service) -> None:
    svg = drawn(service.send("GET", make(service) + "sparkline.svg"))
    assert (svg.get("width"), svg.get("height")) == ("120", "30")
    assert line(svg).startswith("M2.0 28.0L") and line(svg).endswith("L118.0 2.0")
    assert {element.tag for element in svg.iter()} == {
        SVG + n for n in ("svg", "style", "g", "path")
    }


def test_a_null_breaks_the_line(service: Service) -> None:
    csv = b"1,1\n2,2\n3,null\n4,2\n5,1\n6,null\n7,1\n"
    svg = drawn(service.send("GET", make(service, csv) + "chart.svg"))
    assert line(svg).count("M") == 3
    assert len(list(svg.iter(f"{SVG}circle"))) == 1, "what stands alone is a dot"


def test_a_null_breaks_the_line_of_many_points_too(service: Service) -> None:
    """But neither one among numbers in a pixel, nor a time without any points."""
    rows = [
        b"%d,%s\n" % (t, b"null" if 8000 < t < 12_000 or t == 520 else b"1") for t in range(30_000)
    ]
    csv = b"".join(rows[:20_000] + rows[25_000:])
    path = make(service, csv)
    assert line(drawn(service.send("GET", path + "chart.svg"))).count("M") == 2
    assert line(drawn(service.send("GET", path + "sparkline.svg"))).count("M") == 2
    assert line(drawn(service.send("GET", path + "chart.svg?end=10000"))).count("M") == 1
    picture = image(service.send("GET", path + "chart.png"))
    columns = {x for x, _ in blue(picture)}
    left, right = min(columns), max(columns)
    missing = [(x - left) / (right - left) for x in range(left, right) if x not in columns]
    assert 8 / 30 - 0.01 < missing[0] < missing[-1] < 12 / 30 + 0.01


def test_a_spike_among_many_points_is_seen(service: Service) -> None:
    csv = b"".join(b"%d,%d\n" % (t, 100 * (t == 4321)) for t in range(20_000))
    picture = image(service.send("GET", make(service, csv) + "chart.png"))
    assert min(y for _, y in blue(picture)) < 60


def test_many_words_are_drawn_as_few_are(service: Service) -> None:
    """Also where each column has many; thinned for data they would be left out."""
    csv = b"".join(b"%d,%s\n" % (t, b"true" if t >= 5000 else b"false") for t in range(10_000))
    path = line(drawn(service.send("GET", make(service, csv) + "chart.svg")))
    heights = {place.split()[1] for place in path[1:].split("L")}
    assert len(heights) == 2


def test_a_window_is_drawn(service: Service) -> None:
    path = make(service)
    svg = drawn(service.send("GET", path + "chart.svg?start=2&end=1970-01-01T00:00:05"))
    assert line(svg).count("L") == 2
    assert {"2.0", "4.0"} < set(texts(svg))
    assert not {"5.0", "10"} & set(texts(svg))


@pytest.mark.parametrize(
    ("csv", "told"),
    [(b"", "no points yet"), (b"1,null\n2,null", "no numbers to draw")],
)
def test_where_there_is_nothing_it_is_said(service: Service, csv: bytes, told: str) -> None:
    path = make(service, csv)
    assert texts(drawn(service.send("GET", path + "chart.svg"))) == ["T", told]
    assert image(service.send("GET", path + "chart.png")).size == (600, 300)
    assert line(drawn(service.send("GET", path + "sparkline.svg"))) == ""


def test_one_point_is_drawn(service: Service) -> None:
    path = make(service, b"1,1")
    assert blue(image(service.send("GET", path + "chart.png")))
    assert len(list(drawn(service.send("GET", path + "sparkline.svg")).iter(f"{SVG}circle"))) == 1


@pytest.mark.parametrize("csv", [b"0,1e308\n1,-1.7e308", b"0,5e-324\n9e10,0", b"0,true\n1,false"])
def test_odd_numbers_are_drawn(service: Service, csv: bytes) -> None:
    path = make(service, csv)
    assert line(drawn(service.send("GET", path + "chart.svg"))).count("L") == 1
    assert blue(image(service.send("GET", path + "chart.png")))


def test_a_hostile_title_is_a_text(service: Service) -> None:
    path = make(service, title=HOSTILE, unit="<i>")
    for name in ("chart.svg", "sparkline.svg"):
        reply = service.send("GET", path + name)
        tags = {element.tag.removeprefix(SVG) for element in drawn(reply).iter()}
        assert tags <= {"svg", "style", "rect", "text", "tspan", "path", "g"}
        assert "<script>alert(1)</script>" in drawn(reply).get("aria-label")
        policy = reply.headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "sandbox", "frame-ancestors 'none'"} < set(policy)
    assert image(service.send("GET", path + "chart.png")).size == (600, 300)


@pytest.mark.parametrize(
    "title", ["Büro µg/m³", "Мощность", "日本語", "🙂 x", "x" * 200, "W" * 200]
)
def test_any_title_is_drawn_within_the_picture(service: Service, title: str) -> None:
    path = make(service, title=title, unit="kilowatt hours per month")
    svg = drawn(service.send("GET", path + "chart.svg?width=200"))
    assert len(texts(svg)[0]) < 40
    picture = image(service.send("GET", path + "chart.png?width=200"))
    title_ink = [x for x, y in ink(picture) if y < 25]
    assert title_ink, "something is written"
    assert max(title_ink) < 196


# for whom


@pytest.mark.parametrize("name", NAMES)
def test_only_public_series_have_pictures_but_for_their_owners_browser(
    service: Service, name: str
) -> None:
    public, private = make(service), make(service, public="false")
    for headers in ({}, basic(service.config), {"Authorization": "Basic ???"}):
        assert service.send("GET", public + name, headers=headers).status == 200
        assert service.send("GET", private + name, headers=headers).status == 404
    other = signed_in(service, service.storage.accounts.user("other"))
    assert other.get(private + name).status == 404
    own = signed_in(service).get(private + name)
    assert (own.status, own.headers["Cache-Control"]) == (200, "private, no-cache")
    assert "Cookie" in own.headers["Vary"]
    shown = service.send("GET", public + name)
    assert shown.headers["Cache-Control"] == "public, no-cache"
    assert shown.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("name", NAMES)
def test_the_owners_browser_loses_them_when_it_signs_out(service: Service, name: str) -> None:
    path, browser = make(service, public="false"), signed_in(service)
    tag = browser.get(path + name).headers["ETag"]
    headers = {"If-None-Match": tag, "Cookie": browser.cookie}
    assert service.send("GET", path + name, headers=headers).status == 304
    service.send(
        "POST", "/account/sign-out/", b"", {**FORM, **headers, "Sec-Fetch-Site": "same-origin"}
    )
    assert service.send("GET", path + name, headers=headers).status == 404


# how it is kept


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_holds_until_the_series_changes(service: Service, name: str) -> None:
    path = make(service)
    first = service.send("GET", path + name)
    tag = first.headers["ETag"]
    assert tag.startswith('W/"'), "another release may draw otherwise"
    again = service.send("GET", path + name, headers={"If-None-Match": tag})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
    assert service.send("GET", path + name).body == first.body
    service.owner_sends("POST", f"{path}?value=99")
    changed = service.send("GET", path + name, headers={"If-None-Match": tag})
    assert changed.status == 200
    assert changed.body != first.body
    told = b'{"title": "Another title"}'
    service.owner_sends("PATCH", f"{path}metadata/", told, {"Content-Type": "application/json"})
    tag = changed.headers["ETag"]
    assert service.send("GET", path + name, headers={"If-None-Match": tag}).status == 200


def test_svg_is_packed_and_png_is_not(service: Service) -> None:
    path, takes = make(service), {"Accept-Encoding": "gzip"}
    svg = service.send("GET", path + "chart.svg", headers=takes)
    assert svg.headers["Content-Encoding"] == "gzip"
    assert svg.headers["ETag"] != service.send("GET", path + "chart.svg").headers["ETag"]
    assert (
        service.send("GET", path + "chart.png", headers=takes).headers["Content-Encoding"] is None
    )


# what is wrong


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("query", "field", "told"),
    [
        ("width=0", "width", "whole number"),
        ("width=9", "width", " to "),
        ("width=100000", "width", " to "),
        ("height=x", "height", "whole number"),
        ("height=1001", "height", " to "),
        ("height=20&height=100", "height", "twice"),
        ("dark=1", "dark", "neither true nor false"),
        ("start=now", "start", "no timestamp"),
        ("end=", "end", "no timestamp"),
    ],
)
def test_what_can_not_be_meant_is_refused(
    service: Service, name: str, query: str, field: str, told: str
) -> None:
    reply = service.send("GET", f"{make(service)}{name}?{query}")
    assert reply.status == 400
    assert b'"field": "%s"' % field.encode() in reply.body
    assert told.encode() in reply.body


def test_a_scale_is_1_or_2(service: Service) -> None:
    path = make(service)
    for scale in ("0", "3", "1.5"):
        assert service.send("GET", f"{path}chart.png?scale={scale}").status == 400


def test_the_largest_picture_is_drawn(service: Service) -> None:
    path = make(service)
    for asked in ("width=1600&height=1000", "width=800&height=500&scale=2"):
        assert image(service.send("GET", f"{path}chart.png?{asked}")).size == (1600, 1000)
    assert service.send("GET", f"{path}chart.png?width=801&scale=2").status == 400
