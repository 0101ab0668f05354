from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitcloud.asking import Wish
from jitcloud.catalog import Catalog
from jitcloud.errors import Refused
from jitcloud.facts import as_if
from jitcloud.judge import Judge
from jitcloud.model import (
    Activate,
    Ask,
    BreakGlass,
    Decided,
    Decision,
    Denied,
    Facts,
    Guarantee,
    Looked,
    NeedsApproval,
    PersonId,
    Plan,
    Reach,
    Request,
    RequestId,
    Scope,
    Window,
)
from jitcloud.policy import Policy
from jitcloud.policy import World as Around
from jitcloud.policy.rejudge import Rejudge
from jitcloud.policy.replay import Again, Past, Present, Skip, read
from jitcloud.ports import Directory
from tests import drawn_policies as drawn
from tests.drawn_policies import HERE
from tests.example import TUESDAY, minutes
from tests.world import CATALOG, PEOPLE, World, caller

GLASS = """
@id("glass")
@review("within 24h by leads")
permit (principal, action == Action::"breakGlass", resource)
when { context has incident && context.duration <= duration("1h") };

@id("leads-may-stop")
permit (principal in Group::"leads", action == Action::"stop", resource);
"""

ANY_GLASS = """
@id("any-glass")
@review("within 24h by security")
permit (principal, action == Action::"breakGlass", resource) when { context has incident };
"""

FREEZE = """
@id("calm")
@because("A change freeze is on.")
forbid (principal, action in Action::"access", resource)
when { context.freeze } unless { context has ticket };
"""


def past_of(world: World, request: Request, parent: Window | None = None) -> Past | Skip:
    return read(world.now(request), world.store.events(request.id), parent)


def settled(world: World, request: Request, parent: Window | None = None) -> Again:
    past = past_of(world, request, parent)
    assert isinstance(past, Past)
    found = Present(world.broker.judge.catalog, world.directory).settle(past)
    assert isinstance(found, Again)
    return found


@dataclass
class Rules:
    """Rules that judge, and how often they were asked."""

    policy: Policy
    directory: Directory
    asked: int = 0
    rejudge: Rejudge = field(init=False)

    def __post_init__(self) -> None:
        self.rejudge = Rejudge.by(self.policy.rules, self.decide)

    def decide(self, ask: Ask, world: Around) -> Decision:
        self.asked += 1
        catalog = Catalog({ask.entitlement.id: ask.entitlement})
        judge = Judge(self.policy, catalog, self.directory, {}, as_if(world))
        return judge.first(ask, None, ask.asked_at)


def rules_of(world: World, text: str | None = None) -> Rules:
    texts = {"test.cedar": world.policy_text if text is None else text}
    catalog = world.broker.judge.catalog
    policy = Policy.from_texts(texts, catalog=catalog, directory=world.directory)
    return Rules(policy, world.directory)


def again(world: World, request: Request, text: str | None = None) -> Decision:
    return rules_of(world, text).rejudge.judge(settled(world, request))


# ── What was said then ───────────────────────────────────────────────────────────────────────


def test_the_first_verdict_counts_not_what_was_said_later(world: World) -> None:
    request = world.ask(what="prod-write")
    world.policy_text = world.policy_text.replace("1 of resource.owner", "2 of leads")
    world.put_together()
    world.approve(request)
    now = world.now(request).decision
    assert isinstance(now, NeedsApproval)
    past = past_of(world, request)
    assert isinstance(past, Past)
    assert isinstance(past.said, NeedsApproval)
    assert past.said.approval.stages[0].needs[0].count == 1
    assert now.approval.stages[0].needs[0].count == 2


def test_facts_of_the_world_are_those_that_were_recorded(tmp_path: Path) -> None:
    facts = Facts(freeze="the end of the year", ticket=Looked.UNCHECKED)
    world = World(tmp_path, look=lambda *_: facts)
    world.policy_text += FREEZE
    world.put_together()
    with_ticket = world.ask(ticket="T-1")
    facts = replace(facts, ticket=None)
    without = world.ask(person="ben")
    facts = Facts()
    assert settled(world, with_ticket).world == Around(freeze=True, ticket_verified=True)
    assert settled(world, without).world == Around(freeze=True)
    assert isinstance(again(world, with_ticket), Activate)
    said = again(world, without)
    assert isinstance(said, Denied)
    assert (said.because, said.rules) == (("A change freeze is on.",), ("calm",))


