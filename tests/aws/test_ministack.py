"""The emulator: it starts, listens to this machine alone, and leaves nothing behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest

from jitcloud.emulators.ministack import Ministack
from jitcloud.errors import Misconfigured

CHILD = """
import os, signal, sys
from jitcloud.emulators.ministack import Ministack
print(Ministack().start().endpoint_url, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def _answers(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def _gone(url: str, within: float = 5) -> bool:
    until = time.monotonic() + within
    while _answers(url) and time.monotonic() < until:
        time.sleep(0.02)
    return not _answers(url)


def test_it_speaks_as_the_root_of_its_account_and_of_any_other(ministack: Ministack) -> None:
    for account in (ministack.account, "123456789012"):
        sts = boto3.Session(account, "test", region_name=ministack.region).client(
            "sts", endpoint_url=ministack.endpoint_url
        )
        assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:root"


def test_a_child_process_reaches_it_by_its_environment(ministack: Ministack) -> None:
    ask = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    said = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", ask],
        env={"PATH": os.environ["PATH"], **ministack.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == ministack.account


def test_it_ends_with_its_context_and_its_files_with_it(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setattr("tempfile.tempdir", str(tmp_path))
        with Ministack() as aws:
            assert aws.endpoint_url.startswith("http://127.0.0.1:")
            assert len(list(tmp_path.iterdir())) == 1
        assert _gone(aws.endpoint_url)
        assert list(tmp_path.iterdir()) == []
    aws.stop()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's list of sockets")
def test_it_listens_on_the_loopback_and_nowhere_else(ministack: Ministack) -> None:
    port = int(ministack.endpoint_url.rpartition(":")[2])
    listening = [
        fields[1].split(":")[0]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
        if (fields := line.split())[3] == "0A" and int(fields[1].split(":")[1], 16) == port
    ]
    assert listening == ["0100007F"]


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    died = subprocess.run(  # noqa: S603 - the same
        [sys.executable, "-c", CHILD],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    assert _gone(died.stdout.strip())
    until = time.monotonic() + 5
    while list(tmp_path.iterdir()) and time.monotonic() < until:
        time.sleep(0.02)
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_the_users_aws_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the user's own")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("BIND_HOST", "0.0.0.0")  # noqa: S104 - that it is not obeyed is the point
    monkeypatch.setenv("PERSIST_STATE", "1")
    passed_on = Ministack()._child_environment(1)  # noqa: SLF001 - the one way to see it
    assert not [key for key in passed_on if key.startswith("AWS_")]
    assert passed_on["BIND_HOST"] == "127.0.0.1"
    assert "PERSIST_STATE" not in passed_on


def test_without_it_installed_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(Misconfigured, match=r"pip install 'jitcloud\[emulators\]'"):
        Ministack().start()


def test_that_it_does_not_start_is_told_with_its_own_last_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jitcloud.emulators.ministack._SERVE", "raise SystemExit('no such luck')")
    with pytest.raises(Misconfigured, match="no such luck"):
        Ministack().start()
