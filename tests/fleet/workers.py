"""The processes in which ministack runs functions: found by their parent, killed by their id."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from jitcloud.emulators.fleet import Fleet

_NAME = b"AWS_LAMBDA_FUNCTION_NAME="
_DIES_WITHIN = 10.0


def kill(fleet: Fleet, function: str | None = None) -> int:
    """Kill what runs one function of a fleet, or all of them, as the platform may at any time.

    What is called next starts afresh. Return how many processes that were.
    """
    wanted = None if function is None else fleet.deployed.name(function)
    found = [pid for pid, name in _workers(fleet) if wanted in {None, name}]
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + _DIES_WITHIN
    while any(map(_runs, found)) and time.monotonic() < until:
        time.sleep(0.01)
    return len(found)


def _runs(pid: int) -> bool:
    try:
        return _stat(Path(f"/proc/{pid}"))[0] not in "ZX"
    except OSError:
        return False


def _stat(folder: Path) -> list[str]:
    """What stands after the name of a process: its state, its parent (proc(5))."""
    return (folder / "stat").read_text().rpartition(")")[2].split()


def _workers(fleet: Fleet) -> Iterator[tuple[int, str]]:
    """Yield each process with the name of its function. Linux says of each who its parent is."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it is gone, or somebody else's
            if int(_stat(folder)[1]) != fleet.aws.pid:
                continue
            for variable in (folder / "environ").read_bytes().split(b"\0"):
                if variable.startswith(_NAME):
                    yield int(folder.name), variable.removeprefix(_NAME).decode()
