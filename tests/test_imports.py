"""The import rules of docs/design: who may know whom, and who may touch the world.

The rules are the tables below; they are checked on the syntax tree of every module.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest
import simplejson

PACKAGE = Path(__file__).parent.parent / "timetric"
PATH = [str(PACKAGE.parent), str(Path(simplejson.__file__).parent.parent)]

#: Imports go from later lines to earlier ones. A new module needs a place here.
ORDER = """
exceptions request
limits insecure
timestamps oauth1
points reply progress
display
display.wording display.look
display.scale display.facts
display.plan
display.sparkline display.terminal display.svg display.card
screen
receipt holding
records duration
packing tabular
upload config
incoming dial tls pool refusal
proxy
connection
repeat
write
bulk
transport callback pages
base_url
seen
auth ahead metadata
line chart frames
window
dance series table spoolfile
search
creation spool layout
guess
client
__init__

server.columns server.metadata server.problem server.names server.attempts server.receipt
server.limits server.slots server.pace
server.blocks server.buckets server.intake server.unpacked
server.aggregates server.thinning
server.stretches
server.storage.errors server.storage.accounts
server.storage.grants server.storage.transfer
server.storage
server.storage.*
server.move
server.access_log
server.logs
server.listing
server.atom
server.credentials server.body server.site server.keyring server.usage
server.callback server.signature server.password server.cookie
server.compression
server.assets server.cors
server.fields server.pages server.identity server.formats server.caching
server.item server.health server.metrics
server.frame
server.access server.session server.selection server.terms server.rates
server.router server.overview
server.showing
server.sharing.outline server.sharing.lettering server.sharing.fluid
server.sharing.png
server.sharing.pictures server.sharing.oembed
server.sharing.embed
server.sharing
server.reading server.chart server.series server.search server.oauth
server.description server.writes
server.home server.manual
server.account.form server.account.agent
server.account.expiry
server.account.sign_in server.account.overview server.account.password server.account.sessions
server.account.tokens server.account.applications server.account.authorized
server.account
server.owner.own server.owner.points server.owner.preview server.owner.wrong
server.owner.once
server.owner.metadata server.owner.writes server.owner.removal
server.owner.new
server.owner
server.openapi.schemas
server.openapi.parameters server.openapi.replies
server.openapi.operation
server.openapi.series server.openapi.find server.openapi.oauth server.openapi.account
server.openapi.service server.openapi.sharing server.openapi.owner
server.openapi.document
server.openapi
server.app
server
server.connection
server.serve

testing.clock testing.server
testing.faults
testing.kit
testing
demo store flags
admin terminal
commands
diagnosis_flags flag_types
naming completion
user_commands login
import_command
user_flags
examine
examine.finding
examine.versions examine.config examine.service examine.store
doctor
cli
__main__
"""

COMMAND_LINE = {"cli", "commands", "admin", "store", "flags", "demo", "diagnosis_flags", "__main__"}
COMMAND_LINE |= {"user_flags", "flag_types", "user_commands", "naming", "terminal"}
COMMAND_LINE |= {"import_command", "login", "completion", "doctor", "examine"}
COMMAND_LINE |= {
    f"examine.{name}" for name in ("finding", "versions", "config", "service", "store")
}
#: Who reaches the service, inside functions only: the rest of the client's end never does.
REACHING = COMMAND_LINE | {"testing", "testing.kit", "testing.faults"}
PURE = {
    "timestamps",
    "points",
    "records",
    "duration",
    "oauth1",
    "receipt",
    "metadata",
    "server.account.agent",
    "server.owner.preview",
    "server.storage.tally",
} | {
    f"server.{name}"
    for name in (
        "columns",
        "blocks",
        "buckets",
        "aggregates",
        "thinning",
        "formats",
        "receipt",
        "stretches",
    )
}
PURE |= {"server.listing", "server.atom", "server.sharing.fluid"}
DISPLAY = {"display"} | {
    f"display.{name}"
    for name in (
        "wording",
        "look",
        "scale",
        "plan",
        "facts",
        "sparkline",
        "terminal",
        "svg",
        "card",
    )
}
PURE |= DISPLAY
SHARED = {
    "exceptions",
    "timestamps",
    "points",
} | DISPLAY  # what the service's end takes of the client's

#: What the client's end may import when it is imported, beside the standard library.
LIGHT = {"simplejson", "timetric"}
#: What it imports when first needed, inside functions, or in what is imported only there.
LAZY = {"httplib2", "dateutil", "oauth2", "tqdm"}
#: What single modules import besides, when first needed.
LAZY_OF = {"tabular": {"numpy"}, "testing": {"pytest", "waitress"}, "testing.server": {"waitress"}}
WAITING = {"connection", "ahead"}

#: All of the standard library that ``import timetric`` may load, on any Python. More of it would
#: cost every short script some milliseconds: socket, logging, tempfile, secrets and pathlib did.
AT_ONCE = """
array ast base64 binascii calendar collections contextlib copy copyreg dataclasses datetime decimal
dis enum fractions functools genericpath heapq importlib inspect ipaddress itertools json
keyword linecache locale math numbers opcode operator os posixpath re reprlib sre_compile
sre_constants sre_parse stat struct token tokenize types typing urllib warnings weakref
"""

ENGINES = ("sqlite", "postgres")
#: The interface of storage, which knows nothing of the engines that stand behind it.
INTERFACE = {"server.storage"} | {
    f"server.storage.{n}" for n in ("errors", "accounts", "grants", "transfer")
}

#: Modules and calls that pure code has no use for.
WORLDLY = {"os", "io", "pathlib", "socket", "tempfile", "time", "random", "secrets", "subprocess"}
WORLDLY_CALLS = {"open", "print", "input", "now", "utcnow", "today"}

ENVIRONMENT = {"environ", "environb", "getenv"}
SQL = ("SELECT ", "INSERT ", "UPDATE ", "DELETE FROM", "CREATE TABLE", "PRAGMA ")


class Import(NamedTuple):
    """One import: of what, by whom, and whether it waits inside a function."""

    module: str
    target: str
    lazy: bool


class Module(NamedTuple):
    name: str  # dotted, below the package: "server.storage", "" is the package itself
    tree: ast.Module

    @property
    def is_client(self) -> bool:
        return not self.is_server and self.name not in COMMAND_LINE

    @property
    def is_server(self) -> bool:
        return self.name.split(".")[0] == "server"


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "__init__"


def modules() -> Iterator[Module]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = name_of(path)
        if name.startswith("server") and sys.version_info < (3, 10):
            continue  # the service's end may use the syntax of 3.10
        yield Module(name, ast.parse(path.read_text(encoding="utf-8"), str(path)))


MODULES = list(modules())
NAMES = {module.name for module in MODULES}


def imports(module: Module) -> Iterator[Import]:
    """All imports at run time; those for type checkers alone tie nothing."""
    yield from imports_below(module.name, module.tree, lazy=False)


def imports_below(module: str, node: ast.AST, *, lazy: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        for target in targets(child):
            yield Import(module, target, lazy)
        inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        yield from imports_below(module, child, lazy=lazy or inside)


def targets(node: ast.AST) -> Iterator[str]:
    """The modules that an import statement names, in full."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0 and node.module, "imports are absolute"
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            yield whole if ours(whole) in NAMES else node.module


