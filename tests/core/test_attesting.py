"""What has vanished is closed by somebody's word: whose, when, and what it leaves in the record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud import ending, lifecycle, slots
from jitcloud.attesting import PATIENCE, REFUSED
from jitcloud.audit.verify import signature_holds, verified
from jitcloud.errors import CloudRefused, Conflict, Invalid, Misconfigured, Refused, Tampered
from jitcloud.ledger import Ledger
from jitcloud.model import (
    SKEW,
    Attested,
    Entitlement,
    Evidence,
    Guarantee,
    Issuing,
    Person,
    PersonId,
    Places,
    Removed,
    Request,
    Sealed,
    Slot,
    State,
)
from jitcloud.ports import Change
from jitcloud.providers.memory import KIND, MemoryCloud, MemoryMechanism
from jitcloud.stores.memory import MemoryStore
from tests.core.test_brakes import RIGHTS
from tests.told_world import PEOPLE
from tests.world import CATALOG, POLICY, World, caller

OF_DEV = RIGHTS.replace(
    'action == Action::"end", resource);',
    'action == Action::"end", resource)\n'
    'when { resource has entitlement && resource.entitlement in Environment::"dev" };',
)
"""Whoever leads may end what is in development, and nothing else."""

WHY = "The account was closed in March"
HOUR = timedelta(hours=1)


@dataclass
class Vanishing(MemoryCloud):
    """A cloud that one day refuses everything, for ever."""

    is_gone: bool = False
    is_read_only: bool = False

    def has(self, person: str, role: str) -> bool:
        if self.is_gone:
            raise CloudRefused("There is no such account.")
        return super().has(person, role)

    def set(self, person: str, role: str, *, present: bool) -> None:
        if self.is_gone or self.is_read_only:
            self.calls.append("refused")
            raise CloudRefused("There is no such account.")
        super().set(person, role, present=present)


@dataclass
class Gone(World):
    """The small organisation, and a cloud that vanishes."""

    policy_text: str = RIGHTS
    people_text: str = PEOPLE

    def __post_init__(self) -> None:
        self.vanishing = Vanishing(self.time)
        self.cloud_ = self.cloud_ or self.vanishing
        super().__post_init__()

    def approved(self, what: str = "prod-write") -> Request:
        request = self.approve(self.ask(what=what))
        assert self.now(request).state is State.ACTIVE
        return request

    def vanished(self, *requests: Request) -> Request:
        """Let the cloud vanish, then all that is active end, and a day pass."""
        self.vanishing.is_gone = True
        self.time.forward(minutes=30)
        self.sweep()
        self.wait_a_day()
        for request in requests:
            assert self.now(request).state is State.ENDING
        return self.now(requests[0])

    def wait_a_day(self) -> None:
        for _ in range(24):
            self.time.forward(hours=1)
            self.sweep()

    def attest(self, request: Request, person: str = "caro", why: str = WHY) -> Request:
        return self.broker.attest(caller(person), request.id, self.time(), why)

    def last(self, request: Request) -> Sealed:
        return self.store.events(request.id)[-1]


@pytest.fixture
def gone(tmp_path: Path) -> Gone:
    return Gone(tmp_path)


# ── What is recorded ─────────────────────────────────────────────────────────────────────────


def test_what_refuses_for_ever_is_closed_by_somebodys_word_and_never_said_to_be_seen(
    gone: Gone,
) -> None:
    request = gone.vanished(gone.approved())
    before = gone.slot(request)
    done = gone.attest(request)
    assert (done.state, done.evidence, done.reason) == (State.ENDED, Evidence.ATTESTED, WHY)
    line = gone.last(request)
    assert line.event.what == Attested(by=caller("caro").person, reason=WHY)
    assert line.event.actor.id == "caro"
    assert line.event.actor.token is not None
    assert signature_holds(line, gone.signer.verifier())
    assert verified(gone.store, request.id, gone.signer.verifier())[0] == done
    after = gone.slot(request)
    assert (after.wake_at, after.holders, after.claim) == (None, (), None)
    assert after.trouble == before.trouble == "There is no such account."
    assert after.last == request.id, "it is known whose access it is, should it be seen again"


def test_the_place_is_driven_no_more(gone: Gone) -> None:
    request = gone.vanished(gone.approved())
    gone.attest(request)
    calls = len(gone.cloud.calls)
    gone.wait_a_day()
    assert len(gone.cloud.calls) == calls
    assert gone.store.due(gone.time() + timedelta(days=9), 10) == ()
    assert gone.store.wake_at(request.id) is None


def test_what_is_seen_after_all_ends_again_and_by_retries(gone: Gone) -> None:
    request = gone.attest(gone.vanished(gone.approved()))
    gone.vanishing.is_gone = False
    assert gone.cloud.who_can("writer") == {"ana"}
    ending.begin(gone.ledger, request, lifecycle.reopen(request, gone.time()), gone.time())
    gone.vanishing.is_gone = True
    gone.sweep()
    with pytest.raises(Refused, match="has not been ending for 1d"):
        gone.attest(request)
    gone.vanishing.is_gone = False
    gone.sweep_until_quiet()
    assert gone.now(request).evidence is Evidence.SEEN_ABSENT
    assert gone.cloud.who_can("writer") == frozenset()
    gone.verify_all()


def test_whoever_gets_the_same_anew_is_let_in_as_ever(gone: Gone) -> None:
    gone.attest(gone.vanished(gone.approved()))
    gone.vanishing.is_gone = False
    again = gone.approved()
    assert gone.cloud.who_can("writer") == {"ana"}
    gone.give_back(again)
    gone.sweep_until_quiet()
    assert gone.now(again).evidence is Evidence.SEEN_ABSENT


class Denying(MemoryMechanism):
    """Grants a role whose sessions live on for an hour, and are denied in another place."""

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:
        grant = super().places(entitlement, person, part=part).grant
        other = replace(person, id=PersonId("denials"))
        denial = super().places(entitlement, other, part=part).grant
        return Places(grant=grant, denial=denial, outlives=HOUR)


def test_a_denial_of_it_lasts_for_as_long_as_a_session_may_live(tmp_path: Path) -> None:
    gone = Gone(tmp_path, mechanisms={KIND: Denying()})
    request = gone.vanished(gone.approved())
    place = request.places.denial
    assert place is not None
    before = gone.store.slot(place.key)
    assert before is not None
    assert [held.request for held in before.holders] == [request.id]
    gone.attest(request)
    after = gone.store.slot(place.key)
    assert after is not None
    (held,) = after.holders
    assert held.until == gone.time() + HOUR + SKEW
    assert held.before is None, "for nobody has seen that nothing new is made of it"


# ── Whoever else is in the place ─────────────────────────────────────────────────────────────


def test_a_place_that_another_holds_goes_on(gone: Gone) -> None:
    request = gone.vanished(gone.ask())
    newcomer = gone.ask()
    assert newcomer.state is State.ACTIVATING
    assert gone.attest(request).state is State.ENDED
    slot = gone.slot(newcomer)
    assert [held.request for held in slot.holders] == [newcomer.id]
    assert slot.wake_at is not None


def test_a_place_that_another_end_waits_for_goes_on_until_that_is_attested_too(
    gone: Gone,
) -> None:
    first, second = gone.ask(minutes=10), gone.ask(minutes=30)
    gone.vanished(first, second)
    gone.attest(first)
    assert gone.slot(second).wake_at is not None
    gone.attest(second)
    assert gone.slot(second).wake_at is None


class Racing(MemoryStore):
    """Lets something happen just before the end of a request is attested."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[Callable[[], object]] = []

    def commit(self, change: Change) -> None:
        attests = any(
            isinstance(line.event.what, Attested) for move in change.moves for line in move.events
        )
        if attests and self.meanwhile:
            self.meanwhile.pop()()
        super().commit(change)


