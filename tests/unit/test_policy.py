from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitcloud.approval import outstanding
from jitcloud.errors import Misconfigured
from jitcloud.model import (
    Activate,
    Approval,
    Approver,
    Decision,
    Denied,
    EntitlementId,
    Escalation,
    GroupId,
    Need,
    NeedsApproval,
    Person,
    PersonId,
    PolicyRef,
    RotationId,
    RuleId,
    Stage,
    Vote,
    Window,
)
from jitcloud.policy import Policy, World
from tests.example import FOLDER, TUESDAY, Organisation, minutes

HERE = Organisation()
POLICY = HERE.policy()
BERLIN = ZoneInfo("Europe/Berlin")
VERIFIED = World(ticket_verified=True, incident_verified=True)

NO_RULE = "No rule lets you have this as you asked for it"
MFA = "Production access needs a multi-factor sign-in within the last 15 minutes."
FREEZE = "A change freeze is on. Open an incident to get write access."
ADMIN = "Administrator roles always need a second person."
HOURS = "Contractors may hold access on weekdays from 08:00 to 18:00."
NOT_ASKED = "You are not among the people asked to approve this."
OWN = "You cannot approve your own request."


def need(count: int, *groups: str) -> Need:
    return Need(count=count, approvers=tuple(Approver(kind="group", id=name) for name in groups))


def stages(*each: Need) -> tuple[Stage, ...]:
    return tuple(Stage(needs=(one,)) for one in each)


def activate(*rules: str) -> Activate:
    return Activate(rules=tuple(map(RuleId, rules)))


def approved_by(*each: Need, rules: Sequence[str]) -> NeedsApproval:
    return NeedsApproval(rules=tuple(map(RuleId, rules)), approval=Approval(stages=stages(*each)))


def with_rules(*rules: str) -> Policy:
    return HERE.policy({**HERE.texts(), "99-more.cedar": "\n".join(rules)})


def alone(*rules: str) -> Policy:
    return HERE.policy({"only.cedar": "\n".join(rules)})


# ── The example organisation, case by case ───────────────────────────────────────────────────

OWNER_YES = approved_by(need(1, "db-owners"), rules=["dev-prod-read"])
LATER = Escalation(after=minutes(30), to=Approver(kind="group", id="platform-leads"))
LEADS_YES = approved_by(replace(need(2, "sre-leads"), escalation=LATER), rules=["sre-prod-admin"])

TABLE: dict[str, tuple[str, str, str, dict[str, str], Decision | str]] = {
    "dev, eight hours": ("dev", "dev-db", "8h", {}, activate("dev-self-serve")),
    "dev, a second more": ("dev", "dev-db", "8h1s", {}, NO_RULE),
    "dev, no sign-in": ("dev", "dev-db", "8h", {"mfa": ""}, activate("dev-self-serve")),
    "dev reads prod": ("dev", "prod-read", "4h", {}, OWNER_YES),
    "dev reads prod too long": ("dev", "prod-read", "5h", {}, NO_RULE),
    "dev reads prod, stale": ("dev", "prod-read", "1h", {"mfa": "15m1s"}, MFA),
    "dev reads prod, just fresh": ("dev", "prod-read", "1h", {"mfa": "15m"}, OWNER_YES),
    "dev reads prod, no sign-in": ("dev", "prod-read", "1h", {"mfa": ""}, MFA),
    "dev writes prod": ("dev", "prod-write", "1h", {}, NO_RULE),
    "sre reads prod": ("sre", "prod-read", "8h", {}, activate("sre-prod-read")),
    "sre writes prod": ("sre", "prod-write", "1h", {}, NO_RULE),
    "sre writes prod, ticket": ("sre", "prod-write", "1h", {"ticket": "T-1"}, LEADS_YES),
    "sre writes prod, frozen": (
        "sre", "prod-write", "1h", {"ticket": "T-1", "freeze": "on"}, FREEZE,
    ),
    "sre is admin": ("sre", "prod-admin", "1h", {"ticket": "T-1"}, LEADS_YES),
    "sre is admin, no ticket": ("sre", "prod-admin", "1h", {}, ADMIN),
    "pager writes, incident": (
        "oncall", "prod-write", "2h", {"incident": "I-1"}, activate("sre-oncall-prod-write"),
    ),
    "pager writes, frozen": (
        "oncall", "prod-write", "2h", {"incident": "I-1", "freeze": "on"},
        activate("sre-oncall-prod-write"),
    ),
    "pager writes, no incident": ("oncall", "prod-write", "2h", {}, NO_RULE),
    "pager is not admin": ("oncall", "prod-admin", "2h", {"incident": "I-1"}, ADMIN),
    "analyst": (
        "analyst", "pii-read", "1h", {},
        approved_by(need(1, "db-owners"), need(1, "privacy"), rules=["analyst-pii-read"]),
    ),
    "analyst elsewhere": ("analyst", "prod-read", "1h", {}, NO_RULE),
    "two rules add up": (
        "many", "pii-read", "1h", {},
        approved_by(
            need(1, "db-owners"), need(1, "privacy"), rules=["dev-prod-read", "analyst-pii-read"]
        ),
    ),
    "root": (
        "platform", "org-root", "1h", {"ticket": "T-1"},
        approved_by(need(2, "platform-leads"), need(1, "security"), rules=["cloud-root"]),
    ),
    "outsider": ("outsider", "dev-db", "1h", {}, NO_RULE),
    "disabled": ("disabled", "dev-db", "1h", {}, "Your account is disabled in the directory."),
}  # fmt: skip


@pytest.mark.parametrize(
    ("who", "what", "duration", "facts", "expected"), TABLE.values(), ids=TABLE.keys()
)
def test_the_example_policy_decides(
    who: str, what: str, duration: str, facts: dict[str, str], expected: Decision | str
) -> None:
    ask = HERE.ask(
        who,
        what,
        duration,
        mfa=facts.get("mfa", "5m") or None,
        ticket=facts.get("ticket"),
        incident=facts.get("incident"),
    )
    decision = HERE.judge(POLICY, ask, replace(VERIFIED, freeze="freeze" in facts))
    if isinstance(expected, str):
        assert isinstance(decision, Denied)
        assert decision.because[0].startswith(expected)
        assert len(decision.because) == 1
    else:
        assert decision == expected


def test_a_denial_names_the_rules_that_forbid_and_says_each_sentence_once() -> None:
    decision = HERE.judge(POLICY, HERE.ask("sre", "prod-admin", mfa=None), World(freeze=True))
    assert decision == Denied(
        because=(MFA, ADMIN, FREEZE),
        rules=tuple(
            map(RuleId, ("prod-needs-fresh-mfa", "admin-is-never-self-serve", "change-freeze"))
        ),
    )


@pytest.mark.parametrize("fact", ["ticket", "incident"])
def test_what_the_requester_types_is_no_fact_until_somebody_has_verified_it(fact: str) -> None:
    who = "sre" if fact == "ticket" else "oncall"
    ask = HERE.ask(who, "prod-write", ticket="T-1", incident="I-1")
    others = {"ticket_verified", "incident_verified"} - {f"{fact}_verified"}
    assert isinstance(HERE.judge(POLICY, ask, World()), Denied)
    assert isinstance(HERE.judge(POLICY, ask, World(**dict.fromkeys(others, True))), Denied) == (
        fact == "ticket"
    )
    assert not isinstance(HERE.judge(POLICY, ask, VERIFIED), Denied)


def test_a_verified_ticket_that_nobody_gave_is_no_ticket() -> None:
    assert isinstance(HERE.judge(POLICY, HERE.ask("sre", "prod-write"), VERIFIED), Denied)


# ── Hours, in the entitlement's zone, at the start and at the end ────────────────────────────


