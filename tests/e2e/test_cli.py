"""The command line as people and cron run it: one process a command, against an AWS that judges."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import BIN, Emulator, Machine

JITCLOUD = str(BIN / "jitcloud")
LOOK_AROUND = ("--for", "30m", "--because", "To look around")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def jit(emulator: Emulator, tmp_path: Path, warm_commands: Path) -> Run:
    """Run ``jitcloud`` in a starter folder."""
    machine = emulator.machine
    folder = tmp_path / "trial"
    jitcloud = str(warm_commands / "jitcloud")
    assert machine.run(jitcloud, "init", str(folder)).returncode == 0

    def run(*args: str, by: str | None = None) -> subprocess.CompletedProcess[str]:
        acting = {} if by is None else {"JITCLOUD_UNSAFE_ACT_AS": by}
        return machine.run(jitcloud, *args, cwd=folder, more=acting)

    return run


def told(ended: subprocess.CompletedProcess[str]) -> Any:
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_a_whole_life_one_process_a_step(jit: Run, warm_commands: Path) -> None:
    asked = told(jit("request", "prod-read", *LOOK_AROUND, "--json", by="ana"))
    name = asked["id"]
    assert asked["state"] == "pending"
    use = ("exec", name, "--", str(warm_commands / "aws"), "s3", "ls", "s3://prod-data")
    early = jit(*use, by="ana")
    assert (early.returncode, early.stdout) == (3, "")
    assert "still waits for approval" in early.stderr

    refused = jit("approve", name, by="ana")
    assert refused.returncode == 3
    assert refused.stderr == (
        "jitcloud: You cannot approve or deny your own request; ask a colleague.\n"
    )
    waiting = told(jit("list", "--waiting", "--json", by="BEN@example.com"))
    assert [request["id"] for request in waiting["requests"]] == [name]
    assert told(jit("approve", name, "--json", by="ben"))["state"] == "active"

    used = jit(*use, by="ana")
    assert used.returncode == 0, used.stderr
    assert "hello.txt" in used.stdout
    assert jit("give-back", name, by="ana").returncode == 0
    late = jit(*use, by="ana")
    assert (late.returncode, late.stdout) == (3, "")

    swept = jit("sweep")
    assert (swept.returncode, swept.stdout, swept.stderr) == (0, "", "")
    story = jit("audit", "show", name)
    assert story.returncode == 0
    assert [line.split(".")[0] for line in story.stdout.splitlines()][:4] == ["1", "2", "3", "4"]
    assert jit("audit", "verify").returncode == 0


def test_two_processes_that_vote_at_once_let_in_once(
    jit: Run, emulator: Emulator, tmp_path: Path
) -> None:
    name = told(jit("request", "prod-read", *LOOK_AROUND, "--json", by="ana"))["id"]
    config = ("--config", str(tmp_path / "trial"))
    votes = [
        emulator.machine.start(JITCLOUD, *config, "--unsafe-act-as", who, "approve", name)
        for who in ("ben", "caro")
    ]
    codes = sorted(vote.wait(60) for vote in votes)
    for vote in votes:
        vote.communicate()
    assert codes in ([0, 0], [0, 3])  # in time, or to hear that nobody waits any more
    events = told(jit("audit", "show", name, "--json"))["events"]
    assert [event["what"]["type"] for event in events].count("activated") == 1


def test_an_export_is_verified_through_a_pipe(jit: Run, emulator: Emulator, tmp_path: Path) -> None:
    assert jit("request", "dev-read", *LOOK_AROUND, by="ana").returncode == 0
    verify = f"{JITCLOUD} audit export | {JITCLOUD} audit verify --file - --keys keys --json"
    piped = emulator.machine.run("sh", "-c", verify, cwd=tmp_path / "trial")
    assert told(piped)["holds"] is True


def test_a_reader_that_has_read_enough_is_no_trouble(
    jit: Run, emulator: Emulator, tmp_path: Path
) -> None:
    assert jit("request", "dev-read", *LOOK_AROUND, by="ana").returncode == 0
    # Nobody reads: `true` has ended long before there is anything to write.
    cut = f"{JITCLOUD} audit export | true"
    piped = emulator.machine.run("sh", "-c", cut, cwd=tmp_path / "trial")
    assert piped.stderr == ""
    full = emulator.machine.run(
        "sh", "-c", f"{JITCLOUD} audit export > /dev/full", cwd=tmp_path / "trial"
    )
    assert full.returncode == 6
    assert full.stderr == (
        "jitcloud: The system does not let this happen: No space left on device.\n"
    )


# ── On a terminal ────────────────────────────────────────────────────────────────────────────


class Terminal:
    """What somebody sees, and the process that shows it."""

    def __init__(self, machine: Machine, folder: Path, *args: str) -> None:
        self.seen = ""
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(  # noqa: S603 - what the test says
            [JITCLOUD, *args],
            env={**machine.environment, "TERM": "xterm", "COLUMNS": "120"},
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def read_until(self, text: str) -> None:
        give_up = time.monotonic() + 30
        while text not in self.seen:
            assert time.monotonic() < give_up, self.seen
            assert self._read(), self.seen

    def end(self) -> int:
        while self._read():
            pass
        os.close(self._master)
        return self.process.wait(30)

    def _read(self) -> bool:
        try:
            read = os.read(self._master, 4096)
        except OSError:  # the other side is closed
            return False
        self.seen += read.decode()
        return bool(read)


@contextmanager
def terminal(emulator: Emulator, tmp_path: Path, *args: str) -> Iterator[Terminal]:
    shown = Terminal(emulator.machine, tmp_path / "trial", *args)
    try:
        yield shown
    finally:
        if shown.process.poll() is None:
            shown.process.kill()
            shown.process.wait()


ASK_AND_WAIT = ("--unsafe-act-as", "ana", "request", "prod-read", *LOOK_AROUND, "--wait")


def waiting(jit: Run) -> str:
    (request,) = told(jit("list", "--json", by="ana"))["requests"]
    name: str = request["id"]
    return name


def test_waiting_shows_a_countdown_until_a_colleague_says_yes(
    jit: Run, emulator: Emulator, tmp_path: Path
) -> None:
    with terminal(emulator, tmp_path, *ASK_AND_WAIT) as shown:
        shown.read_until("pending, waits for 1 of sre")
        shown.read_until("lapses in 23h59m")
        name = waiting(jit)
        assert jit("approve", name, by="ben").returncode == 0
        assert shown.end() == 0
    assert "active" in shown.seen
    assert f"Use it: jitcloud exec {name} -- COMMAND" in shown.seen


def test_ctrl_c_while_waiting_leaves_the_request_as_it_is(
    jit: Run, emulator: Emulator, tmp_path: Path
) -> None:
    with terminal(emulator, tmp_path, *ASK_AND_WAIT) as shown:
        shown.read_until("pending, waits for 1 of sre")
        os.killpg(shown.process.pid, signal.SIGINT)
        assert shown.end() == 130
    assert "is left as it is, pending" in " ".join(shown.seen.split())
    assert "Traceback" not in shown.seen
    assert told(jit("show", waiting(jit), "--json", by="ana"))["state"] == "pending"