def test_two_who_attest_at_once_leave_no_place_that_is_driven_for_nobody(tmp_path: Path) -> None:
    store = Racing()
    gone = Gone(tmp_path, store=store)
    first, second = gone.ask(minutes=10), gone.ask(minutes=30)
    gone.vanished(first, second)
    store.meanwhile.append(lambda: gone.attest(second))
    gone.attest(first)
    assert gone.now(first).state is gone.now(second).state is State.ENDED
    assert gone.slot(first).wake_at is None


def test_somebody_who_joins_at_the_same_moment_is_not_left_out(tmp_path: Path) -> None:
    store = Racing()
    gone = Gone(tmp_path, store=store)
    request = gone.ask(minutes=30)
    gone.vanished(request)
    joined: list[Request] = []
    store.meanwhile.append(lambda: joined.append(gone.ask(minutes=30)))
    assert gone.attest(request).state is State.ENDED
    slot = gone.slot(request)
    assert [held.request for held in slot.holders] == [joined[0].id]
    assert slot.wake_at is not None


# ── Who may ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("person", "message"),
    [
        ("ana", "You cannot attest the end of your own access; somebody else does it."),
        ("ben", "You approved this access; its end is attested by somebody who did not."),
    ],
)
def test_neither_who_asked_nor_who_approved(gone: Gone, person: str, message: str) -> None:
    request = gone.vanished(gone.approved())
    with pytest.raises(Refused) as refused:
        gone.attest(request, person)
    assert str(refused.value) == message
    assert gone.now(request) == request


