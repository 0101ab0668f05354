"""Places in which others give access too: what is theirs is told, and never touched."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from jitcloud.errors import Unavailable
from jitcloud.journals.file import FileJournal
from jitcloud.model import (
    SKEW,
    Area,
    Entitlement,
    Evidence,
    Hold,
    Listing,
    Place,
    Slot,
    State,
)
from jitcloud.ports import Journal, SlotKinds
from jitcloud.providers.memory import KIND, MemoryAssignments, MemoryCloud, MemoryMechanism
from jitcloud.rounds import Tally
from jitcloud.stores.memory import MemoryStore
from jitcloud.verdicts import Verdict
from tests.reconciling import key, reconcile, verdicts
from tests.slow_cloud import SlowAssignments
from tests.world import Time, World, caller


@pytest.fixture
def shared(tmp_path: Path) -> World:
    return a_world(tmp_path)


def a_world(folder: Path, *, like: World | None = None, journal: Journal | None = None) -> World:
    """A deployment whose places are shared, over a cloud that may be another one's."""
    time = Time() if like is None else like.time
    cloud = MemoryCloud(time) if like is None else like.cloud
    kinds: SlotKinds = {KIND: MemoryAssignments(cloud, shares=Hold.SHARED)}
    return World(
        folder,
        time=time,
        cloud_=cloud,
        kinds_=kinds,
        journal=journal or FileJournal(folder / "journal"),
    )


def test_what_others_gave_is_foreign_and_stays(shared: World) -> None:
    request = shared.ask("ana")
    shared.cloud.assign_by_hand("olga", "reader")
    found = reconcile(shared, ends_leaked=True)
    assert verdicts(found) == {key("olga"): Verdict.FOREIGN}
    assert (found.tally, found.is_finished) == (Tally(foreign=1), True)
    shared.sweep()
    assert shared.cloud.who_can("reader") == {"ana", "olga"}
    assert shared.store.slot(key("olga")) is None, "it is never taken for ours"
    assert shared.now(request).state is State.ACTIVE


def test_with_the_record_lost_the_journal_tells_ours_from_theirs(shared: World) -> None:
    for person in ("ana", "ben"):
        shared.ask(person)
    shared.cloud.assign_by_hand("olga", "reader")
    later = a_world(shared.folder, like=shared)
    expected = {
        key("ana"): Verdict.LEAKED,
        key("ben"): Verdict.LEAKED,
        key("olga"): Verdict.FOREIGN,
    }
    assert verdicts(reconcile(later, is_dry=True)) == expected
    assert reconcile(later, ends_leaked=True).tally == Tally(leaked=2, foreign=1)
    later.sweep()
    assert later.cloud.who_can("reader") == {"olga"}


def test_with_record_and_journal_lost_nothing_is_touched(shared: World) -> None:
    shared.ask("ana")
    (shared.folder / "journal").unlink()
    later = a_world(shared.folder, like=shared)
    assert verdicts(reconcile(later, ends_leaked=True)) == {key("ana"): Verdict.FOREIGN}
    later.sweep()
    assert later.cloud.who_can("reader") == {"ana"}


def test_standing_access_that_a_grant_has_left_behind_is_foreign(shared: World) -> None:
    shared.cloud.assign_by_hand("ana", "reader")
    request = shared.ask("ana")
    assert reconcile(shared, ends_leaked=True).findings == (), "held, and not ours to end"
    assert shared.give_back(request).evidence is Evidence.OTHERS_HOLD
    shared.sweep()
    assert verdicts(reconcile(shared, ends_leaked=True)) == {key("ana"): Verdict.FOREIGN}
    shared.sweep()
    assert shared.cloud.who_can("reader") == {"ana"}


def test_whoever_gives_access_after_our_end_was_not_us(shared: World) -> None:
    """The journal has that place; the record has seen it empty since."""
    shared.give_back(shared.ask("ana"))
    shared.time.forward(hours=1)
    shared.cloud.assign_by_hand("ana", "reader")
    assert verdicts(reconcile(shared, ends_leaked=True)) == {key("ana"): Verdict.FOREIGN}
    shared.sweep()
    assert shared.cloud.who_can("reader") == {"ana"}


def test_a_record_that_is_older_than_the_journal_does_not_know_better(shared: World) -> None:
    """What it saw empty was filled again, by a grant that the restored record has lost."""
    shared.give_back(shared.ask("ana"))
    backup = shared.store.slot(key("ana"))
    assert backup is not None
    shared.time.forward(hours=1)
    shared.ask("ana", minutes=60)
    older = a_world(shared.folder, like=shared)
    assert isinstance(older.store, MemoryStore)
    older.store._slots[backup.key] = backup  # noqa: SLF001 - as a restore puts it there
    assert verdicts(reconcile(older, ends_leaked=True)) == {key("ana"): Verdict.LEAKED}
    older.sweep()
    assert older.cloud.who_can("reader") == frozenset()


