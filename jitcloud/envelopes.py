"""What other programs are sent of an event: who, what and when, and no word that anybody wrote.

The form has a version and is described on ``docs/publishing.md``. What people wrote (why they
ask, why they say no) is left out unless the operator wants it; what proves who somebody is never
leaves the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from jitcloud import codec
from jitcloud.errors import Refused
from jitcloud.instants import iso
from jitcloud.model import (
    Asked,
    Attested,
    Decided,
    Denied,
    Ended,
    Ending,
    Escalated,
    Event,
    Failed,
    GlassBroken,
    Happening,
    Issuing,
    Prolonged,
    Request,
    Reviewed,
    Sealed,
    Voted,
    Withdrawn,
)
from jitcloud.model.controls import (
    Adopted,
    AllEnding,
    EndAll,
    Reconciled,
    Restored,
    Resumed,
    Stopped,
)

VERSION = 1
"""Rises when a key means something else, or goes; receivers must bear new keys at any time."""

LARGEST = 200_000
"""Of an envelope, in bytes: SNS takes 256 KiB with its attributes, and EventBridge more."""

MOST_TEXT = 1000
"""How many characters are sent of each text that somebody wrote."""

Facts = Mapping[str, object]

_OF_THE_DEPLOYMENT = (Adopted, Stopped, Resumed, EndAll, AllEnding, Restored, Reconciled)


def _name(kind: type[Happening]) -> str:
    return f"request.{kind.__dataclass_fields__['type'].default}"


TYPES = tuple(_name(kind) for kind in get_args(Happening) if kind not in _OF_THE_DEPLOYMENT)
"""Everything that can be sent, by its name."""


def type_of(event: Event) -> str:
    """Name what happened, such as ``request.approved``."""
    return f"request.{event.what.type}"


def id_of(line: Sealed) -> str:
    """Name an event: the same whenever it is sent, and no other's.

    After a restore from a backup a request may go on otherwise than it once did, so its number
    alone would name two events; its hash does not.
    """
    return f"{line.event.request}-{line.event.seq}-{line.hash[:8]}"


def envelope(line: Sealed, after: Request, *, texts: bool = False) -> dict[str, object]:
    """Return what is sent of an event; ``after`` is the request as the event has left it."""
    event, window = line.event, after.window
    made: dict[str, object] = {
        "version": VERSION,
        "id": id_of(line),
        "type": type_of(event),
        "timestamp": iso(event.at),
        "request": event.request,
        "seq": event.seq,
        "hash": line.hash,
        "actor": event.actor.id,
        "person": after.person,
        "entitlement": after.entitlement.id,
        "part": after.ask.part or None,
        "state": after.state.value,
        "start": None if window is None else iso(window.start),
        "deadline": None if window is None else iso(window.deadline),
        "details": _details(event.what),
    }
    if texts:
        made["texts"] = {name: text[:MOST_TEXT] for name, text in _texts(event.what) if text}
    return made


def text_of(line: Sealed, after: Request, *, texts: bool = False) -> str:
    """Write an envelope as JSON (RFC 8785). Raises ``Refused`` for one that is too large."""
    text = codec.canonical(envelope(line, after, texts=texts))
    if len(text.encode()) > LARGEST:
        raise Refused(
            f"Event {line.event.seq} would take more than {LARGEST} bytes; see it with"
            f" `jitcloud audit show {line.event.request}`."
        )
    return text


def _details(what: Happening) -> Facts:
    """Say what else there is to know, in words that a program can compare."""
    details: Facts = {}
    match what:
        case Asked(ask=ask):
            details = {
                "seconds": int(ask.duration.total_seconds()),
                "break_glass": ask.break_glass,
                "extends": ask.extends,
            }
        case Decided(decision=decision) | GlassBroken(decision=decision):
            details = {"decision": decision.kind}
        case Voted(yes=yes, stage=stage):
            details = {"yes": yes, "stage": stage}
        case Escalated(stage=stage):
            details = {"stage": stage}
        case Prolonged(by=by):
            details = {"by": by}
        case Issuing(number=number):
            details = {"number": number}
        case Ending(cause=cause):
            details = {"cause": cause.value}
        case Ended(evidence=evidence):
            details = {"evidence": evidence.value}
        case Reviewed(fine=fine, done=done):
            details = {"fine": fine, "done": done}
        case _:
            pass
    return details


def _texts(what: Happening) -> tuple[tuple[str, str], ...]:
    """Return what somebody wrote: people, rules, or a cloud that refused."""
    match what:
        case Asked(ask=ask):
            return (
                ("justification", ask.justification),
                ("ticket", ask.ticket or ""),
                ("incident", ask.incident or ""),
            )
        case Decided(decision=Denied(because=because)):
            return (("reason", " ".join(because)),)
        case (
            Voted(reason=reason)
            | Withdrawn(reason=reason)
            | Ending(reason=reason)
            | Attested(reason=reason)
            | Failed(reason=reason)
        ):
            return (("reason", reason),)
        case Reviewed(note=note):
            return (("note", note),)
        case _:
            return ()
