"""``aws s3 ls`` just works through a profile that asks jitcloud, until the window is over."""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.e2e.conftest import BIN, Emulator

LAST = 10
"""Seconds before the deadline in which nothing is issued any more."""

COMMANDS = 28
"""How many commands could be run before those: three are, and the AWS CLI is slower than ours.

Far more, for what one takes is measured once, and others may be at work when they are run.
"""

JITCLOUD = str(BIN / "jitcloud")
AWS = str(BIN / "aws")


def test_aws_s3_ls_works_inside_the_window_and_fails_after_it(
    emulator: Emulator, tmp_path: Path
) -> None:
    machine = emulator.machine
    trial = tmp_path / "trial"
    began = time.monotonic()
    assert machine.run(JITCLOUD, "init", str(trial)).returncode == 0
    # As long as it takes on this machine, and no longer: the rest is waiting.
    window = f"{LAST + math.ceil(COMMANDS * (time.monotonic() - began))}s"

    def jitcloud(*args: str) -> dict[str, str]:
        said = machine.run(
            JITCLOUD, "--config", str(trial), "--unsafe-act-as", "ana", "--json", *args
        )
        assert said.returncode == 0, said.stderr
        told: dict[str, str] = json.loads(said.stdout)
        return told

    def aws(*args: str, **more: str) -> tuple[int, str, str]:
        said = machine.run(AWS, *args, more={"AWS_CONFIG_FILE": str(tmp_path / "config"), **more})
        return said.returncode, said.stdout, said.stderr

    asked = jitcloud("request", "dev-read", "--for", window, "--because", "To look around")
    (tmp_path / "config").write_text(
        f"""\
[profile trial]
credential_process = {JITCLOUD} --config {trial} --unsafe-act-as ana credentials {asked["id"]}
"""
    )
    code, said, error = aws("--profile", "trial", "s3", "ls")
    assert code == 0, error
    assert "dev-data" in said
    # What was handed out once does not need jitcloud to go on, and still ends with the window.
    held = jitcloud("credentials", asked["id"])
    holding = {
        "AWS_ACCESS_KEY_ID": held["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": held["secret_access_key"],
        "AWS_SESSION_TOKEN": held["session_token"],
    }
    code, said, error = aws("s3", "ls", "s3://dev-data", **holding)
    assert code == 0, error
    assert said.split()[-1] == "hello.txt"

    deadline = datetime.fromisoformat(held["expires_at"])
    time.sleep(max(0, (deadline - datetime.now(UTC)).total_seconds()))
    code, said, error = aws("--profile", "trial", "s3", "ls")
    assert code != 0
    assert said == ""
    assert "reached its deadline" in error or "gives no access" in error
    code, said, error = aws("s3", "ls", "s3://dev-data", **holding)
    assert code != 0
    assert "AccessDenied" in error
