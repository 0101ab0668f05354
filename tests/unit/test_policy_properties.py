"""What holds of every policy, whatever its rules are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitcloud.approval import Outstanding, next_escalation, outstanding
from jitcloud.catalog import Catalog
from jitcloud.directories.static import StaticDirectory
from jitcloud.model import (
    Activate,
    Approval,
    Ask,
    BreakGlass,
    Decision,
    Denied,
    NeedsApproval,
    Person,
    PersonId,
    Reach,
    Scope,
    Stage,
    Vote,
)
from jitcloud.policy import Policy, World
from tests import drawn_policies as drawn
from tests.drawn_policies import HERE, VOTERS
from tests.example import FOLDER, TUESDAY, Organisation, minutes

PEOPLE = {person.id: person for person in VOTERS.values()}

# A forbid that holds for everybody, so that a policy is never refused for having no rule at all.
ANCHOR = (
    '@id("anchor") permit (principal == User::"u-owner", action == Action::"activate", resource);'
)


def policy_of(rules: list[str], organisation: Organisation = HERE) -> Policy:
    return organisation.policy({"drawn.cedar": "\n".join([ANCHOR, *rules])})


def inserted(rules: list[str], more: str, where: int) -> list[str]:
    """Put a further rule before the others or after them."""
    (further,) = drawn.named([more], "more")
    return [further, *rules] if where == 0 else [*rules, further]


def left(
    approval: Approval,
    votes: Sequence[Vote],
    requester: PersonId,
    now: datetime = TUESDAY,
    people: Mapping[PersonId, Person] = PEOPLE,
) -> Outstanding | None:
    return outstanding(approval, votes, people, requester, asked_at=TUESDAY, now=now)


def enough_votes(
    approval: Approval, order: Sequence[str], requester: PersonId, pace: timedelta
) -> list[Vote] | None:
    """Let people vote in this order, one after the other, wherever they still help.

    Where nobody can, somebody may join those asked after a while. None where it is never enough.
    """
    votes: list[Vote] = []
    now = TUESDAY
    while (missing := left(approval, votes, requester, now)) is not None:
        asked = [who for need in missing.wanted.needs for who in need.approvers]
        voted = {vote.by for vote in votes} | {requester}
        helping = (
            VOTERS[name]
            for name in order
            if VOTERS[name].id not in voted and any(who.includes(VOTERS[name]) for who in asked)
        )
        voter = next(helping, None)
        if voter is None:
            later = next_escalation(approval, votes, PEOPLE, requester, asked_at=TUESDAY, now=now)
            if later is None:
                return None
            assert later > now
            now = later
            continue
        votes.append(Vote(by=voter.id, stage=missing.stage, at=now, reason=""))
        now += pace
    return votes


def whenever(votes: Sequence[Vote]) -> list[datetime]:
    """Some instants at and after the last vote: escalations of drawn rules take up to an hour."""
    last = max((vote.at for vote in votes), default=TUESDAY)
    return [last, *(last + minutes(later) for later in (10, 30, 60, 600))]


ASKS = st.lists(st.tuples(drawn.asks(), drawn.worlds()), min_size=8, max_size=8)
GLASS_ASKS = st.lists(
    st.tuples(drawn.asks(break_glass=(True,)), drawn.worlds()), min_size=8, max_size=8
)
WHERE = st.sampled_from((0, -1))
ORDERS = st.lists(st.permutations(sorted(VOTERS)), min_size=4, max_size=4)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

# ── More rules ───────────────────────────────────────────────────────────────────────────────


@settings(max_examples=100, suppress_health_check=SLOW)
@given(
    rules_and_one_more=drawn.rules_and_one_more(),
    asks=ASKS,
    orders=ORDERS,
    pace=st.sampled_from((0, 7, 20, 45)),
    where=WHERE,
)
def test_a_further_permit_of_request_never_lightens_an_approval(
    rules_and_one_more: tuple[list[str], str],
    asks: list[tuple[Ask, World]],
    orders: list[list[str]],
    pace: int,
    where: int,
) -> None:
    base, more = rules_and_one_more
    rules = drawn.named(base)
    old, new = policy_of(rules), policy_of(inserted(rules, more, where))
    for ask, world in asks:
        before, after = HERE.judge(old, ask, world), HERE.judge(new, ask, world)
        match before:
            case Activate():
                assert after == before
            case BreakGlass():
                # Whose yes is passed over may be more; nothing else changes.
                assert isinstance(after, BreakGlass)
                assert replace(after, skipped=before.skipped) == before
            case NeedsApproval() if isinstance(after, NeedsApproval):
                assert set(before.rules) <= set(after.rules)
                for order in orders:
                    votes = enough_votes(after.approval, order, ask.person, minutes(pace))
                    assert votes is None or all(
                        left(before.approval, votes, ask.person, now) is None
                        for now in whenever(votes)
                        if left(after.approval, votes, ask.person, now) is None
                    )
            case _:
                # Also where the new rule asks for a manager who is not there: that refuses.
                assert not isinstance(after, Activate | BreakGlass)


@settings(max_examples=100, suppress_health_check=SLOW)
@given(
    base=drawn.rules_about_glass(),
    more=drawn.permits_of_break_glass(),
    asks=GLASS_ASKS,
    orders=ORDERS,
    where=WHERE,
)
def test_a_further_permit_of_break_glass_never_lightens_a_review(
    base: list[str],
    more: str,
    asks: list[tuple[Ask, World]],
    orders: list[list[str]],
    where: int,
) -> None:
    rules = drawn.named(base)
    old, new = policy_of(rules), policy_of(inserted(rules, more, where))
    for ask, world in asks:
        plain = replace(ask, break_glass=False)
        assert HERE.judge(new, plain, world) == HERE.judge(old, plain, world)
        before, after = HERE.judge(old, ask, world), HERE.judge(new, ask, world)
        assert not isinstance(after, NeedsApproval)
        match before:
            case Activate():
                assert after == before
            case BreakGlass() if isinstance(after, BreakGlass):
                assert set(before.rules) <= set(after.rules)
                assert after.review.within <= before.review.within
                assert set(before.notify) <= set(after.notify)
                assert after.skipped == before.skipped
                for order in orders:
                    heavier = Approval(stages=(after.review.by,))
                    seen = enough_votes(heavier, order, ask.person, minutes(1))
                    if seen is not None:
                        lighter = Approval(stages=(before.review.by,))
                        assert left(lighter, seen, ask.person) is None
            case _:
                assert not isinstance(after, Activate)


# Of a request that takes a yes and of a broken glass neither is more: it depends on what was asked.
RANK = {"denied": 0, "needs-approval": 1, "break-glass": 1, "activate": 2}


@settings(max_examples=100, suppress_health_check=SLOW)
@given(
    base=drawn.rules(),
    brakes=st.lists(drawn.brakes(), max_size=3),
    more=drawn.forbids_of_anything(),
    asks=ASKS,
    scopes=st.lists(drawn.scopes(), min_size=4, max_size=4),
)
def test_a_further_forbid_never_allows_more(
    base: list[str],
    brakes: list[str],
    more: str,
    asks: list[tuple[Ask, World]],
    scopes: list[Scope],
) -> None:
    rules = drawn.named([*base, *brakes])
    old, new = policy_of(rules), policy_of([*rules, *drawn.named([more], "more")])
    for ask, world in asks:
        before, after = HERE.judge(old, ask, world), HERE.judge(new, ask, world)
        assert RANK[after.kind] <= RANK[before.kind]
        match before, after:
            case NeedsApproval(), NeedsApproval():
                assert after == before
            case BreakGlass(), BreakGlass():
                assert after.skipped in {before.skipped, None}
                assert replace(after, skipped=before.skipped) == before
    for ask, world in asks[:2]:
        before = HERE.judge(old, ask, world)
        requester = HERE.directory.person(ask.person)
        stages = before.approval.stages if isinstance(before, NeedsApproval) else ()
        for voter in VOTERS.values():
            if new.may_vote(voter, minutes(1), requester, stages) is None:
                assert old.may_vote(voter, minutes(1), requester, stages) is None
        for scope, verb in product(scopes, VERBS):
            if braked(new, verb, requester, scope) is None:
                assert braked(old, verb, requester, scope) is None


VERBS: tuple[Literal["stop", "end"], ...] = ("stop", "end")


def braked(
    policy: Policy,
    verb: Literal["stop", "end"],
    person: Person,
    scope: Scope,
    organisation: Organisation = HERE,
) -> Denied | None:
    thing = organisation.catalog.get(scope.id) if scope.reach is Reach.ENTITLEMENT else None
    about = organisation.directory.person(scope.id) if scope.reach is Reach.PERSON else None
    return policy.may_brake(verb, person, None, scope, thing, about)


@settings(max_examples=100, suppress_health_check=SLOW)
@given(base=drawn.rules(), asks=ASKS, scopes=st.lists(drawn.scopes(), min_size=8, max_size=8))
def test_nobody_uses_a_brake_that_no_rule_permits(
    base: list[str], asks: list[tuple[Ask, World]], scopes: list[Scope]
) -> None:
    policy = policy_of(drawn.named(base))
    for (ask, _), scope, verb in zip(asks, scopes, VERBS * 4, strict=True):
        refusal = braked(policy, verb, HERE.directory.person(ask.person), scope)
        assert refusal is not None
        assert f'Action::"{verb}"' in refusal.because[0]


CARELESS = (
    '@id("c-1") permit (principal, action == Action::"approve", resource);',
    (
        '@id("c-2") permit (principal, action == Action::"approve", resource)'
        " when { principal == resource.requester };"
    ),
    (
        '@id("c-3")'
        ' permit (principal in Group::"developers", action == Action::"approve", resource)'
        ' unless { resource.requester in Group::"sre" };'
    ),
)


@settings(max_examples=100, suppress_health_check=SLOW)
@given(
    base=drawn.rules(),
    careless=st.sets(st.sampled_from(CARELESS)),
    asks=ASKS,
    votes=drawn.votes(),
)
def test_nobody_approves_or_reviews_their_own(
    base: list[str], careless: set[str], asks: list[tuple[Ask, World]], votes: list[Vote]
) -> None:
    policy = policy_of([*drawn.named(base), *sorted(careless)])
    for ask, world in asks:
        decision = HERE.judge(policy, ask, world)
        asked: tuple[Stage, ...] = ()
        match decision:
            case NeedsApproval():
                asked = decision.approval.stages
            case BreakGlass():
                asked = (decision.review.by,)
        requester = HERE.directory.person(ask.person)
        for stages in (asked, asked[:1], ()):
            assert policy.may_vote(requester, minutes(1), requester, stages) is not None
        if not asked:
            continue
        everybody = {**PEOPLE, requester.id: requester}
        others = [vote for vote in votes if vote.by != requester.id]
        for stage, now in product(range(len(asked)), (TUESDAY, TUESDAY + minutes(600))):
            own = Vote(by=requester.id, stage=stage, at=TUESDAY, reason="")
            approval = Approval(stages=asked)
            alone = left(approval, others, requester.id, now, everybody)
            assert left(approval, [*others, own], requester.id, now, everybody) == alone


# ── Another order ────────────────────────────────────────────────────────────────────────────


def meaning(decision: Decision) -> object:
    """What a decision says, without the order in which it says it."""
    rules = frozenset(decision.rules)
    match decision:
        case NeedsApproval(approval=approval):
            return decision.kind, rules, stages_of(approval)
        case Denied(because=because):
            return decision.kind, rules, frozenset(because)
        case BreakGlass(review=review, notify=notify, skipped=skipped):
            by = stages_of(Approval(stages=(review.by,)))
            passed = None if skipped is None else stages_of(skipped)
            return decision.kind, rules, review.within, by, frozenset(notify), passed
        case Activate():
            return decision.kind, rules


def stages_of(approval: Approval) -> object:
    return tuple(
        frozenset((need.count, frozenset(need.approvers), need.escalation) for need in stage.needs)
        for stage in approval.stages
    )


def people_in_another_order(shuffle: st.DataObject, path: Path) -> StaticDirectory:
    tables = tomllib.loads((FOLDER / "people.toml").read_text())
    lines = []
    for person in shuffle.draw(st.permutations(tables["person"])):
        lines += ["[[person]]", *(f"{key} = {json.dumps(value)}" for key, value in person.items())]
    for kind in ("groups", "rotations"):
        lines.append(f"[{kind}]")
        for name, lists in shuffle.draw(st.permutations(sorted(tables[kind].items()))):
            inside = ", ".join(
                f"{key} = {json.dumps(shuffle.draw(st.permutations(ids)))}"
                for key, ids in lists.items()
            )
            lines.append(f"{name} = {{ {inside} }}")
    path.write_text("\n".join(lines))
    return StaticDirectory(path)


@settings(max_examples=60, suppress_health_check=SLOW)
@given(
    base=drawn.rules_about_glass(),
    brakes=st.lists(drawn.brakes(), max_size=3),
    asks=ASKS,
    scopes=st.lists(drawn.scopes(), min_size=8, max_size=8),
    shuffle=st.data(),
)
def test_the_order_of_files_rules_people_and_groups_changes_nothing(
    base: list[str],
    brakes: list[str],
    asks: list[tuple[Ask, World]],
    scopes: list[Scope],
    shuffle: st.DataObject,
) -> None:
    rules = [ANCHOR, *drawn.named([*base, *brakes])]
    before = HERE.policy({"a.cedar": "\n".join(rules)})
    files: dict[str, list[str]] = {}
    for rule in shuffle.draw(st.permutations(rules)):
        files.setdefault(shuffle.draw(st.sampled_from(("z.cedar", "b.cedar"))), []).append(rule)
    with tempfile.TemporaryDirectory() as folder:
        other = Organisation(
            directory=people_in_another_order(shuffle, Path(folder) / "people.toml"),
            catalog=Catalog({t.id: t for t in shuffle.draw(st.permutations(list(HERE.catalog)))}),
        )
        after = other.policy({name: "\n".join(texts) for name, texts in files.items()})
        for name in (*drawn.NAMES, *VOTERS):
            assert other.person(name) == HERE.person(name)
        for ask, world in asks:
            said = other.judge(after, ask, world)
            assert meaning(said) == meaning(HERE.judge(before, ask, world))
        for (ask, _), scope, verb in zip(asks, scopes, VERBS * 4, strict=True):
            here = braked(before, verb, HERE.directory.person(ask.person), scope)
            there = braked(after, verb, other.directory.person(ask.person), scope, other)
            assert (here and meaning(here)) == (there and meaning(there))


# ── Another process ──────────────────────────────────────────────────────────────────────────

SAYS_EVERYTHING = """
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from jitcloud.cli.rulebook import open_rulebook
from jitcloud.policy.everybody import Named
from jitcloud.policy.explain import Explainer
from jitcloud.policy.matrix import FEWER, Matrix, what_if
from jitcloud.model import Window