def test_nor_who_let_it_last_longer(gone: Gone) -> None:
    request = gone.approved()
    extension = gone.extend(request)
    gone.approve(extension, "caro")
    assert gone.now(extension).state is State.EXTENDED
    gone.time.forward(minutes=30)
    gone.vanished(request)
    with pytest.raises(Refused, match="You approved this access"):
        gone.attest(request, "caro")
    assert gone.attest(request, "dan").state is State.ENDED


def test_it_takes_the_right_to_end_all_of_it(tmp_path: Path) -> None:
    gone = Gone(tmp_path)
    request = gone.vanished(gone.ask())
    gone.policy_text = POLICY
    gone.put_together()
    with pytest.raises(Refused, match=r'permit you Action::"end"'):
        gone.attest(request)
    gone.policy_text = OF_DEV
    gone.put_together()
    assert gone.attest(request).state is State.ENDED


def test_it_is_judged_by_the_catalog_of_now(tmp_path: Path) -> None:
    gone = Gone(tmp_path)
    request = gone.vanished(gone.ask())
    gone.policy_text = OF_DEV
    gone.catalog_text = CATALOG.replace('"dev-read"', '"dev-look"')
    gone.put_together()
    with pytest.raises(Refused, match=r"permit you"):
        gone.attest(request)  # what left the catalog is in no environment that a rule could name
    gone.policy_text = f"{RIGHTS}// once more\n"
    gone.put_together()
    assert gone.attest(request).state is State.ENDED


def test_whoever_is_disabled_answers_for_nothing(gone: Gone) -> None:
    request = gone.vanished(gone.ask())
    gone.people_text = PEOPLE.replace('{ id = "caro"', '{ disabled = true, id = "caro"')
    gone.put_together()
    with pytest.raises(Refused, match="is disabled in the directory"):
        gone.attest(request)


def test_nobody_signs_nobody_attests(gone: Gone) -> None:
    request = gone.vanished(gone.ask())
    unsigned = Ledger(gone.store, None, gone.signer.verifier())
    with pytest.raises(Misconfigured, match="Nothing signs here"):
        replace(gone.broker, ledger=unsigned).attest(caller("caro"), request.id, gone.time(), WHY)
    assert gone.now(request) == request


def test_a_record_that_does_not_hold_is_not_closed(gone: Gone) -> None:
    request = gone.vanished(gone.approved())
    store = gone.store
    assert isinstance(store, MemoryStore)
    # As whoever can write the record, and would rather not have voted.
    store._requests[request.id] = replace(request, votes=())  # noqa: SLF001 - the same
    with pytest.raises(Tampered):
        gone.attest(request, "ben")


@pytest.mark.parametrize("why", ["", " ", "a\x1b[31mb", "x" * 1001])
def test_a_reason_is_needed_that_can_be_shown(gone: Gone, why: str) -> None:
    request = gone.vanished(gone.ask())
    with pytest.raises(Invalid, match="The reason"):
        gone.attest(request, why=why)
    assert gone.now(request) == request


# ── When ─────────────────────────────────────────────────────────────────────────────────────


def test_not_before_retries_have_had_a_day(gone: Gone) -> None:
    request = gone.ask(minutes=30)
    gone.vanishing.is_gone = True
    gone.time.forward(minutes=30)
    gone.sweep()
    gone.time.now += PATIENCE - timedelta(seconds=1)
    gone.sweep()
    with pytest.raises(Refused) as refused:
        gone.attest(request)
    assert str(refused.value) == (
        f"Request {request.id} has not been ending for 1d yet; attest it in 1s, if nothing has"
        " ended it by then."
    )
    gone.time.forward(seconds=1)
    assert gone.attest(request).state is State.ENDED