def berlin(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """Return an instant of January 2030, whose first is a Tuesday."""
    return datetime(2030, 1, day, hour, minute, second, tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("at", "duration", "allowed"),
    [
        (berlin(1, 8), "1h", True),
        (berlin(1, 7, 59, 59), "1h", False),
        (berlin(1, 17), "1h", True),  # ends at 18:00:00 sharp: the last instant is before
        (berlin(1, 17, 0, 1), "1h", False),
        (berlin(1, 17, 50), "8h", False),
        (berlin(4, 9), "1h", True),
        (berlin(5, 9), "1h", False),
        (berlin(6, 9), "1h", False),
        (datetime(2030, 7, 2, 6, tzinfo=UTC), "1h", True),  # summer: eight in Berlin
        (datetime(2030, 1, 1, 6, tzinfo=UTC), "1h", False),
    ],
    ids=["8:00", "7:59", "to 18:00", "to 18:00:01", "17:50", "Fri", "Sat", "Sun", "July", "Jan"],
)
def test_office_hours_hold_at_both_ends_of_the_window(
    at: datetime, duration: str, *, allowed: bool
) -> None:
    decision = HERE.judge(POLICY, HERE.ask("contractor", "dev-db", duration, at=at))
    if allowed:
        assert decision == activate("dev-self-serve")
    else:
        assert isinstance(decision, Denied)
        assert decision.because == (HOURS,)


def test_the_window_is_judged_and_not_the_instant_of_the_ask() -> None:
    ask = replace(HERE.ask("contractor", "dev-db", at=berlin(1, 9)), start=berlin(1, 22))
    window = Window(start=berlin(1, 22), deadline=berlin(1, 23))
    decision = POLICY.judge(ask, HERE.person("contractor"), World(), window)
    assert isinstance(decision, Denied)


def test_a_zone_that_this_machine_does_not_know_is_a_denial() -> None:
    ask = HERE.ask("dev", "dev-db")
    elsewhere = replace(ask, entitlement=replace(ask.entitlement, zone="Europe/Atlantis"))
    decision = HERE.judge(POLICY, elsewhere)
    assert isinstance(decision, Denied)
    assert "Europe/Atlantis" in decision.because[0]


# ── Facts ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("age", "fresh"),
    [
        (minutes(15), True),
        (minutes(15) + timedelta(microseconds=1), False),
        (timedelta(), True),
        (timedelta(seconds=-5), True),
        (timedelta(seconds=-6), False),
    ],
    ids=["15m", "15m and a bit", "now", "clocks differ", "from the future"],
)
def test_the_age_of_a_sign_in_is_judged_to_the_microsecond(age: timedelta, *, fresh: bool) -> None:
    ask = replace(HERE.ask("sre", "prod-read"), mfa_age=age)
    assert isinstance(HERE.judge(POLICY, ask), Activate) == fresh


def test_groups_and_rotations_are_those_of_now() -> None:
    ask = HERE.ask("oncall", "prod-write", incident="I-1")
    off_call = replace(HERE.person("oncall"), rotations=frozenset[RotationId]())
    assert isinstance(HERE.judge(POLICY, ask, VERIFIED), Activate)
    assert isinstance(HERE.judge(POLICY, ask, VERIFIED, person=off_call), Denied)


def test_a_hundred_other_groups_change_nothing() -> None:
    person = HERE.person("dev")
    many = replace(person, groups=person.groups | {GroupId(f"g{n}") for n in range(100)})
    ask = HERE.ask("dev", "prod-read")
    assert HERE.judge(POLICY, ask, person=many) == HERE.judge(POLICY, ask, person=person)


def test_a_rule_may_ask_for_the_owners_without_naming_their_group() -> None:
    policy = alone(
        '@id("own") permit (principal, action == Action::"activate", resource)'
        " when { principal in resource.owner };"
    )
    assert isinstance(HERE.judge(policy, HERE.ask("owner", "prod-read")), Activate)
    assert isinstance(HERE.judge(policy, HERE.ask("sre", "prod-read")), Denied)