def test_the_journal_says_where_to_look_too(shared: World) -> None:
    shared.ask("ana")
    moved = shared.catalog_text.replace('role = "reader"', 'role = "another"')
    later = World(
        shared.folder,
        time=shared.time,
        cloud_=shared.cloud,
        kinds_=shared.kinds,
        journal=shared.journal,
        catalog_text=moved,
    )
    assert verdicts(reconcile(later)) == {key("ana"): Verdict.LEAKED}


def test_a_journal_that_cannot_be_read_is_a_trouble_and_ends_nobody(shared: World) -> None:
    class Lost(FileJournal):
        def places(self) -> Iterator[tuple[Place, datetime]]:
            raise Unavailable("The journal is on a disk that is gone.")

    shared.ask("ana")
    shared.cloud.assign_by_hand("mallory", "writer")
    later = a_world(shared.folder, like=shared, journal=Lost(shared.folder / "journal"))
    found = reconcile(later, ends_leaked=True)
    assert dict(found.troubles) == {"journal": "The journal is on a disk that is gone."}
    assert (found.is_over, found.is_finished) == (True, False)
    assert set(verdicts(found).values()) == {Verdict.FOREIGN}
    assert reconcile(later, left_out=("journal",)).is_finished


def test_without_a_journal_nothing_is_given_in_a_shared_place(tmp_path: Path) -> None:
    cloud = MemoryCloud(time := Time())
    kinds = {KIND: MemoryAssignments(cloud, shares=Hold.SHARED)}
    world = World(tmp_path, time=time, cloud_=cloud, kinds_=kinds)
    request = world.ask("ana")
    assert request.state is State.ACTIVATING
    assert "name a file in [journal]" in world.slot(request).trouble
    assert world.cloud.who_can("reader") == frozenset()


# ── Who says whether others give access there ────────────────────────────────────────────────


class Told(MemoryMechanism):
    """Its catalog says of each role whether it is shared, and so do its places."""

    def check(self, entitlement: Entitlement) -> tuple[str, ...]:
        return () if entitlement.target else ("the target is empty",)

    def areas(self, entitlement: Entitlement, now: datetime) -> tuple[Area, ...]:  # noqa: ARG002 - the catalog says it
        where = dict(entitlement.target)
        return (Area(key=f"{KIND}/{where['role']}", kind=KIND, where=where),)


class ToldKind(MemoryAssignments):
    def hold(self, slot: Slot) -> Hold:
        return Hold.SHARED if slot.where.get("exclusive") is False else Hold.EXCLUSIVE

    def area(self, slot: Slot) -> Area:
        where = {name: value for name, value in slot.where.items() if name != "person"}
        return Area(key=f"{KIND}/{where['role']}", kind=KIND, where=where)

    def ours(self, area: Area, after: str | None, now: datetime) -> Listing:
        listing = super().ours(area, after, now)
        found = tuple(
            Place(key=place.key, kind=KIND, where={**area.where, **place.where})
            for place in listing.found
        )
        return Listing(found=found, after=listing.after)


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ("", "", Verdict.LEAKED),
        ("", ", exclusive = false", Verdict.FOREIGN),
        (", exclusive = false", "", Verdict.FOREIGN),
    ],
)
def test_of_two_entries_that_disagree_the_one_that_spares_more_counts(
    tmp_path: Path, first: str, second: str, verdict: Verdict
) -> None:
    world = told(tmp_path, first, second)
    world.cloud.assign_by_hand("olga", "reader")
    assert verdicts(reconcile(world)) == {key("olga"): verdict}


@pytest.mark.parametrize(
    ("once", "today", "verdict"),
    [
        (", exclusive = false", "", Verdict.LEAKED),
        ("", ", exclusive = false", Verdict.FOREIGN),
    ],
)
def test_what_the_catalog_says_today_counts_more_than_what_it_said_once(
    tmp_path: Path, once: str, today: str, verdict: Verdict
) -> None:
    before = told(tmp_path, once, once)
    before.cloud.assign_by_hand("olga", "reader")
    world = told(tmp_path, today, today, like=before)
    former = tuple(before.advance.judge.catalog)
    assert verdicts(reconcile(world, former=former)) == {key("olga"): verdict}


def told(folder: Path, first: str, second: str, *, like: World | None = None) -> World:
    world = World(folder) if like is None else like
    text = world.catalog_text if like is None else World(folder).catalog_text
    text = text.replace('{ role = "reader" }', f'{{ role = "reader"{first} }}')
    text = text.replace('{ role = "writer" }', f'{{ role = "reader"{second} }}')
    return World(
        folder,
        time=world.time,
        cloud_=world.cloud,
        kinds_={KIND: ToldKind(world.cloud)},
        mechanisms={KIND: Told()},
        catalog_text=text,
    )