def test_a_day_of_ending_and_not_a_day_past_some_deadline(gone: Gone) -> None:
    request = gone.ask(minutes=30)
    gone.vanishing.is_gone = True
    gone.time.forward(days=3)
    gone.sweep()  # it comes late, and only now has begun to end it
    gone.time.forward(hours=2)
    gone.sweep()
    with pytest.raises(Refused, match="attest it in 22h"):
        gone.attest(request)


@pytest.mark.parametrize("how", ["waiting", "active", "ended", "attested"])
def test_only_what_is_ending(gone: Gone, how: str) -> None:
    if how == "waiting":
        request = gone.ask(what="prod-write")
    elif how == "active":
        request = gone.ask()
    elif how == "ended":
        request = gone.give_back(gone.ask())
    else:
        request = gone.attest(gone.vanished(gone.ask()))
    seq = gone.now(request).seq
    with pytest.raises(Refused, match=f"Request {request.id} is not ending: it is"):
        gone.attest(request, "dan")
    assert gone.now(request).seq == seq


def test_not_while_the_cloud_shows_the_access(gone: Gone) -> None:
    request = gone.ask()
    gone.vanishing.is_read_only = True
    gone.time.forward(minutes=30)
    gone.sweep()
    gone.wait_a_day()
    assert gone.slot(request).trouble
    with pytest.raises(Refused, match="within an hour of the last try, so it has not vanished"):
        gone.attest(request)
    gone.vanishing.is_gone = True
    shown_at = gone.time()
    while gone.time() - shown_at < REFUSED:
        with pytest.raises(Refused, match="so it has not vanished"):
            gone.attest(request)
        gone.time.forward(minutes=10)
        gone.sweep()
    assert gone.attest(request).state is State.ENDED


def test_not_because_nobody_has_tried_for_an_hour(gone: Gone) -> None:
    request = gone.ask()
    gone.vanishing.is_read_only = True
    gone.time.forward(minutes=30)
    gone.sweep()
    gone.wait_a_day()
    gone.time.forward(hours=9)  # and no sweep runs
    with pytest.raises(Refused, match="so it has not vanished"):
        gone.attest(request)


def test_not_where_no_cloud_was_asked(gone: Gone) -> None:
    request = gone.ask()
    gone.broker.give_back(caller("ana"), request.id, gone.time())
    gone.time.now += PATIENCE
    with pytest.raises(Refused, match="No cloud has refused to end"):
        gone.attest(request)


def test_not_what_is_being_tried_just_now(gone: Gone) -> None:
    request = gone.vanished(gone.ask())
    slot = gone.slot(request)
    until = gone.time() + timedelta(seconds=15)
    _put(gone, slots.claim(slot, "another", until))
    with pytest.raises(Conflict, match="is being tried just now"):
        gone.attest(request)
    gone.time.forward(seconds=15)
    assert gone.attest(request).state is State.ENDED, "whoever it was has died"
    assert gone.slot(request).claim is None


def test_not_what_ends_by_itself(gone: Gone) -> None:
    request = gone.vanished(gone.ask())
    seen = Removed(seen_at=gone.time(), dead_by=gone.time() + HOUR)
    gone.ledger.record(request, (seen,), now=gone.time())
    with pytest.raises(Refused, match="ends by itself"):
        gone.attest(request)


class Sessions(MemoryMechanism):
    """Hands out sessions: they are in no place."""

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:  # noqa: ARG002 - none
        return Places()


def test_nor_sessions_that_are_in_no_place(tmp_path: Path) -> None:
    gone = Gone(tmp_path, mechanisms={KIND: Sessions(guarantee=Guarantee.BROKER)})
    request = gone.ask()
    made = Issuing(number=1, dead_by=gone.time() + 2 * PATIENCE)
    gone.ledger.record(request, (made,), now=gone.time())
    assert gone.give_back(request).state is State.ENDING
    gone.wait_a_day()
    with pytest.raises(Refused, match="ends by itself"):
        gone.attest(request)


def _put(world: World, slot: Slot) -> None:
    world.store.commit(Change(slots=(replace(slot, version=slot.version + 1),)))