def test_a_group_that_is_named_like_a_rotation_is_not_one() -> None:
    impostor = replace(HERE.person("outsider"), groups=frozenset({GroupId("sre-primary")}))
    ask = HERE.ask("outsider", "prod-write", incident="I-1")
    assert isinstance(HERE.judge(POLICY, ask, VERIFIED, person=impostor), Denied)


def test_a_person_cannot_be_judged_by_the_facts_of_another() -> None:
    with pytest.raises(ValueError, match="the person who asked"):
        HERE.judge(POLICY, HERE.ask("outsider", "prod-read"), person=HERE.person("sre"))


@pytest.mark.parametrize("duration", [timedelta(), timedelta(seconds=-1)])
def test_an_empty_window_is_denied(duration: timedelta) -> None:
    ask = HERE.ask("dev", "dev-db")
    backwards = Window(start=TUESDAY, deadline=TUESDAY + duration)
    person = HERE.person("dev")
    assert isinstance(POLICY.judge(ask, person, World(), backwards), Denied)
    assert isinstance(HERE.judge(POLICY, replace(ask, duration=duration)), Denied)


odd = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ['"', "\\", '";permit(principal,action,resource);//', "\0", "\n", "\u202e", "x" * 5000]
)


@given(id_=odd, group=odd, what=odd, ticket=odd)
def test_odd_names_are_names_and_nothing_more(id_: str, group: str, what: str, ticket: str) -> None:
    person = Person(id=PersonId(id_), name=id_, groups=frozenset({GroupId(group)}))
    ask = HERE.ask("outsider", "prod-read", ticket="-", incident="-")
    ask = replace(
        ask,
        person=person.id,
        ticket=ticket,
        incident=ticket,
        entitlement=replace(ask.entitlement, id=EntitlementId(what), owner=GroupId(group)),
    )
    decision = HERE.judge(POLICY, ask, VERIFIED, person=person)
    assert isinstance(decision, Denied)
    assert decision.because[0].startswith(NO_RULE)
    assert decision.because[0].isprintable()


def test_an_entity_that_does_not_fit_the_schema_is_a_denial() -> None:
    ask = HERE.ask("dev", "dev-db")
    # The type checker would not let this be written; a record from elsewhere might hold it.
    bad_cloud = replace(ask.entitlement, cloud="awz")  # type: ignore[arg-type] # what no type allows is what is tried
    not_text = replace(ask.entitlement, environment="\ud800")
    for entitlement in (bad_cloud, not_text):
        decision = HERE.judge(POLICY, replace(ask, entitlement=entitlement))
        assert isinstance(decision, Denied)
        assert "could not be evaluated" in decision.because[0]


def test_an_id_that_is_not_text_is_a_denial() -> None:
    person = replace(HERE.person("dev"), id=PersonId("\ud800"))
    ask = replace(HERE.ask("dev", "dev-db"), person=person.id)
    decision = HERE.judge(POLICY, ask, person=person)
    assert isinstance(decision, Denied)
    assert "could not be evaluated" in decision.because[0]


# ── What errs is a denial ────────────────────────────────────────────────────────────────────

OVERFLOWS = "9223372036854775807 > 0"


@pytest.mark.parametrize("verb", ["access", "activate", "request"])
def test_a_forbid_that_errs_denies_although_cedar_skips_it(verb: str) -> None:
    policy = with_rules(
        '@id("too-much") @because("Never.")'
        f' forbid (principal, action in Action::"{verb}", resource)'
        f" when {{ context.start.hour * {OVERFLOWS} }};"
    )
    decision = HERE.judge(policy, HERE.ask("dev", "dev-db"))
    assert isinstance(decision, Denied)
    assert decision.rules == ("too-much",)
    assert decision.because[0].endswith("These rules fail: too-much.")


