"""Anchors in a file: a line of JSON for each checkpoint, and nothing but lines added.

Have it on another machine's disk, or at least make it append-only (``chattr +a`` on Linux), which
root alone can undo. A folder is read as well, a checkpoint a file: what was copied out of a bucket.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Self

from jitcloud.anchors import TAKEN
from jitcloud.audit.checkpoint import LONGEST
from jitcloud.errors import Conflict, Unavailable
from jitcloud.text import printable

_BEGINNING = b'{"checkpoint":"'
_END = 2 * LONGEST + 4
"""In so many bytes at the end of a file its last line stands, and one that was torn after it."""

_MOST_FILES = 1_000_000


@dataclass(frozen=True, slots=True)
class FileAnchors:
    """Only ever appended to. Safe for several threads and processes of one machine."""

    path: Path

    @property
    def name(self) -> str:
        """Where it is, for whoever is told of it."""
        return printable(str(self.path))

    def append(self, start: int, line: bytes, now: datetime) -> None:  # noqa: ARG002 - no retention
        """Write, durably, the checkpoint that begins at this leaf.

        Raises ``Conflict`` where one begins there already, or later, and ``Unavailable``.
        """
        if len(line) > LONGEST:
            raise Unavailable(
                f"The anchors in {self.name} take no line of {len(line)} bytes; report it, for no"
                " checkpoint should have as many."
            )
        try:
            is_new = not self.path.exists()
            with self._opened(os.O_RDWR | os.O_APPEND | os.O_CREAT) as descriptor:
                fcntl.flock(descriptor.number, fcntl.LOCK_EX)
                last = self._last(descriptor.number)
                if last is not None and _start(last) >= start:
                    raise Conflict(TAKEN)
                # A line end before it, too: what a crash has torn does not then run into this.
                text = b"\n" + line + b"\n"
                written = os.write(descriptor.number, text)
                os.fsync(descriptor.number)
            if is_new:
                _sync(self.path.parent)
        except OSError as exc:
            raise self._unavailable("written", exc) from exc
        if written < len(text):
            raise Unavailable(
                f"The anchors in {self.name} were not written: the disk is full; free some space."
            )

    def last(self) -> bytes | None:
        """Return the one that begins last; None before the first. Raises ``Unavailable``."""
        try:
            if self.path.is_dir():
                found = [line for _, line in self.lines()]
                return found[-1] if found else None
            with self._opened(os.O_RDONLY) as descriptor:
                return self._last(descriptor.number)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise self._unavailable("read", exc) from exc

    def lines(self) -> Iterator[tuple[str, bytes]]:
        """Yield where each stands, and its text, in the order of their leaves.

        Of what begins at the same leaf the first comes first. Raises ``Unavailable``.
        """
        try:
            if self.path.is_dir():
                yield from self._of_folder()
            else:
                yield from _of_file(self.path)
        except FileNotFoundError:
            return
        except OSError as exc:
            raise self._unavailable("read", exc) from exc

    def _of_folder(self) -> Iterator[tuple[str, bytes]]:
        # As objects in a bucket they are named after the leaf at which they begin.
        names = sorted(path for path in self.path.rglob("*.json") if path.is_file())
        for path in names[:_MOST_FILES]:
            for _, line in _of_file(path):
                yield path.name, line

    def _last(self, descriptor: int) -> bytes | None:
        """Read the last line that is whole, from the end of the file."""
        size = os.lseek(descriptor, 0, os.SEEK_END)
        begin = max(size - _END, 0)
        lines = os.pread(descriptor, size - begin, begin).split(b"\n")
        # Where the file goes on before that, the first is the end of a line.
        whole = (_text(line) for line in reversed(lines[bool(begin) :]) if _is_whole(line))
        return next(whole, None)

    def _opened(self, flags: int) -> _Descriptor:
        return _Descriptor(os.open(self.path, flags | os.O_CLOEXEC, 0o600))

    def _unavailable(self, what: str, exc: OSError) -> Unavailable:
        return Unavailable(
            f"The anchors in {self.name} cannot be {what} ({exc.strerror}); see that the folder is"
            " there, and that this user may write to it."
        )


@dataclass(frozen=True, slots=True)
class _Descriptor:
    """An open file; closing it gives its lock back."""

    number: int

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.number)


def _of_file(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file:
        for number in count(1):
            line = file.readline(LONGEST + 2)
            if not line:
                return
            if _is_whole(line):
                yield f"line {number}", _text(line)


def _is_whole(line: bytes) -> bool:
    """Whether there is something in a line, and not only what a crash has left of one.

    Whoever tears one on purpose gains nothing: the next begins where this would have ended.
    """
    text = _text(line)
    is_torn = _BEGINNING.startswith(text[: len(_BEGINNING)]) and not text.endswith(b"}")
    return bool(text) and not is_torn


def _text(line: bytes) -> bytes:
    # A machine that goes down may leave zeros at the end of a file that has just grown.
    return line.strip(b"\0\r\n ")


def _start(line: bytes) -> int:
    try:
        table = json.loads(line)
    except (ValueError, RecursionError):
        return -1  # whoever verifies hears of it
    start = table.get("start") if isinstance(table, dict) else None
    return start if isinstance(start, int) else -1


def _sync(folder: Path) -> None:
    """Make sure that a new file is found in its folder after a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