@pytest.mark.parametrize(
    ("looked", "counts"),
    [(Looked.OPEN, True), (Looked.UNCHECKED, True), (Looked.UNKNOWN, False), (None, False)],
    ids=str,
)
def test_a_ticket_counts_only_if_it_was_looked_up(
    tmp_path: Path, looked: Looked | None, *, counts: bool
) -> None:
    world = World(tmp_path, look=lambda *_: Facts(ticket=looked, incident=looked))
    found = settled(world, world.ask(ticket="T-1", incident="I-1")).world
    assert (found.ticket_verified, found.incident_verified) == (counts, counts)


def test_what_was_recorded_without_facts_is_known_to_be(world: World) -> None:
    request = world.ask(justification='a text with "facts":{} in it', ticket='"facts":{')
    asked, decided, *later = world.store.events(request.id)
    of_today = read(world.now(request), (asked, decided, *later))
    assert isinstance(of_today, Past)
    assert of_today.facts == Facts(ticket=Looked.UNKNOWN)
    old = replace(decided, text=decided.text.replace('"facts":', '"fakts":'))
    before_facts = read(world.now(request), (asked, old, *later))
    assert isinstance(before_facts, Past)
    assert before_facts.facts is None
    found = Present(world.broker.judge.catalog, world.directory).settle(before_facts)
    assert isinstance(found, Again)
    assert found.world == Around()


def test_what_its_cloud_would_have_refused_is_refused_still(world: World) -> None:
    request = world.ask()
    problems = ("The role allows 1h at most.",)
    plan = Plan(guarantee=Guarantee.BROKER, early_end="", problems=problems)
    past = read(replace(world.now(request), plan=plan), world.store.events(request.id))
    assert isinstance(past, Past)
    found = replace(settled(world, request), past=past)
    said = rules_of(world).rejudge.judge(found)
    assert isinstance(said, Denied)
    assert (said.because, said.rules) == (problems, ("dev-self-serve",))
    refusing = world.policy_text.replace('"8h"', '"1m"')
    said = rules_of(world, refusing).rejudge.judge(found)
    assert isinstance(said, Denied)
    assert said.because[0].startswith("No rule lets you")


# ── What is not judged again ─────────────────────────────────────────────────────────────────


def test_what_was_refused_before_any_rule_was_asked_is_left_out(tmp_path: Path) -> None:
    def closed(ask: Ask, _: Window) -> Facts:
        if ask.ticket == "CLOSED":
            raise Refused("The ticket is closed.")
        return Facts()

    world = World(tmp_path, look=closed, longest=timedelta(hours=2))
    world.policy_text += GLASS
    world.put_together()
    assert past_of(world, world.ask(ticket="CLOSED")) is Skip.NOT_BY_RULES
    extended = world.ask()
    wish = Wish(duration=timedelta(hours=3), justification="for long")
    too_long = world.broker.extend(caller("ana"), extended.id, wish, world.time())
    assert past_of(world, too_long) is Skip.NOT_BY_RULES
    world.broker.stop(caller("ben"), Scope(reach=Reach.EVERYTHING), world.time(), "an intruder")
    assert past_of(world, world.ask(person="caro")) is Skip.NOT_BY_RULES


def test_what_rules_refused_is_judged_again(world: World) -> None:
    world.policy_text += GLASS + FREEZE.replace(
        "context.freeze", 'context.duration > duration("4h")'
    )
    world.put_together()
    for request in (
        world.ask(minutes=60 * 12),  # by a forbid
        world.ask(what="prod-admin", minutes=180),  # by no permit
        world.ask(what="prod-admin", minutes=180, incident="I-1", break_glass=True),
        world.ask(person="ben", what="prod-admin", minutes=30),  # too few are left to ask
    ):
        past = past_of(world, request)
        assert isinstance(past, Past)
        assert isinstance(past.said, Denied)
    failing = (
        'permit (principal, action == Action::"activate", resource) when { 9223372036854775807'
    )
    world.policy_text += f'@id("x") {failing} + context.start.hour > 1 }};'
    world.put_together()
    assert isinstance(past_of(world, world.ask()), Past)


