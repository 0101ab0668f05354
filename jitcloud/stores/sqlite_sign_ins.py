"""Sign-ins in the file that has the record."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from jitcloud import sign_ins
from jitcloud.model import GroupId, PersonId, SignedIn
from jitcloud.ports import MOST_SIGNED_IN
from jitcloud.stores.sign_in_rules import check_count
from jitcloud.stores.sqlite_file import SqliteFile
from jitcloud.stores.sqlite_rows import to_micros
from jitcloud.stores.sqlite_schema import MIGRATIONS

_LATER = "SELECT 1 FROM sign_ins WHERE person = ? AND at > ?"
_PUT = """
INSERT INTO sign_ins (person, at, until, body) VALUES (?, ?, ?, ?)
ON CONFLICT (person) DO UPDATE SET at = excluded.at, until = excluded.until, body = excluded.body
"""
_LEAVE = "DELETE FROM sign_in_groups WHERE person = ?"
_JOIN = "INSERT INTO sign_in_groups (name, person) VALUES (?, ?)"
_MEMBERS = """
SELECT body FROM sign_in_groups JOIN sign_ins USING (person) WHERE name = ? AND until > ? LIMIT ?
"""


class SqliteSignIns:
    """Keeps sign-ins in one file. Safe for several threads and processes of one machine."""

    def __init__(self, path: Path | str, *, patience: timedelta = timedelta(seconds=5)) -> None:
        self._file = SqliteFile(Path(path), MIGRATIONS, patience)

    def put(self, signed_in: SignedIn) -> None:
        person, at = signed_in.person, to_micros(signed_in.at)
        row = (person, at, to_micros(signed_in.until), sign_ins.encode(signed_in))
        with self._file.writing() as connection:
            if connection.execute(_LATER, (person, at)).fetchone() is not None:
                return
            connection.execute(_PUT, row)
            connection.execute(_LEAVE, (person,))
            connection.executemany(_JOIN, [(group, person) for group in signed_in.groups])

    def of(self, person: PersonId) -> SignedIn | None:
        rows = self._file.rows("SELECT body FROM sign_ins WHERE person = ?", person)
        return sign_ins.decode(rows[0][0]) if rows else None

    def members(self, group: GroupId, now: datetime) -> tuple[SignedIn, ...]:
        rows = self._file.rows(_MEMBERS, group, to_micros(now), MOST_SIGNED_IN + 1)
        check_count(group, len(rows))
        found = (sign_ins.decode(body) for (body,) in rows)
        return tuple(one for one in found if one is not None)

    def close(self) -> None:
        self._file.close()
