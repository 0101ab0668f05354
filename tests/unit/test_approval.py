from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitcloud.approval import Outstanding, can_be_met, combine, outstanding
from jitcloud.model import Approval, Approver, GroupId, Need, Person, PersonId, Stage, Vote

NOW = datetime(2030, 1, 1, tzinfo=UTC)
REQUESTER = PersonId("requester")
GROUPS = ("a", "b", "c")


def group(name: str) -> Approver:
    return Approver(kind="group", id=name)


def need(count: int, *names: str) -> Need:
    return Need(count=count, approvers=tuple(map(group, names)))


def approval(*stages: Iterable[Need]) -> Approval:
    return Approval(stages=tuple(Stage(needs=tuple(needs)) for needs in stages))


def person(name: str, *groups: str) -> Person:
    return Person(id=PersonId(name), name=name, groups=frozenset(map(GroupId, groups)))


def people(**groups: str) -> dict[PersonId, Person]:
    """Make people by name, in the groups whose letters are given."""
    return {PersonId(name): person(name, *letters) for name, letters in groups.items()}


def votes(*cast: tuple[str, int]) -> list[Vote]:
    return [Vote(by=PersonId(name), stage=stage, at=NOW, reason="") for name, stage in cast]


def missing(
    asked: Approval, cast: list[Vote], voters: Mapping[PersonId, Person]
) -> Outstanding | None:
    return outstanding(asked, cast, voters, REQUESTER, asked_at=NOW, now=NOW)


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


needs = st.builds(
    Need,
    count=st.integers(1, 2),
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
    cast = votes(*((name, data.draw(st.integers(0, 1))) for name in voters))
    if missing(combine([*old, new]), cast, voters) is None:
        assert missing(combine(old), cast, voters) is None
        for each in (*old, new):
            assert missing(each, cast, voters) is None


@given(st.lists(approvals, min_size=1, max_size=3), crowds, st.data())
def test_the_order_of_the_rules_does_not_matter(
    asked: list[Approval], voters: dict[PersonId, Person], data: st.DataObject
) -> None:
    cast = votes(*((name, data.draw(st.integers(0, 1))) for name in voters))
    one, other = (missing(combine(order), cast, voters) for order in (asked, list(reversed(asked))))
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert (one.stage, one.missing) == (other.stage, other.missing)


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
