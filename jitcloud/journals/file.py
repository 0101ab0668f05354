"""A journal in a file: a line of JSON for each time that a place is about to be filled.

Keep it on another disk than the record, and out of its backup: it has to outlive it. A line
is written at once or not at all for whoever reads it: one that a crash has torn was never
followed by a call to the cloud.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from itertools import count
from pathlib import Path

from jitcloud.errors import Invalid, Unavailable
from jitcloud.journals import noted
from jitcloud.model import Place, Slot, SlotKey
from jitcloud.text import printable

LONGEST = 64 * 1024
"""No line is longer, in bytes."""

_BEGINNING = b'{"at":"'


@dataclass(frozen=True, slots=True)
class FileJournal:
    """Only ever appended to. Safe for several threads and processes of one machine."""

    path: Path

    def note(self, slot: Slot, now: datetime) -> None:
        """Write down, durably, that this place is about to be filled. Raises ``Unavailable``."""
        self._write(slot, now)

    def cross_out(self, slot: Slot, now: datetime) -> None:
        """Write down that this place was proven empty. Raises ``Unavailable``."""
        self._write(slot, now, empty=True)

    def _write(self, slot: Slot, now: datetime, *, empty: bool = False) -> None:
        # A line end before it, too: what another process was killed in the middle of does not
        # then run into this. One write to a file opened so stands in it as one piece.
        line = f"\n{noted.text(slot, now, empty=empty)}\n".encode()
        if len(line) > LONGEST:
            raise Unavailable(
                f"{self._name} takes no line of {len(line)} bytes; shorten what the catalog says "
                "of this place."
            )
        try:
            is_new = not self.path.exists()
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                written = os.write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if is_new:
                _sync(self.path.parent)
        except OSError as exc:
            raise self._unavailable("written", exc) from exc
        if written < len(line):
            raise Unavailable(f"{self._name} was not written: its disk is full; free some space.")

    def places(self) -> Iterator[tuple[Place, datetime]]:
        """Yield every place that is noted, each once, and when last. Raises ``Unavailable``."""
        # The whole file may be large, and the same places come again and again: so first where
        # each stands last, then those lines alone.
        last: dict[bytes, int] = {}
        for number, (place, noted_at) in self._lines():
            last[_digest(place.key)] = 0 if noted_at is None else number
        wanted = set(last.values())
        for number, (place, noted_at) in self._lines():
            if number in wanted and noted_at is not None:
                yield place, noted_at

    def _lines(self) -> Iterator[tuple[int, tuple[Place, datetime | None]]]:
        """Yield what each line says, with its number."""
        try:
            with self.path.open("rb") as file:
                for number in count(1):
                    line = file.readline(LONGEST + 1)
                    if not line:
                        return
                    said = self._read(number, line)
                    if said is not None:
                        yield number, said
        except FileNotFoundError:
            return
        except OSError as exc:
            raise self._unavailable("read", exc) from exc

    def _read(self, number: int, line: bytes) -> tuple[Place, datetime | None] | None:
        """Read a line: a place, and when it was noted; None in its stead where it is crossed out.

        None of an empty line, and of one that a crash has torn.
        """
        # A machine that goes down may leave zeros at the end of a file that has just grown.
        text = line.strip(b"\0\r\n ")
        if not text:
            return None
        try:
            said = json.loads(text)
        except RecursionError as exc:
            raise self._damaged(number) from exc
        except ValueError as exc:
            if len(line) <= LONGEST and _BEGINNING.startswith(text[: len(_BEGINNING)]):
                return None
            raise self._damaged(number) from exc
        try:
            return noted.place(said)
        except Invalid as exc:
            raise self._damaged(number) from exc

    @property
    def _name(self) -> str:
        return f"The journal {printable(str(self.path))}"

    def _damaged(self, number: int) -> Unavailable:
        return Unavailable(
            f"{self._name} is damaged in line {number}; restore it from a copy, or take that line "
            "out."
        )

    def _unavailable(self, what: str, exc: OSError) -> Unavailable:
        return Unavailable(
            f"{self._name} cannot be {what} ({exc.strerror}); see that its folder is there, and "
            "that this user may write to it."
        )


def _digest(key: SlotKey) -> bytes:
    return blake2b(key.encode(), digest_size=16).digest()


def _sync(folder: Path) -> None:
    """Make sure that a new file is found in its folder after a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