def test_what_could_not_be_evaluated_is_judged_again(world: World) -> None:
    request = world.ask()
    ask = thing(zone="Mars/Olympus")(request.ask)
    said = rules_of(world).decide(ask, Around())
    assert isinstance(said, Denied)
    assert said.rules == ()
    asked, decided, *_ = world.store.events(request.id)
    assert isinstance(decided.event.what, Decided)
    refused = replace(decided.event, what=replace(decided.event.what, decision=said))
    past = read(world.now(request), (asked, replace(decided, event=refused)))
    assert isinstance(past, Past)


def test_what_nothing_was_said_to_is_left_out(world: World) -> None:
    request = world.ask()
    assert read(world.now(request), world.store.events(request.id)[:1]) is Skip.UNDECIDED


@pytest.mark.parametrize(
    ("change", "skip"),
    [
        (lambda text: text.replace('"ana"', '"anna"'), Skip.GONE),
        (lambda text: text.replace('"ana"', '"anna"').replace("ana@example.com", "ana"), Skip.GONE),
        (lambda text: text.replace('name = "Ana"', 'name = "Ana"\ndisabled = true'), Skip.DISABLED),
    ],
    ids=["gone", "an-alias-now", "disabled"],
)
def test_people_who_are_not_there_any_more_are_left_out(
    world: World, change: Callable[[str], str], skip: Skip
) -> None:
    past = past_of(world, world.ask())
    assert isinstance(past, Past)
    world.people_text = change(PEOPLE)
    world.put_together()
    assert Present(world.broker.judge.catalog, world.directory).settle(past) is skip


# ── What is judged, and as what ──────────────────────────────────────────────────────────────


def test_the_same_rules_say_the_same_again(world: World) -> None:
    world.policy_text += GLASS
    world.put_together()
    for request in (
        world.ask(),
        world.ask(what="prod-write"),
        world.ask(minutes=60 * 12),
        world.ask(what="prod-admin", incident="I-1", break_glass=True),
        world.ask(person="ben", what="prod-admin"),
    ):
        found = settled(world, request)
        assert again(world, request) == found.past.said


def test_a_broken_glass_is_judged_by_the_rules_for_it(tmp_path: Path) -> None:
    world = World(tmp_path, look=lambda *_: Facts(incident=Looked.OPEN))
    world.policy_text += GLASS
    world.put_together()
    request = world.ask(what="prod-admin", incident="I-1", break_glass=True)
    assert isinstance(again(world, request), BreakGlass)
    said = again(
        world,
        request,
        world.policy_text.replace('"1h") };\n\n@id("leads', '"1m") };\n\n@id("leads'),
    )
    assert isinstance(said, Denied)
    assert said.because[0].startswith("No rule lets you break the glass")


def test_an_extension_is_judged_for_the_new_whole_from_its_start(world: World) -> None:
    request = world.ask(minutes=60)
    window = world.now(request).window
    world.time.forward(minutes=50)
    wish = Wish(duration=minutes(60), justification="not done yet")
    extension = world.broker.extend(caller("ana"), request.id, wish, world.time())
    found = settled(world, extension, window)
    assert window is not None
    assert (found.ask.start, found.ask.duration) == (window.start, minutes(120))
    rejudge = rules_of(world).rejudge
    assert isinstance(rejudge.judge(found), Activate)
    short = world.policy_text.replace('"8h"', '"90m"')
    assert isinstance(rules_of(world, short).rejudge.judge(found), Denied)
    # It begins at 9 and ends at 11, whenever it was asked for.
    hours = "context.start.hour == 9 && context.end.hour == 10"
    for condition, kind in ((hours, Activate), (f"!({hours})", Denied)):
        text = world.policy_text.replace('context.duration <= duration("8h")', condition)
        assert isinstance(rules_of(world, text).rejudge.judge(found), kind)