book = open_rulebook(Path("docs/examples")).with_anybody()
people = Named.by(book.policy.rules, book.catalog).everybody(book.directory)
explainer = Explainer(policy=book.policy, directory=book.directory, decide=book.decide)
for person, thing, having in product(people, book.catalog, FEWER):
    ask, world = what_if(person, thing, timedelta(hours=1), having)
    broken = replace(ask, break_glass=True)
    print(book.decide(ask, world), book.decide(broken, world))
    if person.id not in {"oscar", "sam", "deniz"} or thing.id not in {"orders-admin", "dev-read"}:
        continue
    for ask in (ask, broken)[having not in {"", "ticket"}:]:
        window = Window(start=ask.asked_at, deadline=ask.asked_at + ask.duration)
        found = explainer.explain(ask, world, window)
        print([hint.sentence for hint in found.hints], [rule.id for rule in found.rules])
        print([[p.id for p in asked.people] for asked in (*found.asked, *found.reviewers)])
"""


# The decision alone, to start many processes: what the line above asks takes each one seconds.
SAYS_WHAT_IS_DECIDED = """
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from jitcloud.catalog import Catalog
from jitcloud.directories.static import StaticDirectory
from jitcloud.model import PersonId, Reach, Scope, Window
from jitcloud.policy import Policy
from jitcloud.policy.matrix import FEWER, what_if

