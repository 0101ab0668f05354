"""Answers in the file that has the record."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jitcloud.model import Digest
from jitcloud.ports import Answered, Begun
from jitcloud.stores import answer_rules
from jitcloud.stores.answer_rules import Kept
from jitcloud.stores.sqlite_file import SqliteFile
from jitcloud.stores.sqlite_rows import to_instant, to_micros
from jitcloud.stores.sqlite_schema import MIGRATIONS

# A few with each new one, so that none grows old and no call waits for many.
_FORGET = """
DELETE FROM answers WHERE name IN
    (SELECT name FROM answers WHERE kept_until <= ? ORDER BY kept_until LIMIT 20)
"""
_KEPT = """
SELECT said, since, number, leased_until, kept_until, answer FROM answers WHERE name = ?
"""
_PUT = """
INSERT INTO answers (name, said, since, number, leased_until, kept_until)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET said = excluded.said, since = excluded.since,
    number = excluded.number, leased_until = excluded.leased_until,
    kept_until = excluded.kept_until, answer = NULL
"""
_AT_IT = "WHERE name = ? AND since = ? AND number = ? AND answer IS NULL"
_FINISH = f"UPDATE answers SET answer = ? {_AT_IT}"  # noqa: S608 - of our own words alone
_RELEASE = f"UPDATE answers SET leased_until = ? {_AT_IT}"  # noqa: S608 - the same


class SqliteAnswers:
    """Keeps answers in one file. Safe for several threads and processes of one machine."""

    def __init__(self, path: Path | str, *, patience: timedelta = timedelta(seconds=5)) -> None:
        self._file = SqliteFile(Path(path), MIGRATIONS, patience)

    def begin(
        self, name: Digest, said: Digest, now: datetime, *, lease: timedelta, keep: timedelta
    ) -> Begun | Answered:
        with self._file.writing() as connection:
            connection.execute(_FORGET, (to_micros(now),))
            row = connection.execute(_KEPT, (name,)).fetchone()
            kept = None if row is None else _kept(*row)
            found = answer_rules.begin(kept, said, now, lease=lease, keep=keep)
            if isinstance(found, Answered):
                return found
            ends = (to_micros(found.leased_until), to_micros(found.kept_until))
            connection.execute(_PUT, (name, said, to_micros(found.since), found.number, *ends))
            return answer_rules.begun(name, found)

    def finish(self, begun: Begun, answer: str) -> None:
        with self._file.writing() as connection:
            connection.execute(_FINISH, (answer, *_attempt(begun)))

    def release(self, begun: Begun, now: datetime) -> None:
        with self._file.writing() as connection:
            connection.execute(_RELEASE, (to_micros(now), *_attempt(begun)))

    def close(self) -> None:
        self._file.close()


def _attempt(begun: Begun) -> tuple[Any, ...]:
    return begun.name, to_micros(begun.since), begun.number


def _kept(  # noqa: PLR0913, PLR0917 - a row
    said: Digest, since: int, number: int, leased_until: int, kept_until: int, answer: str | None
) -> Kept:
    return Kept(
        said=said,
        since=to_instant(since),
        number=number,
        leased_until=to_instant(leased_until),
        kept_until=to_instant(kept_until),
        answer=answer,
    )
