"""Events and requests taken away, moved and put in place of others: on each store, and on exports.

P9: whoever attacks here can write everything that is stored, and has no key. Each attack is found
with checkpoints; without them it is found, or the report says that it cannot be seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from jitcloud.audit import chain, export, verify
from jitcloud.audit.verify import Report
from jitcloud.model import (
    BROKER,
    CONTROLS,
    Actor,
    Event,
    PersonId,
    RequestId,
    Sealed,
    State,
    Withdrawn,
)
from tests.audit_attacks.rows import Rows, RowStore, lines, rewritten
from tests.audit_attacks.stage import KEPT, Stage, Verified, anchoring, staged, stranger, ulid
from tests.world import World

ENDED, WAITS, ACTIVE = range(3)
"""Of the requests on the stage, in the order of their ids."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return staged(tmp_path_factory.mktemp("stage"))


@pytest.fixture(params=KEPT)
def verified(request: pytest.FixtureRequest) -> Verified:
    found: Verified = KEPT[request.param]
    return found


@dataclass(frozen=True, slots=True)
class Attack:
    """An edit of rows, by its name."""

    name: str
    edit: Callable[[Stage, Rows], None]
    unseen: str = ""
    """By what words a report without checkpoints says that it cannot see this; empty: it can."""
    unseen_in_export: str = ""

    def __str__(self) -> str:
        return self.name


def name_of(rows: Rows, which: int) -> str:
    return rows.requests[which]


def raw(which: int, change: Callable[[list[object]], object]) -> Callable[[Stage, Rows], None]:
    """Change the rows of a trail, and nothing else."""

    def edit(_: Stage, rows: Rows) -> None:
        change(rows.trails[name_of(rows, which)])  # type: ignore[arg-type] # a list of rows

    return edit


def made_to_fit(
    which: int | str, change: Callable[[list[Sealed]], list[Sealed]]
) -> Callable[[Stage, Rows], None]:
    """Change a trail, give it right numbers and hashes, and the snapshot that it adds up to."""

    def edit(_: Stage, rows: Rows) -> None:
        name = which if isinstance(which, str) else name_of(rows, which)
        rows.set(name, rewritten(change(rows.sealed(name))))

    return edit


def _swap(trail: list[object], at: int) -> None:
    trail[at], trail[at + 1] = trail[at + 1], trail[at]


def _drop(trail: list[object], at: int) -> None:
    del trail[at]


def _cut(trail: list[Sealed], length: int) -> list[Sealed]:
    return trail[:length]


def _end_anew(trail: list[Sealed]) -> list[Sealed]:
    """Say that the access has ended a minute later than it did."""
    *kept, last = trail
    return [
        *kept,
        replace(last, event=replace(last.event, at=last.event.at + timedelta(minutes=1))),
    ]


def _decide_anew(trail: list[Sealed]) -> list[Sealed]:
    """Say that it was decided by somebody else, under the signature that is there."""
    asked, decided, *later = trail
    forged = replace(decided, event=replace(decided.event, actor=Actor(id=PersonId("mallory"))))
    return [asked, forged, *later]


def _sign_anew(trail: list[Sealed]) -> list[Sealed]:
    """The same, and sign it with a key of one's own."""
    key = stranger()
    made = rewritten(_decide_anew(trail))
    for at, line in enumerate(made):
        if line.signature is not None:
            signature = key.sign(chain.SIGNED_AS + line.text.encode())
            made[at] = replace(line, signature=signature, hash=chain.digest(line.text, signature))
            made[at + 1 :] = rewritten(made)[at + 1 :]
    return made


def _unsign(trail: list[Sealed]) -> list[Sealed]:
    """The same, without a signature."""
    return [replace(line, signature=None) for line in _decide_anew(trail)]


def _of_other(which: int, other: int, at: int) -> Callable[[Stage, Rows], None]:
    """Go on from there with the end of another request's trail."""

    def edit(_: Stage, rows: Rows) -> None:
        trail = rows.trails[name_of(rows, which)]
        trail[at:] = rows.trails[name_of(rows, other)][at:]

    return edit


def _as_other(stage: Stage, rows: Rows) -> None:
    """The same, with hashes and ids that fit; the signatures are of the other request."""
    name, other = name_of(rows, WAITS), name_of(rows, ACTIVE)
    head, tail = rows.sealed(name)[:2], rows.sealed(other)[2:]
    moved = [replace(line, event=replace(line.event, request=RequestId(name))) for line in tail]
    spliced = rewritten([*head, *moved])
    try:
        rows.set(name, spliced)
    except Exception:  # noqa: BLE001 - what makes no sense has no snapshot: it keeps its own
        rows.trails[name] = rows.copy().trails[name][:2] + rows.trails[other][2:]
    assert stage.now.trails[name] != rows.trails[name]


