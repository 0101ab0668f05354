"""What a policy says where something is not there, is given already, or is one of many."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfoNotFoundError

import pytest

from jitcloud.errors import Invalid, Misconfigured
from jitcloud.facts import as_if
from jitcloud.judge import Judge
from jitcloud.model import Activate, Approver, Ask, Decision, Reach, Scope, Window
from jitcloud.policy import Policy, World, cases, entities, evaluate
from jitcloud.policy.advice import Change, Decide, hints
from jitcloud.policy.explain import Explainer, Matched, members
from jitcloud.policy.fmt import formatted, replace_text
from jitcloud.policy.lint import reads
from jitcloud.policy.reviews import ReviewRule
from jitcloud.policy.trial import Trial
from jitcloud.policy.usage import usages
from tests.drawn_policies import HERE
from tests.example import minutes
from tests.unit.test_policy_usage import a_session

GLASS = (
    '@id("glass") @review("within 24h by security")'
    ' permit (principal, action == Action::"breakGlass", resource);'
)
INCIDENT = World(incident_verified=True)


def only(*rules: str) -> Policy:
    return HERE.policy({"only.cedar": "\n".join(rules)})


def permit(verb: str = "activate", when: str = "true") -> str:
    return f'@id("p") permit (principal, action == Action::"{verb}", resource) when {{ {when} }};'


def deciding(policy: Policy) -> Decide:
    """Judge as the broker does when an ask is made."""

    def decide(ask: Ask, world: World) -> Decision:
        judge = Judge(policy, HERE.catalog, HERE.directory, {}, as_if(world))
        return judge.first(ask, None, ask.asked_at)

    return decide


# ── What would help ──────────────────────────────────────────────────────────────────────────


def test_an_incident_that_is_given_is_the_one_that_would_help() -> None:
    ask = HERE.ask("oncall", "prod-write", incident="I-1")
    assert Change(incident=True).apply(ask, World()) == (ask, INCIDENT)


def test_what_is_found_open_stays_so_whatever_else_would_help() -> None:
    open_ones = World(ticket_verified=True, incident_verified=True)
    ask = HERE.ask("oncall", "prod-write", ticket="T-1", incident="I-1")
    assert Change(within=minutes(5)).apply(ask, open_ones)[1] == open_ones


def test_who_gave_no_incident_is_told_to_though_there_is_one_somewhere() -> None:
    found = hints(deciding(HERE.policy()), HERE.ask("oncall", "prod-write"), INCIDENT)
    assert Change(incident=True) in [hint.change for hint in found]


# ── Who and what ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["group", "rotation"])
def test_what_is_not_there_stands_for_nobody(kind: str) -> None:
    gone = Approver(kind=kind, id="gone")  # type: ignore[arg-type] # one of its kinds
    assert members(HERE.directory, gone) == frozenset()
    assert members(HERE.directory, Approver(kind="person", id="u-dev")) == {"u-dev"}


@pytest.mark.parametrize(
    ("permits", "forbids", "expected"),
    [(0, 0, False), (1, 0, True), (0, 1, False), (1, 1, False)],
)
def test_nothing_is_allowed_without_a_permit(permits: int, forbids: int, *, expected: bool) -> None:
    rules = only(permit()).rules
    found = Matched(verb="activate", permits=rules[:permits], forbids=rules[:forbids])
    assert found.is_allowed is expected


@pytest.mark.parametrize("reach", [Reach.EVERYTHING, Reach.CLOUD, Reach.ENTITLEMENT])
def test_a_brake_is_about_a_person_only_where_it_says_so(reach: Reach) -> None:
    policy = only(permit("stop", "resource has person"))
    sre, dev = HERE.person("sre"), HERE.person("dev")
    brake = Scope(reach=reach, id="" if reach is Reach.EVERYTHING else "aws")
    assert policy.may_brake("stop", sre, None, brake, None, dev) is not None
    theirs = Scope(reach=Reach.PERSON, id=dev.id)
    assert policy.may_brake("stop", sre, None, theirs, None, dev) is None


def test_who_looks_is_told_of_a_glass_that_goes_past_nobody() -> None:
    policy = only(GLASS)
    ask = replace(HERE.ask("dev", "dev-db", incident="I-1"), break_glass=True)
    window = Window(start=ask.asked_at, deadline=ask.asked_at + ask.duration)
    explainer = Explainer(policy=policy, directory=HERE.directory, decide=deciding(policy))
    found = explainer.explain(ask, INCIDENT, window)
    assert found.asked == ()
    assert [[who.id for who in each.people] for each in found.reviewers] == [["u-security"]]


def test_a_row_says_that_nobody_hears_of_a_glass(tmp_path: Path) -> None:
    path = tmp_path / "cases.toml"
    path.write_text(
        """[[case]]
        says = "nobody hears of it"
        who = "u-dev"
        what = "dev-db"
        duration = "1h"
        mfa = "5m"
        incident = true
        break_glass = true
        expect = "break-glass"
        notify = "nobody"
        skipped = "nobody"
        """
    )
    policy = only(GLASS)
    trial = Trial(
        policy=policy, catalog=HERE.catalog, directory=HERE.directory, decide=deciding(policy)
    )
    (case,) = cases.read(path).cases
    assert trial.tried(1, case).differences == ()


def test_once_it_is_met_only_the_last_stage_hears_another_yes(tmp_path: Path) -> None:
    path = tmp_path / "cases.toml"
    path.write_text(
        """[[case]]
        says = "met"
        who = "u-dev"
        approves = "u-analyst"
        what = "pii-read"
        duration = "1h"
        mfa = "5m"
        votes = ["u-owner", "u-privacy"]
        expect = "deny"
        """
    )
    policy = HERE.policy()
    trial = Trial(
        policy=policy, catalog=HERE.catalog, directory=HERE.directory, decide=deciding(policy)
    )
    (case,) = cases.read(path).cases
    found = trial.tried(1, case)
    assert found.verdict is not None, found.trouble
    assert found.verdict.because == ("You are not among the people asked to approve this.",)


def test_the_hours_of_utc_hang_on_no_clock_and_no_data_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = only(permit(when="context.start.hour == 12"))
    ask = HERE.ask("sre", "prod-read")
    assert ask.entitlement.zone == "UTC"

    def lacking(name: str) -> None:
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr(entities, "ZoneInfo", lacking)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert isinstance(HERE.judge(policy, ask), Activate)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_of_two_sessions_most_is_nearly_the_longer() -> None:
    (found,) = usages([a_session(1, 20), a_session(2, 120)], 0.05)
    assert (found.median, found.most) == (minutes(70), minutes(115))


# ── What is read ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ["", "by security", "within 24h", "soon by security"])
def test_a_review_that_cannot_be_read_is_told_with_how_it_is_written(text: str) -> None:
    with pytest.raises(Invalid, match='write it like "within 24h by security"'):
        ReviewRule.parse(text)


def test_what_a_rule_looks_at_within_a_record_is_seen() -> None:
    (rule,) = (r for r in only(permit(when="{a: context has ticket}.a")).rules if r.id == "p")
    assert reads(rule, "ticket")
    assert not reads(rule, "incident")


def test_rules_without_a_name_are_not_said_to_have_the_same() -> None:
    nameless = permit().removeprefix('@id("p") ')
    with pytest.raises(Misconfigured) as caught:
        only(nameless, nameless.replace("activate", "request"))
    assert "give this rule a name" in str(caught.value)
    assert "has a rule of this @id too" not in str(caught.value)


# ── Files ────────────────────────────────────────────────────────────────────────────────────


def test_a_rule_that_does_not_fit_the_schema_is_laid_out_all_the_same() -> None:
    rules = f"{permit(when='context.nothing')}\n{permit()}"
    assert formatted("a.cedar", rules).count("permit (") == 2


def test_a_text_is_on_the_disk_as_a_whole_before_it_takes_the_old_ones_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.cedar"
    path.write_text("old")
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: sizes.append(os.fstat(handle).st_size))
    replace_text(path, "a new text")
    assert sizes == [len("a new text")]


# ── What is remembered ───────────────────────────────────────────────────────────────────────


def test_what_cedar_said_is_remembered_and_not_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluate, "ANSWERS", 2)
    monkeypatch.setattr(evaluate, "THINGS", 2)
    policy = only(permit())
    cedar = policy._cedar  # noqa: SLF001 - nothing else shows what is kept
    answers, things = cedar._answers, cedar._things  # noqa: SLF001 - the same
    kept = []
    for what in ("dev-db", "prod-read", "prod-write"):
        HERE.judge(policy, HERE.ask("dev", what))
        kept.append((len(answers), len(things)))
    assert kept == [(1, 1), (2, 2), (1, 1)]
    # Another who asks for the same: another question, about the same thing.
    (thing,) = things.values()
    HERE.judge(policy, HERE.ask("sre", "prod-write"))
    assert (len(answers), [*things.values()]) == (2, [thing])
