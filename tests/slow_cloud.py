"""A cloud in memory that does what it is told in its own time, as a test says when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jitcloud.errors import OutcomeUnknown, Throttled
from jitcloud.model import Followed, Operation, Progress, RequestId, Sight, Slot
from jitcloud.providers.memory import MemoryAssignments


@dataclass
class Task:
    """What it was told to do, and how far that has come."""

    id: str
    verb: str
    place: tuple[str, str]
    progress: Progress = Progress.RUNNING
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SlowAssignments(MemoryAssignments):
    """The slot kind: nothing happens before ``finish``."""

    settle: timedelta = timedelta(seconds=3)
    tasks: list[Task] = field(default_factory=list)
    loses: list[str] = field(default_factory=list)
    """Verbs whose next answer never comes."""
    stale: list[bool] = field(default_factory=list)
    """What the next reads show, whatever is true."""
    told: list[str] = field(default_factory=list)
    """What was called, in order."""

    def see(self, slot: Slot, now: datetime) -> Sight:
        self.told.append("see")
        if self.stale:
            return Sight(at=now, present=self.stale.pop(0))
        return MemoryAssignments.see(self, slot, now)

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> str | None:  # noqa: ARG002 - it takes neither marks nor deadlines
        return self._begin(slot, "put")

    def remove(self, slot: Slot) -> str | None:
        return self._begin(slot, "remove")

    def follow(self, slot: Slot, operation: Operation, now: datetime) -> Followed:  # noqa: ARG002 - a test says when
        self.told.append("follow")
        place = str(slot.where["person"]), str(slot.where["role"])
        for task in self.tasks:
            is_meant = task.verb == operation.verb and task.progress is Progress.RUNNING
            lost = not operation.id and is_meant
            if task.id == operation.id or (lost and task.place == place):
                return Followed(progress=task.progress, id=task.id, reason=task.reason)
        return Followed(progress=Progress.UNKNOWN)

    def finish(self, *, fails: str = "", forgets: bool = False) -> None:
        """Let the oldest of what is under way come to its end."""
        task = next(task for task in self.tasks if task.progress is Progress.RUNNING)
        if fails:
            task.progress, task.reason = Progress.FAILED, fails
            return
        self.cloud.set(*task.place, present=task.verb == "put")
        task.progress = Progress.UNKNOWN if forgets else Progress.DONE

    def _begin(self, slot: Slot, verb: str) -> str:
        self.told.append(verb)
        place = str(slot.where["person"]), str(slot.where["role"])
        under_way = [t for t in self.tasks if t.progress is Progress.RUNNING and t.place == place]
        if any(t.verb == verb for t in under_way):
            raise Throttled("It is still at it.")
        task = Task(f"task-{len(self.tasks)}", verb, place)
        self.tasks.append(task)
        if verb in self.loses:
            self.loses.remove(verb)
            raise OutcomeUnknown("No answer came.")
        return task.id
