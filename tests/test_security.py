"""What docs/security says of the code and of what it depends on is so."""

from __future__ import annotations

import ast
import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.conftest import ROOT
from tests.test_imports import IMPORTS, MODULES, SERVER, Module

PAGE = (ROOT / "docs/security.rst").read_text(encoding="utf-8")


# the tables name tests that are there


def test_every_test_that_the_page_names_is_there() -> None:
    named = re.findall(r"``(test_\w+\.py)::(\w+)``", PAGE)
    assert len(named) > 80
    missing = [
        f"{file}::{name}"
        for file, name in named
        if f"\ndef {name}(" not in (ROOT / "tests" / file).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_every_row_of_the_page_names_a_test() -> None:
    tables = re.findall(r"\.\. list-table::\n.*?(?=\n\n\n)", PAGE, re.S)
    rows = [row for table in tables for row in re.split(r"\n   \* - ", table)[2:]]
    assert [row.split("\n")[0] for row in rows if "::test_" not in row] == []
    of_owasp = [row for row in rows if re.match(r"API\d+ ", row)]
    of_the_rfc = [row for row in rows if re.match(r"4\.\d+ ", row)]
    assert [re.findall(r"\d+", row)[0] for row in of_owasp] == [str(n) for n in range(1, 11)]
    assert [re.findall(r"\d+", row)[1] for row in of_the_rfc] == [str(n) for n in range(1, 16)]


# what the packages are known for


class Advisory(NamedTuple):
    """A row of docs/advisories.csv; without versions it says that there is none."""

    package: str
    name: str
    introduced: str
    fixed: str
    what: str
    here: str

    def admitted_by(self, requirement: Requirement) -> bool:
        """Whether some version that the requirement takes is affected."""
        lowest, end = bounds(requirement)
        if not self.fixed or lowest >= Version(self.fixed):
            return False
        return end is None or Version(self.introduced) < end


def bounds(requirement: Requirement) -> tuple[Version, Version | None]:
    """The lowest version that it takes, and the one that it takes no more."""
    versions = {spec.operator: Version(spec.version) for spec in requirement.specifier}
    assert ">=" in versions, f"{requirement} has no lower bound"
    return versions[">="], versions.get("<")


def advisories() -> list[Advisory]:
    with (ROOT / "docs/advisories.csv").open(encoding="utf-8", newline="") as file:
        return [Advisory(*row) for row in list(csv.reader(file))[1:]]


def requirements() -> list[Requirement]:
    """All that setup.py names: its statements but for the import and the call of setuptools."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    plain = [node for node in tree.body if isinstance(node, ast.Assign)]
    names: dict[str, Any] = {"Path": Path, "__file__": str(ROOT / "setup.py")}
    exec(compile(ast.Module(plain, []), "setup.py", "exec"), names)
    [call] = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and calls_setup(node)]
    given = {word.arg: word.value for word in call.keywords}
    wanted = [ast.Expression(given[name]) for name in ("install_requires", "extras_require")]
    core, extras = (eval(compile(node, "setup.py", "eval"), names) for node in wanted)
    texts = {*core, *(text for extra in extras.values() for text in extra)}
    return [Requirement(text) for text in sorted(texts) if not text.startswith("types-")]


def calls_setup(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "setup"


def test_every_dependency_was_looked_up() -> None:
    assert len(requirements()) > 20
    listed = {advisory.package for advisory in advisories()}
    assert {requirement.name for requirement in requirements()} - listed == set()


def test_no_bound_admits_a_known_hole() -> None:
    """But where the row says why it is unreached."""
    admitted = {
        (advisory.package, advisory.name)
        for requirement in requirements()
        for advisory in advisories()
        if requirement.name == advisory.package and advisory.admitted_by(requirement)
    }
    unreached = {(row.package, row.name) for row in advisories() if "unreached" in row.here}
    assert admitted == unreached
    assert [row for row in advisories() if row.fixed and "closed" not in row.here] == []


def test_a_bound_that_admits_one_is_seen() -> None:
    row = Advisory("p", "CVE", "2.0", "2.4", "", "closed")
    for text, is_admitted in {
        "p>=2.3": True,
        "p>=2.4": False,
        "p>=1,<2": False,
        "p>=1,<3": True,
    }.items():
        assert row.admitted_by(Requirement(text)) is is_admitted


GOOD = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found"}
OURS = {"name": "timetric", "skip_reason": "editable"}


@pytest.mark.parametrize(
    ("found", "code", "said"),
    [
        ([GOOD, OURS], 0, "1 of 1 packages looked up, 0 holes"),
        ([GOOD, BAD], 1, "b 1: CVE-1, mended in ['2']"),
        ([GOOD, SKIPPED], 1, "c: not looked up: Dependency not found"),
        ([SKIPPED, OURS], 0, "SKIPPED: no advisories: Dependency not found"),
        (None, 0, "SKIPPED: no advisories: no route"),
    ],
    ids=["good", "a hole", "one skipped", "all skipped", "out of reach"],
)
def test_the_gate_fails_for_a_hole_and_for_what_was_not_looked_up(
    tmp_path: Path, found: list[object] | None, code: int, said: str
) -> None:
    """A command in the place of pip-audit prints what that prints."""
    answer, command = tmp_path / "answer", tmp_path / "pip-audit"
    answer.write_text("" if found is None else json.dumps({"dependencies": found}))
    command.write_text(f"#!/bin/sh\necho 'no route' >&2\ncat {answer}\n")
    command.chmod(0o700)
    gate = [sys.executable, str(ROOT / ".ci/audit.py"), str(command), str(tmp_path)]
    run = subprocess.run(gate, stdout=subprocess.PIPE, text=True)
    assert (run.returncode, said in run.stdout) == (code, True), run.stdout


# the fence around oauth2


def test_of_oauth2_one_name_is_used() -> None:
    assert {found.module for found in IMPORTS if found.target.startswith("oauth2")} == {"oauth1"}
    [module] = [module for module in MODULES if module.name == "oauth1"]
    assert taken_of_oauth2(module) == {"SignatureMethod_HMAC_SHA1"}


def taken_of_oauth2(module: Module) -> set[str]:
    """The attributes of what ``_oauth2()`` returns, which is the module."""
    attributes = [node for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)]
    return {node.attr for node in attributes if ast.unparse(node.value) == "_oauth2()"}


#: What the advisories are about, and what nobody maintains.
TAKEN_AWAY = "Server Client Request Token generate_nonce generate_verifier generate_timestamp"


def test_signing_needs_nothing_of_oauth2_that_is_vulnerable() -> None:
    code = f"""
import timetric.oauth1 as ours
oauth2 = ours._oauth2()
for name in {TAKEN_AWAY!r}.split():
    delattr(oauth2, name)
del oauth2.SignatureMethod.check
request = ours.Request("GET", "http://photos.example.net/photos?file=vacation.jpg&size=original")
signed = ours.sign(
    request,
    ours.Consumer("dpf43f3p2l4k3l03", "kd94hf93k423kf44"),
    ours.Token("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00"),
    oauth_timestamp="137131202",
    oauth_nonce="chapoH",
)
assert "MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D" in signed.headers["authorization"], signed.headers
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# what the code does not do

#: What is compared with == though it is secret: two texts of the same person.
NOT_GUESSED = {"password != only(fields, 'again')"}
SECRET = re.compile(r"secret|digest|signature|verifier|password|hash|nonce", re.I)


def test_secrets_are_compared_in_constant_time_only() -> None:
    """No == and no ``in`` on what is named like a secret; all others go by ``hmac``."""
    found = {
        ast.unparse(node)
        for module in MODULES
        if module.is_server
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Compare) and is_of_secrets(node)
    }
    assert found == NOT_GUESSED
    using = {module.name for module in MODULES if "compare_digest" in ast.dump(module.tree)}
    assert using == {f"server.{n}" for n in ("identity", "oauth", "password", "signature")}


def is_of_secrets(node: ast.Compare) -> bool:
    """By the last names of its sides."""
    equal = any(isinstance(sign, (ast.Eq, ast.NotEq, ast.In, ast.NotIn)) for sign in node.ops)
    return equal and any(SECRET.search(last_name(side)) for side in (node.left, *node.comparators))


def last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return last_name(node.func)
    return getattr(node, "attr", getattr(node, "id", ""))


#: By what programs ask others, run others, or run what they read.
MEANS = """
aiohttp asyncio dill ftplib http.client httplib2 httpx imaplib marshal pickle poplib pty requests
shelve smtplib socket socketserver ssl subprocess telnetlib urllib.request urllib3 webbrowser
xml.dom xml.sax xmlrpc yaml
"""
#: Who has them, and what for.
USED = {
    ("server.serve", "http.client"),  # asks itself whether it answers
    ("server.serve", "socket"),  # whether the port is free
    ("server.serve", "ssl"),  # whether the certificate is one
    ("server.signature", "urllib.request"),  # parse_http_list
}


def test_the_service_has_no_means_to_ask_others() -> None:
    found = {
        (each.module, means)
        for each in IMPORTS
        for means in MEANS.split()
        if each.module in SERVER and f"{each.target}.".startswith(f"{means}.")
    }
    assert found == USED
    text = (ROOT / "timetric/server/signature.py").read_text(encoding="utf-8")
    assert re.findall(r"urllib\.request import (.*)", text) == ["parse_http_list"]


#: By what a script makes markup, or more script, of a text.
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function")


def test_no_script_makes_markup_of_a_text() -> None:
    """Neither ours nor uPlot, which is carried along."""
    scripts = sorted((ROOT / "timetric/server/static").glob("*.js"))
    assert len(scripts) > 1
    texts = {script.name: script.read_text(encoding="utf-8") for script in scripts}
    assert {name: MARKUP.findall(text) for name, text in texts.items() if MARKUP.search(text)} == {}


def test_the_service_opens_no_picture() -> None:
    """It draws them; most holes of Pillow are in what reads those of others."""
    calls = {
        ast.unparse(node.func)
        for module in MODULES
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
    }
    assert "Image.new" in calls
    assert {call for call in calls if call.startswith("Image.")} <= {"Image.new", "Image.fromarray"}


def test_what_is_secret_is_long_and_from_the_system() -> None:
    from timetric.server import create_app
    from timetric.server.credentials import make_secret, make_token
    from timetric.server.keyring import APPLICATION, Keyring

    drawn: list[int] = []

    def random(size: int) -> bytes:
        drawn.append(size)
        return b"\x01" * size

    assert len(make_secret(random)) == 22
    assert drawn == [16]  # bytes: 128 bits
    assert len(Keyring(b"k" * 32).derive(APPLICATION, "a")) * 4 == 256
    for maker in (create_app, make_token):
        assert maker.__kwdefaults__["random"].__qualname__ == "token_bytes"


def test_two_signature_methods_are_taken() -> None:
    from timetric.server import signature

    assert signature._METHODS == ("HMAC-SHA1", "HMAC-SHA256")
