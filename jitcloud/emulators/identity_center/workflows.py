"""What has been started and is not finished at once: assigning, unassigning, provisioning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from jitcloud.emulators.identity_center.agenda import Agenda
from jitcloud.emulators.identity_center.behaviour import Behaviour
from jitcloud.emulators.identity_center.call import Answer, Call
from jitcloud.emulators.identity_center.faults import Fault
from jitcloud.emulators.identity_center.names import Ids
from jitcloud.emulators.identity_center.refusal import not_found

Kind = Literal["creation", "deletion", "provisioning"]
Status = Literal["IN_PROGRESS", "SUCCEEDED", "FAILED"]

Effect = Callable[[datetime], str | None]
"""Does what was asked for, as of the instant it ends; or says why it cannot be done."""


@dataclass(slots=True, eq=False)
class Workflow:
    """One of them."""

    kind: Kind
    request_id: str
    told: Answer
    """What its status repeats of the request."""
    within: object
    """What it keeps others out of while it is in progress."""
    created_at: datetime
    effect: Effect
    status: Status = "IN_PROGRESS"
    reason: str | None = None
    is_stuck: bool = False

    @property
    def answer(self) -> Answer:
        """Its status, as AWS tells it."""
        failed = {} if self.reason is None else {"FailureReason": self.reason}
        return {**self.told, **failed, **self.summary}

    @property
    def summary(self) -> Answer:
        """Its status, as a list tells it."""
        return {
            "Status": self.status,
            "RequestId": self.request_id,
            "CreatedDate": self.created_at,
        }


class Workflows:
    """All that is in progress, and what has ended and is not forgotten yet."""

    def __init__(self, agenda: Agenda, behaviour: Behaviour, ids: Ids) -> None:
        """Begin with none."""
        self._agenda = agenda
        self._behaviour = behaviour
        self._ids = ids
        self._known: dict[str, Workflow] = {}
        self._open: dict[str, Workflow] = {}

    def start(self, kind: Kind, call: Call, told: Answer, within: object, effect: Effect) -> Answer:
        """Begin one; return its status."""
        made = Workflow(kind, self._ids.uuid(), told, within, call.now, effect)
        self._known[made.request_id] = self._open[made.request_id] = made
        fault = None if call.fault is None else call.fault.fault
        if call.fault is not None and fault is Fault.FAILS:
            reason = call.fault.reason
            made.effect = lambda _: reason
        made.is_stuck = fault is Fault.NEVER_FINISHES
        if not made.is_stuck:
            ends_at = call.now + self._behaviour.takes
            self._agenda.plan(ends_at, lambda at: self._finish(made, at))
        return made.answer

    def release(self, now: datetime) -> int:
        """Finish what never finishes; return how many there were."""
        stuck = [made for made in self._open.values() if made.is_stuck]
        for made in stuck:
            self._finish(made, now)
        return len(stuck)

    def of(self, kind: Kind) -> Iterator[Workflow]:
        """All of a kind that are known."""
        return (made for made in self._known.values() if made.kind == kind)

    def find(self, kind: Kind, request_id: str) -> Workflow:
        """One of them. Raises what AWS answers when it is not known, or not any more."""
        found = self._known.get(request_id)
        if found is None or found.kind != kind:
            raise not_found(f"There is no {kind} request of this id.")
        return found

    def outstanding(self, *kinds: Kind) -> int:
        """How many of these kinds are in progress."""
        return sum(made.kind in kinds for made in self._open.values())

    def keeps_out(self, within: object) -> bool:
        """Whether one is in progress there."""
        return any(made.within == within for made in self._open.values())

    def _finish(self, made: Workflow, at: datetime) -> None:
        del self._open[made.request_id]
        made.reason = made.effect(at)
        made.status = "SUCCEEDED" if made.reason is None else "FAILED"
        self._agenda.plan(
            at + self._behaviour.remembers, lambda _: self._known.pop(made.request_id)
        )
