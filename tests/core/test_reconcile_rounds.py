"""A comparison of clouds and record: where it looks, how far it gets, what is in its way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from jitcloud.audit import chain
from jitcloud.errors import CloudRefused, Conflict, Tampered, Throttled
from jitcloud.model import (
    CONTROLS,
    Area,
    Entitlement,
    Listing,
    Reconciled,
    Request,
    RequestId,
    Sealed,
    Sight,
    Slot,
    SlotKey,
    State,
)
from jitcloud.providers.memory import KIND, PAGE, MemoryAssignments
from jitcloud.reconcile import Compared
from jitcloud.rounds import CHANNEL, Tally
from jitcloud.stores.memory import MemoryStore
from jitcloud.verdicts import Verdict
from tests.reconciling import (
    AT_ONCE,
    READER,
    Listed,
    key,
    reconcile,
    reconciled,
    to_the_end,
    verdicts,
    with_kind,
)
from tests.world import START, World

# ── Where to look ────────────────────────────────────────────────────────────────────────────


def moved(world: World, role: str, *, store: MemoryStore | None = None) -> World:
    """The same deployment, whose catalog no longer names a role."""
    return World(
        world.folder,
        time=world.time,
        store=world.store if store is None else store,
        cloud_=world.cloud,
        catalog_text=world.catalog_text.replace(f'role = "{role}"', 'role = "another"'),
    )


def test_what_was_granted_by_an_entry_that_left_the_catalog_is_looked_at(world: World) -> None:
    world.give_back(world.ask("ana"))
    world.cloud.assign_by_hand("mallory", "reader")
    assert verdicts(reconcile(moved(world, "reader"))) == {key("mallory"): Verdict.LEAKED}


def test_what_was_only_asked_for_by_an_entry_that_left_the_catalog_is_looked_at_too(
    world: World,
) -> None:
    """A record restored from before its activation knows no more than that."""
    assert world.ask("ana", "prod-admin").state is State.PENDING
    world.cloud.assign_by_hand("ana", "admin")
    assert verdicts(reconcile(moved(world, "admin"))) == {key("ana", "admin"): Verdict.LEAKED}


def test_with_the_record_lost_too_an_old_catalog_says_where_to_look(world: World) -> None:
    world.cloud.assign_by_hand("mallory", "reader")
    now = moved(world, "reader", store=MemoryStore())
    assert reconcile(now).findings == ()
    former: tuple[Entitlement, ...] = tuple(world.advance.judge.catalog)
    assert verdicts(reconcile(now, former=former)) == {key("mallory"): Verdict.LEAKED}


def test_no_trail_is_read_to_find_out_where_to_look(world: World) -> None:
    class Counting(MemoryStore):
        pages = 0

        def by_state(self, state: State, limit: int, after: RequestId | None = None):  # type: ignore[no-untyped-def] # noqa: ANN202 - as the port has it
            Counting.pages += 1
            return super().by_state(state, limit, after)

        def events(self, request: RequestId) -> tuple[Sealed, ...]:
            raise AssertionError(request)

        def request(self, request: RequestId) -> Request | None:
            raise AssertionError(request)

    store = Counting()
    here = World(world.folder, time=world.time, cloud_=world.cloud, store=store)
    first = World(world.folder, time=world.time, cloud_=world.cloud)
    request = first.give_back(first.ask("ana"))
    _copy(store, request, times=1001)
    assert reconcile(here, is_dry=True).is_finished
    assert Counting.pages == len(State) + 5, "two hundred requests are read at once"


def _copy(store: MemoryStore, request: Request, times: int) -> None:
    # As a record that has grown for years, without asking for each.
    for number in range(times):
        name = RequestId(f"01J{number:023d}")
        store._requests[name] = replace(request, id=name)  # noqa: SLF001 - see above


def test_what_nothing_reaches_any_more_is_told_and_keeps_it_unfinished(world: World) -> None:
    world.give_back(world.ask("ana"))
    here = World(world.folder, time=world.time, store=world.store, cloud_=world.cloud)
    here.kinds = {}
    here.mechanisms = {}
    found = reconcile(here)
    assert (found.is_over, found.is_finished) == (True, False)
    assert "reaches memory.assignment any more" in dict(found.troubles)[KIND]
    assert reconciled(world) == []


# ── One at a time, each by itself ────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Troubled(MemoryAssignments):
    """A cloud that does not answer for one role, for a while."""

    role: str = "reader"
    answers: Iterable[Exception] = ()

    def ours(self, area: Area, after: str | None, now: datetime) -> Listing:
        if area.where["role"] == self.role:
            for error in self.answers:
                raise error
        return super(Troubled, self).ours(area, after, now)


def test_an_area_that_cannot_be_asked_is_a_trouble_of_that_area_alone(world: World) -> None:
    world.cloud.assign_by_hand("mallory", "admin")
    world.cloud.assign_by_hand("mallory", "writer")
    for error in (CloudRefused("No."), Throttled("Later."), ZeroDivisionError()):
        here = with_kind(world, Troubled(world.cloud, role="reader", answers=[error]))
        found = reconcile(here)
        assert [what for what, _ in found.troubles] == [READER]
        assert set(verdicts(found)) == {key("mallory", "admin"), key("mallory", "writer")}
        assert found.tally == Tally(leaked=2)
        assert (found.is_over, found.is_finished) == (True, False)
    assert reconciled(world) == []


def test_an_area_is_asked_once_more_in_the_end(world: World) -> None:
    world.cloud.assign_by_hand("mallory", "reader")
    once = iter([Throttled("Later.")])
    found = reconcile(with_kind(world, Troubled(world.cloud, answers=once)))
    assert (found.troubles, found.is_finished) == ((), True)
    assert found.tally == Tally(leaked=1)


def test_what_was_seen_before_a_trouble_is_counted_once(world: World) -> None:
    @dataclass(frozen=True, slots=True)
    class Stumbling(MemoryAssignments):
        once: Iterable[Exception] = ()

        def ours(self, area: Area, after: str | None, now: datetime) -> Listing:
            for error in self.once if after is not None else ():
                raise error
            return super(Stumbling, self).ours(area, after, now)

    for number in range(PAGE + 1):
        world.cloud.assign_by_hand(f"m{number:03d}", "reader")
    once = iter([Throttled("Later.")])
    found = reconcile(with_kind(world, Stumbling(world.cloud, once=once)))
    assert (found.tally, found.is_finished) == (Tally(leaked=PAGE + 1), True)


def test_access_denied_half_way_through_a_list_counts_nothing_twice(world: World) -> None:
    @dataclass(frozen=True, slots=True)
    class HalfWay(MemoryAssignments):
        def ours(self, area: Area, after: str | None, now: datetime) -> Listing:
            if after is not None:
                raise CloudRefused("Not this page.")
            return super(HalfWay, self).ours(area, after, now)

    for number in range(PAGE + 1):
        world.cloud.assign_by_hand(f"m{number:03d}", "reader")
    found = reconcile(with_kind(world, HalfWay(world.cloud)), ends_leaked=True)
    assert dict(found.troubles) == {READER: "Not this page."}
    assert found.tally == Tally(leaked=PAGE)
    world.sweep()
    assert world.cloud.who_can("reader") == {f"m{PAGE:03d}"}


def test_a_place_that_cannot_be_looked_at_hides_no_other(world: World) -> None:
    @dataclass(frozen=True, slots=True)
    class Sore(MemoryAssignments):
        def see(self, slot: Slot, now: datetime) -> Sight:
            if slot.where["person"] == "ben":
                raise ZeroDivisionError
            return super(Sore, self).see(slot, now)

    for person in ("ana", "ben", "caro"):
        world.cloud.assign_by_hand(person, "reader")
    found = reconcile(with_kind(world, Sore(world.cloud)), ends_leaked=True)
    assert dict(found.troubles) == {key("ben"): "jitcloud has a defect here: ZeroDivisionError"}
    assert not found.is_finished
    world.sweep()
    assert world.cloud.who_can("reader") == {"ben"}


def test_a_slot_that_cannot_be_read_hides_no_other(world: World) -> None:
    class Spoilt(MemoryStore):
        def slots(self, keys: Iterable[SlotKey]) -> tuple[Slot, ...]:
            raise Tampered(f"One of {keys} cannot be read.")

        def slot(self, name: SlotKey) -> Slot | None:
            if name == key("ben"):
                raise Tampered("A stored slot cannot be read.")
            return super().slot(name)

    for person in ("ana", "ben", "caro"):
        world.cloud.assign_by_hand(person, "reader")
    here = World(world.folder, time=world.time, cloud_=world.cloud, store=Spoilt())
    found = reconcile(here, ends_leaked=True)
    assert set(verdicts(found)) == {key("ana"), key("caro")}
    assert dict(found.troubles) == {key("ben"): "A stored slot cannot be read."}


def test_what_somebody_answers_for_by_name_is_left_out_and_that_is_recorded(
    world: World,
) -> None:
    here = with_kind(world, Troubled(world.cloud, answers=[CloudRefused("Closed.")]))
    found = reconcile(here, left_out=(READER,))
    assert (found.troubles, found.is_finished) == ((), True)
    (what,) = reconciled(world)
    assert what.left_out == (READER,)


# ── How far it has come ──────────────────────────────────────────────────────────────────────


def test_of_ten_thousand_assignments_each_page_is_read_once(world: World) -> None:
    for number in range(10_000):
        world.cloud.assign_by_hand(f"p{number:05d}", "reader")
    found = reconcile(world)
    assert found.tally == Tally(leaked=10_000)
    needed = 10_000 // PAGE + 2  # the other roles have a page each, with nobody on it
    assert found.pages == needed
    assert len(world.cloud.calls) == needed
    assert len(found.findings) == 1000, "what is told one by one is bounded"


def test_a_run_goes_on_where_the_last_one_stopped(world: World) -> None:
    for number in range(3 * PAGE):
        world.cloud.assign_by_hand(f"p{number:05d}", "reader")
    held = world.ask("ana")
    world.cloud.calls.clear()
    runs = to_the_end(world, ends_leaked=False)
    assert len(runs) > 4
    assert runs[-1].is_finished
    assert runs[-1].tally == Tally(leaked=3 * PAGE)
    assert world.cloud.calls.count("holders") == 6, "no page is read twice"
    assert reconciled(world) == [Reconciled(begun_at=START, leaked=3 * PAGE, missing=0, foreign=0)]
    assert world.now(held).state is State.ACTIVE


def test_what_is_ended_in_short_runs_is_counted_once(world: World) -> None:
    for number in range(PAGE + 5):
        world.cloud.assign_by_hand(f"p{number:05d}", "reader")
    runs = to_the_end(world, ends_leaked=True)
    assert runs[-1].tally == Tally(leaked=PAGE + 5)
    world.sweep()
    assert world.cloud.who_can("reader") == frozenset()


def test_what_is_missing_in_short_runs_is_looked_for_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jitcloud.comparing.KEPT", 1)
    for person in ("ana", "ben", "caro"):
        world.ask(person, minutes=60)
        world.cloud.unassign_by_hand(person, "reader")
    world.cloud.calls.clear()
    runs = to_the_end(world)
    told = [[found.place for found in run.findings] for run in runs]
    assert [places for places in told if places] == [[key("ana")], [key("ben")], [key("caro")]]
    assert runs[-1].tally == Tally(missing=3)
    assert world.cloud.calls.count("has") == 3


def test_a_page_that_the_cloud_no_longer_knows_begins_its_area_anew(world: World) -> None:
    @dataclass(frozen=True, slots=True)
    class Forgetful(MemoryAssignments):
        def ours(self, area: Area, after: str | None, now: datetime) -> Listing:
            if after is not None and world.time() > START:
                raise CloudRefused("This token is not known.")
            return super(Forgetful, self).ours(area, after, now)

    for number in range(PAGE + 1):
        world.cloud.assign_by_hand(f"p{number:03d}", "writer")
    assert not reconcile(world, within=AT_ONCE).is_over  # the role of admins
    assert not reconcile(world, within=AT_ONCE).is_over  # that of readers
    for _ in range(10):
        if reconcile(world, within=AT_ONCE).tally == Tally(leaked=PAGE):
            break
    world.time.forward(minutes=5)
    for person in range(PAGE):
        world.cloud.unassign_by_hand(f"p{person:03d}", "writer")
    found = reconcile(with_kind(world, Forgetful(world.cloud)))
    assert found.is_finished
    assert found.tally == Tally(leaked=1), "what was seen before counts no longer"


@pytest.mark.parametrize("minutes", [59, 60, -1])
def test_what_was_left_lying_for_an_hour_begins_anew(world: World, minutes: int) -> None:
    reconcile(world, within=AT_ONCE)
    world.time.forward(minutes=minutes)
    assert reconcile(world).begun_at == (START if minutes == 59 else world.time())


def test_with_other_terms_another_comparison_begins(world: World) -> None:
    reconcile(world, within=AT_ONCE)
    world.time.forward(minutes=1)
    assert reconcile(world, within=AT_ONCE, ends_leaked=True).begun_at == world.time()
    assert reconcile(world, is_dry=True).begun_at == world.time()
    world.time.forward(minutes=1)
    assert reconcile(world, left_out=("x",)).begun_at == world.time()


def test_once_finished_the_next_one_begins_anew(world: World) -> None:
    reconcile(world)
    world.time.forward(minutes=1)
    assert reconcile(world).begun_at == world.time()
    mark = world.store.mark(CHANNEL, CONTROLS)
    assert mark is not None
    assert mark.cursor == ""
    assert world.store.due_marks(world.time() + timedelta(days=999), 10) == ()


def test_of_two_at_once_one_gets_on_and_the_other_says_so(world: World) -> None:
    other: list[Compared] = []

    def overtake() -> None:
        if not other:
            other.append(reconcile(world))

    with pytest.raises(Conflict, match="Another reconcile is under way"):
        reconcile(with_kind(world, Listed(world.cloud, on_list=overtake)))
    assert other[0].is_finished
    assert len(reconciled(world)) == 1


def test_a_cursor_that_nobody_can_read_begins_anew(world: World) -> None:
    reconcile(world, within=AT_ONCE)
    mark = world.store.mark(CHANNEL, CONTROLS)
    assert mark is not None
    for version, cursor in enumerate(("{", "[]", '{"touched_at": 1}', "x" * 9), start=1):
        spoilt = replace(mark, cursor=cursor, version=mark.version + version)
        world.store.put_mark(spoilt)
        world.time.forward(seconds=1)
        assert reconcile(world, is_dry=True).is_finished
    assert reconcile(world).begun_at == world.time()


def test_the_trail_of_the_deployment_holds_with_it(world: World) -> None:
    world.ask("ana")
    reconcile(world)
    events = world.store.control_events()
    chain.verify_controls(world.store.controls(), events, world.signer.verifier())
    controls = world.ledger.controls()
    assert controls is not None
    assert controls.reconciled_at == START
    assert world.ask("ben").state is State.ACTIVE
