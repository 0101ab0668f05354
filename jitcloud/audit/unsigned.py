"""Holds the events that nobody signs to what the signed ones allow.

Whoever drives clouds must not be able to sign. What they write (activations, extensions, issues)
has to follow from a signed decision, or an old approval could be replayed years later.
"""

from __future__ import annotations

from typing import NoReturn

from jitcloud import lifecycle
from jitcloud.errors import Tampered
from jitcloud.model import (
    Activating,
    Attested,
    Extended,
    GlassBroken,
    Happening,
    Issuing,
    PolicyRef,
    Prolonged,
    Request,
    RequestId,
    Reviewed,
    Sealed,
    State,
    Voted,
    Window,
)


def fold(folded: Request | None, line: Sealed) -> Request:
    """Fold an event that what was signed before it allows. Raises ``Tampered``."""
    what = line.event.what
    if folded is not None:
        if line.event.at < folded.updated_at:
            disbelieve(folded.id, line, "it is dated before the one it follows")
        _check_who(folded, what, line)
        if isinstance(what, GlassBroken) and not folded.ask.break_glass:
            disbelieve(folded.id, line, "it breaks a glass that nobody asked to break")
        if isinstance(what, Activating):
            _check_window(folded, what, line)
        if isinstance(what, Extended):
            _check_extension(folded, what, line)
        if isinstance(what, Prolonged) and line.event.at >= lifecycle.deadline(folded):
            disbelieve(folded.id, line, "it extends what is over")
        if isinstance(what, Issuing) and line.event.at >= lifecycle.deadline(folded):
            disbelieve(folded.id, line, "it issues credentials after the deadline")
        _check_number(folded, what, line)
    return lifecycle.fold(folded, line)


def _check_who(folded: Request, what: Happening, line: Sealed) -> None:
    if isinstance(what, Voted) and what.yes and what.by == folded.person:
        disbelieve(folded.id, line, "the requester votes for their own request")
    if isinstance(what, Reviewed) and what.by == folded.person:
        disbelieve(folded.id, line, "the requester reviews their own request")
    if isinstance(what, Attested) and what.by in {folded.person, *(v.by for v in folded.votes)}:
        disbelieve(folded.id, line, "somebody who asked or approved attests the end")


def _check_number(folded: Request, what: Happening, line: Sealed) -> None:
    judged_by = getattr(what, "policy", None)
    if folded.policy is None or not isinstance(judged_by, PolicyRef):
        return
    if judged_by.number < folded.policy.number:
        disbelieve(folded.id, line, "an older policy undoes what a newer one has judged")


def _check_extension(folded: Request, what: Extended, line: Sealed) -> None:
    if folded.ask.extends is None:
        disbelieve(folded.id, line, "it extends, though it asked for something of its own")
    if folded.lapses_at is None or line.event.at >= folded.lapses_at:
        disbelieve(folded.id, line, "it extends by what was not approved, or had lapsed")
    if what.window.deadline > what.window.start + folded.ask.duration:
        disbelieve(folded.id, line, "its window is longer than was decided")


def _check_window(folded: Request, what: Activating, line: Sealed) -> None:
    if folded.ask.extends is not None:
        disbelieve(folded.id, line, "it activates what was asked only to extend another")
    if folded.lapses_at is None or what.window.start >= folded.lapses_at:
        disbelieve(folded.id, line, "it activates what was not approved, or had lapsed")
    if what.window.deadline > what.window.start + folded.ask.duration:
        disbelieve(folded.id, line, "its window is longer than was decided")
    if folded.ask.start is not None and what.window.start != folded.ask.start:
        disbelieve(folded.id, line, "its window does not start when it was asked to")
    if line.event.at < what.window.start:
        disbelieve(folded.id, line, "it activates before its window starts")
    if folded.ask.start is None and what.window.start > line.event.at:
        disbelieve(folded.id, line, "its window starts after it was activated")


def check_prolonged(parent: Request, line: Sealed, child: Request, window: Window) -> None:
    """Hold a later deadline to the extension it names, whose own trail was verified."""
    same = (child.ask.extends, child.person, child.entitlement, child.ask.part)
    if same != (parent.id, parent.person, parent.entitlement, parent.ask.part):
        disbelieve(parent.id, line, f"request {child.id} was not let in to extend it")
    if child.state is not State.EXTENDED or child.window != window:
        disbelieve(parent.id, line, f"request {child.id} was let in for something else")


def disbelieve(request: RequestId, line: Sealed, why: str) -> NoReturn:
    """Raise ``Tampered`` for an event that cannot have happened so."""
    message = f"Event {line.event.seq} of request {request} cannot be believed: {why}."
    raise Tampered(message)
