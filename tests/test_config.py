from __future__ import annotations

import json
import os
import shelve
import stat
from pathlib import Path
from typing import Any

import pytest

import timetric
from timetric import config

CONFIG = {
    "url": "http://127.0.0.1:8000/",
    "authtype": "apitoken",
    "apitoken_key": "key",
    "apitoken_secret": "s3cr3t",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any config; no setting of this machine is seen."""
    for name in list(os.environ):
        if name.startswith(("TIMETRIC_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def path(home: Path) -> Path:
    return home / ".config" / "timetric" / "config.json"


def put(path: Path, text: str, mode: int = 0o600) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def test_a_saved_config_is_the_one_that_is_loaded(path: Path) -> None:
    config.save(CONFIG, config.default_path())
    assert config.default_path() == path
    assert config.load() == CONFIG


def test_a_client_without_a_config_uses_the_saved_one(path: Path) -> None:
    config.save({**CONFIG, "url": "http://127.0.0.1:8123/"}, path)
    assert timetric.TimetricClient().url == "http://127.0.0.1:8123/"


def test_a_saved_config_is_private(path: Path) -> None:
    config.save(CONFIG, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_saving_leaves_a_config_that_is_there_alone(path: Path) -> None:
    put(path, "mine")
    with pytest.raises(timetric.ConfigError, match="File exists"):
        config.save(CONFIG, path)
    assert path.read_text() == "mine"


def test_saving_does_not_write_through_a_link(path: Path, home: Path) -> None:
    path.parent.mkdir(parents=True)
    path.symlink_to(home / "elsewhere")
    with pytest.raises(timetric.ConfigError):
        config.save(CONFIG, path)
    assert not (home / "elsewhere").exists()


def test_saving_where_no_directory_can_be_made_says_so(home: Path) -> None:
    (home / "file").write_text("")
    with pytest.raises(timetric.ConfigError, match="can't save the config"):
        config.save(CONFIG, home / "file" / "config.json")


def test_the_environment_names_another_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home / "other.json", json.dumps(CONFIG))
    monkeypatch.setenv("TIMETRIC_CONFIG", str(home / "other.json"))
    assert config.load() == CONFIG


def test_the_directory_for_configs_can_be_elsewhere(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "configs"))
    put(home / "configs" / "timetric" / "config.json", json.dumps(CONFIG))
    assert config.load() == CONFIG


def test_a_relative_directory_for_configs_is_ignored(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "configs")
    assert config.default_path() == path


def test_credentials_in_the_environment_win_and_nothing_of_the_file_is_mixed_in(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(path, json.dumps({**CONFIG, "url": "https://file.example/"}))
    monkeypatch.setenv("TIMETRIC_APITOKEN_KEY", "other key")
    monkeypatch.setenv("TIMETRIC_AUTHTYPE", "apitoken")
    assert config.load() == {"apitoken_key": "other key", "authtype": "apitoken"}


def test_a_url_alone_in_the_environment_does_not_get_the_credentials_of_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(path, json.dumps(CONFIG))
    monkeypatch.setenv("TIMETRIC_URL", "https://elsewhere.example/")
    assert config.load() == CONFIG


def test_a_whole_config_in_the_environment_works(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in CONFIG.items():
        monkeypatch.setenv(f"TIMETRIC_{key.upper()}", value)
    assert config.load() == CONFIG
    assert config.source() == "the environment"


def test_without_any_config_the_error_says_how_to_get_one(path: Path) -> None:
    assert config.source() is None
    with pytest.raises(timetric.ConfigError, match=r"timetric serve.*timetric token add") as error:
        config.load()
    assert str(path) in str(error.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_config_that_others_can_read_is_taken_with_one_warning(path: Path, mode: int) -> None:
    put(path, json.dumps(CONFIG), mode)
    with pytest.warns(timetric.InsecureWarning, match="chmod 600") as told:
        assert timetric.TimetricClient().url == CONFIG["url"]
        timetric.TimetricClient()
    assert [warning.filename for warning in told] == [__file__]


@pytest.mark.parametrize(
    "text", ['{"apitoken_secret": "s3cr3t"', "[" * 100_000, "", '["s3cr3t"]', "null"]
)
def test_a_file_that_is_no_config_is_refused_and_the_error_holds_none_of_it(
    path: Path, text: str
) -> None:
    put(path, text)
    with pytest.raises(timetric.ConfigError, match="not a JSON object") as error:
        config.load()
    assert "s3cr3t" not in str(error.value)
    assert error.value.__context__ is None


def test_a_file_that_is_no_text_is_refused(path: Path) -> None:
    put(path, "")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(timetric.ConfigError, match="can't read"):
        config.load()


def test_a_directory_in_its_place_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(timetric.ConfigError, match="can't read"):
        config.load()


def test_the_repr_of_a_config_hides_its_secrets() -> None:
    secrets = {
        "apitoken_secret": "s3cr3t-1",
        "apitoken-secret": "s3cr3t-2",
        "consumer_secret": "s3cr3t-3",
        "oauth_secret": "s3cr3t-4",
        "access_token": "s3cr3t-5",
    }
    loaded = config.Config(secrets, url="http://127.0.0.1:8000/", apitoken_key="key")
    assert "s3cr3t" not in repr(loaded) + str(loaded) + f"{loaded}"
    assert "http://127.0.0.1:8000/" in repr(loaded)
    assert dict(loaded) == {**secrets, "url": "http://127.0.0.1:8000/", "apitoken_key": "key"}


@pytest.mark.parametrize("key", ["apitoken_secret", "apitoken-secret"])
def test_a_dash_in_a_key_counts_as_an_underscore(key: str) -> None:
    assert config.lookup({"url": "x", key: "s3cr3t"}, "apitoken_secret") == "s3cr3t"


def test_a_key_that_is_not_there_is_none() -> None:
    odd: dict[Any, str] = {1: "number", "apitoken_secret_2": "other"}
    assert config.lookup(odd, "apitoken_secret") is None


def test_a_shelf_is_a_config(tmp_path: Path) -> None:
    with shelve.open(str(tmp_path / "shelf")) as shelf:
        shelf["apitoken-key"] = "key"
        assert config.lookup(shelf, "apitoken_key") == "key"
        assert config.lookup(shelf, "url") is None
