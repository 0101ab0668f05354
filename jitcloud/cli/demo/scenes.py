"""What happens in the demo, scene by scene. Whatever is said of access was asked of AWS."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from signal import SIGKILL
from typing import TYPE_CHECKING

from jitcloud import lifecycle
from jitcloud.cli.demo import evidence, states, watch
from jitcloud.cli.demo.assignments import Assignments
from jitcloud.cli.demo.broker import BrokerProcess, Said
from jitcloud.cli.demo.forge import forge_yes
from jitcloud.cli.demo.setting import BUCKET, KEY, READ, WRITE, Setting
from jitcloud.cli.demo.timeline import Timeline, Unexpected, ms
from jitcloud.clock import utc_now
from jitcloud.durations import format_duration
from jitcloud.emulators.account import OK, read, write
from jitcloud.errors import JitError, Refused, Tampered
from jitcloud.model import PersonId, Request, State

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DENIED = "AccessDenied"

LONG = "10m"
SHORT = "15s"
"""Of the grant that is watched to its end. Nothing is issued in the last ten seconds of one."""

PROMPT = timedelta(seconds=2)
"""How fast an early end must work here; on AWS, IAM takes seconds to act on a change."""

LATE = timedelta(seconds=1)
"""More overstay than this would not be "at the deadline"."""

Attempt = Callable[["S3Client", str, str], str]


@dataclass(slots=True)
class Story:
    """The scenes, in order; each leaves behind what later ones need."""

    setting: Setting
    broker: BrokerProcess
    timeline: Timeline
    asked: dict[str, Request] = field(default_factory=dict)
    """By a name of the scenes' own."""
    s3: dict[str, S3Client] = field(default_factory=dict)
    """By the same name through a session; by a person's through what they have every day."""

    def play(self) -> None:
        """All of it. Raises ``Unexpected`` at the first thing that is not as promised."""
        assignments = Assignments(self.setting, self.broker, self.timeline)
        self.before()
        self.at_once()
        self.given_back()
        assignments.begun()
        assignments.standing()
        assignments.overlap()
        self.second_person()
        self.deadline_without_broker()
        self.forged()
        self.record(assignments)

    def before(self) -> None:
        """Nobody has anything."""
        known = {**self.setting.everyday, "broker": self.setting.broker}
        self.s3 = {who: self.setting.account.s3(theirs) for who, theirs in known.items()}
        self.timeline.scene("Nobody has standing access")
        self._try("alice", "reads a report, as she is every day", read, DENIED)
        self._try("broker", "reads a report: all it may is hand out roles", read, DENIED)

    def at_once(self) -> None:
        """A rule says yes by itself."""
        say = self.timeline
        say.scene("Reading: a rule says yes at once")
        for who in ("alice", "bob"):
            say.tell(who, f"asks for {READ}, for {LONG}")
            request = self.broker.request(who, READ, LONG, "To compare the months")
            self._granted(request, who, f"{who}-reads")
            self._try(who, "reads a report", read, OK, by=f"{who}-reads")
        self._try("alice", "tries to change one", write, DENIED, by="alice-reads")

    def given_back(self) -> None:
        """An early end takes one session, and no other of the same role."""
        say = self.timeline
        say.scene("Given back early: one session ends, others of the role do not")
        self._try("alice", "reads once more", read, OK, by="alice-reads")
        s3 = self.s3["alice-reads"]
        began = time.monotonic()
        say.tell("alice", f"gives {READ} back, {self._left('alice-reads')} early")
        self.broker.give_back("alice", self.asked["alice-reads"])
        said = watch.until_refused(lambda: read(s3, BUCKET, KEY), PROMPT.total_seconds())
        took = timedelta(seconds=time.monotonic() - began)
        say.truth("alice", f"reads, {ms(took)} after she gave it back", said, expected=DENIED)
        self._try("bob", "reads on, by the same role", read, OK, by="bob-reads")
        say.showed(
            "Giving back ends exactly one session, at once.",
            f"denied {ms(took)} later, while bob's session of the same role went on",
        )

    def second_person(self) -> None:
        """A rule wants a colleague's yes."""
        say = self.timeline
        say.scene("Writing: a colleague has to say yes")
        say.tell("alice", f"asks for {WRITE}, for {SHORT}")
        request = self.broker.request("alice", WRITE, SHORT, "To correct March")
        states.expect(request, State.PENDING, "alice's request to write")
        say.tell("jitcloud", "waits for a yes: 1 of staff [writing-takes-two]")
        say.tell("alice", "asks for credentials at once")
        self._refused(lambda: self.broker.credentials("alice", request), Refused)
        say.tell("alice", "approves it herself: she is in staff, too")
        self._refused(lambda: self.broker.approve("alice", request), Refused)
        say.showed("Nobody approves their own request.", "alice tried, and was refused")
        self._try("alice", "tries to change a report", write, DENIED)
        say.tell("bob", "approves it")
        self._granted(self.broker.approve("bob", request), "alice", "alice-writes")
        self._try("alice", "changes a report", write, OK, by="alice-writes")

    def deadline_without_broker(self) -> None:
        """The broker is dead, and the deadline holds."""
        say = self.timeline
        say.scene("The broker is killed, and the deadline holds all the same")
        say.tell("carol", f"asks for {WRITE}: it waits, nobody says yes")
        waits = self.broker.request("carol", WRITE, LONG, "To correct April")
        states.expect(waits, State.PENDING, "carol's request")
        self.asked["carol-writes"] = waits
        pid = self.broker.pid
        ended = self.broker.kill()
        say.tell("demo", f"kill -9 {pid}: the broker is gone, by signal {-ended}")
        if ended != -SIGKILL:
            raise Unexpected("The broker's end", expected=f"{-SIGKILL}", got=f"{ended}")
        deadline = lifecycle.deadline(self.asked["alice-writes"])
        s3 = self.s3["alice-writes"]
        answers = watch.across(lambda: write(s3, BUCKET, KEY), deadline, self._beat)
        self._judge(answers)

    def forged(self) -> None:
        """Whoever can write the database, but not sign, gets nothing."""
        say = self.timeline
        say.scene("A yes is forged in the database, and nothing is granted on it")
        waits, like = self.asked["carol-writes"], self.asked["alice-writes"]
        added = forge_yes(self.setting.folder, waits, PersonId("bob"), like.places, utc_now())
        say.tell(
            "carol",
            f"adds {added} events to her trail, bob's yes among them, and right hashes: "
            "all but a signature",
        )
        self.broker.start()
        say.tell("demo", f"starts a new broker, process {self.broker.pid}, on the same record")
        states.expect(self.broker.hasten("carol", waits), State.ACTIVE, "the forged record")
        say.tell("carol", "asks for credentials: the record says she is active")
        self._refused(lambda: self.broker.credentials("carol", waits), Tampered)
        self._try("carol", "tries to change a report", write, DENIED)
        say.showed(
            "No access without a signed decision.", "a forged yes with right hashes got nothing"
        )
        say.tell("bob", "revokes it: an end needs no signature")
        ended = self.broker.revoke("bob", waits, "A yes I never gave")
        states.expect(ended, State.ENDED, "what bob revoked")
        say.tell("jitcloud", "it has ended; nothing was ever handed out")
        say.showed("An end is never refused.", "even the forged record could be revoked")

    def record(self, assignments: Assignments) -> None:
        """Everything is in the record, and nothing secret is."""
        say = self.timeline
        say.scene("The record")
        say.tell("bob", f"gives {READ} back, too")
        self.broker.give_back("bob", self.asked["bob-reads"])
        for name in ("alice-reads", "bob-reads", "alice-writes"):
            request = self.asked[name]
            states.wait_for(self.broker, request, State.ENDED, f"the grant {name}")
        self._try("bob", "reads a report", read, DENIED, by="bob-reads")
        assignments.seen_gone()
        self.broker.stop()
        evidence.show_trail(self.setting.folder, self.asked["alice-writes"].id, say)
        evidence.verify(self.setting.folder, self.asked["carol-writes"].id, say)
        evidence.no_secrets(self.setting.folder, [*self.broker.issued, self.setting.broker], say)

    # ── Parts of scenes ──────────────────────────────────────────────────────────────────────

    def _try(self, who: str, what: str, attempt: Attempt, expected: str, *, by: str = "") -> None:
        """Let somebody try something: as they are every day, or by a session they hold."""
        said = attempt(self.s3[by or who], BUCKET, KEY)
        self.timeline.truth(who, what, said, expected=expected)

    def _granted(self, request: Request, who: str, name: str) -> None:
        states.expect(request, State.ACTIVE, f"{who}'s request")
        until = lifecycle.deadline(request)
        rules = request.decision.rules if request.decision is not None else ()
        self.timeline.tell("jitcloud", f"yes [{', '.join(rules)}], until {until:%H:%M:%S} UTC")
        self.s3[name] = self.setting.account.s3(self.broker.credentials(who, request))
        self.asked[name] = request

    def _refused(self, command: Callable[[], object], kind: type[JitError]) -> None:
        """Give a command that the broker must refuse, and show its sentence."""
        try:
            command()
        except Said as exc:
            self.timeline.quote("jitcloud", str(exc))
            if exc.kind != kind.__name__:
                raise Unexpected("The broker", expected=kind.__name__, got=exc.kind) from exc
        else:
            raise Unexpected("The broker", expected="a refusal", got="what was asked for")

    def _beat(self, answer: watch.Answer) -> None:
        left = f"{-answer.at.total_seconds():.1f} s"
        what = f"changes a report, {left} before the deadline"
        self.timeline.truth("alice", what, answer.said, expected=OK)

    def _judge(self, answers: tuple[watch.Answer, ...]) -> None:
        """Say what AWS said around the deadline, and hold it to the promise."""
        say = self.timeline
        late = watch.overstay(answers)
        last = max((a.asked for a in answers if a.said == OK), default=-watch.GIVE_UP)
        after = {a.said for a in answers if a.at >= late}
        say.truth("alice", f"changes a report, {_around(last)}", OK, expected=OK)
        said = after.pop() if len(after) == 1 else ", ".join(sorted(after)) or OK
        say.truth("alice", f"changes a report, {_around(late)}", said, expected=DENIED)
        if not timedelta(0) <= late <= LATE or last < -LATE:
            raise Unexpected("The session's end", expected="at its deadline", got=_around(late))
        say.tell("demo", f"measured overstay: {ms(late)} at most, by {len(answers)} tries")
        say.showed(
            "The cloud holds the deadline, even with the broker dead.",
            f"killed with SIGKILL; the session was refused {_around(late)}",
        )

    def _left(self, name: str) -> str:
        return format_duration(lifecycle.deadline(self.asked[name]) - utc_now())


def _around(at: timedelta) -> str:
    side = "before" if at < timedelta(0) else "after"
    return f"{ms(abs(at))} {side} the deadline"
