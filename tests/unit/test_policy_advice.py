from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitcloud.durations import format_duration, parse_duration
from jitcloud.facts import as_if
from jitcloud.judge import Judge
from jitcloud.model import Activate, Ask, BreakGlass, Decision, Denied, NeedsApproval, PersonId
from jitcloud.policy import Policy, World
from jitcloud.policy.advice import LADDER, Change, Decide, Hint, hints, offered
from tests import drawn_policies as drawn
from tests.drawn_policies import HERE
from tests.example import minutes


def deciding(policy: Policy) -> Decide:
    """Judge as the broker does when an ask is made."""

    def decide(ask: Ask, world: World) -> Decision:
        judge = Judge(policy, HERE.catalog, HERE.directory, {}, as_if(world))
        return judge.first(ask, None, ask.asked_at)

    return decide


DECIDE = deciding(HERE.policy())
NOTHING = World()
AFTER_LEADS = "after a yes from 2 of sre-leads (or platform-leads after 30m)"


def offers(ask: Ask, world: World = NOTHING) -> list[tuple[str, str]]:
    found = offered(DECIDE, ask, world)
    return [(format_duration(offer.duration), offer.decision.kind) for offer in found]


def said(ask: Ask, world: World = NOTHING) -> list[str]:
    return [hint.sentence for hint in hints(DECIDE, ask, world)]


def test_the_ladder_is_what_people_ask_for() -> None:
    shown = [format_duration(duration) for duration in LADDER]
    assert shown == ["15m", "30m", "1h", "2h", "4h", "8h", "12h"]


# ── What is offered ──────────────────────────────────────────────────────────────────────────


def test_a_developer_is_offered_up_to_four_hours_of_reading_production() -> None:
    durations = ("15m", "30m", "1h", "2h", "4h")
    assert offers(HERE.ask("dev", "prod-read", "12h")) == [
        (duration, "needs-approval") for duration in durations
    ]


def test_an_offer_says_whether_it_is_at_once() -> None:
    assert offers(HERE.ask("sre", "prod-read"))[-1] == ("8h", "activate")
    verified = World(ticket_verified=True, incident_verified=True)
    mixed = HERE.ask("oncall", "prod-write", ticket="T-1", incident="I-1")
    assert {kind for _, kind in offers(mixed, verified)} == {"activate"}
    (first, *_) = offers(HERE.ask("oncall", "prod-write", ticket="T-1"), verified)
    assert first == ("15m", "needs-approval")


def test_nothing_is_offered_to_somebody_who_may_have_nothing() -> None:
    assert offers(HERE.ask("outsider", "prod-read")) == []
    assert offers(HERE.ask("disabled", "dev-db")) == []


def test_another_ladder_can_be_tried() -> None:
    ladder = [timedelta(hours=3), timedelta(hours=9)]
    (only,) = offered(DECIDE, HERE.ask("dev", "dev-db"), NOTHING, ladder)
    assert only.duration == timedelta(hours=3)
    assert isinstance(only.decision, Activate)


def test_what_nobody_could_approve_is_not_offered() -> None:
    # Of the two leads only the other one is left.
    ask = HERE.ask("lead-1", "prod-admin", ticket="T-1")
    assert offers(ask, World(ticket_verified=True)) == []


# ── What would help ──────────────────────────────────────────────────────────────────────────


def test_what_is_allowed_needs_no_hint() -> None:
    assert said(HERE.ask("sre", "prod-read")) == []
    assert said(HERE.ask("dev", "prod-read")) == []


@pytest.mark.parametrize(
    ("ask", "world", "expected"),
    [
        (
            HERE.ask("sre", "prod-admin"),
            NOTHING,
            [f"This would be allowed with a ticket, {AFTER_LEADS}."],
        ),
        (HERE.ask("oncall", "prod-write", "2h"), NOTHING, [
            "This would be allowed with an incident.",
            f"This would be allowed within 1h with a ticket, {AFTER_LEADS}.",
        ]),
        (HERE.ask("dev", "dev-db", "30d"), NOTHING, ["This would be allowed within 8h."]),
        (
            HERE.ask("sre", "prod-read", mfa="1h"),
            NOTHING,
            ["This would be allowed with a fresh multi-factor sign-in."],
        ),
        (
            HERE.ask("sre", "prod-admin", "9h", mfa=None),
            NOTHING,
            [
                ("This would be allowed within 1h with a fresh multi-factor sign-in and a ticket,"
                f" {AFTER_LEADS}.")
            ],
        ),
        (
            HERE.ask("sre", "prod-admin", ticket="T-1"),
            NOTHING,
            [
                ("This would be allowed with a ticket that is found open,"
                f" {AFTER_LEADS}.")
            ],
        ),
        (
            HERE.ask("oncall", "prod-write", "9h", incident="I-1", mfa=None),
            World(freeze=True),
            [
                ("This would be allowed within 2h with a fresh multi-factor sign-in and an incident"
                " that is found open.")
            ],
        ),
        (
            HERE.ask("sre", "prod-write", "9h", mfa=None),
            World(freeze=True),
            [
                ("This would be allowed within 1h with a fresh multi-factor sign-in, a ticket and"
                f" an incident, {AFTER_LEADS}.")
            ],
        ),
    ],
    ids=["ticket", "incident", "shorter", "sign-in", "three", "open", "frozen", "all"],
)  # fmt: skip
def test_a_refusal_comes_with_what_would_help(ask: Ask, world: World, expected: list[str]) -> None:
    assert said(ask, world) == expected