def ours(target: str) -> str:
    """The name below the package of a module of ours; of others a name that none has."""
    if target == "timetric":
        return "__init__"
    return target[len("timetric.") :] if target.startswith("timetric.") else "?"


def outer(target: str) -> str:
    return target.split(".")[0]


def places() -> dict[str, int]:
    """The line in ORDER of every module."""
    lines = [line.split() for line in ORDER.strip().splitlines()]
    return {
        name: number
        for name in NAMES
        for number, patterns in enumerate(lines)
        if any(fnmatch(name, pattern) for pattern in patterns)
    }


IMPORTS = [found for module in MODULES for found in imports(module)]
CLIENT = {module.name for module in MODULES if module.is_client}
SERVER = {module.name for module in MODULES if module.is_server}


def test_every_module_has_a_place_in_the_order() -> None:
    assert NAMES - places().keys() == set()


def test_imports_point_one_way() -> None:
    place = places()
    wrong = [
        found
        for found in IMPORTS
        if ours(found.target) in NAMES
        and place[ours(found.target)] >= place[found.module]
        and not same_room(found)
    ]
    assert wrong == []


def same_room(found: Import) -> bool:
    """Files of the storage room know each other, as far as the engines stand apart."""
    room = "server.storage"
    return found.module.startswith(room) and ours(found.target).startswith(room)


def test_the_client_end_knows_nothing_of_the_service() -> None:
    knowing = [f for f in IMPORTS if f.module in CLIENT - REACHING]
    wrong = [f for f in knowing if ours(f.target) in SERVER | REACHING]
    assert wrong == []


@pytest.mark.skipif(sys.version_info < (3, 10), reason="3.9 can't list its standard library")
def test_the_client_end_imports_nothing_heavy_or_optional_at_once() -> None:
    at_once = LIGHT | sys.stdlib_module_names
    wrong = [
        f for f in IMPORTS if f.module in CLIENT and outer(f.target) not in at_once | waiting(f)
    ]
    assert wrong == []
    assert [f for f in IMPORTS if ours(f.target) in WAITING and not f.lazy] == []


def waiting(found: Import) -> set[str]:
    """What this import may name since it waits inside a function, or in a module that does."""
    may = LAZY | LAZY_OF.get(found.module, set())
    return may if found.lazy or found.module in WAITING else set()


def test_who_reaches_the_service_does_so_inside_functions_only() -> None:
    wrong = [
        f
        for f in IMPORTS
        if f.module in REACHING and ours(f.target).startswith("server") and not f.lazy
    ]
    assert wrong == []


def test_the_service_end_takes_only_what_is_shared_from_the_client_end() -> None:
    wrong = [
        f
        for f in IMPORTS
        if f.module in SERVER and ours(f.target) in (CLIENT | COMMAND_LINE) - SHARED
    ]
    assert wrong == []


def test_only_the_storage_room_names_an_engine() -> None:
    engines = {"sqlite3", "psycopg"}
    others = [f for f in IMPORTS if f.module != "spoolfile"]  # the client's own file
    outside = [f for f in others if not f.module.startswith("server.storage")]
    wrong = [f for f in outside if ours(f.target).startswith("server.storage.")]
    assert wrong == []
    assert [f for f in outside if outer(f.target) in engines] == []
    interface = [f for f in IMPORTS if f.module in INTERFACE and not f.lazy]
    room = {name for name in NAMES if name.startswith("server.storage")}
    assert [f for f in interface if ours(f.target) in room - INTERFACE] == []


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the service is of 3.10 and later")
def test_what_the_engines_share_names_none_of_them() -> None:
    """In the storage room each engine has a room of its own; the rest is everybody's."""
    packages = {"sqlite3": "sqlite", "psycopg": "postgres"}

    def engine(module: str) -> str | None:
        name = module.removeprefix("server.storage.").partition(".")[0]
        return name if name in ENGINES else None

    room = [f for f in IMPORTS if f.module.startswith("server.storage.")]
    named = [(f, engine(ours(f.target)) or packages.get(outer(f.target))) for f in room]
    assert {found for _, found in named} == {None, *ENGINES}
    assert [f for f, found in named if found not in (None, engine(f.module))] == []


def test_only_the_storage_room_speaks_sql() -> None:
    wrong = [
        (module.name, text)
        for module in MODULES
        if not module.name.startswith(("server.storage", "spoolfile"))
        for text in texts(module)
        if text.lstrip().startswith(SQL)
    ]
    assert wrong == []


def texts(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("name", sorted(PURE & NAMES))
def test_pure_modules_open_nothing_and_ask_no_clock(name: str) -> None:
    assert [f for f in IMPORTS if f.module == name and outer(f.target) in WORLDLY] == []
    assert [call for call in calls(name) if call in WORLDLY_CALLS] == []


def calls(name: str) -> Iterator[str]:
    """The last names of all that a module calls."""
    [module] = [module for module in MODULES if module.name == name]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).rpartition(".")[2]


def test_only_the_command_line_prints() -> None:
    others = sorted(NAMES - COMMAND_LINE)
    assert [name for name in others if "print" in calls(name)] == []


def test_only_config_and_the_command_line_read_the_environment() -> None:
    wrong = {
        module.name
        for module in MODULES
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT)
        or (isinstance(node, ast.alias) and node.name in ENVIRONMENT)
    }
    assert wrong - COMMAND_LINE - {"config"} == set()


def test_only_auth_reads_the_authtype() -> None:
    """A read is a look-up or a comparison; the command line and config only write the key."""
    wrong = [
        (module.name, node.lineno)
        for module in MODULES
        if module.name != "auth"
        for node in ast.walk(module.tree)
        if isinstance(node, (ast.Call, ast.Subscript, ast.Compare)) and reads_authtype(node)
    ]
    assert wrong == []


def reads_authtype(node: ast.Call | ast.Subscript | ast.Compare) -> bool:
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        return False
    return any(
        isinstance(child, ast.Constant) and child.value == "authtype"
        for child in ast.iter_child_nodes(node)
    )


@pytest.mark.parametrize("name", sorted(CLIENT | COMMAND_LINE))
def test_the_client_end_is_written_in_python_3_9(name: str) -> None:
    room = PACKAGE.joinpath(*name.split("."))
    path = room / "__init__.py" if room.is_dir() else room.with_suffix(".py")
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))


def test_the_client_end_imports_without_the_extras() -> None:
    """Under whatever Python runs this, and with every optional package out of reach."""
    extras = [
        "falcon",
        "granian",
        "jinja2",
        "numpy",
        "oauth2",
        "pandas",
        "pcodec",
        "PIL",
        "polars",
        "pyarrow",
        "tqdm",
    ]
    names = [f"timetric.{name}" for name in sorted(CLIENT | COMMAND_LINE - {"__main__"})]
    code = f"""
import importlib, sys
sys.modules.update(dict.fromkeys({extras!r}))
for name in {names!r}:
    importlib.import_module(name)
"""
    subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, check=True)


def test_importing_timetric_loads_only_what_is_listed() -> None:
    code = "import sys; before = {*sys.modules}; import timetric; print(*{*sys.modules} - before)"
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {PATH!r}; {code}"],
        check=True,
        stdout=subprocess.PIPE,
    )
    loaded = {outer(name) for name in run.stdout.decode().split()}
    public = {name for name in loaded if not name.startswith("_")}
    assert public - LIGHT - set(AT_ONCE.split()) == set()
