"""The demo shows what it says, on a machine set up for another AWS, and leaves nothing."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import BIN, Machine, ended, read_until

DEMO = (str(BIN / "jitcloud"), "demo")

# Where an SDK that reads any of these ends, it does not get far.
ELSEWHERE = "http://127.0.0.1:1"
FOREIGN = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "of-the-developer",
    "AWS_SESSION_TOKEN": "of-the-developer",
    "AWS_PROFILE": "of-the-developer",
    "AWS_ENDPOINT_URL": ELSEWHERE,
    "AWS_ENDPOINT_URL_STS": ELSEWHERE,
    "AWS_USE_FIPS_ENDPOINT": "true",
    "HTTP_PROXY": ELSEWHERE,
    "http_proxy": ELSEWHERE,
}


PROMISES = (
    "Nobody approves their own request.",
    "Giving back ends exactly one session, at once.",
    "Ending one grant never takes what another gives.",
    "Access that was there before stays.",
    "The cloud holds the deadline, even with the broker dead.",
    "No access without a signed decision.",
    "An end is never refused.",
    "The end is on record before the access exists.",
    "Every change is in the trail, and an edit shows.",
    "No credentials are stored or logged.",
)


def test_everything_is_shown_to_be_as_promised_and_nothing_is_left(
    machine_at: Callable[..., Machine], tmp_path: Path
) -> None:
    machine = machine_at(tmp_path, FOREIGN)
    aws = machine.folder / "home" / ".aws"
    aws.mkdir()
    (aws / "config").write_text(f"[default]\nendpoint_url = {ELSEWHERE}\n")
    (aws / "credentials").write_text("[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n")
    began = time.monotonic()
    result = machine.run(*DEMO)
    took = time.monotonic() - began

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    assert took < 60
    assert_what_people_could_do(result.stdout)
    summary = result.stdout.partition("Shown in")[2]
    assert [promise for promise in PROMISES if promise not in summary] == []
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert re.search(r"A[KS]IA[0-9A-Z]{8}|FwoGZX|\x1b", result.stdout) is None
    assert machine.left() == []


def assert_what_people_could_do(text: str) -> None:
    def said(who: str, what: str) -> str:
        (line,) = [line for line in text.splitlines() if f" {who} " in line and what in line]
        return re.split(r" {2,}", line)[-1]

    assert said("alice", "as she is every day") == "AccessDenied"
    assert said("broker", "reads a report") == "AccessDenied"
    assert said("bob", "reads on, by the same role") == "ok"
    assert said("alice", "after she gave it back") == "AccessDenied"
    assert said("alice", "as Viewer, as any day") == "No access"
    assert said("alice", "as Viewer, by both grants") == "ok"
    assert said("alice", "as Viewer, by the other grant") == "ok"
    assert said("alice", "ms later") == "No access"
    assert said("bob", "as Viewer, having given it back") == "ok"
    assert said("bob", "as Viewer, with no grant left") == "ok"
    assert said("alice", "ms before the deadline") == "ok"
    assert said("alice", "ms after the deadline") == "AccessDenied"
    (overstay,) = re.findall(r"measured overstay: (\d+) ms", text)
    assert 0 <= int(overstay) <= 1000


@pytest.mark.parametrize(
    ("after", "by"), [("reads a report", signal.SIGINT), ("time", signal.SIGTERM)]
)
def test_nothing_is_left_of_one_that_is_told_to_end(
    machine_at: Callable[..., Machine], tmp_path: Path, after: str, by: signal.Signals
) -> None:
    machine = machine_at(tmp_path)
    process = machine.start(*DEMO)
    read_until(process, after)
    code, said = ended(process, by)
    assert code == 130
    assert "Traceback" not in said
    assert said.rstrip().endswith("Interrupted. Nothing is left running or lying about.")
    assert machine.left() == []


# What an operator gets who forgets to attach the deny document to the roles.
WITHOUT_BOUNDARY = """
import sys
from functools import partial
from jitcloud.cli.demo.play import play
from jitcloud.cli.demo.setting import prepare
sys.exit(play(partial(prepare, boundary=False)))
"""


def test_what_is_not_as_promised_is_said_and_fails(
    machine_at: Callable[..., Machine], tmp_path: Path
) -> None:
    machine = machine_at(tmp_path)
    result = machine.run(sys.executable, "-u", "-c", WITHOUT_BOUNDARY)
    assert result.returncode == 1
    told = " ".join(result.stdout.partition("Not as promised:")[2].split())
    assert re.fullmatch(
        r"alice reads, [0-9]+ ms after she gave it back: expected AccessDenied, got ok\.", told
    )
    assert machine.left() == []
