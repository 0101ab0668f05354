"""What holds of every policy, whatever its rules are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitcloud.approval import outstanding
from jitcloud.catalog import Catalog
from jitcloud.directories.static import StaticDirectory
from jitcloud.model import Activate, Approval, Ask, Decision, Denied, NeedsApproval, PersonId, Vote
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


def is_met(decision: NeedsApproval, votes: Sequence[Vote], requester: PersonId) -> bool:
    return left(decision, votes, requester) is None


def enough_votes(
    decision: NeedsApproval, order: Sequence[str], requester: PersonId
) -> list[Vote] | None:
    """Let people vote in this order, wherever they still help, until it is enough."""
    votes: list[Vote] = []
    for _ in order:
        missing = left(decision, votes, requester)
        if missing is None:
            return votes
        asked = [who for need in missing.wanted.needs for who in need.approvers]
        voted = {vote.by for vote in votes} | {requester}
        helping = (
            VOTERS[name]
            for name in order
            if VOTERS[name].id not in voted and any(who.includes(VOTERS[name]) for who in asked)
        )
        voter = next(helping, None)
        if voter is None:
            return None
        votes.append(Vote(by=voter.id, stage=missing.stage, at=TUESDAY, reason=""))
    return votes if is_met(decision, votes, requester) else None


ASKS = st.lists(st.tuples(drawn.asks(), drawn.worlds()), min_size=8, max_size=8)
ORDERS = st.lists(st.permutations(sorted(VOTERS)), min_size=4, max_size=4)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

# ── More rules ───────────────────────────────────────────────────────────────────────────────


@settings(max_examples=100, suppress_health_check=SLOW)
@given(base=drawn.rules(), more=drawn.permits_of_request(), asks=ASKS, orders=ORDERS)
def test_a_further_permit_of_request_never_lightens_an_approval(
    base: list[str], more: str, asks: list[tuple[Ask, World]], orders: list[list[str]]
) -> None:
    rules = drawn.named(base)
    old, new = policy_of(rules), policy_of([*rules, *drawn.named([more], "more")])
    for ask, world in asks:
        before, after = HERE.judge(old, ask, world), HERE.judge(new, ask, world)
        match before:
            case Activate():
                assert after == before
            case NeedsApproval() if isinstance(after, NeedsApproval):
                assert set(before.rules) <= set(after.rules)
                for order in orders:
                    votes = enough_votes(after, order, ask.person)
                    assert votes is None or is_met(before, votes, ask.person)
            case _:
                # Also where the new rule asks for a manager who is not there: that refuses.
                assert not isinstance(after, Activate)


RANK = {"denied": 0, "needs-approval": 1, "activate": 2}


@settings(max_examples=100, suppress_health_check=SLOW)
@given(base=drawn.rules(), more=drawn.forbids(), asks=ASKS)
def test_a_further_forbid_never_allows_more(
    base: list[str], more: str, asks: list[tuple[Ask, World]]
) -> None:
    rules = drawn.named(base)
    old, new = policy_of(rules), policy_of([*rules, *drawn.named([more], "more")])
    for ask, world in asks:
        before, after = HERE.judge(old, ask, world), HERE.judge(new, ask, world)
        assert RANK[after.kind] <= RANK[before.kind]
        if isinstance(before, NeedsApproval) and isinstance(after, NeedsApproval):
            assert after == before


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
def test_nobody_approves_their_own_request(
    base: list[str], careless: set[str], asks: list[tuple[Ask, World]], votes: list[Vote]
) -> None:
    policy = policy_of([*drawn.named(base), *sorted(careless)])
    for ask, world in asks:
        decision = HERE.judge(policy, ask, world)
        asked = decision.approval.stages if isinstance(decision, NeedsApproval) else ()
        requester = HERE.directory.person(ask.person)
        for stages in (asked, asked[:1], ()):
            assert policy.may_vote(requester, minutes(1), requester, stages) is not None
        if isinstance(decision, NeedsApproval):
            everybody = {**PEOPLE, requester.id: requester}
            others = [vote for vote in votes if vote.by != requester.id]
            alone = left(decision, others, requester.id, everybody)
            for stage in range(len(asked)):
                own = Vote(by=requester.id, stage=stage, at=TUESDAY, reason="")
                found = left(decision, [*others, own], requester.id, everybody)
                assert found == alone


# ── Another order ────────────────────────────────────────────────────────────────────────────


def meaning(decision: Decision) -> object:
    """What a decision says, without the order in which it says it."""
    rules = frozenset(decision.rules)
    match decision:
        case NeedsApproval(approval=approval):
            return decision.kind, rules, stages_of(approval)
        case Denied(because=because):
            return decision.kind, rules, frozenset(because)
        case Activate():
            return decision.kind, rules


def stages_of(approval: Approval) -> object:
    return tuple(
        frozenset((need.count, frozenset(need.approvers)) for need in stage.needs)
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
@given(base=drawn.rules(), asks=ASKS, shuffle=st.data())
def test_the_order_of_files_rules_people_and_groups_changes_nothing(
    base: list[str], asks: list[tuple[Ask, World]], shuffle: st.DataObject
) -> None:
    rules = [ANCHOR, *drawn.named(base)]
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


# ── Another process ──────────────────────────────────────────────────────────────────────────

SAYS_EVERYTHING = """
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
    print(book.decide(ask, world))
    if having in {"", "ticket"} and thing.id in {"orders-admin", "customers-write"}:
        window = Window(start=ask.asked_at, deadline=ask.asked_at + ask.duration)
        found = explainer.explain(ask, world, window)
        print([hint.sentence for hint in found.hints], [rule.id for rule in found.rules])
        print([[p.id for p in asked.people] for asked in found.asked])
"""


def test_every_process_gives_the_same_answers_and_the_same_reasons() -> None:
    root = Path(__file__).parents[2]
    said = {
        seed: subprocess.run(  # noqa: S603 - our own interpreter and text
            [sys.executable, "-c", SAYS_EVERYTHING],
            check=True,
            capture_output=True,
            text=True,
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "2", "4294967295")
    }
    assert len(set(said.values())) == 1
    assert "NeedsApproval" in said["0"]
    assert "This would be allowed" in said["0"]