def test_the_catalog_of_now_counts_and_what_is_gone_from_it_is_judged_as_it_was(
    world: World,
) -> None:
    request = world.ask()
    found = settled(world, request)
    assert (found.is_moved, found.is_retired) == (False, False)
    first, *others = (f"[[entitlement]]{part}" for part in CATALOG.split("[[entitlement]]")[1:])
    rest = "".join(others) + first.replace("dev-read", "dev-more")
    world.catalog_text = first.replace('"dev"', '"prod"') + rest
    world.put_together()
    found = settled(world, request)
    assert (found.is_moved, found.is_retired) == (True, False)
    assert found.ask.entitlement.environment == "prod"
    assert isinstance(again(world, request), Denied)
    world.catalog_text = rest
    world.put_together()
    found = settled(world, request)
    assert (found.is_moved, found.is_retired) == (False, True)
    assert found.ask.entitlement.environment == "dev"
    assert isinstance(again(world, request), Activate)


# ── Each question once ───────────────────────────────────────────────────────────────────────


def an_again(ask: Ask, world: Around) -> Again:
    past = Past(request=RequestId("x"), ask=ask, said=Denied(because=("",)), facts=None)
    person = HERE.directory.person(ask.person)
    return Again(past=past, person=person, ask=ask, world=world, is_retired=False, is_moved=False)


def alike(ask: Ask) -> st.SearchStrategy[Ask]:
    """Draw nearly the same ask: by somebody else, perhaps, or at another time."""
    return st.builds(
        lambda who, hours, mfa, ticket, glass: replace(
            ask,
            person=HERE.person(who).id,
            asked_at=ask.asked_at + timedelta(hours=hours),
            mfa_age=mfa,
            ticket=ticket,
            break_glass=glass,
        ),
        st.sampled_from(drawn.NAMES),
        st.sampled_from((0, 0, 0, 5, 10, 24)),
        st.sampled_from((None, minutes(5), minutes(15), minutes(16))),
        st.sampled_from((None, None, "T-1", "T-2")),
        st.sampled_from((False, False, False, True)),
    )


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(
    drawn.rules(),
    drawn.asks().flatmap(lambda ask: st.lists(alike(ask), min_size=8, max_size=16)),
    st.lists(drawn.worlds(), min_size=1, max_size=2),
)
def test_who_asks_the_same_is_answered_the_same_and_nobody_otherwise(
    rules: list[str], asks: list[Ask], worlds: list[Around]
) -> None:
    policy = HERE.policy({"drawn.cedar": "\n".join([*drawn.named(rules), ANY_GLASS])})
    judges = Rules(policy, HERE.directory)
    for number, ask in enumerate(asks):
        world = worlds[number % len(worlds)]
        assert judges.rejudge.judge(an_again(ask, world)) == judges.decide(ask, world)


def test_the_same_question_is_asked_once(world: World) -> None:
    first, second = world.ask(), world.ask()
    judges = rules_of(world)
    for request in (first, second):
        judges.rejudge.judge(settled(world, request))
    assert judges.asked == 1
    judges.rejudge.judge(settled(world, world.ask(minutes=31)))
    assert judges.asked == 2


@pytest.mark.parametrize(
    ("scope", "asked"), [("", 2), (' in Group::"developers"', 2), (' in Group::"sre"', 1)]
)
def test_a_rule_about_others_reads_nothing(scope: str, asked: int) -> None:
    rules = f"""
    @id("x") permit (principal, action == Action::"activate", resource);
    @id("y") @because("Night.") forbid (principal{scope}, action in Action::"access", resource)
    when {{ context.start.hour < 6 }};
    """
    judges = Rules(HERE.policy({"x.cedar": rules}), HERE.directory)
    for hours in (0, 5):
        ask = HERE.ask("dev", "dev-db", at=TUESDAY + timedelta(hours=hours))
        judges.rejudge.judge(an_again(ask, Around()))
    assert judges.asked == asked


