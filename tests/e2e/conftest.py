"""A machine of one's own for each command: no AWS of the developer's, and nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
PATIENCE = 30


@dataclass(frozen=True)
class Machine:
    """Runs commands in folders of a test's own, and looks what they leave."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    def run(
        self, *command: str, cwd: Path | None = None, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - what the test says
            command,
            env={**self.environment, **(more or {})},
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own, as a shell would."""
        return subprocess.Popen(  # noqa: S603 - what the test says
            command,
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def left(self) -> list[str]:
        """Files in the temporary folder, and processes that were told of it, once all is over."""
        give_up = time.monotonic() + 5
        while (found := [*self._files(), *self._processes()]) and time.monotonic() < give_up:
            time.sleep(0.05)
        return found

    def _files(self) -> Iterator[str]:
        yield from map(str, self.temporary.iterdir())

    def _processes(self) -> Iterator[str]:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                told = (process / "environ").read_bytes()
                said = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # it is over, or another user's
            if str(self.temporary).encode() in told:
                yield f"{process.name}: {said}"


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Read lines up to the first that contains the text."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(f"{text!r} never came, but:\n{said}")


def ended(process: subprocess.Popen[str], by: signal.Signals | None = None) -> tuple[int, str]:
    """Send a signal to the whole group, as Ctrl-C does; return exit code and last words."""
    if by is not None:
        os.killpg(process.pid, by)
    said, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="session")
def machine_at() -> Callable[..., Machine]:
    def make(folder: Path, more: Mapping[str, str] | None = None) -> Machine:
        for name in ("home", "tmp"):
            (folder / name).mkdir(parents=True)
        environment = {
            "PATH": f"{BIN}{os.pathsep}{os.defpath}",
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            # Nothing is to be kept in the keyring of whoever runs the tests.
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            **(more or {}),
        }
        return Machine(folder, environment)

    return make


@dataclass(frozen=True)
class Emulator:
    """``jitcloud emulator`` at work, and what it told."""

    machine: Machine
    """In whose environment stands what it said to export."""
    port: int
    said: str


def emulator_command(port: int) -> list[str]:
    return [str(BIN / "jitcloud"), "emulator", "--port", str(port)]


@pytest.fixture(scope="session")
def emulator(
    machine_at: Callable[..., Machine], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    """One for each test process."""
    machine = machine_at(tmp_path_factory.mktemp("emulator"))
    port = free_port()
    process = machine.start(*emulator_command(port))
    try:
        said = read_until(process, "Ctrl-C")
        for line in said.splitlines():
            if line.startswith("  export "):
                name, _, value = line.removeprefix("  export ").partition("=")
                machine.environment[name] = value
        yield Emulator(machine, port, said)
    finally:
        code, _ = ended(process, signal.SIGTERM)
    assert code == 0
    assert machine.left() == []
