"""What may go wrong with a call to the emulated Identity Center."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from jitcloud.emulators.identity_center.description import codes
from jitcloud.emulators.identity_center.refusal import Refusal, code_in
from jitcloud.errors import Invalid


class Fault(StrEnum):
    """What goes wrong with one call."""

    THROTTLED = "throttled"
    """ThrottlingException, whatever the rate is; nothing was done."""
    DENIED = "denied"
    """AccessDeniedException."""
    CONFLICT = "conflict"
    """ConflictException, of an operation that may answer it."""
    INTERNAL = "internal"
    """InternalServerException, with status 500; nothing was done."""
    HANG_UP = "hang up"
    """The connection ends without an answer; nothing was done."""
    HANG_UP_DONE = "hang up, done"
    """The connection ends without an answer; what was asked for was done."""
    LATE = "late"
    """The connection ends without an answer; what was asked for is done ``after`` that time."""
    NEVER_FINISHES = "never finishes"
    """An operation stays IN_PROGRESS, until ``release`` of the Identity Center."""
    FORGOTTEN = "forgotten"
    """Asked for a status, it knows of no such operation: ResourceNotFoundException."""
    FAILS = "fails"
    """An operation is FAILED when it ends, for the ``reason``, and has done nothing."""


OUTCOMES = frozenset({Fault.NEVER_FINISHES, Fault.FAILS})
"""Faults that strike not the call but what it starts."""

_STARTING = frozenset(
    {"CreateAccountAssignment", "DeleteAccountAssignment", "ProvisionPermissionSet"}
)
_STATUS = frozenset(
    {
        "DescribeAccountAssignmentCreationStatus",
        "DescribeAccountAssignmentDeletionStatus",
        "DescribePermissionSetProvisioningStatus",
    }
)
_SAYS: Mapping[Fault, tuple[str, str]] = {
    Fault.THROTTLED: ("ThrottlingException", "Rate exceeded"),
    Fault.DENIED: (
        "AccessDeniedException",
        "You do not have sufficient access to perform this action.",
    ),
    Fault.CONFLICT: (
        "ConflictException",
        "A conflict with a previous successful write is detected.",
    ),
    Fault.INTERNAL: ("InternalServerException", "An internal failure occurred."),
    Fault.FORGOTTEN: ("ResourceNotFoundException", "There is no such request."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A fault in the queue."""

    fault: Fault
    on: str | None = None
    after: timedelta = timedelta(0)
    reason: str = ""

    @property
    def refusal(self) -> Refusal | None:
        """The error that is answered, where an error is answered."""
        said = _SAYS.get(self.fault)
        return None if said is None else Refusal(*said)


class Faults:
    """A queue: each call is struck by the first fault in it that is meant for it and can strike it.

    ``faults.append(Fault.THROTTLED)`` strikes whatever is called next,
    ``faults.append(Fault.FAILS, on="CreateAccountAssignment")`` the next create.
    """

    def __init__(self) -> None:
        """Begin with an empty queue."""
        self._queue: list[Planned] = []
        self.struck: Counter[Fault] = Counter()
        """How many of each kind have struck."""

    def __len__(self) -> int:
        """How many have not struck yet."""
        return len(self._queue)

    def append(
        self,
        fault: Fault,
        *,
        on: str | None = None,
        after: timedelta = timedelta(minutes=1),
        reason: str = "An unexpected internal service exception was encountered",
    ) -> None:
        """Queue a fault, ``on`` the next call of that operation, or on whichever it can strike.

        ``after`` is for ``LATE``, ``reason`` for ``FAILS``. Raises ``Invalid`` if it could never
        strike that operation.
        """
        limited = {Fault.FORGOTTEN: _STATUS, **dict.fromkeys(OUTCOMES, _STARTING)}.get(fault)
        if on is not None and limited is not None and on not in limited:
            raise Invalid(f"{fault.name} cannot strike {on}; name one of {', '.join(limited)}.")
        self._queue.append(Planned(fault=fault, on=on, after=after, reason=reason))

    def clear(self) -> None:
        """Let nothing of what is queued strike."""
        self._queue.clear()

    def take(self, service: str, operation: str) -> Planned | None:
        """Take out of the queue what strikes this call."""
        for at, planned in enumerate(self._queue):
            if planned.on in {None, operation} and _fits(planned.fault, service, operation):
                self.struck[planned.fault] += 1
                return self._queue.pop(at)
        return None

    def put_back(self, planned: Planned) -> None:
        """It has not struck after all: it is the next to strike."""
        self.struck[planned.fault] -= 1
        self._queue.insert(0, planned)


def _fits(fault: Fault, service: str, operation: str) -> bool:
    if fault in OUTCOMES:
        return operation in _STARTING
    if fault is Fault.FORGOTTEN:
        return operation in _STATUS
    said = _SAYS.get(fault)
    return said is None or code_in(service, said[0]) in codes(service, operation)