@pytest.mark.parametrize(
    ("condition", "asked"),
    [
        ("true", 1),
        ("context.start.hour > 1", 2),
        ("context.end.weekday < 6", 2),
        ("context has mfaAge", 2),
        ("context has ticket", 2),
        ("context has incident", 2),
        ("context.freeze", 2),
    ],
)
def test_what_no_rule_reads_makes_no_other_question(condition: str, asked: int) -> None:
    text = f'permit (principal, action == Action::"activate", resource) when {{ {condition} }};'
    judges = Rules(HERE.policy({"x.cedar": f'@id("x") {text}'}), HERE.directory)
    one = HERE.ask("dev", "dev-db", mfa=None)
    other = replace(
        HERE.ask("dev", "dev-db", mfa="5m", ticket="T-1", incident="I-1"),
        asked_at=TUESDAY + timedelta(hours=5),
    )
    judges.rejudge.judge(an_again(one, Around()))
    world = Around(freeze=True, ticket_verified=True, incident_verified=True)
    judges.rejudge.judge(an_again(other, world))
    assert judges.asked == asked


def activating(condition: str, resource: str = "resource") -> str:
    head = 'permit (principal, action == Action::"activate", '
    return f'@id("x") {head}{resource}) when {{ {condition} }};'


def thing(**changes: object) -> Callable[[Ask], Ask]:
    """Return what makes an ask one for something else, that differs in this alone."""

    def change(ask: Ask) -> Ask:
        other = replace(ask.entitlement, **changes)  # type: ignore[arg-type] # any of its facts
        return replace(ask, entitlement=other)

    return change


def by(who: str) -> Callable[[Ask], Ask]:
    return lambda ask: replace(ask, person=HERE.person(who).id)


def half_an_hour_later(ask: Ask) -> Ask:
    return replace(ask, asked_at=ask.asked_at + minutes(30))


def for_three_hours(ask: Ask) -> Ask:
    return replace(ask, duration=minutes(180))


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        (activating("principal in resource.owner"), by("outsider")),
        (activating("principal has manager"), by("owner")),
        (activating('principal == User::"u-dev"'), by("many")),
        (activating("true", 'resource == Entitlement::"dev-db"'), thing(id="prod-read")),
        (activating("true", 'resource in Label::"pii"'), thing(labels=("pii",))),
        (activating("true", 'resource in Environment::"dev"'), thing(environment="prod")),
        (activating('resource.cloud == Cloud::"aws"'), thing(cloud="gcp")),
        (activating('resource.privilege == Privilege::"write"'), thing(privilege="admin")),
        (activating("context.start.hour == 13"), thing(zone="UTC")),
        (activating("context.end.hour < 14"), half_an_hour_later),
        (activating('context.duration < duration("2h")'), for_three_hours),
        ("1 of resource.owner", thing(owner="sre")),
        ("1 of principal.manager", by("owner")),
    ],
)
def test_whom_and_what_a_rule_tells_apart_are_judged_apart(
    rule: str, change: Callable[[Ask], Ask]
) -> None:
    if rule.startswith("1 of"):
        permit = 'permit (principal, action == Action::"request", resource);'
        rule = f'@id("x") @approval("{rule}") {permit}'
    judges = Rules(HERE.policy({"x.cedar": rule}), HERE.directory)
    one = HERE.ask("dev", "dev-db")
    other = change(one)
    said = [judges.rejudge.judge(an_again(ask, Around())) for ask in (one, other)]
    assert said == [judges.decide(one, Around()), judges.decide(other, Around())]
    assert said[0] != said[1]


def test_a_zone_that_is_not_known_here_makes_no_difference_but_to_the_answer() -> None:
    text = (
        'permit (principal, action == Action::"activate", resource)'
        " when { context.start.hour > 1 };"
    )
    judges = Rules(HERE.policy({"x.cedar": f'@id("x") {text}'}), HERE.directory)
    ask = HERE.ask("dev", "dev-db")
    ask = replace(ask, entitlement=replace(ask.entitlement, zone="Mars/Olympus"))
    said = judges.rejudge.judge(an_again(ask, Around()))
    assert isinstance(said, Denied)
    assert "Mars/Olympus" in said.because[0]


def test_answers_are_not_kept_without_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jitcloud.policy.rejudge.ANSWERS", 2)
    judges = rules_of(world)
    asks = [settled(world, world.ask(minutes=length)) for length in (10, 20, 30, 10)]
    for each in asks:
        judges.rejudge.judge(each)
    assert judges.asked == 4
    assert PersonId("ana") == asks[0].person.id