def test_a_vote_on_which_a_forbid_errs_does_not_count() -> None:
    policy = with_rules(
        '@id("too-much") @because("Never.")'
        ' forbid (principal, action == Action::"approve", resource)'
        f" when {{ context has mfaAge && context.mfaAge.toMilliseconds() * {OVERFLOWS} }};"
    )
    refusal = policy.may_vote(
        HERE.person("owner"), minutes(5), HERE.person("dev"), stages(need(1, "db-owners"))
    )
    assert refusal is not None
    assert refusal.rules == ("too-much",)


# ── Approvals of a rule ──────────────────────────────────────────────────────────────────────


def asks_for(approval: str) -> Policy:
    return alone(
        f'@id("ask") @approval("{approval}")'
        ' permit (principal, action == Action::"request", resource);'
    )


def test_the_manager_is_the_one_the_directory_names_now() -> None:
    decision = HERE.judge(asks_for("1 of principal.manager"), HERE.ask("dev", "prod-read"))
    assert isinstance(decision, NeedsApproval)
    assert decision.approval.stages == (
        Stage(needs=(Need(count=1, approvers=(Approver(kind="person", id="u-manager"),)),)),
    )


def test_somebody_without_a_manager_is_told_so() -> None:
    for text in ("1 of principal.manager", "1 of security then 1 of principal.manager"):
        decision = HERE.judge(asks_for(text), HERE.ask("sre", "prod-read"))
        assert isinstance(decision, Denied)
        assert "the directory names none for you" in decision.because[0]
        assert decision.rules == ("ask",)


def test_others_may_stand_in_for_a_manager_who_is_not_there() -> None:
    policy = asks_for("1 of principal.manager or security or rotation.sre-primary")
    decision = HERE.judge(policy, HERE.ask("sre", "prod-read"))
    assert isinstance(decision, NeedsApproval)
    pager = Approver(kind="rotation", id="sre-primary")
    security = Approver(kind="group", id="security")
    assert decision.approval.stages == (Stage(needs=(Need(count=1, approvers=(security, pager)),)),)


def test_the_owner_named_twice_is_asked_once() -> None:
    decision = HERE.judge(
        asks_for("1 of resource.owner or db-owners"), HERE.ask("sre", "prod-read")
    )
    assert isinstance(decision, NeedsApproval)
    assert decision.approval.stages == stages(need(1, "db-owners"))


EXTRA = (
    """@id("new-1") @approval("1 of security")
    permit (principal, action == Action::"request", resource);""",
    """@id("new-2") @approval("1 of resource.owner or privacy then 2 of sre-leads")
    permit (principal in Group::"developers", action == Action::"request", resource);""",
    """@id("new-3") @approval("3 of sre-leads or security")
    permit (principal, action == Action::"request", resource in Environment::"prod")
    when { context.duration <= duration("2h") };""",
    """@id("new-4") @approval("1 of rotation.sre-primary then 1 of resource.owner")
    permit (principal, action == Action::"request", resource) when { context has ticket };""",
)
WITH_EXTRA = [with_rules(rule) for rule in EXTRA]
NAMES = ["dev", "sre", "oncall", "analyst", "platform", "many", "outsider"]
VOTERS = {
    person.id: person
    for person in map(
        HERE.person, ("owner", "privacy", "security", "lead-1", "lead-2", "oncall", "dev", "many")
    )
}


def is_met(approval: Approval, votes: Sequence[Vote], requester: PersonId) -> bool:
    left = outstanding(approval, votes, VOTERS, requester, asked_at=TUESDAY, now=TUESDAY)
    return left is None


@settings(max_examples=200)
@given(
    who=st.sampled_from(NAMES),
    what=st.sampled_from([entitlement.id for entitlement in HERE.catalog]),
    duration=st.sampled_from(["30m", "1h", "2h", "4h", "9h"]),
    ticket=st.sampled_from([None, "T-1"]),
    cast=st.dictionaries(st.sampled_from(sorted(VOTERS)), st.integers(0, 1)),
)
def test_a_new_rule_to_ask_never_weakens_what_was_asked_for_before(
    who: str, what: str, duration: str, ticket: str | None, cast: dict[PersonId, int]
) -> None:
    ask = HERE.ask(who, what, duration, ticket=ticket)
    votes = [Vote(by=by, stage=stage, at=TUESDAY, reason="") for by, stage in cast.items()]
    before = HERE.judge(POLICY, ask, VERIFIED)
    for policy in WITH_EXTRA:
        after = HERE.judge(policy, ask, VERIFIED)
        if isinstance(before, Activate):
            assert after == before
        elif isinstance(before, NeedsApproval):
            assert isinstance(after, NeedsApproval)
            if is_met(after.approval, votes, ask.person):
                assert is_met(before.approval, votes, ask.person)


