"""The service as people run it: behind Debian's nginx with TLS, and under systemd."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import pytest
import trustme

import timetric
from tests.conftest import ROOT
from tests.dancing import FORM
from tests.service import Headers, Reply
from tests.test_serve import HANG, Machine

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
ANALYZE = shutil.which("systemd-analyze")

#: Around what the page shows: nginx in a directory of its own, with nothing of the machine's.
AROUND = """
pid {home}/nginx.pid;
error_log {home}/error.log;
{user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    {servers}
}}
"""


class Site(NamedTuple):
    """A service behind nginx; ``url`` is what the world uses."""

    machine: Machine
    url: str
    plain_url: str
    ca_certs: str

    def client(self, **more: str) -> timetric.TimetricClient:
        config = {**self.machine.config, "url": self.url, "ca_certs": self.ca_certs, **more}
        return timetric.TimetricClient(config)

    def send(
        self, method: str, path: str, body: str = "", headers: Headers | None = None, host: str = ""
    ) -> Reply:
        """One request by https to nginx, at another address of this machine's if told."""
        parts, trusted = urlsplit(self.url), ssl.create_default_context(cafile=self.ca_certs)
        connection = HTTPSConnection(host or "127.0.0.1", parts.port, timeout=HANG, context=trusted)
        connection.request(method, path, body, {"Host": parts.netloc, **(headers or {})})
        reply = connection.getresponse()
        return Reply(reply.status, reply.headers, reply.read())


