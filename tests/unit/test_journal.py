"""A journal in a file: durable, appended by several, and read back though a crash has torn it."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jitcloud.adapters import journal_of
from jitcloud.errors import Misconfigured, Unavailable
from jitcloud.journals.file import LONGEST, FileJournal
from jitcloud.model import Place, Slot, SlotKey
from jitcloud.settings import read_settings, read_to_end
from tests.processes import PROCESSES

NOW = datetime(2026, 12, 1, 9, 0, 0, 250_000, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def journal(tmp_path: Path) -> FileJournal:
    return FileJournal(tmp_path / "journal")


def a_slot(name: str, **where: object) -> Slot:
    return Slot(key=SlotKey(f"aws.iam-group/{name}"), kind="aws.iam-group", where=where)


def place(name: str, **where: object) -> Place:
    return Place(key=SlotKey(f"aws.iam-group/{name}"), kind="aws.iam-group", where=where)


def told(journal: FileJournal) -> dict[str, datetime]:
    return {noted.key.removeprefix("aws.iam-group/"): at for noted, at in journal.places()}


def test_where_nothing_was_noted_there_is_nothing(journal: FileJournal) -> None:
    assert list(journal.places()) == []
    assert not journal.path.exists(), "reading makes no file"


def test_only_its_owner_can_read_or_write_it(journal: FileJournal) -> None:
    before = os.umask(0)
    try:
        journal.note(a_slot("ana"), NOW)
    finally:
        os.umask(before)
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


def test_it_is_only_ever_appended_to(journal: FileJournal) -> None:
    journal.note(a_slot("ana"), NOW)
    before = journal.path.read_bytes()
    journal.note(a_slot("ana"), NOW)
    assert journal.path.read_bytes() == before * 2


def test_it_is_on_the_disk_before_anybody_goes_on(
    journal: FileJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def sync(descriptor: int) -> None:
        if journal.path.stat().st_ino == os.fstat(descriptor).st_ino:
            assert b"ana" in journal.path.read_bytes()
        synced.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", sync)
    journal.note(a_slot("ana"), NOW)
    assert synced == [journal.path.stat().st_ino, journal.path.parent.stat().st_ino]


# ── What a crash leaves ──────────────────────────────────────────────────────────────────────


def _line(folder: Path, name: str) -> bytes:
    """What one note writes."""
    other = FileJournal(folder / f"of {name}")
    if not other.path.exists():
        other.note(a_slot(name, nested={"a": {"b": "}"}}), NOW)
    return other.path.read_bytes()


def test_a_line_torn_anywhere_costs_that_line_alone(journal: FileJournal, tmp_path: Path) -> None:
    whole, line = _line(tmp_path, "ana"), _line(tmp_path, "torn")
    for length in range(len(line) + 1):
        journal.path.write_bytes(whole + line[:length])
        assert "ana" in told(journal), length
        journal.note(a_slot("ben"), NOW)
        assert {"ana", "ben"} <= told(journal).keys(), length
        assert ("torn" in told(journal)) == (length >= len(line) - 1), length


def test_what_a_machine_leaves_that_goes_down_is_passed_over(
    journal: FileJournal, tmp_path: Path
) -> None:
    journal.path.write_bytes(_line(tmp_path, "ana") + b"\0" * 4096)
    journal.note(a_slot("ben"), NOW)
    assert told(journal).keys() == {"ana", "ben"}


DAMAGE = {
    "no JSON": b"what is this\n",
    "another program's": b'{"ts":1,"msg":"hello"}\n',
    "not an object": b"[1]\n",
    "no time": b'{"at":"yesterday","key":"k","kind":"x","where":{}}\n',
    "no place": b'{"at":"2026-12-01T09:00:00+00:00","key":"k","kind":"x","where":[]}\n',
    "a line without end": b'{"at":"' + b"x" * (LONGEST + 1) + b"\n",
    "an end without line": b"x" * (LONGEST + 1),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_what_no_crash_leaves_is_damage_and_is_told(journal: FileJournal, what: str) -> None:
    journal.note(a_slot("ana"), NOW)
    with journal.path.open("ab") as file:
        file.write(DAMAGE[what])
    with pytest.raises(Unavailable, match=r"The journal .*/journal is damaged in line 3; restore"):
        list(journal.places())


# ── What cannot be written ───────────────────────────────────────────────────────────────────


def test_a_line_that_is_too_long_is_not_written(journal: FileJournal) -> None:
    with pytest.raises(Unavailable, match=r"takes no line of \d+ bytes; shorten"):
        journal.note(a_slot("ana", statements=["x" * LONGEST]), NOW)
    assert not journal.path.exists()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "none" / "journal")
    with pytest.raises(Unavailable, match=r"cannot be written \(No such file or directory\)"):
        journal.note(a_slot("ana"), NOW)
    assert list(journal.places()) == []


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"cannot be written \(Is a directory\)"):
        FileJournal(tmp_path).note(a_slot("ana"), NOW)
    with pytest.raises(Unavailable, match=r"cannot be read \(Is a directory\)"):
        list(FileJournal(tmp_path).places())


def test_a_disk_that_is_full_is_told_and_what_it_took_costs_no_other_line(
    journal: FileJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.note(a_slot("ana"), NOW)
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda file, line: write(file, line[:20]))
        with pytest.raises(Unavailable, match="its disk is full; free some space"):
            journal.note(a_slot("ben"), NOW)
    journal.note(a_slot("caro"), NOW)
    assert told(journal).keys() == {"ana", "caro"}


# ── Several at once ──────────────────────────────────────────────────────────────────────────


def test_several_processes_write_no_line_into_another(journal: FileJournal) -> None:
    writers = [
        PROCESSES.Process(target=_write, args=(journal, name, 50)) for name in ("a", "b", "c")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert told(journal).keys() == {f"{name}{n}" for name in ("a", "b", "c") for n in range(50)}
    lines = journal.path.read_bytes().split(b"\n")
    assert len([json.loads(line) for line in lines if line]) == 150


def _write(journal: FileJournal, name: str, count: int) -> None:
    for number in range(count):
        journal.note(a_slot(f"{name}{number}", text="x" * 3000), NOW)


# ── Settings ─────────────────────────────────────────────────────────────────────────────────


def test_it_stands_in_the_settings_beside_their_folder(tmp_path: Path) -> None:
    toml = tmp_path / "jitcloud.toml"
    toml.write_text('[journal]\npath = "notes/journal"\n')
    assert journal_of(read_settings(toml), tmp_path) == FileJournal(tmp_path / "notes/journal")
    toml.write_text("")
    assert journal_of(read_settings(toml), tmp_path) is None


@pytest.mark.parametrize("table", ["", "path = 1", 'path = "x"\nkind = "file"'])
def test_a_mistake_there_is_told_and_keeps_nothing_from_ending(tmp_path: Path, table: str) -> None:
    toml = tmp_path / "jitcloud.toml"
    toml.write_text(f"[journal]\n{table}\n")
    with pytest.raises(Misconfigured, match="journal"):
        read_settings(toml)
    assert read_to_end(toml).journal is None
