"""Seals happenings into a request's trail, and says whether a trail is what was sealed.

The text of an event is its RFC 8785 canonical JSON.
Its hash is SHA-256 over that text and the signature, so neither can be changed, added or
dropped without breaking the next event's ``prev``. A signature covers the text, and with
``prev`` everything before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NoReturn

from jitcloud import codec, lifecycle
from jitcloud.errors import Tampered
from jitcloud.model import (
    GENESIS,
    Activate,
    Activating,
    Actor,
    Approved,
    Decided,
    Denied,
    Digest,
    Event,
    Happening,
    Issuing,
    Request,
    RequestId,
    Sealed,
    Signature,
    State,
    Voted,
)
from jitcloud.ports import Signer, Verifier

SIGNED_AS = b"jitcloud event v1\n"
"""Prefixed to what is signed, so that a signature can stand for nothing else."""

DECISIVE: tuple[type[Happening], ...] = (Decided, Voted, Approved)
"""What must be signed before anything is granted on it."""


def seal(  # noqa: PLR0913 - the facts of a line, and who signs it
    request: Request | None,
    id_: RequestId,
    happenings: Sequence[Happening],
    *,
    actor: Actor,
    now: datetime,
    signer: Signer | None,
) -> tuple[Request, tuple[Sealed, ...]]:
    """Append happenings to a trail; return the snapshot they give and the sealed events.

    ``now`` never goes back within a trail: an event recorded while a clock was set back is
    dated like the one before it.
    """
    sealed: list[Sealed] = []
    for what in happenings:
        event = Event(
            request=id_,
            seq=1 if request is None else request.seq + 1,
            at=now if request is None else max(now, request.updated_at),
            actor=actor,
            what=what,
            prev=GENESIS if request is None else request.head,
        )
        text = codec.encode_event(event)
        signature = None
        if signer is not None and isinstance(what, DECISIVE):
            signature = signer.sign(SIGNED_AS + text.encode())
        line = Sealed(event=event, text=text, signature=signature, hash=digest(text, signature))
        request = lifecycle.fold(request, line)
        sealed.append(line)
    if request is None:
        message = "nothing to seal"
        raise ValueError(message)
    return request, tuple(sealed)


def digest(text: str, signature: Signature | None) -> Digest:
    """The hash of an event: what the next one names as ``prev``."""
    signed = codec.encode_signature(signature) or ""
    return Digest(hashlib.sha256(f"{text}\n{signed}".encode()).hexdigest())


def verify(request: Request, trail: Iterable[Sealed], verifier: Verifier | None) -> Request:
    """Check hashes, signatures, order and rules of a trail against the snapshot it should give.

    Raises ``Tampered`` saying what is wrong. Without a ``verifier`` no signature is checked.
    """
    folded: Request | None = None
    for line in trail:
        if digest(line.text, line.signature) != line.hash:
            _tampered(request.id, line, "its text or signature was edited")
        if codec.decode_event(line.text) != line.event:
            _tampered(request.id, line, "its text says something else than its columns")
        if line.event.request != request.id:
            _tampered(request.id, line, "it belongs to another request")
        if verifier is not None:
            _check_signature(request.id, line, verifier)
        folded = _checked_fold(folded, line)
    if folded is None:
        message = f"Request {request.id} has no trail: nothing is granted on it."
        raise Tampered(message)
    if folded != request:
        changed = _differences(folded, request)
        message = f"The record of request {request.id} is not what its trail says ({changed})."
        raise Tampered(message)
    return folded


def _check_signature(request: RequestId, line: Sealed, verifier: Verifier) -> None:
    if line.signature is None:
        # A refusal gives nothing to anybody, so one that is not signed does no harm.
        if isinstance(line.event.what, DECISIVE) and not _refuses(line.event.what):
            _tampered(request, line, "it is not signed")
        return
    try:
        verifier.verify(SIGNED_AS + line.text.encode(), line.signature)
    except Tampered as exc:
        message = f"Event {line.event.seq} of request {request}: {exc}"
        raise Tampered(message) from exc


def _refuses(what: Happening) -> bool:
    return (isinstance(what, Decided) and isinstance(what.decision, Denied)) or (
        isinstance(what, Voted) and not what.yes
    )


def _checked_fold(folded: Request | None, line: Sealed) -> Request:
    """Fold, and hold unsigned events to what the signed ones allow."""
    what = line.event.what
    if folded is not None:
        if line.event.at < folded.updated_at:
            _tampered(folded.id, line, "it is dated before the one it follows")
        if isinstance(what, Voted) and what.yes and what.by == folded.person:
            _tampered(folded.id, line, "the requester votes for their own request")
        if isinstance(what, Activating):
            _check_window(folded, what, line)
        if isinstance(what, Issuing) and line.event.at >= lifecycle.deadline(folded):
            _tampered(folded.id, line, "it issues credentials after the deadline")
    return lifecycle.fold(folded, line)


def _check_window(folded: Request, what: Activating, line: Sealed) -> None:
    # Activations are not signed: whoever drives clouds must not be able to sign. So the window
    # must follow from the signed decision, or an old approval could be replayed years later.
    allowed = isinstance(folded.decision, Activate) or folded.state is State.SCHEDULED
    if not allowed or folded.lapses_at is None or what.window.start >= folded.lapses_at:
        _tampered(folded.id, line, "it activates what was not approved, or had lapsed")
    if what.window.deadline > what.window.start + folded.ask.duration:
        _tampered(folded.id, line, "its window is longer than was decided")
    if folded.ask.start is not None and what.window.start != folded.ask.start:
        _tampered(folded.id, line, "its window does not start when it was asked to")
    if line.event.at < what.window.start:
        _tampered(folded.id, line, "it activates before its window starts")
    if folded.ask.start is None and what.window.start > line.event.at:
        _tampered(folded.id, line, "its window starts after it was activated")


def _tampered(request: RequestId, line: Sealed, why: str) -> NoReturn:
    message = f"Event {line.event.seq} of request {request} cannot be believed: {why}."
    raise Tampered(message)


def _differences(folded: Request, request: Request) -> str:
    names = [
        name
        for name in Request.__dataclass_fields__
        if getattr(folded, name) != getattr(request, name)
    ]
    if folded.seq < request.seq:
        names.append("later events are missing")
    return ", ".join(names)