def free_ports(number: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def own_address() -> str:
    """One of this machine's that is not loopback, as a browser elsewhere would have; or ""."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:  # there is no way to other machines
            return ""
        return str(probe.getsockname()[0])


OWN = own_address()


def written(home: Path, ports: tuple[int, int, int]) -> Path:
    """The page's configuration with this test's ports, names and certificate."""
    secure, plain, behind = map(str, ports)
    text = (ROOT / "docs/nginx.conf").read_text(encoding="utf-8")
    changes = {
        "listen 443 ssl": f"listen 0.0.0.0:{secure} ssl",
        "listen 80": f"listen 127.0.0.1:{plain}",
        "127.0.0.1:8000": f"127.0.0.1:{behind}",
        "server_name series.example.org": "server_name localhost",
        "/etc/ssl/certs/series.example.org.pem": f"{home}/cert.pem",
        "/etc/ssl/private/series.example.org.key": f"{home}/key.pem",
    }
    for shown, here in changes.items():
        assert shown in text
        text = text.replace(shown, here)
    user = "user root;" if os.getuid() == 0 else ""
    config = home / "nginx.conf"
    config.write_text(AROUND.format(home=home, user=user, servers=text))
    return config


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if NGINX is None:
        pytest.skip("nginx is not installed")
    home, authority = tmp_path_factory.mktemp("site"), trustme.CA()
    names = ["localhost", "127.0.0.1", *([OWN] if OWN else [])]
    certificate = authority.issue_cert(*names)
    (home / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(home / "key.pem")
    authority.cert_pem.write_to_path(home / "ca.pem")
    secure, plain, behind = free_ports(3)
    url = f"https://localhost:{secure}/"
    machine = Machine(home)
    machine.serve("--port", behind, "--base-url", url, "--trust-proxy", "--max-upload", "8MB")
    config = str(written(home, (secure, plain, behind)))
    nginx = subprocess.Popen([NGINX, "-p", str(home), "-c", config, "-g", "daemon off;"])
    try:
        await_port(secure)
        yield Site(machine, url, f"http://127.0.0.1:{plain}/", str(home / "ca.pem"))
    finally:
        nginx.terminate()
        nginx.wait(HANG)
        machine.close()


def await_port(port: int) -> None:
    end = time.monotonic() + HANG
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=HANG).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < end, "nginx does not listen"
            time.sleep(0.05)


# behind nginx


def test_uploads_and_streams_pass_through_nginx(site: Site) -> None:
    points = [(float(t), t / 3) for t in range(300_000)]
    with site.client() as client:
        series = client.create_series(points, title="Through nginx", caption="C")
        assert series.url.startswith(site.url)
        assert list(series) == points
        assert series.increment(1).added == 1
        assert list(series[:2]) == points[:2]
        assert (
            client.get(f"{series.url}csv/", {"end": "2"})[1] == b"0.0,0.0\n1.0,0.3333333333333333\n"
        )


def test_what_is_too_large_is_told_by_the_service(site: Site) -> None:
    with site.client() as client, pytest.raises(timetric.TooLarge) as caught:
        client.put(client.create_series(title="T", caption="C").url, b"1,2\n" * 3_000_000)
    assert caught.value.request_id is not None


def test_oauth_signatures_hold_behind_nginx(site: Site) -> None:
    pytest.importorskip("oauth2")
    machine, at = site.machine, ["--data", site.machine.data, "--url", site.url]
    added = machine.run("app", "add", "plotter", "--user", "owner", *at)
    key = json.loads(added.stdout)["consumer_key"]
    granted = machine.run("app", "token", key, "--user", "owner", *at)
    config = {**json.loads(granted.stdout), "ca_certs": site.ca_certs}
    with timetric.TimetricClient(config, retries=0) as client:
        series = client.create_series([(1, 2)], title="Signed & ünusual", caption="C")
        series.update([(3, 4)])
        client.post(series.url, {"value": "5 ".strip(), "timestamp": "2026-01-01T00:00:00Z"})
        assert [point[1] for point in series] == [2, 4, 5]
        assert next(client.mine("ünusual")).id == series.id


def test_browsers_sign_in_by_https_and_the_cookie_is_for_it(site: Site) -> None:
    made = site.machine.run(
        "user", "signin-link", "owner", "--data", site.machine.data, "--url", site.url
    )
    path = urlsplit(made.stdout.strip()).path
    origin = {"Origin": site.url.rstrip("/"), **FORM}
    reply = site.send("POST", path, "", origin)
    assert reply.status == 200
    assert re.match(r"__Host-timetric=\S+;.*Secure", reply.headers["Set-Cookie"])
    assert reply.headers["Strict-Transport-Security"] == "max-age=31536000"
    refused = site.send("POST", "/account/sign-out/", "", {"Origin": "http://localhost"})
    assert refused.status == 403


@pytest.mark.skipif(not OWN, reason="this machine has no address but loopback")
def test_guesses_count_for_the_address_that_nginx_sees(site: Site) -> None:
    """And not for those that the guesser makes up."""
    body = urlencode({"name": "nobody", "password": "guessed-guessed"})
    statuses = []
    for number in range(12):
        forged = {"X-Forwarded-For": f"203.0.113.{number}", "Forwarded": f"for=198.51.100.{number}"}
        headers = {**FORM, "Sec-Fetch-Site": "same-origin", **forged}
        statuses.append(site.send("POST", "/account/sign-in/", body, headers, OWN).status)
    assert statuses == [403] * 10 + [429] * 2


def test_a_stranger_is_nobody_on_this_machine(site: Site) -> None:
    assert site.send("GET", "/metrics/").status == 401
    assert site.send("GET", "/health/").status == 200
    assert site.send("GET", "/", headers={"X-Forwarded-Host": "evil.example"}).status == 200


def test_plain_http_leads_to_https(site: Site) -> None:
    connection = HTTPConnection(urlsplit(site.plain_url).netloc, timeout=HANG)
    connection.request("GET", "/search/?q=x", headers={"Host": "localhost"})
    reply = connection.getresponse()
    assert (reply.status, reply.getheader("Location")) == (301, "https://localhost/search/?q=x")


def test_the_doctor_finds_all_well_behind_nginx(site: Site) -> None:
    path = site.machine.home / "doctors.json"
    path.write_text(json.dumps({**site.machine.config, "url": site.url, "ca_certs": site.ca_certs}))
    path.chmod(0o600)
    site.machine.environment["TIMETRIC_CONFIG"] = str(path)
    run = site.machine.run("doctor", "--data", site.machine.data)
    del site.machine.environment["TIMETRIC_CONFIG"]
    assert (run.returncode, re.findall("^(?:warn|FAIL) .*", run.stdout, re.M)) == (0, []), (
        run.stdout
    )
    assert "with a certificate that is trusted" in run.stdout


# under systemd

UNIT = ROOT / "docs/timetric.service"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The page's unit, with a command that is there."""
    text = UNIT.read_text(encoding="utf-8")
    assert "ExecStart=/opt/timetric/bin/timetric " in text
    path = tmp_path / UNIT.name
    path.write_text(text.replace("/opt/timetric/bin/timetric ", f"{sys.executable} -m timetric "))
    return path


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_systemd_understands_the_unit(unit: Path) -> None:
    assert ANALYZE is not None
    run = subprocess.run([ANALYZE, "verify", str(unit)], capture_output=True, text=True)
    assert (run.returncode, unit.name in run.stderr) == (0, False), run.stderr


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_the_unit_is_as_little_exposed_as_the_page_says(unit: Path) -> None:
    assert ANALYZE is not None
    command = [ANALYZE, "security", "--offline=true", "--no-pager", str(unit)]
    run = subprocess.run(command, capture_output=True, text=True)
    if "offline" in run.stderr:
        pytest.skip("this systemd-analyze can't look at a file")
    found = re.search(r"exposure level for \S+: (\d+\.\d+)", run.stdout)
    assert found, run.stdout + run.stderr
    page = (ROOT / "docs/server.rst").read_text(encoding="utf-8")
    said = re.search(r"exposure level of (\d+\.\d+)", page)
    assert said
    assert float(found[1]) <= float(said[1])


def test_the_unit_starts_the_service_as_the_command_line_takes_it(tmp_path: Path) -> None:
    """Its command as it stands, but for the directory and the port; then the signal it sends."""
    text = UNIT.read_text(encoding="utf-8").replace("\\\n", " ")
    [command] = re.findall(r"^ExecStart=\S+ serve (.*)$", text, re.M)
    data = str(tmp_path / "timetric-data")
    machine = Machine(tmp_path)
    service = machine.serve(*command.replace("/var/lib/timetric", data).split())
    assert service.lines[1] == "Known as https://series.example.org/"
    assert service.stop() == 0
    machine.close()


#: As MemoryDenyWriteExecute=yes: prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN), of Linux 6.3.
FENCE = """
import ctypes, os, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    sys.exit("SKIP")
os.execv(sys.executable, [sys.executable, "-m", "timetric", "serve", *sys.argv[1:]])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a fence of Linux")
def test_the_service_runs_where_memory_that_is_written_never_runs(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    command = [sys.executable, "-c", FENCE, "--port", "0", "--data", str(machine.data)]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=machine.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        if not first:
            pytest.skip("this kernel has no such fence")
        url = first.split()[-1]
        with timetric.TimetricClient({**machine.config, "url": url}) as client:
            points = [(float(t), t / 7) for t in range(100_000)]
            series = client.create_series(points, title="T", caption="C")
            assert list(series) == points
            assert b"Timetric" in client.get("")[1]
        process.terminate()