example = Path("docs/examples")
catalog = Catalog.load(example / "catalog.toml")
directory = StaticDirectory(example / "people.toml")
policy = Policy.load(example / "policy", catalog=catalog, directory=directory)
names = ("dana", "deniz", "carlos", "otto", "oscar", "sam", "lena", "paul", "kim", "sven", "mara")
people = [directory.person(name) for name in names]
for person, thing, having, is_broken in product(people, catalog, FEWER, (False, True)):
    ask, world = what_if(person, thing, timedelta(hours=1), having)
    window = Window(start=ask.asked_at, deadline=ask.asked_at + ask.duration)
    print(policy.judge(replace(ask, break_glass=is_broken), person, world, window))
for person, other in product(people, people):
    scope = Scope(reach=Reach.PERSON, id=other.id)
    for verb in ("stop", "end"):
        print(policy.may_brake(verb, person, None, scope, None, other))
"""


def said_by_processes(code: str, seeds: Sequence[int]) -> list[str]:
    """Let a process for each seed say everything; as many at a time as there are processors."""

    def run(seed: int) -> str:
        return subprocess.run(  # noqa: S603 - our own interpreter and text
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        ).stdout

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(run, seeds))


def test_every_process_gives_the_same_answers_and_the_same_reasons() -> None:
    said = said_by_processes(SAYS_EVERYTHING, (0, 1, 2, 4294967295))
    assert len(set(said)) == 1
    assert "NeedsApproval" in said[0]
    assert "BreakGlass" in said[0]
    assert "This would be allowed" in said[0]


@pytest.mark.long
def test_fifty_processes_decide_alike() -> None:
    said = said_by_processes(SAYS_WHAT_IS_DECIDED, range(50))
    assert len(said) == 50
    assert len(set(said)) == 1
    assert "NeedsApproval" in said[0]
    assert "BreakGlass" in said[0]
