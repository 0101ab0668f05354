"""What no lifetime of the other tests has: each event and state has its words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.cli import story, times, words
from jitcloud.cli.knowing import Judged
from jitcloud.errors import Unavailable
from jitcloud.model import (
    BROKER,
    Activate,
    Actor,
    Approval,
    Approver,
    Ask,
    Asked,
    Attested,
    Cause,
    Decided,
    Denied,
    Ending,
    Evidence,
    Failed,
    Happening,
    Need,
    PersonId,
    PolicyRef,
    Reconciled,
    Removed,
    Reopened,
    Restored,
    Stage,
    State,
    Token,
    Voted,
)
from tests.cli_world import CliWorld
from tests.factories import an_ask, digest
from tests.world import START, World

POLICY = PolicyRef(sha256=digest("policy"))


def an_incident() -> Ask:
    return replace(an_ask(), ticket=None, incident="I-2")


@pytest.mark.parametrize(
    ("happening", "said"),
    [
        (Asked(ask=an_incident()), "for 1h, incident I-2: “Look into INC-7”."),
        (
            Decided(decision=Denied(because=("No.", "Never.")), policy=POLICY, lapses_at=START),
            f"policy says no: No. Never. (policy {POLICY.sha256[:12]})",
        ),
        (
            Decided(decision=Activate(rules=()), policy=POLICY, lapses_at=START),
            "policy lets them in at once.",
        ),
        (Voted(by=PersonId("b"), yes=False, stage=1, reason=""), "said no."),
        (Voted(by=PersonId("b"), yes=True, stage=1, reason="ok"), "said yes (stage 2): “ok”."),
        (Ending(cause=Cause.REVOKED, reason="leak"), "it was revoked: “leak”."),
        (
            Failed(reason="The cloud said no.", seen_at=START),
            "it came to nothing: “The cloud said no.”; access was seen absent 2026-12-01T09",
        ),
        (
            Removed(seen_at=START, dead_by=START + timedelta(hours=1)),
            "what was made of the access before may work until 2026-12-01T10:00:00Z.",
        ),
        (
            Attested(by=PersonId("b"), reason="closed"),
            "answers for it that access is gone, which no cloud was seen to say: “closed”.",
        ),
        (
            Reopened(seen_at=START),
            "ACCESS WAS SEEN TO BE THERE AFTER ALL, 2026-12-01T09:00:00Z: it ends again.",
        ),
        (
            Restored(reason="the disk"),
            "the record was restored: “the disk”; nothing is activated before the clouds were",
        ),
        (
            Reconciled(begun_at=START, leaked=1, missing=2, foreign=3),
            "from 2026-12-01T09:00:00Z on: 1 leaked, 2 missing, 3 foreign and left alone.",
        ),
    ],
    ids=range(12),
)
def test_each_event_has_its_words(happening: Happening, said: str) -> None:
    assert said in story.what(happening)


@pytest.mark.parametrize("cause", Cause)
def test_each_cause_has_its_words(cause: Cause) -> None:
    assert story.WHY[cause]


@pytest.mark.parametrize("evidence", Evidence)
def test_each_evidence_has_its_words(evidence: Evidence) -> None:
    assert words.KNOWN_BY[evidence]


@pytest.mark.parametrize(
    ("actor", "said"),
    [
        (BROKER, "jitcloud"),
        (Actor(id="ana"), "ana, without a token"),
        (Actor(id="ana", token=Token(kind="unsafe-local", id="ana")), "ana (unsafe-local)"),
        (Actor(id="ana", token=Token(kind="oidc", id="t-1")), "ana (oidc t-1)"),
    ],
    ids=range(4),
)
def test_an_actor_is_named_with_what_proved_who_they_are(actor: Actor, said: str) -> None:
    assert story.actor(actor) == said


def test_an_approval_reads_as_it_was_written() -> None:
    sre, lead = Approver(kind="group", id="sre"), Approver(kind="rotation", id="sre-primary")
    stages = (
        Stage(needs=(Need(count=2, approvers=(sre, lead)), Need(count=1, approvers=(lead,)))),
        Stage(needs=(Need(count=1, approvers=(sre,)),)),
    )
    said = "2 of sre or sre-primary, on call and 1 of sre-primary, on call, then 1 of sre"
    assert words.approval(Approval(stages=stages)) == said


def test_each_state_says_what_it_waits_for_and_what_comes_next(world: World) -> None:
    request = world.ask(what="prod-write")
    judge, now = Judged(world.advance.judge), world.time()
    later = replace(request.ask, start=now + timedelta(hours=2))
    seen = {state: words.waiting(replace(request, state=state), judge, now) for state in State}
    assert seen[State.PENDING] == "1 of leads"
    assert seen[State.SCHEDULED] == seen[State.ACTIVATING] == "the cloud to let you in"
    assert seen[State.ENDING] == "the cloud to show that access is gone"
    assert not any(seen[state] for state in State if state.is_finished or state is State.ACTIVE)
    undecided = replace(request, decision=None)
    assert words.waiting(undecided, judge, now) == "policy"
    assert "policy" not in dict(words.of_request(undecided, judge, now))
    scheduled = replace(request, state=State.SCHEDULED, ask=later)
    assert words.waiting(scheduled, judge, now) == "its start"
    assert words.until(scheduled, now) == "starts in 2h"
    assert words.until(replace(request, state=State.ENDED), now) == "now"


@pytest.mark.parametrize(
    ("distance", "said"),
    [
        (timedelta(0), "now"),
        (timedelta(milliseconds=999), "now"),
        (timedelta(seconds=1), "in 1s"),
        (timedelta(minutes=59, seconds=59), "in 59m59s"),
        (timedelta(hours=1, seconds=59), "in 1h"),
        (timedelta(days=1, minutes=59), "in 1d"),
        (-timedelta(hours=3, minutes=2, seconds=1), "3h2m ago"),
    ],
    ids=str,
)
def test_how_far_away_an_instant_is(distance: timedelta, said: str) -> None:
    assert times.away(START + distance, START) == said


def test_a_record_that_is_locked_for_a_moment_does_not_end_the_wait(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = CliWorld(tmp_path, capsys, monkeypatch)
    from jitcloud.advance import Advance  # noqa: PLC0415 - beside what stands in for it

    wake = Advance.wake

    def locked(*_: object) -> None:
        monkeypatch.setattr(Advance, "wake", wake)
        cli.approve_elsewhere(cli.now_waiting())
        raise Unavailable("jitcloud.db is locked by another process: wait, then try again.")

    def nap(_: float) -> None:
        if cli.sleep is nap:
            cli.sleep = lambda _: None
            monkeypatch.setattr(Advance, "wake", locked)

    cli.sleep = nap
    because = ("--for", "30m", "--because", "testing", "--wait")
    said = cli.jit("request", "prod-write", *because, by="ana")
    assert said.code == 0
    assert "is locked by another process" in said.err
