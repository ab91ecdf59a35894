"""The service as people write to it by hand: with curl, in a shell."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.conftest import ROOT, RunningService


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_session_of_writing(service: RunningService) -> None:
    token = f"{service.config['apitoken_key']}:{service.config['apitoken_secret']}"
    run = subprocess.run(
        ["sh", str(ROOT / "tests" / "curl-writing.sh")],
        env={"PATH": os.environ["PATH"], "URL": service.url, "TOKEN": token},
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
