"""A shell in which the commands of one page run, one after the other, as its reader would."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Self

from jitcloud.emulators.surroundings import apart_from

_MARK = "\x1eended"
_PATIENCE = 60.0

_EXIT_CODE = "echo $?"
_LOOP = "done)"  # it ends when what it tries fails, and itself ends well

# How errors of jitcloud begin, and those of the AWS CLI.
_ERROR = re.compile(r"^(?:jitcloud: |An error occurred |copy failed: )", re.MULTILINE)

SHORTENED = "…"
"""What a page writes where a part is left out; as a line of its own, any number of lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command, and what the page says that it prints."""

    command: str
    shown: str
    fails: bool | None
    """Whether it ends with an exit code other than 0; None where the page tells which."""


def transcript(text: str) -> list[Step]:
    """Read a ``console`` block: what follows ``$`` is typed, and the rest is what is seen."""
    nothing, *typed = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert nothing == "", "a console block begins with a command"
    pairs = [part.partition("\n")[::2] for part in typed]
    return [
        Step(
            command=command,
            shown=shown,
            fails=None
            if following[0] == _EXIT_CODE or command.endswith(_LOOP)
            else _ERROR.search(shown) is not None,
        )
        for (command, shown), following in zip_longest(pairs, pairs[1:], fillvalue=("", ""))
    ]


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


class Terminal:
    """Bash in a folder of its own, with a home of its own and nobody's cloud credentials.

    Commands are looked for in ``first`` before they are elsewhere.
    """

    def __init__(self, folder: Path, *first: Path) -> None:
        home = folder.parent / "home"
        home.mkdir()
        kept = apart_from(os.environ)
        # A reader's own files, which a page may tell to write.
        del kept["AWS_CONFIG_FILE"], kept["AWS_SHARED_CREDENTIALS_FILE"]
        ours = ("JITCLOUD_", "PYTHON")
        self._environment = {
            **{key: value for key, value in kept.items() if not key.startswith(ours)},
            "HOME": str(home),
            "PATH": os.pathsep.join(
                [*map(str, first), str(Path(sys.executable).parent), os.environ["PATH"]]
            ),
        }
        self._others: list[_Session] = []
        self._first = _Session(["--noprofile", "--norc"], folder, self._environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for session in (*self._others, self._first):
            session.end()

    def run(self, command: str) -> tuple[int, str]:
        """Type a command, and wait for its end; return its exit code and what it printed."""
        # The exit code is kept for a command that asks for it: `echo $?`.
        self._first.type(
            f"{{ {command}\n}} </dev/null\n"
            f"_code=$?; printf '%s %s\\n' '{_MARK}' $_code; (exit $_code)\n"
        )
        seen = ""
        give_up = time.monotonic() + _PATIENCE
        while time.monotonic() < give_up and (line := self._first.line()) is not None:
            before, mark, code = line.partition(_MARK)
            seen += before
            if mark:
                return int(code), seen
        raise AssertionError(f"This did not come to an end: {command}\n{seen}")

    def second(self, command: str, shown: str) -> str:
        """Start a command that goes on, in a second terminal; wait until it has said all that."""
        _, here = self.run("pwd")
        session = _Session(["-c", command], Path(here.strip()), self._environment)
        self._others.append(session)
        seen = ""
        give_up = time.monotonic() + _PATIENCE
        while time.monotonic() < give_up and (line := session.line()) is not None:
            seen += line
            if not line and fits(shown, seen):
                break
        return seen


class _Session:
    """One process and all that it starts, with what they print read as it comes."""

    def __init__(self, arguments: list[str], folder: Path, environment: dict[str, str]) -> None:
        bash = shutil.which("bash")
        assert bash is not None
        self._process = subprocess.Popen(  # noqa: S603 - what our own pages show
            [bash, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def type(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def line(self) -> str | None:
        """The next line, nothing if none comes for a while, or None after the last one."""
        try:
            return self._lines.get(timeout=0.2)
        except queue.Empty:
            return ""

    def end(self) -> None:
        """End it as Ctrl-C would, and wait until all that it started has let go."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGINT)
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._reader.join(10)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                self._lines.put(line)
        self._lines.put(None)
