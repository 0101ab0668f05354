"""P9: no bit of what is stored of a request, or of a checkpoint, can be another unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import apsw
import pytest

from jitcloud import codec
from jitcloud.audit import export, verify
from jitcloud.audit.log import Log
from jitcloud.errors import Tampered
from jitcloud.model import CONTROLS, RequestId
from jitcloud.stores.sqlite import SqliteStore
from tests.audit_attacks.rows import Row, Rows, RowStore, sqlite
from tests.audit_attacks.stage import anchoring, ulid
from tests.world import World


class Place(NamedTuple):
    """Something stored that has bits."""

    what: str
    """``text``, ``signature`` or ``hash`` of an event; ``snapshot``."""
    name: str
    at: int = 0
    """Which event of the trail."""


class Scene(NamedTuple):
    """A request and the deployment's own trail, in rows."""

    world: World
    rows: Rows
    name: str


def scene(folder: Path, *, is_whole: bool) -> Scene:
    """A request that waits for approval; or the whole life of another."""
    world = World(folder)
    name = ulid(world, 1)
    if is_whole:
        world.give_back(world.ask(id_=name))
        world.sweep_until_quiet()
    else:
        world.ask(what="prod-write", id_=name)
    return Scene(world, Rows.of(world.store), name)


def places(rows: Rows) -> Iterator[tuple[Place, bytes]]:
    for name, trail in rows.trails.items():
        for at, row in enumerate(trail):
            for what, value in row._asdict().items():
                if value is not None:
                    yield Place(what, name, at), value.encode()
        yield Place("snapshot", name), rows.snapshots[name].encode()


def edited(rows: Rows, place: Place, value: str) -> Rows:
    changed = rows.copy()
    if place.what == "snapshot":
        changed.snapshots[place.name] = value
    else:
        row = changed.trails[place.name][place.at]
        changed.trails[place.name][place.at] = row._replace(**{place.what: value})
    return changed


def flips(value: bytes, *, all_bits: bool) -> Iterator[tuple[int, bytes]]:
    """Yield the value with one bit changed: with each, or one bit of each byte in turn."""
    for at in range(len(value)):
        for bit in range(8) if all_bits else (at % 8,):
            changed = bytearray(value)
            changed[at] ^= 1 << bit
            yield at * 8 + bit, bytes(changed)


def unnoticed(scene: Scene, *, all_bits: bool) -> list[str]:
    """Name the edits that no verification of the record finds."""
    verifier, now = scene.world.signer.verifier(), scene.world.time()
    found = []
    for place, value in places(scene.rows):
        for bit, changed in flips(value, all_bits=all_bits):
            # A store that keeps text has none that is not UTF-8; one of bytes is tried below.
            text = changed.decode(errors="surrogateescape")
            store = RowStore(edited(scene.rows, place, text))
            says_the_same = place.what == "snapshot" and is_said_otherwise(place, value, changed)
            if bool(verify.verify_all(store, verifier, now).findings) == says_the_same:
                found.append(f"{place}, bit {bit}")
    return found


def is_said_otherwise(place: Place, value: bytes, changed: bytes) -> bool:
    """Whether a snapshot says the same in another spelling: ``09:00:00z``, say, for ``…Z``.

    What it says is compared with its trail, and not its text: so that is no edit of anything.
    """
    try:
        if place.name == CONTROLS:
            return codec.decode_controls(changed.decode()) == codec.decode_controls(value.decode())
        return codec.decode_request(changed.decode()) == codec.decode_request(value.decode())
    except (Tampered, UnicodeDecodeError):
        return False


