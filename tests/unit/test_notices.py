"""Who hears of what, and what they read, along whole lives of requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jitcloud import notices
from jitcloud.audit import chain
from jitcloud.directories.static import StaticDirectory
from jitcloud.model import (
    BROKER,
    Activate,
    Activated,
    Activating,
    Actor,
    Approval,
    Approved,
    Approver,
    Ask,
    Asked,
    Attested,
    BreakGlass,
    Cause,
    Decided,
    Decision,
    Denied,
    Digest,
    Ended,
    Ending,
    Escalated,
    Escalation,
    Evidence,
    Extended,
    Failed,
    GlassBroken,
    GroupId,
    Guarantee,
    Happening,
    Issuing,
    Lapsed,
    Need,
    NeedsApproval,
    Notice,
    Person,
    PersonId,
    Place,
    Places,
    Plan,
    PolicyRef,
    Prolonged,
    Removed,
    Reopened,
    Request,
    RequestId,
    Review,
    Reviewed,
    ReviewMissed,
    RuleId,
    SlotKey,
    Stage,
    Token,
    Voted,
    Window,
    Withdrawn,
)
from jitcloud.notices import AsOfNow
from jitcloud.notices.parts import letter
from tests.factories import NOW, an_entitlement, request_id

PEOPLE = """
person = [
  { id = "ana", name = "Ana", emails = ["ana@example.com"] },
  { id = "ben", name = "Ben", emails = ["ben@example.com", "other@example.com"] },
  { id = "caro", name = "Caro", emails = ["caro@example.com"] },
  { id = "dora", name = "Dora", emails = ["dora@example.com"], disabled = true },
  { id = "eve", name = "Eve" },
  { id = "fay", name = "Fay", emails = ["fay@example.com"] },
  { id = "gus", name = "Gus", emails = ["gus@example.com"] },
  { id = "hal", name = "Hal", emails = ["hal@example.com"] },
]
[groups]
leads.members = ["ana", "ben", "caro", "dora", "eve"]
security.members = ["fay", "gus", "caro"]
nobody.members = []
[rotations]
primary.on_call = ["hal"]
"""

SECRET = "an-id-that-only-the-trail-has"  # noqa: S105 - made up
REF = PolicyRef(sha256=Digest("0" * 64))
LATER = NOW + timedelta(days=1)
LEADS = Approver(kind="group", id="leads")
SECURITY = Approver(kind="group", id="security")
ON_CALL = Approver(kind="rotation", id="primary")
PLACES = Places(grant=Place(key=SlotKey("s"), kind="k", where={}))
PLAN = Plan(
    guarantee=Guarantee.CLOUD,
    early_end="Giving it back ends it within seconds.",
    residual=("A tunnel that is open stays open.",),
    notes=("The role is shared.",),
)


def stage(count: int, *who: Approver, escalation: Escalation | None = None) -> Stage:
    return Stage(needs=(Need(count=count, approvers=who, escalation=escalation),))


def needs(*stages: Stage) -> NeedsApproval:
    return NeedsApproval(rules=(RuleId("prod-write"),), approval=Approval(stages=stages))


def broken(**more: Any) -> BreakGlass:
    review = Review(within=timedelta(hours=8), by=stage(1, SECURITY))
    return BreakGlass(rules=(RuleId("glass"),), review=review, **more)


@dataclass
class Life:
    """A request, one event after the other, and who is told of the last."""

    people: AsOfNow
    ask: Ask
    id: RequestId = field(default_factory=lambda: request_id(1))
    now: datetime = NOW
    request: Request | None = None

    def then(self, what: Happening, by: str = BROKER.id, minutes: float = 1) -> dict[str, Notice]:
        """Let something happen; return who hears of it."""
        self.now += timedelta(minutes=minutes)
        actor = BROKER if by == BROKER.id else Actor(id=by, token=Token(kind="test", id=SECRET))
        before = self.request
        self.request, (line,) = chain.seal(
            before, self.id, [what], actor=actor, now=self.now, signer=None
        )
        told = notices.of(before, line.event, self.request, self.people)
        assert len({notice.to for notice in told}) == len(told)
        for notice in told:
            assert notice.id == f"{self.id}.{line.event.seq}.{notice.to}"
            assert notice.subject.isprintable()
            assert all(line.isprintable() for line in notice.body.splitlines())
            assert SECRET not in f"{notice}"
            assert self.id in notice.body
        return {notice.to: notice for notice in told}

    def decided(self, decision: Decision, by: str = "ana") -> dict[str, Notice]:
        return self.then(Decided(decision=decision, policy=REF, lapses_at=LATER), by)

    def voted(self, by: str, *, yes: bool = True, stage: int = 0, reason: str = "") -> Any:
        return self.then(Voted(by=PersonId(by), yes=yes, stage=stage, reason=reason), by)

    def approved(self, by: str) -> dict[str, Notice]:
        approval = Approval(stages=(stage(1, LEADS),))
        return self.then(Approved(approval=approval, rules=(), policy=REF, lapses_at=LATER), by)

    def activated(self, places: Places = PLACES) -> dict[str, Notice]:
        window = Window(start=self.now, deadline=self.now + self.ask.duration)
        what = Activating(
            window=window,
            places=places,
            guarantee=Guarantee.BROKER,
            residual=("A tunnel that is open stays open.",),
            policy=REF,
        )
        assert not self.then(what)
        return self.then(Activated(seen_at=self.now))


@pytest.fixture
def people(tmp_path: Path) -> AsOfNow:
    (tmp_path / "people.toml").write_text(PEOPLE)
    return AsOfNow(StaticDirectory(tmp_path / "people.toml"))


@pytest.fixture
def begun(people: AsOfNow) -> Callable[..., Life]:
    def begin(**facts: Any) -> Life:
        ask = Ask(
            person=PersonId("ana"),
            entitlement=an_entitlement(),
            duration=timedelta(hours=1),
            justification="Look into INC-7",
            asked_at=NOW,
        )
        life = Life(people, replace(ask, **facts))
        assert not life.then(Asked(ask=life.ask, plan=PLAN), "ana", minutes=0)
        return life

    return begin


Begun = Callable[..., Life]


# ── Votes ────────────────────────────────────────────────────────────────────────────────────


def test_all_who_could_say_yes_are_asked_and_never_the_requester_nor_the_disabled(
    begun: Begun,
) -> None:
    told = begun().decided(needs(stage(1, LEADS)))
    assert told.keys() == {"ben", "caro"}
    assert told["ben"].address == "ben@example.com"


def test_whoever_is_asked_reads_what_it_is_about_and_what_to_type(begun: Begun) -> None:
    life = begun(ticket="OPS-1", incident="INC-7", start=NOW + timedelta(hours=1))
    notice = life.decided(needs(stage(1, LEADS, ON_CALL)))["ben"]
    assert notice.subject == "Ana (ana) asks for prod-logs: yes or no?"
    for said in (
        "a yes from 1 of leads or primary, on call until 2030-01-02T00:00:00Z",
        "Ana (ana)",
        "prod-logs: Read the logs of production",
        "read in production, aws",
        "1h",
        "2030-01-01T01:00:00Z",
        "“Look into INC-7”",
        "“OPS-1”",
        "“INC-7”",
        "prod-write",
        "the cloud itself",
        "Giving it back ends it within seconds.",
        "A tunnel that is open stays open.",
        "The role is shared.",
        f"    jitcloud approve {life.id}\n",
        f'    jitcloud deny {life.id} --because "WHY"\n',
        f"    jitcloud show {life.id}\n",
    ):
        assert said in notice.body


def test_what_nobody_could_look_up_is_said(begun: Begun) -> None:
    life = begun()
    life.request = replace(life.request, plan=None)  # type: ignore[type-var] # it is there
    assert (
        "not known: this deployment could not look"
        in life.decided(needs(stage(1, LEADS)))["ben"].body
    )


def test_what_was_asked_for_at_once_is_named_together(begun: Begun) -> None:
    life = begun(together=(request_id(1), request_id(2)))
    notice = life.decided(needs(stage(1, LEADS)))["ben"]
    assert f"asked at once with {request_id(2)}\n" in notice.body


def test_a_yes_that_is_not_the_last_is_told_to_nobody(begun: Begun) -> None:
    life = begun()
    life.decided(needs(stage(2, LEADS, SECURITY)))
    assert not life.voted("ben")


def test_those_asked_hear_who_has_settled_it_when_they_are_not_needed_any_more(
    begun: Begun,
) -> None:
    life = begun()
    life.decided(needs(stage(1, LEADS)))
    told = life.voted("ben", reason="fine: by me")
    assert told.keys() == {"caro"}
    assert told["caro"].subject == "Settled without you: prod-logs for Ana (ana)"
    assert "Ben (ben) said yes: “fine: by me”." in told["caro"].body


def test_those_are_asked_on_whose_need_it_still_depends(begun: Begun) -> None:
    life = begun()
    both = Stage(needs=(*stage(1, LEADS).needs, *stage(1, SECURITY).needs))
    assert life.decided(needs(both)).keys() == {"ben", "caro", "fay", "gus"}
    assert life.voted("ben").keys() == set()  # Caro's yes would still do for security
    assert life.voted("fay").keys() == {"caro", "gus"}


def test_the_next_stage_is_asked_when_it_begins_to_wait(begun: Begun) -> None:
    life = begun()
    life.decided(needs(stage(1, LEADS), stage(1, SECURITY)))
    told = life.voted("ben")
    assert told.keys() == {"caro", "fay", "gus"}
    for notice in told.values():  # Caro, who was asked as a lead already, is so again
        assert "yes or no?" in notice.subject
        assert "a yes from 1 of security" in notice.body
    assert life.voted("gus", stage=1).keys() == {"caro", "fay"}


def test_whoever_has_voted_is_not_asked_again(begun: Begun) -> None:
    life = begun()
    life.decided(needs(stage(1, LEADS), stage(1, SECURITY)))
    assert life.voted("caro").keys() == {"ben", "fay", "gus"}


def test_a_no_is_told_to_the_requester_with_its_reason_and_to_all_others_asked(
    begun: Begun,
) -> None:
    life = begun()
    life.decided(needs(stage(2, LEADS, SECURITY)))
    told = life.voted("ben", yes=False, reason="not on a Friday")
    assert told.keys() == {"ana", "caro", "fay", "gus"}
    assert told["ana"].subject == "Denied: prod-logs"
    for notice in told.values():
        assert "Ben (ben) said no: “not on a Friday”." in notice.body


def test_those_who_join_by_escalation_are_asked_and_nobody_else_again(begun: Begun) -> None:
    life = begun()
    late = Escalation(after=timedelta(minutes=30), to=SECURITY)
    life.decided(needs(stage(1, LEADS, escalation=late)))
    told = life.then(Escalated(stage=0, to=(SECURITY,)), minutes=30)
    assert told.keys() == {"fay", "gus"}
    assert "1 of leads or security" in told["fay"].body
    assert life.voted("fay").keys() == {"ben", "caro", "gus"}


def test_the_requester_hears_who_said_yes_and_when_it_begins(begun: Begun) -> None:
    life = begun(start=NOW + timedelta(hours=2))
    life.decided(needs(stage(1, LEADS)))
    life.voted("ben", reason="go on")
    told = life.approved("ben")
    assert told.keys() == {"ana"}
    assert "Ben (ben) said yes: “go on”." in told["ana"].body
    assert "begins at 2030-01-01T02:00:00Z" in told["ana"].body


def test_a_policy_that_lets_them_in_by_now_is_told_like_an_approval(begun: Begun) -> None:
    life = begun()
    life.decided(needs(stage(2, LEADS)))
    life.voted("ben")
    told = life.decided(Activate(rules=()), "ben")
    assert told.keys() == {"ana", "caro"}
    assert told["ana"].subject == "Approved: prod-logs"
    assert "is scheduled by now" in told["caro"].body


def test_a_policy_that_asks_others_by_now_asks_them_alone(begun: Begun) -> None:
    life = begun()
    life.decided(needs(stage(2, LEADS)))
    life.voted("ben")
    told = life.decided(needs(stage(2, LEADS, SECURITY)), "ben")
    assert told.keys() == {"fay", "gus"}


@pytest.mark.parametrize("approver", [ON_CALL, Approver(kind="person", id="hal")])
def test_rotations_and_single_people_are_asked_too(begun: Begun, approver: Approver) -> None:
    assert begun().decided(needs(stage(1, approver))).keys() == {"hal"}


@pytest.mark.parametrize("id_", ["nobody", "no-such-group"])
def test_where_there_is_nobody_nobody_is_asked(begun: Begun, id_: str) -> None:
    assert not begun().decided(needs(stage(1, Approver(kind="group", id=id_))))


# ── What came of it ──────────────────────────────────────────────────────────────────────────


def test_a_no_of_policy_is_told_with_its_sentences(begun: Begun) -> None:
    told = begun().decided(Denied(because=("Not today.", "Ask for less."), rules=()))
    assert told.keys() == {"ana"}
    assert "Policy says no: Not today. Ask for less." in told["ana"].body


def test_a_later_no_of_policy_is_told_to_those_asked_too(begun: Begun) -> None:
    life = begun()
    life.decided(needs(stage(1, LEADS)))
    told = life.decided(Denied(because=("Frozen.",)), "ben")
    assert told.keys() == {"ana", "caro"}  # Ben, by whose vote it was judged again, knows
    assert "Policy says no by now: Frozen." in told["caro"].body


def test_a_lapse_is_told_to_the_requester_and_to_those_asked(begun: Begun) -> None:
    life = begun()
    life.decided(needs(stage(1, LEADS)))
    told = life.then(Lapsed())
    assert told.keys() == {"ana", "ben", "caro"}
    assert "nobody decided in time" in told["ana"].body
    assert "the request has lapsed" in told["ben"].body


def test_an_allowed_request_that_lapses_says_that_it_was_allowed(begun: Begun) -> None:
    life = begun()
    assert not life.decided(Activate(rules=()))
    assert "nothing could activate it in time" in life.then(Lapsed())["ana"].body


def test_who_takes_their_request_back_knows_and_those_asked_hear(begun: Begun) -> None:
    life = begun()
    life.decided(needs(stage(1, LEADS)))
    told = life.then(Withdrawn(reason="found another way"), "ana")
    assert told.keys() == {"ben", "caro"}
    assert "Ana (ana) took the request back: “found another way”." in told["ben"].body


def test_whose_request_somebody_else_takes_back_hears_who_and_why(begun: Begun) -> None:
    life = begun()
    life.decided(needs(stage(1, LEADS)))
    told = life.then(Withdrawn(reason="wrong account"), "gus")
    assert told.keys() == {"ana", "ben", "caro"}
    assert "Gus (gus) took your request back: “wrong account”." in told["ana"].body


def test_the_holder_hears_until_when_and_what_to_type(begun: Begun) -> None:
    life = begun()
    life.decided(Activate(rules=()))
    told = life.activated()
    assert told.keys() == {"ana"}
    assert told["ana"].subject == "Active until 2030-01-01T01:01:00Z: prod-logs"
    assert "jitcloud, which tries until it is gone" in told["ana"].body
    assert "A tunnel that is open stays open." in told["ana"].body
    assert f"jitcloud give-back {life.id}" in told["ana"].body
    assert "jitcloud exec" not in told["ana"].body


def test_the_holder_of_a_session_hears_how_to_use_it(begun: Begun) -> None:
    life = begun()
    life.decided(Activate(rules=()))
    assert f"jitcloud exec {life.id} -- COMMAND" in life.activated(Places())["ana"].body


def test_issuing_and_the_deadline_are_told_to_nobody(begun: Begun) -> None:
    life = begun()
    life.decided(Activate(rules=()))
    life.activated()
    assert not life.then(Issuing(number=1, dead_by=LATER), "ana")
    assert not life.then(Ending(cause=Cause.DEADLINE, reason=""))
    assert not life.then(Ended(evidence=Evidence.CLOUD_DEADLINE, seen_at=NOW))


def test_who_gives_back_hears_when_it_is_known_to_be_gone(begun: Begun) -> None:
    life = begun()
    life.decided(Activate(rules=()))
    life.activated()
    assert not life.then(Ending(cause=Cause.GIVEN_BACK, reason="done"), "ana")
    told = life.then(Ended(evidence=Evidence.SEEN_ABSENT, seen_at=NOW))
    assert told.keys() == {"ana"}
    assert "known to be gone" in told["ana"].body


@pytest.mark.parametrize(("by", "named"), [("gus", "Gus (gus)"), (BROKER.id, "jitcloud")])
def test_whose_access_is_revoked_hears_at_once_by_whom_and_why(
    begun: Begun, by: str, named: str
) -> None:
    life = begun()
    life.decided(Activate(rules=()))
    life.activated()
    told = life.then(Ending(cause=Cause.REVOKED, reason="a leak"), by)
    assert told.keys() == {"ana"}
    assert f"{named} has ended your access: “a leak”." in told["ana"].body
    assert not life.then(Ended(evidence=Evidence.SEEN_ABSENT, seen_at=NOW))


def test_who_revokes_their_own_knows(begun: Begun) -> None:
    life = begun()
    life.decided(Activate(rules=()))
    life.activated()
    assert not life.then(Ending(cause=Cause.REVOKED, reason="mine"), "ana")


def test_a_failure_is_told_with_what_the_cloud_said(begun: Begun) -> None:
    life = begun()
    life.decided(Activate(rules=()))
    life.activated()
    assert not life.then(Ending(cause=Cause.FAILED, reason="no"))
    told = life.then(Failed(reason="no such role", seen_at=NOW))
    assert told.keys() == {"ana"}
    assert "The cloud did not let you in: “no such role”" in told["ana"].body


# ── Extensions ───────────────────────────────────────────────────────────────────────────────


def test_an_extension_is_asked_for_as_one(begun: Begun) -> None:
    life = begun(extends=request_id(9), duration=timedelta(hours=3))
    notice = life.decided(needs(stage(1, LEADS)))["ben"]
    assert notice.subject == "Ana (ana) asks more of prod-logs: yes or no?"
    assert f"3h in all: more time for {request_id(9)}" in notice.body


def test_an_extension_is_told_once_with_its_deadline(begun: Begun) -> None:
    life = begun(extends=request_id(9))
    life.decided(needs(stage(1, LEADS)))
    life.voted("ben")
    assert not life.approved("ben")
    window = Window(start=NOW, deadline=NOW + timedelta(hours=3))
    told = life.then(Extended(window=window, policy=REF), "ben")
    assert told.keys() == {"ana"}
    assert told["ana"].subject == "Extended until 2030-01-01T03:00:00Z: prod-logs"
    assert f"jitcloud show {request_id(9)}" in told["ana"].body


def test_what_an_extension_prolongs_says_nothing_of_it(begun: Begun) -> None:
    life = begun()
    life.decided(Activate(rules=()))
    life.activated()
    assert life.request is not None
    assert life.request.window is not None
    longer = replace(life.request.window, deadline=NOW + timedelta(hours=3))
    assert not life.then(Prolonged(by=request_id(9), window=longer))


def refused_by_policy(life: Life) -> Any:
    return life.decided(Denied(because=("Too long.",)))


def refused_by_vote(life: Life) -> Any:
    life.decided(needs(stage(1, LEADS)))
    return life.voted("ben", yes=False, reason="Too long.")


def refused_by_time(life: Life) -> Any:
    life.decided(needs(stage(1, LEADS)))
    return life.then(Lapsed())


@pytest.mark.parametrize("refused", [refused_by_policy, refused_by_vote, refused_by_time])
def test_a_refused_extension_says_that_the_access_stays_as_it_is(
    begun: Begun, refused: Callable[[Life], dict[str, Notice]]
) -> None:
    notice = refused(begun(extends=request_id(9)))["ana"]
    assert notice.subject.startswith("Not extended (")
    assert f"keeps the deadline that it has: `jitcloud show {request_id(9)}`" in notice.body


# ── Broken glass ─────────────────────────────────────────────────────────────────────────────


def glass(life: Life, decision: BreakGlass) -> dict[str, Notice]:
    return life.then(GlassBroken(decision=decision, policy=REF, lapses_at=LATER), "ana")


def test_a_broken_glass_is_loud_to_skipped_to_named_and_to_reviewers(begun: Begun) -> None:
    skipped = Approval(stages=(stage(1, SECURITY), stage(1, LEADS)))
    told = glass(begun(), broken(skipped=skipped, notify=(ON_CALL, SECURITY)))
    assert told.keys() == {"ben", "caro", "fay", "gus", "hal"}
    for notice in told.values():
        assert notice.subject.startswith("BREAK-GLASS")
        assert "nobody was asked" in notice.body
        assert "jitcloud revoke" in notice.body
    for reviewer in ("caro", "fay", "gus"):
        assert "to be reviewed" in told[reviewer].subject
        assert "say until 2030-01-01T08:01:00Z whether it was right" in told[reviewer].body
        assert f"jitcloud review {request_id(1)}" in told[reviewer].body
    assert "jitcloud review" not in told["ben"].body


def test_whoever_broke_the_glass_hears_who_will_look(begun: Begun) -> None:
    life = begun()
    glass(life, broken())
    notice = life.activated()["ana"]
    assert "1 of security are asked to review it until 2030-01-01T08:02:00Z" in notice.body


def test_glass_that_is_broken_to_extend_is_reviewed_too(begun: Begun) -> None:
    life = begun(extends=request_id(9))
    told = glass(life, broken())
    assert told.keys() == {"caro", "fay", "gus"}
    assert "access is made longer at once" in told["fay"].body
    assert f"jitcloud revoke {request_id(9)} --because" in told["fay"].body
    window = Window(start=NOW, deadline=NOW + timedelta(hours=3))
    extended = life.then(Extended(window=window, policy=REF))
    assert extended.keys() == {"ana"}
    assert "asked to review it until 2030-01-01T08:02:00Z" in extended["ana"].body
    reviewed = life.then(Reviewed(by=PersonId("fay"), fine=True, note="", done=True), "fay")
    assert reviewed.keys() == {"ana", "caro", "gus"}


def test_a_review_is_told_to_the_person_and_settled_for_the_others(begun: Begun) -> None:
    life = begun()
    glass(life, broken())
    life.activated()
    what = Reviewed(by=PersonId("fay"), fine=False, note="could have waited", done=True)
    told = life.then(what, "fay")
    assert told.keys() == {"ana", "caro", "gus"}
    assert "Fay (fay) has looked" in told["ana"].body
    assert "was not right: “could have waited”." in told["ana"].body
    assert "Fay (fay) has reviewed it: “could have waited”." in told["gus"].body


def test_a_review_that_is_not_the_last_settles_nothing(begun: Begun) -> None:
    life = begun()
    glass(life, broken())
    life.activated()
    told = life.then(Reviewed(by=PersonId("fay"), fine=True, note="", done=False), "fay")
    assert told.keys() == {"ana"}
    assert "finds that it was right." in told["ana"].body


def test_a_missed_review_reminds_whoever_has_not_looked_and_the_person(begun: Begun) -> None:
    life = begun()
    glass(life, broken())
    life.activated()
    life.then(Reviewed(by=PersonId("fay"), fine=True, note="", done=False), "fay")
    told = life.then(ReviewMissed(), minutes=480)
    assert told.keys() == {"ana", "caro", "gus"}
    assert told["gus"].subject == "REVIEW OVERDUE: prod-logs for Ana (ana)"
    assert "was to be reviewed until 2030-01-01T08:02:00Z, and was not" in told["gus"].body
    assert f"jitcloud review {life.id}" in told["gus"].body
    assert "can break no glass" in told["ana"].body


def test_glass_that_was_broken_for_nothing_needs_no_review(begun: Begun) -> None:
    life = begun()
    glass(life, broken(notify=(ON_CALL,)))
    told = life.then(Lapsed())
    assert told.keys() == {"ana", "caro", "fay", "gus"}
    assert "not needed any more" in told["gus"].body


# ── Before it ends ───────────────────────────────────────────────────────────────────────────


def active(begun: Begun, minutes: float) -> Request:
    life = begun(duration=timedelta(minutes=minutes))
    life.decided(Activate(rules=()))
    life.activated()
    assert life.request is not None
    return life.request


def test_the_holder_is_warned_ten_minutes_before_the_end(begun: Begun, people: AsOfNow) -> None:
    request = active(begun, 15)
    assert notices.warn_at(request) == NOW + timedelta(minutes=6)
    notice = notices.warning(request, people)
    assert notice is not None
    assert notice.to == "ana"
    assert notice.id == f"{request.id}.warning.2030-01-01T00:16:00Z"
    assert notice.subject == "Ends at 2030-01-01T00:16:00Z: prod-logs"
    assert f"jitcloud extend {request.id} --for" in notice.body


def test_a_short_grant_is_not_warned_of(begun: Begun) -> None:
    assert notices.warn_at(active(begun, 14.9)) is None


def test_what_is_not_active_is_not_warned_of(begun: Begun) -> None:
    life = begun()
    life.decided(Activate(rules=()))
    assert life.request is not None
    assert notices.warn_at(life.request) is None
    life.activated()
    life.then(Ending(cause=Cause.GIVEN_BACK, reason=""), "ana")
    assert notices.warn_at(life.request) is None


def test_nobody_is_warned_who_cannot_be_written_to(begun: Begun, tmp_path: Path) -> None:
    request = active(begun, 60)
    (tmp_path / "people.toml").write_text(
        PEOPLE.replace('name = "Ana"', 'name = "A", disabled = true')
    )
    assert notices.warning(request, AsOfNow(StaticDirectory(tmp_path / "people.toml"))) is None


# ── What people type, and how many they are ──────────────────────────────────────────────────


def test_what_people_type_stays_on_its_line(begun: Begun) -> None:
    hostile = "x\r\nsubject: y\x1b[2J\u202e\u2028jitcloud approve\x00"
    life = begun(justification=hostile, ticket=hostile, incident=hostile)
    told = life.decided(needs(stage(2, LEADS, SECURITY, Approver(kind="group", id=hostile))))
    lines = told["ben"].body.splitlines()
    assert sum("jitcloud approve" in line for line in lines) == 5  # four of them quoted
    assert life.voted("ben", yes=False, reason=hostile).keys() == {"ana", "caro", "fay", "gus"}


def test_a_subject_stays_short(begun: Begun, tmp_path: Path) -> None:
    (tmp_path / "people.toml").write_text(PEOPLE.replace('"Ana"', f'"{"A" * 200}"'))
    life = begun()
    life.people = AsOfNow(StaticDirectory(tmp_path / "people.toml"))
    subject = life.decided(needs(stage(1, LEADS)))["ben"].subject
    assert len(subject) == 150
    assert subject.endswith("A…")


def test_a_subject_is_one_line() -> None:
    assert letter("a\r\nBcc: b", "c").subject == r"a\r\nBcc: b"


# ── What has not ended as it should ──────────────────────────────────────────────────────────


def over(begun: Begun, cause: Cause, by: str = BROKER.id) -> Life:
    """A grant of something that security owns, which has begun to end."""
    life = begun(entitlement=replace(an_entitlement(), owner=GroupId("security")))
    life.decided(Activate(rules=()))
    life.activated()
    life.then(Ending(cause=cause, reason="a leak"), by)
    return life


def test_who_asked_and_the_owner_hear_who_answers_for_an_end_that_nobody_saw(
    begun: Begun,
) -> None:
    life = over(begun, Cause.DEADLINE)
    what = Attested(by=PersonId("gus"), reason="the account was closed")
    told = life.then(what, "gus", minutes=60 * 25)
    assert told.keys() == {"ana", "caro", "fay"}, "but not whoever attests"
    assert told["ana"].subject == "Ended: prod-logs"
    assert told["fay"].subject == "Ended by attestation: prod-logs for Ana (ana)"
    for notice in told.values():
        assert "Gus (gus) answers for it that" in notice.body
        assert "“the account was closed”" in notice.body
        assert "No cloud was seen to say so." in notice.body
        assert "known to be gone" not in notice.body


def test_what_was_seen_after_all_is_told_to_who_had_it_and_to_the_owner(begun: Begun) -> None:
    life = over(begun, Cause.DEADLINE)
    assert not life.then(Ended(evidence=Evidence.SEEN_ABSENT, seen_at=NOW))
    told = life.then(Reopened(seen_at=LATER), minutes=60)
    assert told.keys() == {"ana", "caro", "fay", "gus"}
    assert told["ana"].subject == "Ends again: prod-logs"
    assert told["gus"].subject == "ACCESS NOT GONE: prod-logs for Ana (ana)"
    for notice in told.values():
        assert "seen to be there after all at 2030-01-02T00:00:00Z" in notice.body


@pytest.mark.parametrize("cause", Cause)
def test_that_sessions_may_live_on_is_told_to_the_owner_where_somebody_wanted_them_gone(
    begun: Begun, cause: Cause
) -> None:
    life = over(begun, cause)
    told = life.then(Removed(seen_at=NOW, dead_by=LATER))
    if cause not in {Cause.REVOKED, Cause.DISABLED}:
        assert not told, "that was told beforehand"
        return
    assert told.keys() == {"caro", "fay", "gus"}
    assert told["fay"].subject == "Sessions may live on: prod-logs for Ana (ana)"
    assert "may work until 2030-01-02T00:00:00Z" in told["fay"].body


def test_whoever_owns_what_they_had_reads_of_their_own(begun: Begun) -> None:
    life = over(begun, Cause.DEADLINE)
    life.ask = replace(life.ask, person=PersonId("fay"))
    assert life.request is not None
    life.request = replace(life.request, ask=replace(life.request.ask, person=PersonId("fay")))
    told = life.then(Attested(by=PersonId("gus"), reason="closed"), "gus")
    assert told["fay"].subject == "Ended: prod-logs"


def crowd(folder: Path, size: int, more: str = "") -> AsOfNow:
    ids = [f"p{number:04}" for number in range(size)]
    people = ",".join(f'{{id="{i}", name="P", emails=["{i}@example.com"]{more}}}' for i in ids)
    members = ", ".join(f'"{id_}"' for id_ in ids)
    text = f"person = [{people}]\n[groups]\nleads.members = [{members}]\n"
    (folder / "people.toml").write_text(text)
    return AsOfNow(StaticDirectory(folder / "people.toml"))


def test_no_more_than_a_bound_are_told_and_these_hear_how_many_more(
    begun: Begun, tmp_path: Path
) -> None:
    life = begun()
    life.people = crowd(tmp_path, 250)
    told = life.decided(needs(stage(1, LEADS)))
    assert len(told) == 200
    assert "Up to 50 more are concerned, and were not written to." in told["p0000"].body


def test_all_of_two_hundred_are_told(begun: Begun, tmp_path: Path) -> None:
    life = begun()
    life.people = crowd(tmp_path, 200)
    told = life.decided(needs(stage(1, LEADS)))
    assert len(told) == 200
    assert "not written to" not in told["p0199"].body


def test_not_everybody_is_looked_up(begun: Begun, tmp_path: Path) -> None:
    class Counting(AsOfNow):
        asked = 0

        def person(self, id_: PersonId) -> Person | None:
            self.asked += id_.startswith("p")
            return super().person(id_)

    life = begun()
    crowd(tmp_path, 1200, ", disabled = true")
    life.people = counting = Counting(StaticDirectory(tmp_path / "people.toml"))
    assert not life.decided(needs(stage(1, LEADS)))
    assert counting.asked == 1000