def test_a_glass_that_could_be_broken_is_told_of_last() -> None:
    assert said(HERE.ask("oncall", "prod-admin", mfa=None)) == [
        f"This would be allowed with a fresh multi-factor sign-in and a ticket, {AFTER_LEADS}.",
        (
            "This could be had at once by breaking the glass, with a fresh multi-factor sign-in and"
            " an incident; it is reviewed afterwards."
        ),
    ]
    in_incident = HERE.ask("oncall", "prod-admin", "4h", incident="I-1")
    verified = World(incident_verified=True)
    assert said(in_incident, verified)[-1] == (
        "This could be had at once by breaking the glass, within 1h; it is reviewed afterwards."
    )
    assert said(replace(in_incident, duration=minutes(60)), verified)[-1] == (
        "This could be had at once by breaking the glass; it is reviewed afterwards."
    )


def test_a_glass_is_never_offered_where_it_may_not_be_broken() -> None:
    for who in ("sre", "dev", "lead-1", "security"):
        assert not [each for each in said(HERE.ask(who, "prod-admin")) if "glass" in each]
    # Nor where an incident alone would do.
    assert not [each for each in said(HERE.ask("oncall", "prod-write")) if "glass" in each]


def test_a_broken_glass_has_offers_and_hints_of_its_own() -> None:
    ask = replace(HERE.ask("oncall", "prod-admin", "4h"), break_glass=True)
    assert offers(ask) == []
    assert said(ask) == [
        (
            "This could be had at once by breaking the glass, within 1h, with an incident; it is"
            " reviewed afterwards."
        )
    ]
    in_incident, verified = replace(ask, incident="I-1"), World(incident_verified=True)
    assert offers(in_incident, verified) == [
        (duration, "break-glass") for duration in ("15m", "30m", "1h")
    ]


@pytest.mark.parametrize("who", ["outsider", "disabled"])
def test_where_nothing_helps_nothing_is_said(who: str) -> None:
    assert said(HERE.ask(who, "prod-admin", "9h", mfa=None)) == []


def test_what_is_there_already_is_not_asked_for() -> None:
    everything = HERE.ask("outsider", "prod-read", "10m", mfa="1s", ticket="T", incident="I")
    ask = replace(everything, mfa_age=timedelta())
    judged: list[Ask] = []

    def decide(asked: Ask, world: World) -> Decision:
        judged.append(asked)
        return DECIDE(asked, world)

    assert hints(decide, ask, World(ticket_verified=True, incident_verified=True)) == ()
    # Nothing is shorter on the ladder, nothing else is missing, and the glass is not broken.
    assert judged == [ask, replace(ask, break_glass=True)]


def test_a_change_changes_what_it_says_and_no_more() -> None:
    ask, world = HERE.ask("dev", "dev-db"), World(freeze=True)
    assert Change().apply(ask, world) == (ask, world)
    changed, around = Change(ticket=True, within=minutes(5)).apply(ask, world)
    assert (changed.ticket is not None, changed.incident) == (True, None)
    assert changed == replace(ask, ticket=changed.ticket, duration=minutes(5))
    assert around == World(freeze=True, ticket_verified=True)
    given_ticket = replace(ask, ticket="T-1", person=PersonId("u-sre"))
    assert Change(ticket=True).apply(given_ticket, world)[0] == given_ticket


# ── Whatever the rules ───────────────────────────────────────────────────────────────────────


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    base=drawn.rules(),
    asks=st.lists(st.tuples(drawn.asks(), drawn.worlds()), min_size=4, max_size=4),
)
def test_an_offer_holds_and_a_hint_is_enough_and_needs_all_it_says(
    base: list[str], asks: list[tuple[Ask, World]]
) -> None:
    decide = deciding(HERE.policy({"drawn.cedar": "\n".join(drawn.named(base))}))
    for ask, world in asks:
        for offer in offered(decide, ask, world):
            assert decide(replace(ask, duration=offer.duration), world) == offer.decision
        found = hints(decide, ask, world)
        assert not found or isinstance(decide(ask, world), Denied)
        for hint in found:
            check(hint, ask, world, decide)


def check(hint: Hint, ask: Ask, world: World, decide: Decide) -> None:
    change = hint.change
    assert decide(*change.apply(ask, world)) == hint.decision
    assert isinstance(hint.decision, Activate | NeedsApproval | BreakGlass)
    assert ("breaking the glass" in hint.sentence) == isinstance(hint.decision, BreakGlass)
    assert hint.sentence.isprintable()
    for less in (
        replace(change, sign_in=False),
        replace(change, ticket=False),
        replace(change, incident=False),
        replace(change, within=None),
        replace(change, break_glass=False),
    ):
        assert less == change or isinstance(decide(*less.apply(ask, world)), Denied)


@given(st.sampled_from(LADDER))
def test_every_duration_that_is_offered_can_be_typed(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration
