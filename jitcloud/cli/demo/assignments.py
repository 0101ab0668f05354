"""Scenes on IAM Identity Center, where whoever is assigned twice is assigned once.

Whether somebody can open an account is asked of the Identity Center itself, never of the record.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta

from jitcloud.cli import words
from jitcloud.cli.demo import evidence, states, watch
from jitcloud.cli.demo.broker import BrokerProcess
from jitcloud.cli.demo.center import ACCOUNT_NAME, NO_ACCESS, PERMISSION_SET, VIEW
from jitcloud.cli.demo.setting import Setting
from jitcloud.cli.demo.timeline import Timeline, Unexpected, ms
from jitcloud.emulators.account import OK
from jitcloud.model import Request, State

SHORTER, LONGER = "10m", "20m"

_OPENS = f"opens {ACCOUNT_NAME} as {PERMISSION_SET}"

_WATCHED = 1.0
"""For how many seconds access that must not go is watched: several times what a delete takes."""

_PATIENCE = 10.0


@dataclass(slots=True)
class Assignments:
    """The scenes, in order; each leaves behind what later ones need."""

    setting: Setting
    broker: BrokerProcess
    timeline: Timeline
    asked: dict[str, Request] = field(default_factory=dict)
    """By a name of the scenes' own."""

    def begun(self) -> None:
        """Somebody is to be let in, which takes Identity Center its time."""
        say = self.timeline
        say.scene("Identity Center: a grant takes AWS its time")
        self._try("alice", f"{_OPENS}, as any day", NO_ACCESS)
        say.tell("alice", f"asks for {VIEW}, for {SHORTER}")
        request = self.broker.request("alice", VIEW, SHORTER, "To look for a lost payment")
        states.expect(request, State.ACTIVATING, "alice's request")
        say.tell("jitcloud", f"yes [{_rules(request)}]; it has told AWS, and asks again later")
        self.asked["shorter"] = request

    def standing(self) -> None:
        """What somebody has by hand stays theirs."""
        say = self.timeline
        say.scene("Meanwhile bob asks for what he has anyway, and keeps it")
        self.setting.center.assign_by_hand("bob")
        say.tell("demo", f"assigns {PERMISSION_SET} to bob by hand, past jitcloud")
        self._try("bob", f"{_OPENS}, by hand", OK)
        say.tell("bob", f"asks for {VIEW}, for {SHORTER}")
        request = self.broker.request("bob", VIEW, SHORTER, "Not knowing that I have it")
        request = states.wait_for(self.broker, request, State.ACTIVE, "bob's request")
        say.tell("jitcloud", f"yes [{_rules(request)}]")
        evidence.show_standing(self.setting.folder, request, say)
        self._given_back("bob", request, "gives it back", "having given it back")

    def overlap(self) -> None:
        """Of two grants of one thing the later one is given back first."""
        say = self.timeline
        say.scene("Two grants of one thing: access lasts until both have ended")
        say.tell("alice", f"asks for {VIEW} once more, for {LONGER}")
        longer = self.broker.request("alice", VIEW, LONGER, "To look for another one")
        longer = states.wait_for(self.broker, longer, State.ACTIVE, "alice's second request")
        shorter = self.asked["shorter"]
        shorter = states.wait_for(self.broker, shorter, State.ACTIVE, "alice's first request")
        if shorter.places.grant != longer.places.grant:
            raise Unexpected("Alice's two grants", expected="one place", got="two")
        say.tell("jitcloud", f"yes [{_rules(longer)}]; both grants are one assignment")
        self._try("alice", f"{_OPENS}, by both grants", OK)
        what = f"gives back the one for {LONGER}, which would end last"
        self._given_back("alice", longer, what, "by the other grant")
        took = self._last_given_back(shorter)
        self._try("bob", f"{_OPENS}, with no grant left", OK)
        say.showed(
            "Ending one grant never takes what another gives.",
            f"the later of two was given back; access went with the last, {took} after",
        )
        say.showed(
            "Access that was there before stays.",
            "bob was let in and gave it back, and has what he had by hand",
        )

    def seen_gone(self) -> None:
        """The record says since when it is known, and what it leaves."""
        request = self.asked["shorter"]
        request = states.wait_until(self.broker, request, lambda one: one.removed_at is not None)
        if request.removed_at is None:
            raise Unexpected("Alice's assignment", expected="seen to be gone", got=request.state)
        seen = f"{request.removed_at:%H:%M:%S} UTC"
        self.timeline.tell("jitcloud", f"has seen at {seen} that alice's assignment is gone")
        self.timeline.quote("jitcloud", request.residual[0])

    # ── Parts of scenes ──────────────────────────────────────────────────────────────────────

    def _given_back(self, who: str, request: Request, what: str, by: str) -> None:
        """Give a grant back while something else gives the same, and see that access stays."""
        say = self.timeline
        say.tell(who, what)
        self.broker.give_back(who, request)
        said = watch.until_refused(lambda: self.setting.center.opens(who), _WATCHED)
        say.truth(who, f"{_OPENS}, {by}", said, expected=OK)
        ended = states.wait_for(self.broker, request, State.ENDED, f"{who}'s grant")
        if ended.evidence is not None:
            say.quote("jitcloud", words.KNOWN_BY[ended.evidence])
        self._try(who, f"{_OPENS}, once that has ended", OK)

    def _last_given_back(self, request: Request) -> str:
        """Give back the one grant that is left; return how long after that access was gone."""
        began = time.monotonic()
        self.timeline.tell("alice", f"gives back the one for {SHORTER}, too")
        self.asked["shorter"] = self.broker.give_back("alice", request)
        said = watch.until_refused(lambda: self.setting.center.opens("alice"), _PATIENCE)
        took = ms(timedelta(seconds=time.monotonic() - began))
        self.timeline.truth("alice", f"{_OPENS}, {took} later", said, expected=NO_ACCESS)
        return took

    def _try(self, who: str, what: str, expected: str) -> None:
        self.timeline.truth(who, what, self.setting.center.opens(who), expected=expected)


def _rules(request: Request) -> str:
    return ", ".join(request.decision.rules) if request.decision is not None else ""