def test_few_edits_say_the_same(tmp_path: Path) -> None:
    made = scene(tmp_path, is_whole=False)
    same = [
        value[bit // 8 : bit // 8 + 1]
        for place, value in places(made.rows)
        if place.what == "snapshot"
        for bit, changed in flips(value, all_bits=True)
        if is_said_otherwise(place, value, changed)
    ]
    assert set(same) <= {b"T", b"Z"}  # of instants
    assert len(same) < 40


def test_any_byte_of_a_record(tmp_path: Path) -> None:
    assert unnoticed(scene(tmp_path, is_whole=False), all_bits=False) == []


@pytest.mark.long
def test_any_bit_of_a_record(tmp_path: Path) -> None:
    assert unnoticed(scene(tmp_path, is_whole=True), all_bits=True) == []


def unnoticed_in_export(scene: Scene, *, all_bits: bool) -> list[int]:
    verifier = scene.world.signer.verifier()
    names = (CONTROLS, RequestId(scene.name))
    whole = "".join(f"{line}\n" for line in export.export(scene.world.store, names)).encode()
    assert not export.verify_export(whole.splitlines(keepends=True), verifier).findings
    return [
        bit
        for bit, changed in flips(whole, all_bits=all_bits)
        if not export.verify_export(changed.split(b"\n"), verifier).findings
    ]


def test_any_byte_of_an_export(tmp_path: Path) -> None:
    assert unnoticed_in_export(scene(tmp_path, is_whole=False), all_bits=False) == []


@pytest.mark.long
def test_any_bit_of_an_export(tmp_path: Path) -> None:
    assert unnoticed_in_export(scene(tmp_path, is_whole=True), all_bits=True) == []


def unnoticed_in_sqlite(scene: Scene, folder: Path, *, every: int) -> list[str]:
    """The same in the bytes of a database; what is not UTF-8 there is no text any more."""
    path = folder / "record.db"
    sqlite(scene.rows, path).close()
    verifier, now = scene.world.signer.verifier(), scene.world.time()
    found = []
    writer = apsw.Connection(str(path))
    writer.execute("PRAGMA synchronous = OFF")
    for place, value in places(scene.rows):
        for bit, changed in [*flips(value, all_bits=False)][::every]:
            _put(writer, place, changed)
            store = SqliteStore(path)
            says_the_same = place.what == "snapshot" and is_said_otherwise(place, value, changed)
            if bool(verify.verify_all(store, verifier, now).findings) == says_the_same:
                found.append(f"{place}, bit {bit}")
            store.close()
        _put(writer, place, value)
    writer.close()
    return found


def _put(writer: apsw.Connection, place: Place, value: bytes) -> None:
    of_deployment = place.name == CONTROLS
    is_snapshot = place.what == "snapshot"
    table = (
        ("controls" if is_snapshot else "control_events")
        if of_deployment
        else ("requests" if is_snapshot else "events")
    )
    wheres = {"controls": "one = 1", "control_events": "seq = :seq", "requests": "id = :name"}
    where = wheres.get(table, "request = :name AND seq = :seq")
    column = "body" if is_snapshot else place.what
    writer.execute(
        f"UPDATE {table} SET {column} = CAST(:value AS TEXT) WHERE {where}",  # noqa: S608 - of our own
        {"value": value, "name": place.name, "seq": place.at + 1},
    )


def test_bytes_of_a_database(tmp_path: Path) -> None:
    assert unnoticed_in_sqlite(scene(tmp_path, is_whole=False), tmp_path, every=45) == []


@pytest.mark.long
def test_any_byte_of_a_database(tmp_path: Path) -> None:
    assert unnoticed_in_sqlite(scene(tmp_path, is_whole=True), tmp_path, every=1) == []


@cache
def _lines(folder: Path) -> tuple[World, tuple[bytes, ...]]:
    world = World(folder)
    writer = anchoring(world, folder / "anchors")
    for number in (1, 2):
        world.ask(id_=ulid(world, number))
        world.time.forward(hours=1)
        writer.write()
    return world, tuple(line for _, line in writer.anchors.lines())


@pytest.mark.parametrize("all_bits", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.parametrize("number", [0, 1])
def test_any_bit_of_a_checkpoint(tmp_path: Path, number: int, *, all_bits: bool) -> None:
    world, lines = _lines(tmp_path)
    assert not _log(world, lines).findings
    for bit, changed in flips(lines[number], all_bits=all_bits):
        kept = [*lines[:number], changed, *lines[number + 1 :]]
        assert _log(world, kept).findings, f"line {number}, bit {bit}"


def _log(world: World, lines: tuple[bytes, ...] | list[bytes]) -> Log:
    named = [(str(number), line) for number, line in enumerate(lines)]
    log = Log.read("the anchors", named, [world.signer.public])
    log.close()
    return log


def test_what_is_tried_is_what_there_is(tmp_path: Path) -> None:
    """Every event's text and hash, each signature, and both snapshots are among the places."""
    rows = scene(tmp_path, is_whole=True).rows
    tried = {place for place, _ in places(rows)}
    trail = [*rows.trails.values()]
    events = sum(map(len, trail))
    signed = sum(row.signature is not None for rows_ in trail for row in rows_)
    assert signed >= 2
    assert len(tried) == 2 * events + signed + len(rows.snapshots)
    assert Row._fields == ("text", "signature", "hash")
