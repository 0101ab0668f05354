"""What is absurdly large costs neither much memory nor much time, whatever reads it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.hostile.parsers import PARSERS


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_what_is_large_is_read_or_refused_within_bounds() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.hostile.large"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, (ran.stdout.splitlines()[-1:], ran.returncode, ran.stderr[-2000:])
    assert len(ran.stdout.splitlines()) == len([each for each in PARSERS if not each.handed_over])