# ── What a restored record has forgotten, and is on its way ──────────────────────────────────


def restored(world: World) -> World:
    """The same cloud and journal, and a record of a moment ago: a give-back and a grant less."""
    first = world.ask("ana", minutes=5)
    backup = world.store.slot(key("ana"))
    assert backup is not None
    world.time.forward(minutes=4, seconds=50)
    world.give_back(first)
    world.time.forward(seconds=5)
    world.ask("ana", minutes=30)
    world.cloud.unassign_by_hand("ana", "reader")  # as if the grant were on its way still
    older = a_world(world.folder, like=world)
    assert isinstance(older.store, MemoryStore)
    older.store._slots[backup.key] = backup  # noqa: SLF001 - as a restore puts it there
    older.broker.restored(caller("ben"), older.time(), "The disk broke")
    return older


def lands(world: World) -> None:
    world.cloud.assign_by_hand("ana", "reader")


def landed_late(world: World) -> World:
    """The same once the restored record has seen that place empty, and then the grant landed."""
    older = restored(world)
    older.time.forward(seconds=6)
    older.sweep()
    slot = older.store.slot(key("ana"))
    assert slot is not None
    assert (slot.holders, slot.standing) == ((), None), "it ended, and was proven empty"
    older.time.forward(seconds=1)
    lands(older)
    return older


def test_a_comparison_does_not_count_while_what_was_forgotten_may_be_on_its_way(
    shared: World,
) -> None:
    older = restored(shared)
    found = reconcile(older, ends_leaked=True)
    assert (found.is_over, found.is_finished) == (True, False)
    ((place, why),) = found.troubles
    assert place == key("ana")
    lands_by = older.time() + timedelta(seconds=10) + SKEW
    assert why.endswith(f"compare again after {lands_by:%Y-%m-%d %H:%M:%S} UTC.")
    assert reconcile(older, left_out=[place]).is_finished, "somebody may answer for it"


@pytest.mark.parametrize("is_told_first", [False, True])
def test_what_lands_after_its_place_was_seen_empty_is_ours(
    shared: World, *, is_told_first: bool
) -> None:
    older = landed_late(shared)
    older.time.forward(seconds=10)
    if is_told_first:
        told = reconcile(older)
        assert (verdicts(told), told.is_finished) == ({key("ana"): Verdict.LEAKED}, True)
    assert verdicts(reconcile(older, ends_leaked=True)) == {key("ana"): Verdict.LEAKED}
    older.sweep()
    assert older.cloud.who_can("reader") == frozenset()


def test_a_place_that_was_seen_empty_after_that_is_not_ours_any_more(shared: World) -> None:
    older = restored(shared)
    older.time.forward(seconds=16)
    older.sweep()
    lands(older)
    assert verdicts(reconcile(older, ends_leaked=True)) == {key("ana"): Verdict.FOREIGN}


@pytest.mark.parametrize("minutes", [-1, 1])
def test_a_restore_at_another_time_makes_nothing_ours(tmp_path: Path, minutes: int) -> None:
    """It is still noted: that it was proven empty could not be written down."""

    class Full(FileJournal):
        def cross_out(self, slot: Slot, now: datetime) -> None:  # noqa: ARG002 - it takes nothing
            raise Unavailable("The disk is full.")

    world = a_world(tmp_path, journal=Full(tmp_path / "journal"))
    if minutes < 0:
        world.broker.restored(caller("ben"), world.time(), "The disk broke")
        assert reconcile(world).is_finished
        world.time.forward(minutes=-minutes)
    world.give_back(world.ask("ana"))
    if minutes > 0:
        world.time.forward(minutes=minutes)
        world.broker.restored(caller("ben"), world.time(), "The disk broke")
    world.cloud.assign_by_hand("ana", "reader")
    assert verdicts(reconcile(world, ends_leaked=True)) == {key("ana"): Verdict.FOREIGN}


def test_what_was_noted_long_before_a_restore_keeps_nobody_waiting(shared: World) -> None:
    shared.ask("ana", minutes=60)
    shared.time.forward(minutes=1)
    older = a_world(shared.folder, like=shared)
    older.broker.restored(caller("ben"), older.time(), "The disk broke")
    assert reconcile(older).is_finished


def test_a_cloud_that_takes_its_time_is_waited_for_that_much_longer(tmp_path: Path) -> None:
    time = Time()
    cloud = MemoryCloud(time)
    kinds: SlotKinds = {KIND: SlowAssignments(cloud, shares=Hold.SHARED)}
    world = World(
        tmp_path, time=time, cloud_=cloud, kinds_=kinds, journal=FileJournal(tmp_path / "journal")
    )
    world.ask("ana")
    world.broker.restored(caller("ben"), time(), "The disk broke")
    time.forward(minutes=19)
    assert not reconcile(world).is_finished
    time.forward(minutes=1, seconds=5)
    assert reconcile(world).is_finished