# ── Votes ────────────────────────────────────────────────────────────────────────────────────

ASKED = (
    Stage(
        needs=(
            need(1, "db-owners"),
            Need(count=1, approvers=(Approver(kind="rotation", id="sre-primary"),)),
            Need(count=1, approvers=(Approver(kind="person", id="u-manager"),)),
        )
    ),
)

CARELESS = """
@id("careless") permit (principal, action == Action::"approve", resource);
@id("more-careless") permit (principal, action == Action::"approve", resource)
when { principal == resource.requester || true };
"""


@pytest.mark.parametrize("who", ["owner", "oncall", "manager"])
def test_those_asked_may_vote(who: str) -> None:
    assert POLICY.may_vote(HERE.person(who), minutes(5), HERE.person("dev"), ASKED) is None


def test_somebody_else_may_not_vote() -> None:
    refusal = POLICY.may_vote(HERE.person("outsider"), minutes(5), HERE.person("dev"), ASKED)
    assert refusal == Denied(because=(NOT_ASKED,), rules=(RuleId("only-those-asked-approve"),))


def test_the_requester_may_not_vote_though_among_those_asked() -> None:
    dev = HERE.person("dev")
    assert "db-owners" in dev.groups
    refusal = POLICY.may_vote(dev, minutes(5), dev, ASKED)
    assert refusal == Denied(because=(OWN,), rules=(RuleId("no-self-approval"),))


@pytest.mark.parametrize("policy", [POLICY, with_rules(CARELESS)], ids=["as is", "careless"])
@pytest.mark.parametrize("open_stages", [ASKED, ()], ids=["asked", "nobody"])
def test_no_permit_of_an_organisation_undoes_a_guardrail(
    policy: Policy, open_stages: tuple[Stage, ...]
) -> None:
    dev, outsider = HERE.person("dev"), HERE.person("outsider")
    assert policy.may_vote(outsider, minutes(5), dev, open_stages) is not None
    assert policy.may_vote(dev, minutes(5), dev, open_stages) is not None
    if not open_stages:
        assert policy.may_vote(HERE.person("owner"), minutes(5), dev, open_stages) is not None


def test_a_disabled_voter_may_not_vote() -> None:
    owner = replace(HERE.person("owner"), disabled=True)
    assert POLICY.may_vote(owner, minutes(5), HERE.person("dev"), ASKED) is not None


@pytest.mark.parametrize("age", [None, minutes(16)], ids=["not known", "stale"])
def test_an_organisation_may_want_a_fresh_sign_in_for_a_vote(age: timedelta | None) -> None:
    refusal = POLICY.may_vote(HERE.person("owner"), age, HERE.person("dev"), ASKED)
    assert refusal is not None
    assert refusal.rules == ("approve-with-fresh-mfa",)


def test_without_such_a_rule_a_vote_needs_no_sign_in_time() -> None:
    policy = asks_for("1 of resource.owner")
    assert policy.may_vote(HERE.person("owner"), None, HERE.person("dev"), ASKED) is None


def test_a_rule_about_votes_can_look_at_the_groups_of_the_requester() -> None:
    policy = with_rules(
        '@id("apart") @because("Security approves contractors.")'
        ' forbid (principal, action == Action::"approve", resource)'
        ' when { resource.requester in Group::"contractors" };'
    )
    owner = HERE.person("owner")
    assert policy.may_vote(owner, minutes(5), HERE.person("dev"), ASKED) is None
    assert policy.may_vote(owner, minutes(5), HERE.person("contractor"), ASKED) is not None


