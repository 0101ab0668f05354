"""A shell in which the commands of one page run, one after the other, as its reader would."""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from jitcloud.emulators.surroundings import apart_from

_MARK = "\x1eended"
_PATIENCE = 60.0

SHORTENED = "…"
"""What a page writes where a part is left out: within a line, or as a line for any number of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command, and what the page says that it prints (None: the page does not say)."""

    command: str
    shown: str | None


def transcript(text: str) -> Iterator[Step]:
    """Read a ``console`` block: what follows ``$`` is typed, and the rest is what is seen."""
    typed = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert typed[0] == "", "a console block begins with a command"
    for part in typed[1:]:
        command, _, shown = part.partition("\n")
        yield Step(command=command, shown=shown)


def fits(shown: str, seen: str) -> bool:
    """Whether what a page shows is what was seen."""
    pattern = ""
    for line in shown.rstrip("\n").split("\n"):
        if line.strip() == SHORTENED:
            pattern += r"(?:.*\n)*?"
        else:
            pieces = (re.escape(piece) for piece in line.rstrip().split(SHORTENED))
            pattern += f"{'.*?'.join(pieces)}[ ]*\n"
    seen = seen.rstrip("\n") + "\n"
    return re.fullmatch(pattern, seen) is not None


def fails(shown: str | None) -> bool:
    """Whether a page says that a command fails: that is how every error begins."""
    return shown is not None and re.search("^jitcloud: ", shown, re.MULTILINE) is not None


@dataclass
class Terminal:
    """Bash in a folder of its own, with a home of its own and nobody's cloud credentials."""

    folder: Path
    _process: subprocess.Popen[str] = field(init=False)
    _others: list[subprocess.Popen[str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._process = self._popen([_bash(), "--noprofile", "--norc"], self.folder)
        return self

    def __exit__(self, *_: object) -> None:
        for other in self._others:
            other.send_signal(signal.SIGINT)
        for process in (*self._others, self._process):
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def run(self, command: str) -> tuple[int, str]:
        """Type a command, and wait for its end; return its exit code and what it printed."""
        stdin, stdout = _pipes(self._process)
        # The exit code is kept for a command that asks for it: `echo $?`.
        stdin.write(f"{{ {command}\n}} </dev/null\n")
        stdin.write(f"_code=$?; printf '%s %s\\n' '{_MARK}' $_code; (exit $_code)\n")
        stdin.flush()
        seen = ""
        for line in stdout:
            before, mark, code = line.partition(_MARK)
            seen += before
            if mark:
                return int(code), seen
        raise AssertionError(f"The shell ended at: {command}\n{seen}")

    def second(self, command: str, shown: str) -> str:
        """Start a command that goes on, in a second terminal; wait until it has said all that."""
        _, here = self.run("pwd")
        process = self._popen([_bash(), "-c", f"exec {command}"], Path(here.strip()))
        self._others.append(process)
        said: queue.Queue[str] = queue.Queue()
        _, stdout = _pipes(process)
        threading.Thread(target=lambda: [said.put(line) for line in stdout], daemon=True).start()
        give_up = time.monotonic() + _PATIENCE
        seen = ""
        while time.monotonic() < give_up and process.poll() is None:
            try:
                seen += said.get(timeout=0.1)
            except queue.Empty:
                if seen and fits(shown, seen):
                    return seen
        return seen

    def _popen(self, command: list[str], folder: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _environment(self) -> dict[str, str]:
        home = self.folder.parent / "home"
        home.mkdir(exist_ok=True)
        kept = apart_from(os.environ)
        # A reader's own files, which a page may tell to write.
        del kept["AWS_CONFIG_FILE"], kept["AWS_SHARED_CREDENTIALS_FILE"]
        return {
            **{key: value for key, value in kept.items() if not key.startswith("JITCLOUD_")},
            "COLUMNS": "200",
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _bash() -> str:
    found = shutil.which("bash")
    assert found is not None
    return found
