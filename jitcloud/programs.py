"""Runs a program that an operator names: one question a process, JSON in and JSON out, bounded."""

from __future__ import annotations

import errno
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from jitcloud.errors import Misconfigured, Unavailable
from jitcloud.files import MIB, parse_table
from jitcloud.text import printable, quoted

LONGEST_ANSWER = 8 * MIB
"""How many bytes of standard output are read."""

LAST_WORDS = 4096
"""How many bytes of standard error are kept; its last line is shown when a program fails."""

MOST_KEYS = 100
"""In any one object of an answer."""

PASSED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
)
"""The variables that a program gets, besides ``LC_*`` and those that the operator names."""

# What stays so until somebody changes a file. All else may pass: too many processes, no memory.
_LASTING = (
    *(errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOENT),
    *(errno.ENOEXEC, errno.ENOTDIR, errno.EPERM),
)

_CHUNK = 64 * 1024
_GLANCE, _BLINK = 0.02, 0.001
"""Seconds between looks whether it has ended, before and after it has closed its outputs."""
_LAST_WAIT = 1.0
"""Seconds for a killed process to go. One of another user, or stuck in the kernel, may not."""

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorProgram:
    """A program outside jitcloud that is trusted as a file of the configuration is.

    It is started for each question, without a shell, in ``folder`` and in a session of its own.
    When it has ended, or has had its time, whatever of its process group is left is killed.
    """

    command: Sequence[str] = field(repr=False)
    """The program and its arguments; a relative name with a slash is looked for in ``folder``,
    one without on ``PATH``."""
    folder: Path
    timeout: timedelta
    """From start to end."""
    environment: Mapping[str, str] = field(repr=False)
    """All that it gets: see ``passed_on``."""
    timer: Callable[[], float] = time.monotonic

    @property
    def name(self) -> str:
        """What messages call it, in quotes."""
        return quoted(self.command[0], limit=200)

    def ask(self, question: Mapping[str, object], form: type[M]) -> M:
        """Put a question of at most a few kilobytes, and read the answer strictly.

        Raises ``Misconfigured`` when only an operator can help (there is no such program), and
        ``Unavailable`` for whatever else is not an answer.
        """
        text = self._run(json.dumps(question, ensure_ascii=False).encode())
        try:
            answer = json.loads(text.decode(), object_pairs_hook=_unambiguous)
        except (RecursionError, ValueError) as exc:
            raise Unavailable(
                f"The program {self.name} does not answer with one JSON object in UTF-8"
                f" ({printable(str(exc))}); it must write that and nothing else to standard output."
            ) from None  # the cause would show what it wrote
        wrong: list[str] = []
        found = parse_table(
            form, answer, f"The program {self.name} does not answer as agreed", wrong
        )
        if found is None:
            raise Unavailable(wrong[0])
        return found

    def _run(self, question: bytes) -> bytes:
        give_up = self.timer() + self.timeout.total_seconds()
        process = self._start(question)
        try:
            code, answer, last_words = self._listen(process, give_up)
        except ChildProcessError as exc:
            process.poll()  # its id may be another's by now: see _end
            raise Misconfigured(
                f"How the program {self.name} ended cannot be told: whatever runs jitcloud takes"
                " the ends of its processes away (SIGCHLD is ignored); run it without that."
            ) from exc
        finally:
            _end(process)
        if code != 0:
            how = f"with exit code {code}" if code > 0 else f"by signal {-code}"
            raise Unavailable(
                f"The program {self.name} ended {how}{_last_line(last_words)}; mend it, or what"
                " it depends on."
            )
        return answer

    def _start(self, question: bytes) -> subprocess.Popen[bytes]:
        program = self.command[0]
        if "/" in program:
            program = str(self.folder.absolute() / program)
        try:
            asked = _pipe_that_holds(question)
            try:
                return subprocess.Popen(  # noqa: S603 - what the operator named, and no shell
                    [program, *self.command[1:]],
                    cwd=self.folder,
                    env=dict(self.environment),
                    stdin=asked,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            finally:
                os.close(asked)
        except OSError as exc:
            if exc.errno in _LASTING:
                raise Misconfigured(
                    f"The program {self.name} cannot be started ({exc.strerror}); see that it is"
                    " there, that this user may execute it, and that the interpreter which its"
                    " first line names is there too."
                ) from exc
            raise Unavailable(
                f"The program {self.name} cannot be started just now ({exc.strerror}); see what"
                " this machine is short of."
            ) from exc

    def _listen(self, process: subprocess.Popen[bytes], give_up: float) -> tuple[int, bytes, bytes]:
        """Read until it has ended; return its exit code, and what it wrote to its two outputs."""
        answer, last_words = bytearray(), bytearray()
        with selectors.DefaultSelector() as outputs:
            for output, heard in ((process.stdout, answer), (process.stderr, last_words)):
                assert output is not None  # noqa: S101 - both are pipes
                outputs.register(output, selectors.EVENT_READ, heard)
            while True:
                # Looked at before reading, so that all it wrote is there to be read after its
                # end. The end of the pipes is not waited for: a child of its may keep them open.
                code = _exit_code(process)
                left = give_up - self.timer()
                if left <= 0:
                    raise Unavailable(
                        f"The program {self.name} has given no answer within"
                        f" {self.timeout.total_seconds():g} seconds; see what it waits for, or"
                        " give it more time."
                    )
                pause = 0 if code is not None else _GLANCE if outputs.get_map() else _BLINK
                ready = outputs.select(min(pause, left))
                for key, _ in ready:
                    chunk = os.read(key.fd, _CHUNK)
                    key.data.extend(chunk)
                    if not chunk:
                        outputs.unregister(key.fileobj)
                if len(answer) > LONGEST_ANSWER:
                    raise Unavailable(
                        f"The program {self.name} answers with more than {LONGEST_ANSWER} bytes;"
                        " see what it writes."
                    )
                del last_words[:-LAST_WORDS]
                if code is not None and not ready:
                    return code, bytes(answer), bytes(last_words)


def passed_on(environment: Mapping[str, str], also: Iterable[str] = ()) -> dict[str, str]:
    """Return what a program may know of our environment: no cloud's credentials, no secret of ours.

    Named are the variables that pass, not those that do not: nobody knows all names of secrets.
    """
    names = {*PASSED_ON, *also}
    return {
        name: value
        for name, value in environment.items()
        if name in names or name.startswith("LC_")
    }


def _pipe_that_holds(question: bytes) -> int:
    """Return the end to read from. Written before anybody reads, so nothing can be left waiting."""
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        if os.write(writer, question) < len(question):
            raise BlockingIOError(errno.EAGAIN, "the question does not fit into a pipe")
    except OSError:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    return reader


def _exit_code(process: subprocess.Popen[bytes]) -> int | None:
    """Return how it ended, as ``Popen.returncode`` has it; None while it runs."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll()
    # It is only looked at: until it is waited for, nobody else gets its id, its group's name.
    seen = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if seen is None:
        return None
    return seen.si_status if seen.si_code == os.CLD_EXITED else -seen.si_status


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of its group, wait for it, and let go of its outputs."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):  # gone by itself; or another user's
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LAST_WAIT)
    for output in (process.stdout, process.stderr):
        if output is not None:
            output.close()


def _last_line(last_words: bytes) -> str:
    lines = last_words.decode(errors="replace").strip().splitlines()
    return f" and said {quoted(lines[-1].strip(), limit=200)}" if lines else " without a word"


def _unambiguous(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse an object that readers of JSON would take for different things."""
    if len(pairs) > MOST_KEYS:
        raise ValueError(f"an object has more than {MOST_KEYS} keys")
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("an object has the same key twice")
    return table
