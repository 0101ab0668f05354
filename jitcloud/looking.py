"""Lets one that knows the record ask another that reads clouds what granting would mean.

The judge holds everything that decides, and so may reach no cloud. Whoever looks in its stead
may read clouds, and neither knows the record nor can sign: a theft of either gives half.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from jitcloud.errors import CloudError, CloudRefused, Invalid, JitError, Refused, Unavailable
from jitcloud.model import Area, Entitlement, Guarantee, Person, Places, Plan
from jitcloud.ports import Clock, Mechanism, Mechanisms, Spanning
from jitcloud.text import one_line, printable

FRESH = timedelta(seconds=30)
"""For so long what was seen is not looked at again: whoever drives the cloud plans anew anyway."""

SILENT = 10.0
"""Seconds for which nobody is asked again who has not answered."""

MOST_PLANS = 256
"""How many plans a process remembers."""

MOST_SAID = 2000
"""How much of what whoever looks has said is told."""

Ask = Callable[[Mapping[str, object]], Mapping[str, object]]
"""Asks whoever reads clouds, within seconds. Raises ``Unavailable``."""


@checked(frozen=True, slots=True, kw_only=True, config={"extra": "forbid"})
class Question:
    """What is asked: what granting would mean, or which places an entitlement spans."""

    verb: Literal["plan", "parts"]
    entitlement: Entitlement
    duration: timedelta = timedelta(0)
    part: str = ""
    person: Person | None = None


@checked(frozen=True, slots=True, kw_only=True, config={"extra": "forbid"})
class Reply:
    """What was seen, or why nothing was."""

    plan: Plan | None = None
    parts: tuple[str, ...] = ()
    refused: str = ""
    """For the person who asks: nobody could be let in there."""
    failed: str = ""
    """The cloud did not say."""


_QUESTION: TypeAdapter[Question] = TypeAdapter(Question)
_REPLY: TypeAdapter[Reply] = TypeAdapter(Reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """Answers questions, by reading clouds."""

    mechanisms: Mechanisms
    clock: Clock

    def answer(self, asked: Mapping[str, object]) -> Mapping[str, object]:
        """Answer one question. Raises ``Invalid`` for what is none."""
        try:
            question = _QUESTION.validate_python(dict(asked), strict=False)
        except (TypeError, ValueError) as exc:  # pydantic's are the latter
            raise Invalid("This is no question that can be answered by looking.") from exc
        reply: Any = _REPLY.dump_python(self._looked(question), mode="json")
        return dict(reply)

    def _looked(self, question: Question) -> Reply:
        thing, now = question.entitlement, self.clock()
        mechanism = self.mechanisms.get(thing.mechanism)
        if mechanism is None:
            return Reply(failed=f"nothing here reads {printable(thing.mechanism)}")
        try:
            if question.verb == "parts":
                return Reply(parts=mechanism.parts(thing, now))
            plan = mechanism.plan(
                thing, question.duration, now, part=question.part, person=question.person
            )
        except Refused as exc:
            return Reply(refused=str(exc))
        except JitError as exc:
            return Reply(failed=str(exc))
        return Reply(plan=plan)


@dataclass(frozen=True, slots=True)
class Asked:
    """A mechanism whose cloud is looked at by somebody else, and that grants nothing here."""

    mechanism: Mechanism
    """What it is: its name, its guarantee and what its catalog entries must say."""
    ask: Ask
    _plans: dict[str, tuple[datetime, Plan]] = field(default_factory=dict, repr=False)
    """What was seen lately, by the question."""
    _silent: list[float] = field(default_factory=list, repr=False)
    """When nobody answered last, by a clock that only runs."""

    @property
    def name(self) -> str:
        return self.mechanism.name

    @property
    def guarantee(self) -> Guarantee:
        return self.mechanism.guarantee

    def check(self, entitlement: Entitlement) -> tuple[str, ...]:
        return self.mechanism.check(entitlement)

    def parts(self, entitlement: Entitlement, now: datetime) -> tuple[str, ...]:  # noqa: ARG002 - whoever looks has a clock
        # Nobody who could be let in is kept out because nobody can look: most span nothing.
        spanning = cast("Spanning", self.mechanism)
        if not hasattr(self.mechanism, "spans") or not spanning.spans(entitlement):
            return ()
        return self._reply(Question(verb="parts", entitlement=entitlement)).parts

    def plan(
        self,
        entitlement: Entitlement,
        duration: timedelta,
        now: datetime,
        *,
        part: str = "",
        person: Person | None = None,
    ) -> Plan:
        question = Question(
            verb="plan", entitlement=entitlement, duration=duration, part=part, person=person
        )
        key = _QUESTION.dump_json(question).decode()
        seen = self._plans.get(key)
        if seen is not None and timedelta(0) <= now - seen[0] < FRESH:
            return seen[1]
        plan = self._reply(question).plan
        if plan is None:
            raise CloudError("Whoever reads the cloud answered something else than was asked.")
        if len(self._plans) >= MOST_PLANS:
            self._plans.clear()
        self._plans[key] = (now, plan)
        return plan

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:  # noqa: ARG002 - the port
        raise CloudRefused(f"{self.name} grants nothing here; whoever drives its cloud does.")

    def areas(self, entitlement: Entitlement, now: datetime) -> tuple[Area, ...]:  # noqa: ARG002 - the port
        raise CloudRefused(f"{self.name} is not listed here; whoever reads its cloud does that.")

    def _reply(self, question: Question) -> Reply:
        # Whoever asks for several things waits once for somebody who does not answer.
        if self._silent and time.monotonic() - self._silent[-1] < SILENT:
            raise CloudError("Whoever reads the cloud has just not answered; try again soon.")
        asked: Any = _QUESTION.dump_python(question, mode="json")
        try:
            answered = self.ask(asked)
        except Unavailable as exc:
            self._silent[:] = [time.monotonic()]
            raise CloudError(str(exc)) from exc
        try:
            reply = _REPLY.validate_python(dict(answered), strict=False)
        except ValidationError as exc:
            raise CloudError("What whoever reads the cloud answered cannot be read.") from exc
        if reply.refused:
            raise Refused(one_line(reply.refused, "answer", limit=MOST_SAID))
        if reply.failed:
            raise CloudError(one_line(reply.failed, "answer", limit=MOST_SAID))
        return reply