@given(
    who=st.sampled_from(sorted(VOTERS)),
    each=st.lists(
        st.builds(
            Approver,
            kind=st.sampled_from(["group", "rotation", "person"]),
            id=st.sampled_from(["db-owners", "sre-primary", "sre-leads", "u-owner", "u-oncall"]),
        ),
        max_size=3,
    ),
)
def test_those_who_may_vote_are_those_whose_vote_counts(
    who: PersonId, each: list[Approver]
) -> None:
    voter = VOTERS[who]
    asked = (Stage(needs=(Need(count=1, approvers=tuple(each)),)),)
    refusal = POLICY.may_vote(voter, minutes(5), HERE.person("outsider"), asked)
    assert (refusal is None) == any(approver.includes(voter) for approver in each)


# ── Which policy ─────────────────────────────────────────────────────────────────────────────


def test_a_policy_is_named_by_the_digest_of_every_text_that_judges() -> None:
    texts = HERE.texts()
    shipped = {
        f"jitcloud/{name}": resources.files("jitcloud.policy").joinpath(name).read_text()
        for name in ("guardrails.cedar", "schema.cedarschema")
    }
    named = json.dumps(sorted({**texts, **shipped}.items()))
    assert POLICY.digest == hashlib.sha256(named.encode()).hexdigest()
    assert POLICY.ref == PolicyRef(sha256=POLICY.digest)
    assert HERE.policy(dict(reversed(texts.items()))).digest == POLICY.digest
    commented = {**texts, "40-never.cedar": texts["40-never.cedar"] + "//\n"}
    assert HERE.policy(commented).digest != POLICY.digest
    renamed = {f"x-{name}": text for name, text in texts.items()}
    assert HERE.policy(renamed).digest != POLICY.digest


def test_the_guardrails_judge_first_and_the_files_in_the_order_of_their_names() -> None:
    ids = [rule.id for rule in POLICY.rules]
    assert ids[:3] == ["approvers-may-approve", "only-those-asked-approve", "no-self-approval"]
    assert ids[3] == "dev-self-serve"
    assert ids[-1] == "contractors-office-hours"
    assert len(ids) == 20


def test_a_folder_is_loaded_as_its_texts_are(tmp_path: Path) -> None:
    folder = tmp_path / "policy"
    shutil.copytree(FOLDER, folder)
    loaded = Policy.load(folder, catalog=HERE.catalog, directory=HERE.directory)
    assert loaded.digest == POLICY.digest
    assert HERE.judge(loaded, HERE.ask("sre", "prod-read")) == activate("sre-prod-read")


def load_fails(folder: Path) -> str:
    with pytest.raises(Misconfigured) as caught:
        Policy.load(folder, catalog=HERE.catalog, directory=HERE.directory)
    return str(caught.value)


def test_a_folder_without_policy_is_refused(tmp_path: Path) -> None:
    assert "holds no *.cedar file" in load_fails(tmp_path)
    assert "not a policy folder that can be read" in load_fails(tmp_path / "none")


def test_rules_that_would_silently_not_count_are_refused(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "never.cedar").touch()
    (tmp_path / "NEVER.CEDAR").touch()
    (tmp_path / "..data").mkdir()  # as a ConfigMap is mounted
    (tmp_path / "..data" / "40-never.cedar").touch()
    lines = load_fails(tmp_path).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["NEVER.CEDAR", "deeper/never.cedar"]


def test_a_file_that_cannot_be_read_is_refused_and_never_skipped(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / "50.cedar").symlink_to(tmp_path / "gone")
    (tmp_path / "60.cedar").write_bytes(b"// \xff")
    (tmp_path / "70.cedar").write_bytes(b"/" * (1024 * 1024 + 1))
    lines = load_fails(tmp_path).splitlines()
    assert [line[:8] for line in lines] == ["50.cedar", "60.cedar", "70.cedar"]
