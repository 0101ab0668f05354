"""A record with some history and its checkpoints; and what a verification of it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from ulid import ULID

from jitcloud.anchoring import Anchoring
from jitcloud.anchors.file import FileAnchors
from jitcloud.audit import export, verify
from jitcloud.audit.keys import Ed25519Signer
from jitcloud.audit.log import Log
from jitcloud.audit.verify import Report
from jitcloud.model import Reach, RequestId, Scope, Stopped
from jitcloud.ports import Store
from tests.audit_attacks import rows as kept
from tests.audit_attacks.rows import Rows, RowStore
from tests.world import World

ORIGIN = "example.com/jitcloud"


def ulid(world: World, number: int) -> RequestId:
    """An id as one that is made now, and the same in every run."""
    milliseconds = int(world.time().timestamp() * 1000)
    return RequestId(str(ULID.from_bytes(milliseconds.to_bytes(6, "big") + bytes([number] * 10))))


def anchoring(world: World, path: Path, signer: Ed25519Signer | None = None) -> Anchoring:
    signer = signer or world.signer
    return Anchoring(
        store=world.store,
        anchors=FileAnchors(path),
        signer=signer,
        keys=lambda: (world.signer.public,),
        origin=ORIGIN,
        every=timedelta(hours=1),
        clock=world.time,
    )


@dataclass(frozen=True, slots=True)
class Stage:
    """What was, by the hour: the record at each checkpoint, and after the last."""

    world: World
    anchors: FileAnchors
    history: tuple[Rows, ...]
    """The record when each checkpoint was written."""
    now: Rows

    @property
    def key(self) -> Ed25519Signer:
        return self.world.signer

    def log(self, anchors: FileAnchors | None = None) -> Log:
        found = anchors or self.anchors
        return Log.read("the anchors", found.lines(), [self.key.public])


def staged(folder: Path) -> Stage:
    """Some lifetimes: one that ended, one that is active, one that was denied, one that waits."""
    world = World(folder)
    anchors = anchoring(world, folder / "anchors")
    history = []

    def checkpoint() -> None:
        world.time.forward(minutes=20)
        anchors.write()
        history.append(Rows.of(world.store))
        world.time.forward(minutes=1)

    ended = world.ask(id_=ulid(world, 1))
    waits = world.ask(what="prod-admin", id_=ulid(world, 2))
    checkpoint()
    world.approve(waits, "caro")
    world.give_back(ended)
    world.sweep_until_quiet_but(waits)
    active = world.ask("ana", "prod-write", minutes=200, id_=ulid(world, 3))
    checkpoint()
    world.approve(active, "caro")
    world.forge(Stopped(scope=Scope(reach=Reach.CLOUD, id="gcp"), reason="Drill"))
    checkpoint()
    world.ask("caro", id_=ulid(world, 4))
    found = anchors.anchors
    assert isinstance(found, FileAnchors)
    return Stage(world, found, tuple(history), Rows.of(world.store))


# ── What keeps a record ──────────────────────────────────────────────────────────────────────


Verified = Callable[[Stage, Rows, Log | None], Report]


def on_memory(stage: Stage, rows: Rows, log: Log | None) -> Report:
    return _of_store(stage, RowStore(rows), log)


def on_sqlite(stage: Stage, rows: Rows, log: Log | None) -> Report:
    path = stage.world.folder / "attacked.db"
    path.unlink(missing_ok=True)
    store = kept.sqlite(rows, path)
    try:
        return _of_store(stage, store, log)
    finally:
        store.close()


def on_export(stage: Stage, rows: Rows, log: Log | None) -> Report:
    return export.verify_export(kept.lines(rows), stage.key.verifier(), log)


def _of_store(stage: Stage, store: Store, log: Log | None) -> Report:
    return verify.verify_all(store, stage.key.verifier(), stage.world.time(), log=log)


KEPT: dict[str, Verified] = {"memory": on_memory, "sqlite": on_sqlite, "export": on_export}


def stranger() -> Ed25519Signer:
    """A key that nobody trusts."""
    return Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"s" * 32))
