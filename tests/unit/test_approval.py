from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitcloud.approval import (
    Outstanding,
    can_be_met,
    combine,
    escalated,
    next_escalation,
    outstanding,
    with_escalations,
)
from jitcloud.model import (
    Approval,
    Approver,
    Escalation,
    GroupId,
    Need,
    Person,
    PersonId,
    Stage,
    Vote,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
REQUESTER = PersonId("requester")
GROUPS = ("a", "b", "c")


def group(name: str) -> Approver:
    return Approver(kind="group", id=name)


def need(count: int, *names: str, later: Escalation | None = None) -> Need:
    return Need(count=count, approvers=tuple(map(group, names)), escalation=later)


def after(minutes: int, name: str) -> Escalation:
    return Escalation(after=timedelta(minutes=minutes), to=group(name))


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def approval(*stages: Iterable[Need]) -> Approval:
    return Approval(stages=tuple(Stage(needs=tuple(needs)) for needs in stages))


def person(name: str, *groups: str) -> Person:
    return Person(id=PersonId(name), name=name, groups=frozenset(map(GroupId, groups)))


def people(**groups: str) -> dict[PersonId, Person]:
    """Make people by name, in the groups whose letters are given."""
    return {PersonId(name): person(name, *letters) for name, letters in groups.items()}


def votes(*cast: tuple[str, int], minutes: float = 0) -> list[Vote]:
    return [Vote(by=PersonId(name), stage=stage, at=at(minutes), reason="") for name, stage in cast]


def missing(
    asked: Approval, cast: list[Vote], voters: Mapping[PersonId, Person], now: datetime = NOW
) -> Outstanding | None:
    return outstanding(asked, cast, voters, REQUESTER, asked_at=NOW, now=now)


TWO_OF_A_THEN_ONE_OF_B = approval([need(2, "a")], [need(1, "b")])


def test_without_votes_everything_of_the_first_stage_is_missing() -> None:
    assert missing(TWO_OF_A_THEN_ONE_OF_B, [], {}) == Outstanding(
        stage=0, missing=2, wanted=Stage(needs=(need(2, "a"),))
    )


def test_a_stage_waits_for_all_of_the_one_before() -> None:
    voters = people(ann="a", bob="a", cat="b")
    half = missing(TWO_OF_A_THEN_ONE_OF_B, votes(("ann", 0)), voters)
    assert half == Outstanding(stage=0, missing=1, wanted=Stage(needs=(need(1, "a"),)))
    first = missing(TWO_OF_A_THEN_ONE_OF_B, votes(("ann", 0), ("bob", 0)), voters)
    assert first == Outstanding(stage=1, missing=1, wanted=Stage(needs=(need(1, "b"),)))
    every = votes(("ann", 0), ("bob", 0), ("cat", 1))
    assert missing(TWO_OF_A_THEN_ONE_OF_B, every, voters) is None


ONE_MORE_OF_A = Outstanding(stage=0, missing=1, wanted=Stage(needs=(need(1, "a"),)))


def test_the_requester_never_counts() -> None:
    voters = {REQUESTER: person(REQUESTER, "a"), **people(ann="a")}
    cast = votes((REQUESTER, 0), ("ann", 0))
    assert missing(TWO_OF_A_THEN_ONE_OF_B, cast, voters) == ONE_MORE_OF_A
    assert missing(approval([need(1, "a")]), votes((REQUESTER, 0)), voters) == ONE_MORE_OF_A


def test_one_person_counts_once_however_often_they_vote() -> None:
    cast = votes(("ann", 0), ("ann", 0))
    assert missing(TWO_OF_A_THEN_ONE_OF_B, cast, people(ann="a")) == ONE_MORE_OF_A


def test_a_person_counts_in_the_stage_where_they_voted_first_and_in_no_other() -> None:
    voters = people(ann="ab", bob="a")
    cast = votes(("ann", 0), ("bob", 0), ("ann", 1))
    left = missing(TWO_OF_A_THEN_ONE_OF_B, cast, voters)
    assert left is not None
    assert left.stage == 1


def test_a_vote_counts_in_its_own_stage_only() -> None:
    left = missing(TWO_OF_A_THEN_ONE_OF_B, votes(("ann", 1), ("bob", 1)), people(ann="a", bob="a"))
    assert left is not None
    assert (left.stage, left.missing) == (0, 2)


@pytest.mark.parametrize("change", ["gone", "disabled", "left the group"])
def test_a_voter_who_could_not_vote_any_more_no_longer_counts(change: str) -> None:
    one_of_a = approval([need(1, "a")])
    voters = people(ann="a")
    cast = votes(("ann", 0))
    assert missing(one_of_a, cast, voters) is None
    match change:
        case "gone":
            voters = {}
        case "disabled":
            voters = {name: replace(who, disabled=True) for name, who in voters.items()}
        case _:
            voters = people(ann="b")
    assert missing(one_of_a, cast, voters) is not None


def test_one_yes_fills_one_need_even_from_somebody_in_both_groups() -> None:
    both = approval([need(1, "a"), need(1, "b")])
    left = missing(both, votes(("ann", 0)), people(ann="ab"))
    assert left is not None
    assert left.missing == 1
    # Ann can stand for either, so a yes from anybody of a or b is all that is missing.
    assert left.wanted == Stage(needs=(need(1, "a"), need(1, "b")))


def test_a_need_that_is_met_for_good_wants_nobody_more() -> None:
    both = approval([need(1, "a"), need(1, "b")])
    left = missing(both, votes(("ann", 0)), people(ann="a"))
    assert left is not None
    assert left.wanted == Stage(needs=(need(1, "b"),))


def test_who_fills_which_need_does_not_depend_on_the_order_of_the_votes() -> None:
    # A greedy choice that lets Ann stand for a leaves Bob, who is in a alone, without a place.
    asked = approval([need(1, "a"), need(1, "b"), need(1, "c")])
    voters = people(ann="ab", bob="a", cat="bc")
    for order in permutations([("ann", 0), ("bob", 0), ("cat", 0)]):
        assert missing(asked, votes(*order), voters) is None


def test_rotations_and_single_people_approve_too() -> None:
    pager = Approver(kind="rotation", id="pager")
    boss = Approver(kind="person", id="boss")
    asked = approval([Need(count=1, approvers=(pager, boss))])
    assert missing(asked, votes(("boss", 0)), people(boss="")) is None
    assert missing(asked, votes(("pager", 0)), people(pager="")) is not None


@pytest.mark.parametrize(
    "empty",
    [Approval(stages=()), approval([]), approval([need(1, "a")], []), approval([need(0, "a")])],
    ids=["no stages", "no needs", "no needs in the second", "no count"],
)
def test_an_approval_by_nobody_is_an_error_and_never_met(empty: Approval) -> None:
    with pytest.raises(ValueError, match="at least one"):
        missing(empty, [], {})
    with pytest.raises(ValueError, match="at least one"):
        combine([empty])
    with pytest.raises(ValueError, match="at least one"):
        can_be_met(empty, lambda _: frozenset(), REQUESTER)


def test_an_approval_that_names_nobody_is_never_met() -> None:
    nobody = approval([need(1)])
    assert missing(nobody, votes(("ann", 0)), people(ann="a")) is not None
    assert not can_be_met(nobody, lambda _: frozenset({PersonId("ann")}), REQUESTER)


# ── Who joins when a stage has waited ─────────────────────────────────────────────────────────

TWO_OF_A = approval([need(2, "a", later=after(30, "b"))])
A_THEN_C = approval([need(1, "a", later=after(30, "b"))], [need(1, "c", later=after(30, "b"))])


def test_whoever_joins_may_say_yes_from_that_instant_on_and_never_before() -> None:
    before = missing(TWO_OF_A, [], {}, at(30) - timedelta(microseconds=1))
    assert before == Outstanding(stage=0, missing=2, wanted=Stage(needs=(need(2, "a"),)))
    joined = missing(TWO_OF_A, [], {}, at(30))
    assert joined == Outstanding(stage=0, missing=2, wanted=Stage(needs=(need(2, "a", "b"),)))


def test_it_takes_as_many_yeses_as_before() -> None:
    voters = people(ann="a", bea="b", bob="b")
    cast = [*votes(("ann", 0)), *votes(("bea", 0), minutes=31)]
    assert missing(TWO_OF_A, cast[:1], voters, at(31)) is not None
    assert missing(TWO_OF_A, cast, voters, at(31)) is None
    both = votes(("bea", 0), ("bob", 0), minutes=40)
    assert missing(TWO_OF_A, both, voters, at(40)) is None
    # Had they been let to vote before they joined, it would count for nothing.
    assert missing(TWO_OF_A, votes(("bea", 0), ("bob", 0)), voters, at(29)) is not None


def test_the_requester_does_not_count_by_joining() -> None:
    voters = {REQUESTER: person(REQUESTER, "b"), **people(ann="a")}
    cast = votes((REQUESTER, 0), ("ann", 0))
    left = missing(TWO_OF_A, cast, voters, at(60))
    assert left is not None
    assert left.missing == 1


def test_a_stage_begins_to_wait_with_the_last_yes_before_it() -> None:
    voters = people(ann="a", bea="b", cat="c")
    cast = votes(("ann", 0), minutes=50)
    waiting = missing(A_THEN_C, cast, voters, at(79))
    assert waiting == Outstanding(stage=1, missing=1, wanted=Stage(needs=(need(1, "c"),)))
    joined = missing(A_THEN_C, cast, voters, at(80))
    assert joined == Outstanding(stage=1, missing=1, wanted=Stage(needs=(need(1, "c", "b"),)))
    done = [*cast, *votes(("bea", 1), minutes=80)]
    assert missing(A_THEN_C, done, voters, at(80)) is None


def test_a_vote_of_somebody_gone_since_moves_no_beginning() -> None:
    # Ann left when Al had said yes in her place: the second stage begins with his yes.
    cast = [*votes(("ann", 0), minutes=10), *votes(("al", 0), minutes=50)]
    for voters in (people(al="a"), people(ann="", al="a")):
        left = missing(A_THEN_C, cast, voters, at(79))
        assert left is not None
        assert left.wanted == Stage(needs=(need(1, "c"),))


def test_what_was_said_yes_to_by_joining_still_counts_much_later() -> None:
    cast = votes(("bea", 0), ("bob", 0), minutes=31)
    assert missing(TWO_OF_A, cast, people(bea="b", bob="b"), at(600)) is None


def named(asked: Approval, stage: int, cast: list[Vote], now: datetime) -> list[str]:
    return [who.id for who in escalated(asked, stage, cast, asked_at=NOW, now=now)]


def test_who_has_joined_is_named_stage_by_stage() -> None:
    assert named(TWO_OF_A, 0, [], at(29)) == []
    assert named(TWO_OF_A, 0, [], at(30)) == ["b"]
    # A stage that cannot have begun has nobody join it, however long the one before waits.
    assert named(A_THEN_C, 1, [], at(600)) == []
    cast = votes(("ann", 0), minutes=50)
    assert named(A_THEN_C, 1, cast, at(79)) == []
    assert named(A_THEN_C, 1, cast, at(80)) == ["b"]
    twice = approval([need(1, "a", later=after(5, "b")), need(1, "c", later=after(9, "b"))])
    assert named(twice, 0, [], at(7)) == ["b"]
    assert named(twice, 0, [], at(9)) == ["b"]


def test_as_it_is_asked_now_an_approval_has_whoever_joined_and_no_word_of_others() -> None:
    def asked(cast: list[Vote], now: datetime) -> Approval:
        return with_escalations(A_THEN_C, cast, asked_at=NOW, now=now)

    assert asked([], NOW) == approval([need(1, "a")], [need(1, "c")])
    assert asked([], at(30)) == approval([need(1, "a", "b")], [need(1, "c")])
    cast = votes(("ann", 0), minutes=10)
    assert asked(cast, at(40)) == approval([need(1, "a", "b")], [need(1, "c", "b")])


def comes(asked: Approval, cast: list[Vote], now: datetime, **groups: str) -> datetime | None:
    return next_escalation(asked, cast, people(**groups), REQUESTER, asked_at=NOW, now=now)


def test_when_somebody_next_joins_is_known_beforehand() -> None:
    assert comes(TWO_OF_A, [], NOW) == at(30)
    assert comes(TWO_OF_A, [], at(29)) == at(30)
    assert comes(TWO_OF_A, [], at(30)) is None
    assert comes(TWO_OF_A, votes(("ann", 0)), NOW, ann="a") == at(30)
    assert comes(TWO_OF_A, votes(("ann", 0), ("al", 0)), NOW, ann="a", al="a") is None
    # The second stage counts from the yes that began it.
    assert comes(A_THEN_C, votes(("ann", 0), minutes=50), at(50), ann="a") == at(80)
    several = approval([need(1, "a", later=after(9, "c")), need(1, "b", later=after(5, "c"))])
    assert comes(several, [], NOW) == at(5)
    assert comes(several, [], at(5)) == at(9)


def test_nobody_joins_a_need_that_is_met() -> None:
    both = approval([need(1, "a", later=after(5, "c")), need(1, "b", later=after(9, "c"))])
    assert comes(both, votes(("ann", 0)), NOW, ann="a") == at(9)


# ── Adding up ────────────────────────────────────────────────────────────────────────────────


def test_no_approvals_add_up_to_an_error_and_not_to_consent() -> None:
    with pytest.raises(ValueError, match="at least one"):
        combine([])


def test_the_same_approvers_are_asked_for_the_larger_count() -> None:
    one = approval([need(1, "a", "b")])
    two = approval([need(2, "b", "a")])
    assert combine([one, two]) == two
    assert combine([two, one]) == two


def test_different_approvers_are_all_asked_stage_by_stage() -> None:
    assert combine(
        [approval([need(1, "a")]), approval([need(2, "b")], [need(1, "c")])]
    ) == approval([need(1, "a"), need(2, "b")], [need(1, "c")])


def test_what_one_stage_asks_of_the_same_people_twice_stays_twice() -> None:
    twice = approval([need(1, "a"), need(1, "a")])
    assert combine([twice, approval([need(1, "a")])]) == approval([need(2, "a")])


def test_the_same_approvers_keep_an_escalation_only_if_all_agree_on_it() -> None:
    plain, soon, late, other = (
        approval([need(1, "a", later=later)])
        for later in (None, after(5, "b"), after(9, "b"), after(5, "c"))
    )
    assert combine([soon, late]) == combine([late, soon]) == late
    assert combine([soon, soon]) == soon
    for alone in (plain, other):
        assert combine([soon, alone]) == combine([alone, soon]) == plain
        # What was once dropped does not come back with a third rule.
        assert combine([soon, alone, soon]) == plain
    assert combine([soon, approval([need(2, "a", later=after(9, "b"))])]) == approval(
        [need(2, "a", later=after(9, "b"))]
    )
    apart = combine([soon, approval([need(1, "c")])])
    assert apart == approval([need(1, "a", later=after(5, "b")), need(1, "c")])


MINUTES = (0, 4, 5, 8, 9, 12, 15, 20, 30, 60)
"""Around the times after which drawn needs escalate, counted from different votes."""


@st.composite
def timed_votes(draw: st.DrawFn, voters: Mapping[PersonId, Person]) -> tuple[list[Vote], datetime]:
    """Draw an instant, and a vote of each in any stage at any time before it."""
    now = draw(st.sampled_from(range(len(MINUTES))))
    cast = [
        Vote(
            by=name,
            stage=draw(st.integers(0, 1)),
            at=at(MINUTES[draw(st.integers(0, now))]),
            reason="",
        )
        for name in voters
    ]
    return cast, at(MINUTES[now])


later = st.one_of(st.none(), st.builds(after, st.sampled_from((5, 9, 15)), st.sampled_from(GROUPS)))
needs = st.builds(
    Need,
    count=st.integers(1, 2),
    escalation=later,
    approvers=st.lists(st.sampled_from(GROUPS), min_size=1, unique=True).map(
        lambda names: tuple(map(group, names))
    ),
)
stages = st.builds(Stage, needs=st.lists(needs, min_size=1, max_size=2).map(tuple))
approvals = st.builds(Approval, stages=st.lists(stages, min_size=1, max_size=2).map(tuple))
crowds = st.lists(st.sets(st.sampled_from(GROUPS)), max_size=6).map(
    lambda crowd: {
        PersonId(f"p{number}"): person(f"p{number}", *groups) for number, groups in enumerate(crowd)
    }
)


@given(st.lists(approvals, min_size=1, max_size=3), approvals, crowds, st.data())
def test_a_new_rule_never_weakens_an_approval(
    old: list[Approval], new: Approval, voters: dict[PersonId, Person], data: st.DataObject
) -> None:
    cast, now = data.draw(timed_votes(voters))
    if missing(combine([*old, new]), cast, voters, now) is None:
        assert missing(combine(old), cast, voters, now) is None
        for each in (*old, new):
            assert missing(each, cast, voters, now) is None


@settings(max_examples=300)
@given(
    st.integers(1, 2),
    st.lists(
        st.sampled_from([None, after(5, "b"), after(9, "b"), after(15, "b"), after(5, "c")]),
        min_size=2,
        max_size=3,
    ),
    st.lists(st.sampled_from("abbc"), min_size=1, max_size=3),
    st.lists(st.sampled_from(MINUTES), min_size=3, max_size=3),
    st.sampled_from(MINUTES),
)
def test_where_the_same_people_are_asked_nobody_joins_whom_one_rule_would_not_let(
    count: int, each: list[Escalation | None], of: list[str], times: list[int], minutes: int
) -> None:
    asked = [approval([need(count, "a", later=later)]) for later in each]
    voters = people(**{f"p{number}": name for number, name in enumerate(of)})
    cast = [
        vote
        for name, given in zip(voters, times, strict=False)
        for vote in votes((name, 0), minutes=min(given, minutes))
    ]
    if missing(combine(asked), cast, voters, at(minutes)) is None:
        assert all(missing(one, cast, voters, at(minutes)) is None for one in asked)


@given(st.lists(approvals, min_size=1, max_size=3), crowds, st.data())
def test_the_order_of_the_rules_does_not_matter(
    asked: list[Approval], voters: dict[PersonId, Person], data: st.DataObject
) -> None:
    cast, now = data.draw(timed_votes(voters))
    one, other = (
        missing(combine(order), cast, voters, now) for order in (asked, list(reversed(asked)))
    )
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert (one.stage, one.missing) == (other.stage, other.missing)


@given(approvals, crowds, st.data(), st.sampled_from(MINUTES))
def test_waiting_longer_never_asks_for_more(
    asked: Approval, voters: dict[PersonId, Person], data: st.DataObject, minutes: int
) -> None:
    cast, now = data.draw(timed_votes(voters))
    early, late = (
        missing(asked, cast, voters, when) for when in (now, now + timedelta(minutes=minutes))
    )
    if late is not None:
        assert early is not None
        assert (early.stage, -early.missing) <= (late.stage, -late.missing)


@given(approvals, crowds, st.data())
def test_nothing_changes_between_one_escalation_and_the_next(
    asked: Approval, voters: dict[PersonId, Person], data: st.DataObject
) -> None:
    cast, now = data.draw(timed_votes(voters))
    joins = next_escalation(asked, cast, voters, REQUESTER, asked_at=NOW, now=now)
    until = at(600) if joins is None else joins - timedelta(microseconds=1)
    before = missing(asked, cast, voters, now)
    assert joins is None or (before is not None and joins > now)
    if before is not None:
        assert missing(asked, cast, voters, until) == before


@given(approvals, crowds, st.data())
def test_what_is_said_to_be_missing_is(
    asked: Approval, voters: dict[PersonId, Person], data: st.DataObject
) -> None:
    cast = votes(*((name, data.draw(st.integers(0, 1))) for name in voters))
    left = missing(asked, cast, voters)
    if left is None:
        return
    wanted = {who.id for each in left.wanted.needs for who in each.approvers}
    for name in GROUPS:
        after = missing(asked, [*cast, *votes(("new", left.stage))], {**voters, **people(new=name)})
        nearer = after is None or after.stage > left.stage or after.missing < left.missing
        assert nearer == (name in wanted)


# ── Whether it can be met at all ─────────────────────────────────────────────────────────────


def members(**groups: str) -> Mapping[str, frozenset[PersonId]]:
    return {name: frozenset(map(PersonId, letters)) for name, letters in groups.items()}


def possible(asked: Approval, inside: Mapping[str, frozenset[PersonId]], by: str = "x") -> bool:
    return can_be_met(asked, lambda who: inside.get(who.id, frozenset()), PersonId(by))


def test_a_quorum_can_be_met_by_enough_people_besides_the_requester() -> None:
    two_of_a = approval([need(2, "a")])
    assert possible(two_of_a, members(a="123"), by="1")
    assert not possible(two_of_a, members(a="12"), by="1")
    assert not possible(two_of_a, members())


def test_nobody_can_be_counted_on_for_two_stages() -> None:
    asked = approval([need(1, "a")], [need(1, "b")])
    assert not possible(asked, members(a="1", b="1"))
    assert possible(asked, members(a="1", b="12"))
    assert possible(asked, members(a="12", b="1"))


def test_whoever_would_only_join_later_is_not_counted_on() -> None:
    later = approval([need(2, "a", later=after(30, "b"))])
    assert not possible(later, members(a="1", b="23"))
    assert possible(later, members(a="12"))


def test_a_large_group_leaves_room_for_the_others() -> None:
    crowd = frozenset(PersonId(str(number)) for number in range(10_000))
    asked = approval([need(3, "all"), need(3, "few")])
    few = frozenset(map(PersonId, "123"))
    assert possible(asked, {"all": crowd, "few": few})
    assert not possible(asked, {"all": crowd, "few": few}, by="1")


@given(approvals, crowds)
def test_an_approval_can_be_met_exactly_when_some_votes_would_meet_it(
    asked: Approval, crowd: dict[PersonId, Person]
) -> None:
    inside = {
        name: frozenset(who.id for who in crowd.values() if name in who.groups) for name in GROUPS
    }
    second = len(asked.stages) > 1
    some_votes_meet_it = any(
        missing(asked, votes(*((who, int(who in late)) for who in crowd)), crowd) is None
        for size in range(len(crowd) + 1 if second else 1)
        for late in combinations(crowd, size)
    )
    assert possible(asked, inside, by=REQUESTER) == some_votes_meet_it
