"""The life of a request: what may follow what, what it adds up to, and when it is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from jitcloud import lifecycle
from jitcloud.audit import chain
from jitcloud.errors import Invalid, Refused, Tampered
from jitcloud.model import (
    BROKER,
    GENESIS,
    Activate,
    Activated,
    Activating,
    Adopted,
    AllEnding,
    Approval,
    Approved,
    Approver,
    Asked,
    Attested,
    BreakGlass,
    Cause,
    Decided,
    Denied,
    EndAll,
    Ended,
    Ending,
    Escalated,
    Escalation,
    Evidence,
    Extended,
    Failed,
    GlassBroken,
    Guarantee,
    Happening,
    Issuing,
    Lapsed,
    Need,
    NeedsApproval,
    PersonId,
    Place,
    Places,
    PolicyRef,
    Prolonged,
    Reach,
    Reconciled,
    Removed,
    Reopened,
    Request,
    Restored,
    Resumed,
    Review,
    Reviewed,
    ReviewMissed,
    RuleId,
    Scope,
    SlotKey,
    Stage,
    State,
    Stopped,
    Vote,
    Voted,
    Window,
    Withdrawn,
)
from tests.factories import ALICE, BOB, NOW, an_ask, request_id

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
POLICY = PolicyRef(sha256=GENESIS, number=3)
LEADS = Approver(kind="group", id="leads")
JOINING = Approver(kind="group", id="platform")
ESCALATED = Need(count=1, approvers=(LEADS,), escalation=Escalation(after=HOUR, to=JOINING))
WINDOW = Window(start=NOW, deadline=NOW + HOUR)
CARO = PersonId("u-caro")


def an_approval(*needs: Need) -> NeedsApproval:
    stages = tuple(Stage(needs=(need,)) for need in needs or (ESCALATED,))
    return NeedsApproval(rules=(RuleId("r"),), approval=Approval(stages=stages))


def a_broken_glass() -> BreakGlass:
    by = Stage(needs=(Need(count=1, approvers=(LEADS,)),))
    return BreakGlass(rules=(RuleId("r"),), review=Review(within=2 * HOUR, by=by))


def a_request(state: State = State.PENDING, **more: object) -> Request:
    known: dict[str, object] = {
        "id": request_id(1),
        "ask": an_ask(),
        "state": state,
        "seq": 4,
        "head": GENESIS,
        "updated_at": NOW,
    }
    return Request(**{**known, **more})  # type: ignore[arg-type] # a table of fields


def follow(request: Request | None, what: Happening, at: datetime = NOW) -> Request:
    after, _ = chain.seal(request, request_id(1), (what,), actor=BROKER, now=at, signer=None)
    return after


def of(type_: type[Happening]) -> Happening:
    """Make a happening of a type."""
    scope = Scope(reach=Reach.EVERYTHING)
    every: tuple[Happening, ...] = (
        Asked(ask=an_ask()),
        Decided(decision=Activate(rules=()), policy=POLICY, lapses_at=NOW),
        GlassBroken(decision=a_broken_glass(), policy=POLICY, lapses_at=NOW),
        Escalated(stage=0, to=(JOINING,)),
        Voted(by=BOB, yes=True, stage=0, reason=""),
        Approved(approval=an_approval().approval, rules=(), policy=POLICY, lapses_at=NOW),
        Withdrawn(reason=""),
        Lapsed(),
        Activating(
            window=WINDOW,
            places=Places(),
            guarantee=Guarantee.CLOUD,
            residual=(),
            policy=POLICY,
        ),
        Activated(seen_at=NOW),
        Extended(window=WINDOW, policy=POLICY),
        Prolonged(by=request_id(2), window=replace(WINDOW, deadline=NOW + 2 * HOUR)),
        Issuing(number=1, dead_by=NOW),
        Ending(cause=Cause.DEADLINE, reason=""),
        Removed(seen_at=NOW, dead_by=NOW),
        Ended(evidence=Evidence.SEEN_ABSENT, seen_at=NOW),
        Attested(by=CARO, reason=""),
        Reopened(seen_at=NOW),
        Failed(reason="", seen_at=NOW),
        Reviewed(by=BOB, fine=True, note="", done=True),
        ReviewMissed(),
        Adopted(before=None, after=POLICY, reason=""),
        Stopped(scope=scope, reason=""),
        Resumed(scope=scope, reason=""),
        EndAll(scope=scope, reason=""),
        AllEnding(scope=scope),
        Restored(reason=""),
        Reconciled(begun_at=NOW, leaked=0, missing=0, foreign=0, left_out=()),
    )
    return next(each for each in every if type(each) is type_)


# ── What may follow what ─────────────────────────────────────────────────────────────────────

MAY: dict[State, set[type[Happening]]] = {
    State.PENDING: {Decided, GlassBroken, Escalated, Voted, Approved, Withdrawn, Lapsed},
    State.SCHEDULED: {Decided, Activating, Extended, Withdrawn, Lapsed},
    State.ACTIVATING: {Activated, Ending},
    State.ACTIVE: {Issuing, Prolonged, Ending, Reviewed, ReviewMissed},
    State.ENDING: {Removed, Ended, Failed, Attested},
    State.ENDED: {Reviewed, ReviewMissed, Reopened},
    State.FAILED: {Reopened},
    State.EXTENDED: {Reviewed, ReviewMissed},
}


@pytest.mark.parametrize("state", list(State))
def test_in_each_state_these_may_happen_and_nothing_else(state: State) -> None:
    request = a_request(state, window=WINDOW)
    for type_ in get_args(Happening):
        if type_ in MAY.get(state, set()):
            assert follow(request, of(type_)).seq == 5
        else:
            with pytest.raises(Tampered, match=f"cannot happen to a request that is {state}"):
                follow(request, of(type_))


def test_only_an_ask_can_come_first() -> None:
    begun = follow(None, of(Asked))
    assert (begun.state, begun.seq, begun.updated_at) == (State.PENDING, 1, NOW)
    assert begun.ask == an_ask()
    for type_ in get_args(Happening):
        if type_ is Asked:
            continue
        with pytest.raises(Tampered, match="not there"):
            follow(None, of(type_))


@pytest.mark.parametrize("wrong", [{"seq": 6}, {"seq": 4}, {"prev": "f" * 64}])
def test_an_event_follows_the_one_before_it_by_number_and_by_hash(wrong: dict[str, object]) -> None:
    request = a_request()
    _, (line,) = chain.seal(request, request.id, (of(Lapsed),), actor=BROKER, now=NOW, signer=None)
    assert lifecycle.fold(request, line).head == line.hash
    other = replace(line, event=replace(line.event, **wrong))  # type: ignore[arg-type] # its fields
    with pytest.raises(Tampered, match="does not follow"):
        lifecycle.fold(request, other)


def test_an_event_of_another_request_does_not_count() -> None:
    request = a_request()
    _, (line,) = chain.seal(
        replace(request, id=request_id(2)),
        request_id(2),
        (of(Lapsed),),
        actor=BROKER,
        now=NOW,
        signer=None,
    )
    with pytest.raises(Tampered, match="stands in the trail of"):
        lifecycle.fold(request, line)


def test_a_trail_adds_up_to_what_its_events_say() -> None:
    first, begun = chain.seal(None, request_id(1), (of(Asked),), actor=BROKER, now=NOW, signer=None)
    after, lapsed = chain.seal(
        first, first.id, (of(Lapsed),), actor=BROKER, now=NOW + MINUTE, signer=None
    )
    assert lifecycle.refold((*begun, *lapsed)) == after
    assert (after.state, after.updated_at) == (State.LAPSED, NOW + MINUTE)


def test_an_empty_trail_is_no_request() -> None:
    with pytest.raises(Tampered, match="empty"):
        lifecycle.refold([])


# ── What it adds up to ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("decision", "state", "reason"),
    [
        (Activate(rules=()), State.SCHEDULED, ""),
        (an_approval(), State.PENDING, ""),
        (Denied(because=("No.", "Never.")), State.DENIED, "No. Never."),
    ],
)
def test_what_was_decided_is_kept(decision: Denied, state: State, reason: str) -> None:
    what = Decided(decision=decision, policy=POLICY, lapses_at=NOW + HOUR)
    after = follow(a_request(), what)
    assert (after.state, after.reason) == (state, reason)
    assert (after.decision, after.policy, after.lapses_at) == (decision, POLICY, NOW + HOUR)
    assert follow(a_request(State.SCHEDULED), what).state is state


def test_a_glass_is_not_broken_by_a_mere_decision() -> None:
    what = Decided(decision=a_broken_glass(), policy=POLICY, lapses_at=NOW)
    with pytest.raises(Tampered, match="breaks a glass"):
        follow(a_request(), what)
    broken = follow(
        a_request(),
        GlassBroken(decision=a_broken_glass(), policy=POLICY, lapses_at=NOW + HOUR),
    )
    assert (broken.state, broken.decision) == (State.SCHEDULED, a_broken_glass())
    assert (broken.policy, broken.lapses_at) == (POLICY, NOW + HOUR)


def test_who_joins_and_who_votes_is_added_to_those_before() -> None:
    first = Vote(by=CARO, stage=0, at=NOW - HOUR, reason="early")
    request = a_request(votes=(first,), escalated=((0, LEADS),))
    joined = follow(request, Escalated(stage=1, to=(JOINING, LEADS)))
    assert joined.escalated == ((0, LEADS), (1, JOINING), (1, LEADS))
    yes = follow(request, Voted(by=BOB, yes=True, stage=1, reason="fine"), NOW + MINUTE)
    assert yes.votes == (first, Vote(by=BOB, stage=1, at=NOW + MINUTE, reason="fine"))
    assert yes.state is State.PENDING
    no = follow(request, Voted(by=BOB, yes=False, stage=1, reason="not now"))
    assert (no.state, no.reason, no.votes) == (State.DENIED, "not now", (first,))


def test_an_approval_says_until_when_and_by_which_policy() -> None:
    what = Approved(approval=an_approval().approval, rules=(), policy=POLICY, lapses_at=NOW + HOUR)
    after = follow(a_request(decision=an_approval()), what)
    assert (after.state, after.policy, after.lapses_at) == (State.SCHEDULED, POLICY, NOW + HOUR)


@pytest.mark.parametrize(("type_", "state"), [(Withdrawn, State.WITHDRAWN), (Lapsed, State.LAPSED)])
def test_what_is_over_before_it_began(type_: type[Happening], state: State) -> None:
    assert follow(a_request(), of(type_)).state is state
    assert follow(a_request(), Withdrawn(reason="not needed")).reason == "not needed"


@pytest.mark.parametrize(
    ("decision", "review_by"),
    [(a_broken_glass(), NOW + 2 * HOUR), (Activate(rules=()), None), (an_approval(), None)],
)
def test_what_is_let_in_says_where_until_when_and_who_looks_at_it(
    decision: BreakGlass, review_by: datetime | None
) -> None:
    places = Places(grant=Place(key=SlotKey("k"), kind="kind", where={}), outlives=HOUR)
    what = Activating(
        window=WINDOW,
        places=places,
        guarantee=Guarantee.BROKER,
        residual=("Something stays.",),
        policy=POLICY,
    )
    after = follow(a_request(State.SCHEDULED, decision=decision), what)
    assert (after.state, after.window, after.places) == (State.ACTIVATING, WINDOW, places)
    assert (after.guarantee, after.residual) == (Guarantee.BROKER, ("Something stays.",))
    assert (after.policy, after.review_by) == (POLICY, review_by)
    assert follow(after, of(Activated)).state is State.ACTIVE
    extended = follow(a_request(State.SCHEDULED, decision=decision), of(Extended))
    assert (extended.state, extended.window) == (State.EXTENDED, WINDOW)
    assert (extended.policy, extended.review_by) == (POLICY, review_by)


@pytest.mark.parametrize(
    "window",
    [
        WINDOW,
        replace(WINDOW, deadline=WINDOW.deadline - SECOND),
        Window(start=NOW + SECOND, deadline=NOW + 2 * HOUR),
    ],
)
def test_an_extension_neither_shortens_nor_moves(window: Window) -> None:
    request = a_request(State.ACTIVE, window=WINDOW, prolonged_by=(request_id(7),))
    with pytest.raises(Tampered, match="would not make its deadline later"):
        follow(request, Prolonged(by=request_id(2), window=window))
    longer = replace(WINDOW, deadline=WINDOW.deadline + SECOND)
    after = follow(request, Prolonged(by=request_id(2), window=longer))
    assert (after.window, after.state) == (longer, State.ACTIVE)
    assert after.prolonged_by == (request_id(7), request_id(2))


def test_credentials_are_dead_once_the_longest_lived_is() -> None:
    request = a_request(State.ACTIVE, window=WINDOW)
    first = follow(request, Issuing(number=1, dead_by=NOW + HOUR))
    assert (first.issued, first.credentials_dead_by) == (1, NOW + HOUR)
    second = follow(first, Issuing(number=2, dead_by=NOW + MINUTE))
    assert (second.issued, second.credentials_dead_by) == (2, NOW + HOUR)
    third = follow(first, Issuing(number=2, dead_by=NOW + 2 * HOUR))
    assert third.credentials_dead_by == NOW + 2 * HOUR


def test_what_ends_says_why_and_how_it_is_known() -> None:
    request = a_request(State.ACTIVE, window=WINDOW, review_by=NOW + HOUR)
    ending = follow(request, Ending(cause=Cause.REVOKED, reason="lost laptop"))
    assert (ending.state, ending.cause, ending.reason) == (
        State.ENDING,
        Cause.REVOKED,
        "lost laptop",
    )
    removed = follow(ending, Removed(seen_at=NOW + MINUTE, dead_by=NOW + HOUR))
    assert (removed.state, removed.removed_at) == (State.ENDING, NOW + MINUTE)
    assert removed.credentials_dead_by == NOW + HOUR
    later = replace(ending, credentials_dead_by=NOW + 3 * HOUR)
    assert follow(later, of(Removed)).credentials_dead_by == NOW + 3 * HOUR
    ended = follow(removed, of(Ended))
    assert (ended.state, ended.evidence) == (State.ENDED, Evidence.SEEN_ABSENT)
    assert (ended.cause, ended.review_by) == (Cause.REVOKED, NOW + HOUR)
    failed = follow(ending, Failed(reason="full", seen_at=NOW))
    assert (failed.state, failed.reason, failed.review_by) == (State.FAILED, "full", None)
    attested = follow(ending, Attested(by=CARO, reason="account closed"))
    assert (attested.state, attested.evidence) == (State.ENDED, Evidence.ATTESTED)
    assert attested.reason == "account closed"


@pytest.mark.parametrize(("outlives", "dead_by"), [(HOUR, None), (None, NOW)])
def test_what_is_seen_again_ends_anew(outlives: timedelta | None, dead_by: datetime | None) -> None:
    request = a_request(
        State.ENDED,
        places=Places(outlives=outlives),
        evidence=Evidence.SEEN_ABSENT,
        removed_at=NOW,
        credentials_dead_by=NOW,
    )
    after = follow(request, of(Reopened))
    assert (after.state, after.evidence, after.removed_at) == (State.ENDING, None, None)
    assert after.credentials_dead_by == dead_by


def test_a_review_is_outstanding_until_the_last_one_asked_has_looked() -> None:
    early = Vote(by=CARO, stage=0, at=NOW - HOUR, reason="hm")
    request = a_request(State.ENDED, review_by=NOW + HOUR, review_missed=True, reviews=(early,))
    some = follow(request, Reviewed(by=BOB, fine=False, note="why?", done=False))
    assert some.reviews == (early, Vote(by=BOB, stage=0, at=NOW, reason="why?"))
    assert (some.review_by, some.review_missed) == (NOW + HOUR, True)
    in_time = replace(request, review_missed=False)
    seen = follow(in_time, Reviewed(by=BOB, fine=True, note="", done=False))
    assert (seen.review_by, seen.review_missed) == (NOW + HOUR, False)
    all_ = follow(request, Reviewed(by=BOB, fine=True, note="", done=True))
    assert (all_.review_by, all_.review_missed) == (None, False)
    missed = follow(replace(request, review_missed=False), of(ReviewMissed))
    assert (missed.review_missed, missed.review_by) == (True, NOW + HOUR)


# ── When it is due ───────────────────────────────────────────────────────────────────────────


def test_what_waits_for_votes_is_due_when_somebody_joins_or_it_lapses() -> None:
    request = a_request(decision=an_approval(), lapses_at=NOW + 3 * HOUR)
    assert lifecycle.wake_at(request) == NOW + HOUR
    assert lifecycle.wake_at(replace(request, lapses_at=NOW + MINUTE)) == NOW + MINUTE
    joined = replace(request, escalated=((0, JOINING),))
    assert lifecycle.wake_at(joined) == NOW + 3 * HOUR
    assert lifecycle.wake_at(a_request(updated_at=NOW + MINUTE)) == NOW + MINUTE


def test_a_later_stage_is_waited_for_from_when_it_began() -> None:
    plain = Need(count=1, approvers=(LEADS,))
    request = a_request(decision=an_approval(plain, ESCALATED), lapses_at=NOW + 9 * HOUR)
    assert lifecycle.wake_at(request) == NOW + 9 * HOUR
    vote = Vote(by=BOB, stage=0, at=NOW + 2 * HOUR, reason="")
    assert lifecycle.wake_at(replace(request, votes=(vote,))) == NOW + 3 * HOUR
    # Who has joined another stage has not joined this one.
    other = replace(request, votes=(vote,), escalated=((0, JOINING),))
    assert lifecycle.wake_at(other) == NOW + 3 * HOUR


def test_what_was_allowed_is_due_at_its_start_or_at_once() -> None:
    assert lifecycle.wake_at(a_request(State.SCHEDULED, updated_at=NOW + MINUTE)) == NOW + MINUTE
    ask = replace(an_ask(), start=NOW + HOUR)
    assert lifecycle.wake_at(a_request(State.SCHEDULED, ask=ask)) == NOW + HOUR


@pytest.mark.parametrize("state", [State.ACTIVATING, State.ENDING])
def test_what_is_under_way_is_due_at_once(state: State) -> None:
    assert lifecycle.wake_at(a_request(state)) == NOW


@pytest.mark.parametrize("state", [State.DENIED, State.LAPSED, State.WITHDRAWN, State.FAILED])
def test_what_is_over_for_good_is_never_due(state: State) -> None:
    assert lifecycle.wake_at(a_request(state, review_by=NOW)) is None


@pytest.mark.parametrize("state", [State.ENDED, State.EXTENDED])
def test_what_has_ended_is_due_for_its_review_alone(state: State) -> None:
    assert lifecycle.wake_at(a_request(state)) is None
    waits = a_request(state, review_by=NOW + HOUR)
    assert lifecycle.wake_at(waits) == NOW + HOUR
    assert lifecycle.wake_at(replace(waits, review_missed=True)) is None


def test_an_active_grant_is_looked_at_every_five_minutes_and_at_its_deadline() -> None:
    request = a_request(State.ACTIVE, window=WINDOW)
    assert lifecycle.wake_at(request) == NOW + 5 * MINUTE
    assert lifecycle.look_again(request, NOW + 58 * MINUTE) == NOW + HOUR
    reviewed = replace(request, review_by=NOW + 3 * MINUTE)
    assert lifecycle.look_again(reviewed, NOW) == NOW + 3 * MINUTE
    assert lifecycle.look_again(replace(reviewed, review_missed=True), NOW) == NOW + 5 * MINUTE


def test_a_review_is_missed_at_its_time() -> None:
    request = a_request(State.ENDED, review_by=NOW)
    assert not lifecycle.review_is_missed(request, NOW - SECOND)
    assert lifecycle.review_is_missed(request, NOW)
    assert not lifecycle.review_is_missed(replace(request, review_missed=True), NOW)
    assert not lifecycle.review_is_missed(a_request(State.ENDED), NOW)


@pytest.mark.parametrize("state", list(State))
def test_what_waits_lapses_at_its_time_and_what_gives_access_is_over_at_its_deadline(
    state: State,
) -> None:
    request = a_request(state, lapses_at=NOW, window=replace(WINDOW, deadline=NOW))
    waits, gives = (
        state in {State.PENDING, State.SCHEDULED},
        state
        in {
            State.ACTIVATING,
            State.ACTIVE,
        },
    )
    assert lifecycle.has_lapsed(request, NOW) is waits
    assert not lifecycle.has_lapsed(request, NOW - SECOND)
    assert not lifecycle.has_lapsed(replace(request, lapses_at=None), NOW)
    assert lifecycle.is_over(request, NOW) is gives
    assert not lifecycle.is_over(request, NOW - SECOND)


def test_what_has_a_start_waits_no_longer_than_its_window() -> None:
    ask, later = an_ask(), replace(an_ask(), start=NOW + 2 * HOUR)
    assert lifecycle.undecided_until(ask, 9 * HOUR) == NOW + 9 * HOUR
    assert lifecycle.undecided_until(later, 9 * HOUR) == NOW + 3 * HOUR
    assert lifecycle.undecided_until(later, HOUR) == NOW + HOUR
    assert lifecycle.unactivated_until(ask, HOUR, NOW + MINUTE) == NOW + MINUTE + HOUR
    assert lifecycle.unactivated_until(later, HOUR, NOW + MINUTE) == NOW + 3 * HOUR


def test_a_window_is_as_long_as_was_asked_to_the_second_and_no_longer() -> None:
    start = NOW + timedelta(microseconds=900_000)
    assert lifecycle.window_from(start, HOUR) == Window(start=start, deadline=NOW + HOUR)
    assert lifecycle.window_from(NOW, HOUR) == WINDOW


def test_a_grant_without_a_window_is_not_believed() -> None:
    request = a_request(State.ACTIVE)
    for ask in (lifecycle.deadline, lifecycle.active_window):
        with pytest.raises(Tampered, match="has no window"):
            ask(request)
    assert lifecycle.active_window(replace(request, window=WINDOW)) == WINDOW


@pytest.mark.parametrize("state", [each for each in State if each is not State.ACTIVE])
def test_only_what_is_active_hands_anything_out(state: State) -> None:
    with pytest.raises(Refused, match=str(request_id(1))):
        lifecycle.active_window(a_request(state, window=WINDOW))


# ── Commands ─────────────────────────────────────────────────────────────────────────────────

YES = Voted(by=BOB, yes=True, stage=0, reason="")
NO = Voted(by=BOB, yes=False, stage=0, reason="")


@pytest.mark.parametrize("what", [YES, NO])
def test_a_vote_is_recorded_once_a_person_and_never_ones_own(what: Voted) -> None:
    request = a_request(lapses_at=NOW + HOUR)
    assert lifecycle.vote(request, what, NOW) == (what,)
    with pytest.raises(Refused, match="your own request"):
        lifecycle.vote(request, replace(what, by=ALICE), NOW)
    voted = replace(request, votes=(Vote(by=BOB, stage=0, at=NOW, reason="before"),))
    with pytest.raises(Refused, match="already approved"):
        lifecycle.vote(voted, what, NOW)
    assert lifecycle.vote(voted, replace(what, by=CARO), NOW)


@pytest.mark.parametrize("state", [each for each in State if each is not State.PENDING])
def test_nothing_else_waits_for_votes(state: State) -> None:
    with pytest.raises(Refused, match=r"no longer waits|not decided in time"):
        lifecycle.vote(a_request(state, lapses_at=NOW + HOUR), YES, NOW)


def test_what_nobody_decided_in_time_takes_no_votes() -> None:
    with pytest.raises(Refused, match="not decided in time"):
        lifecycle.waits_for_votes(a_request(lapses_at=NOW), NOW)
    waits = a_request(lapses_at=NOW)
    assert lifecycle.waits_for_votes(waits, NOW - SECOND) is waits


Command = Callable[[Request, str], tuple[Happening, ...]]
WAITS = {State.PENDING, State.SCHEDULED}
GIVES = {State.ACTIVATING, State.ACTIVE}
ENDS = {State.ENDING, State.ENDED, State.FAILED}


@pytest.mark.parametrize("state", list(State))
def test_what_gives_access_is_ended_and_what_may_yet_is_taken_back(state: State) -> None:
    request = a_request(state, window=WINDOW)
    commands: tuple[tuple[Command, Happening], ...] = (
        (lifecycle.withdraw, Withdrawn(reason="r")),
        (lifecycle.give_back, Ending(cause=Cause.GIVEN_BACK, reason="r")),
        (lifecycle.revoke, Ending(cause=Cause.REVOKED, reason="r")),
    )
    for command, said in commands:
        assert _outcome(command, request) == _expected(command, (said,), state)


REFUSALS = ("withdraw it instead", "give it back instead", "is over", "of its own", "gave no")


def _outcome(command: Command, request: Request) -> tuple[Happening, ...] | str:
    try:
        return command(request, "r")
    except Refused as exc:
        return next(words for words in REFUSALS if words in str(exc))


def _expected(
    command: Command, said: tuple[Happening, ...], state: State
) -> tuple[Happening, ...] | str:
    if command is lifecycle.withdraw:
        gives = "is over" if state.is_finished else "give it back instead"
        return said if state in WAITS else () if state is State.WITHDRAWN else gives
    if state in WAITS:
        revokes = command is lifecycle.revoke
        return (Withdrawn(reason="r"),) if revokes else "withdraw it instead"
    if state in GIVES | ENDS:
        return said if state in GIVES else ()
    return "of its own" if state is State.EXTENDED else "gave no"


@pytest.mark.parametrize(
    ("left", "is_taken"), [(0, False), (-5, False), (9, False), (10, False), (11, True)]
)
def test_credentials_are_made_only_while_they_can_arrive_in_time(
    left: int,
    is_taken: bool,  # noqa: FBT001 - a case
) -> None:
    request = a_request(State.ACTIVE, window=WINDOW, issued=2)
    now, timeout = WINDOW.deadline - left * SECOND, 10 * SECOND
    if not is_taken:
        with pytest.raises(Refused, match="reached its deadline" if left <= 0 else "too soon"):
            lifecycle.issue(request, HOUR, timeout, now)
        return
    made = lifecycle.issue(request, HOUR, timeout, now)
    assert made == Issuing(number=3, dead_by=now + timeout + HOUR)


def test_who_asked_or_approved_attests_no_end() -> None:
    other = Vote(by=PersonId("u-dora"), stage=0, at=NOW, reason="")
    request = a_request(State.ENDING, votes=(other, replace(other, by=BOB)))
    what = Attested(by=CARO, reason="")
    assert lifecycle.attest(request, what) == (what,)
    for who in (ALICE, BOB):
        with pytest.raises(Refused):
            lifecycle.attest(request, replace(what, by=who))
    for state in State:
        if state is State.ENDING:
            continue
        with pytest.raises(Refused, match="is not ending"):
            lifecycle.attest(replace(request, state=state), what)


def test_only_what_was_gone_is_seen_again() -> None:
    for state in State:
        expected = (Reopened(seen_at=NOW),) if state in {State.ENDED, State.FAILED} else ()
        assert lifecycle.reopen(a_request(state), NOW) == expected


def test_a_review_is_by_somebody_else_once_and_while_it_is_wanted() -> None:
    what = Reviewed(by=BOB, fine=True, note="", done=True)
    request = a_request(State.ENDED, review_by=NOW)
    assert lifecycle.review(request, what) == (what,)
    earlier = Vote(by=BOB, stage=0, at=NOW, reason="")
    for refused, why in (
        (replace(request, review_by=None), "waits for no review"),
        (replace(request, state=State.ENDING), "is ending just now"),
        (replace(request, reviews=(earlier,)), "already reviewed"),
    ):
        with pytest.raises(Refused, match=why):
            lifecycle.review(refused, what)
    for fine in (True, False):
        with pytest.raises(Refused, match="your own access"):
            lifecycle.review(request, replace(what, by=ALICE, fine=fine))


def test_a_start_names_its_zone_and_lies_ahead() -> None:
    lifecycle.start_is_valid(NOW, NOW)
    with pytest.raises(Invalid, match="in the past"):
        lifecycle.start_is_valid(NOW - timedelta(microseconds=1), NOW)
    with pytest.raises(Invalid, match="no time zone"):
        lifecycle.start_is_valid(datetime(2031, 1, 1, tzinfo=UTC).replace(tzinfo=None), NOW)


def test_whoever_reads_a_refusal_reads_what_became_of_it() -> None:
    denied = a_request(State.DENIED, reason="not now")
    with pytest.raises(Refused, match=r"it is denied \(not now\)"):
        lifecycle.vote(denied, YES, NOW)
    with pytest.raises(Refused, match=r"it is lapsed\."):
        lifecycle.withdraw(a_request(State.LAPSED), "")
