"""What an exit code means. Programs may rely on these; they are part of the interface."""

from __future__ import annotations

from enum import IntEnum

from jitcloud.errors import (
    CloudError,
    Conflict,
    Invalid,
    JitError,
    Misconfigured,
    NotFound,
    Refused,
    Tampered,
    Unauthenticated,
)


class ExitCode(IntEnum):
    """How a command ended. ``exec`` ends as its command did, if that could be run."""

    OK = 0
    TROUBLES = 1
    """check, doctor, sweep, reconcile or audit verify found something."""
    INVALID = 2
    """What was typed cannot be understood; nothing was done."""
    REFUSED = 3
    """You may not, or not any more; or the request came back denied."""
    NOT_FOUND = 4
    CONFLICT = 5
    """Somebody else got there first; look again, then decide again."""
    MISCONFIGURED = 6
    """An operator has something to fix."""
    TAMPERED = 7
    """The record does not follow from its signed trail."""
    CLOUD = 8
    """A cloud did not do as it was told."""
    UNAUTHENTICATED = 9
    """Nobody is signed in, or not any more: sign in, then do it again."""
    DEFECT = 70
    """A defect in jitcloud itself."""
    NOT_EXECUTABLE = 126
    """exec: the command is there, but cannot be run."""
    NO_COMMAND = 127
    """exec: there is no such command."""
    INTERRUPTED = 130


HELP = (
    "Exit codes: 0 done; 1 check, doctor, sweep, reconcile or audit verify found something; 2 not"
    " understood; 3 refused or denied; 4 not found; 5 somebody else was first; 6 something to fix"
    " for an operator; 7 the record was tampered with; 8 a cloud did not do as told; 9 sign in"
    " first; 70 a defect in jitcloud; 130 interrupted. exec ends as its command does (126: it"
    " cannot be run, 127: there is none)."
)

_CODES: tuple[tuple[type[JitError], ExitCode], ...] = (
    (Invalid, ExitCode.INVALID),
    (NotFound, ExitCode.NOT_FOUND),
    (Refused, ExitCode.REFUSED),
    (Conflict, ExitCode.CONFLICT),
    (Misconfigured, ExitCode.MISCONFIGURED),
    (Tampered, ExitCode.TAMPERED),
    (CloudError, ExitCode.CLOUD),
    (Unauthenticated, ExitCode.UNAUTHENTICATED),
)


def code_of(error: JitError) -> ExitCode:
    """Return the exit code for an error of the tree."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.DEFECT)