def _delete(which: int) -> Callable[[Stage, Rows], None]:
    return lambda _, rows: rows.delete(name_of(rows, which))


def _delete_trail(which: int) -> Callable[[Stage, Rows], None]:
    def edit(_: Stage, rows: Rows) -> None:
        rows.trails[name_of(rows, which)] = []

    return edit


def _replay(number: int) -> Callable[[Stage, Rows], None]:
    def edit(stage: Stage, rows: Rows) -> None:
        old = stage.history[number].copy()
        rows.snapshots, rows.trails, rows.wakes = old.snapshots, old.trails, old.wakes

    return edit


def _no_controls(_: Stage, rows: Rows) -> None:
    rows.delete(CONTROLS)


WITH_ACCESS = 3
"""From so many events on a trail says that there is access, which is overdue by now."""

_CUT, _WHOLE, _ANEW = "cut from the end", "deleted whole", "wrote them anew"
_CUT_EXPORT, _LEFT_OUT = "cut from the end", "left out whole"

ATTACKS = [
    *(
        Attack(f"drop event {at + 1} of an ended one", raw(ENDED, partial(_drop, at=at)))
        for at in range(5)
    ),
    *(
        Attack(f"swap events {at + 1} and {at + 2}", raw(ENDED, partial(_swap, at=at)))
        for at in range(5)
    ),
    Attack("repeat an event", raw(ENDED, lambda t: t.insert(2, t[2]))),
    Attack(
        "drop what is not signed and make it fit",
        made_to_fit(ENDED, lambda t: [*t[:3], *t[4:]]),
        unseen=_ANEW,
        unseen_in_export=_ANEW,
    ),
    Attack(
        "cut a tail and leave the snapshot",
        raw(ENDED, lambda t: t.pop()),
        unseen_in_export=_CUT_EXPORT,
    ),
    *(
        Attack(
            f"cut a tail to {length} and make the snapshot fit",
            made_to_fit(ENDED, partial(_cut, length=length)),
            unseen=_CUT if length < WITH_ACCESS else "",
            unseen_in_export=_CUT_EXPORT,
        )
        for length in range(1, 6)
    ),
    Attack(
        "write an end anew that was not signed",
        made_to_fit(ENDED, _end_anew),
        unseen=_ANEW,
        unseen_in_export=_ANEW,
    ),
    *(
        Attack(f"{change.__name__.strip('_').replace('_', ' ')}", made_to_fit(which, change))
        for which, change in (
            (ENDED, _decide_anew),
            (ENDED, _unsign),
            (ENDED, _sign_anew),
        )
    ),
    Attack("take over the end of another trail", _of_other(WAITS, ACTIVE, 2)),
    Attack("take over all of another trail but its beginning", _of_other(WAITS, ACTIVE, 1)),
    Attack("take over the end of another trail and make it fit", _as_other),
    *(
        Attack(
            f"delete request {which + 1} whole",
            _delete(which),
            unseen=_WHOLE,
            unseen_in_export=_LEFT_OUT,
        )
        for which in range(3)
    ),
    Attack("delete a trail", _delete_trail(ENDED), unseen_in_export=_LEFT_OUT),
    *(
        Attack(
            f"put back the database of checkpoint {number + 1}",
            _replay(number),
            unseen=_WHOLE if number else "",  # by then something is overdue in it
            unseen_in_export=_LEFT_OUT,
        )
        for number in range(2)
    ),
    Attack(
        "take a brake off by cutting it away",
        made_to_fit(CONTROLS, partial(_cut, length=1)),
        unseen=_CUT,
        unseen_in_export=_CUT_EXPORT,
    ),
    Attack("delete what holds for the deployment", _no_controls, unseen_in_export=_LEFT_OUT),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_with_checkpoints_it_is_found_and_without_at_least_told_of(
    stage: Stage, attack: Attack, verified: Verified
) -> None:
    rows = stage.now.copy()
    attack.edit(stage, rows)
    assert _names_it(stage, rows, verified(stage, rows, stage.log()))
    report = verified(stage, rows, None)
    unseen = attack.unseen_in_export if verified is KEPT["export"] else attack.unseen
    if unseen:
        assert not report.findings
        assert any(unseen in said for said in report.unseen)
    else:
        assert report.findings


def _names_it(stage: Stage, rows: Rows, report: Report) -> bool:
    """Whether something is said of each trail that is not as it was."""
    changed = {name for name, trail in stage.now.trails.items() if rows.trails.get(name) != trail}
    # What happened after the last checkpoint is nothing that one could miss.
    changed -= set(stage.now.trails) - set(stage.history[-1].trails)
    return bool(report.findings) and changed <= {finding.where for finding in report.findings}


def test_untouched_all_of_it_holds(stage: Stage, verified: Verified) -> None:
    assert not verified(stage, stage.now, None).findings
    report = verified(stage, stage.now, stage.log())
    assert not report.findings
    assert "the oldest of 2026-12-01T10:03:00Z" in report.unseen[0]


def test_what_happened_since_the_last_checkpoint_is_all_that_is_unseen(
    stage: Stage, verified: Verified
) -> None:
    report = verified(stage, stage.history[-1].copy(), stage.log())
    assert not report.findings
    assert report.unseen[0].startswith("What happened since the last checkpoint (that of")
    assert stage.log().at == stage.world.time() - timedelta(minutes=1)


# ── Two histories of one record ──────────────────────────────────────────────────────────────


def test_a_history_that_went_on_from_a_copy_is_told_from_the_one_that_was_anchored(
    tmp_path: Path,
) -> None:
    """The key has signed both: of two copies of a record, each went on by itself."""
    histories = {}
    for kind, person in (("anchored", "ben"), ("other", "caro")):
        folder = tmp_path / kind
        folder.mkdir()
        world = World(folder)
        request = world.ask(what="prod-write", id_=ulid(world, 1))
        writer = anchoring(world, folder / "anchors")
        world.time.forward(minutes=30)
        writer.write()
        world.approve(request, person)
        world.time.forward(minutes=30)
        writer.write()
        histories[kind] = Stage(
            world,
            writer.anchors,  # type: ignore[arg-type] # a file
            (),
            Rows.of(world.store),
        )
    anchored, other = histories["anchored"], histories["other"]
    assert anchored.now.snapshots.keys() == other.now.snapshots.keys()
    for verified in KEPT.values():
        assert not verified(anchored, other.now, None).findings
        (finding,) = verified(anchored, other.now, anchored.log()).findings
        assert "is not the one that a checkpoint holds" in finding.message


# ── Lists that are behind ────────────────────────────────────────────────────────────────────


def test_what_a_list_does_not_name_yet_is_not_taken_for_deleted(stage: Stage) -> None:
    class Behind(RowStore):
        def ids(
            self, limit: int, after: RequestId | None = None, state: State | None = None
        ) -> tuple[RequestId, ...]:
            return super().ids(limit, after, state)[1:]

    store, verifier, now = Behind(stage.now), stage.key.verifier(), stage.world.time()
    report = verify.verify_all(store, verifier, now, log=stage.log())
    assert (report.requests, report.findings) == (len(stage.now.requests), ())


# ── Dated back ───────────────────────────────────────────────────────────────────────────────


def test_a_request_that_is_written_later_and_dated_back_is_found(stage: Stage) -> None:
    """Nothing of a request that was withdrawn is signed: anyone can write that there was one."""
    rows = stage.now.copy()
    like, name = rows.sealed(name_of(rows, ENDED))[0], RequestId(str(ulid(stage.world, 9)))
    early = like.event.at - timedelta(hours=1)
    asked = replace(like, event=replace(like.event, request=name, at=early))
    withdrawn = Event(
        request=name, seq=2, at=early, actor=BROKER, what=Withdrawn(reason=""), prev=like.hash
    )
    rows.set(name, rewritten([asked, replace(like, event=withdrawn)]))
    for verified in KEPT.values():
        assert not verified(stage, rows, None).findings
        (finding,) = verified(stage, rows, stage.log()).findings
        assert (finding.where, "dated back" in finding.message) == (name, True)


# ── Where only some requests are looked at ───────────────────────────────────────────────────


def test_one_request_is_held_to_its_own_leaves_alone(stage: Stage) -> None:
    rows = stage.now.copy()
    name = RequestId(name_of(rows, ENDED))
    rows.set(name, rows.sealed(name)[:3])
    rows.delete(name_of(rows, ACTIVE))
    verifier, now = stage.key.verifier(), stage.world.time()
    report = verify.verify_these(RowStore(rows), [name], verifier, now, log=stage.log())
    found = [each.message for each in report.findings if "its end was cut off" in each.message]
    assert (len(found), {each.where for each in report.findings}) == (1, {name})


def test_of_a_part_of_a_record_nothing_else_is_missed(stage: Stage) -> None:
    rows = stage.now.copy()
    for name in (name_of(rows, ACTIVE), CONTROLS):
        rows.delete(name)
    verifier = stage.key.verifier()
    whole = export.verify_export(lines(rows), verifier, stage.log())
    assert len(whole.findings) == 2
    part = export.verify_export(lines(rows), verifier, stage.log(), is_whole=False)
    assert not part.findings
    assert "Requests that were left out whole." in part.unseen


def test_everything_gone_is_told_within_bounds(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jitcloud.audit.log.MOST", 2)
    report = export.verify_export([], stage.key.verifier(), stage.log())
    assert [finding.where for finding in report.findings][-1] == "…"
    assert len(report.findings) == 3
