"""Seals happenings into a request's trail, and says whether a trail is what was sealed.

The text of an event is its RFC 8785 canonical JSON.
Its hash is SHA-256 over that text and the signature, so neither can be changed, added or
dropped without breaking the next event's ``prev``. A signature covers the text, and with
``prev`` everything before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from jitcloud import codec, controls, lifecycle
from jitcloud.audit import unsigned
from jitcloud.errors import Misconfigured, Tampered
from jitcloud.model import (
    CONTROLS,
    GENESIS,
    Actor,
    Adopted,
    Approved,
    Attested,
    Controls,
    Decided,
    Denied,
    Digest,
    EndAll,
    Event,
    GlassBroken,
    Happening,
    Request,
    RequestId,
    Resumed,
    Reviewed,
    Sealed,
    Signature,
    Stopped,
    Voted,
)
from jitcloud.ports import Signer, Verifier

SIGNED_AS = b"jitcloud event v1\n"
"""Prefixed to what is signed, so that a signature can stand for nothing else."""

DECISIVE: tuple[type[Happening], ...] = (
    Decided,
    GlassBroken,
    Voted,
    Approved,
    Reviewed,
    Attested,
    Adopted,
    Stopped,
    Resumed,
    EndAll,
)
"""What must be signed before anything is granted on it.

Neither ``Restored`` nor ``Reconciled`` is here: the one only takes away, and the other gives
nobody anything by itself. Whoever drives clouds records both, and has no key.
"""


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
    return _seal(request, id_, happenings, lifecycle.fold, _Line(actor, now, signer))


def seal_controls(
    before: Controls | None,
    happenings: Sequence[Happening],
    *,
    actor: Actor,
    now: datetime,
    signer: Signer | None,
) -> tuple[Controls, tuple[Sealed, ...]]:
    """Append happenings to the deployment's own trail, as ``seal`` does to a request's."""
    return _seal(before, CONTROLS, happenings, controls.fold, _Line(actor, now, signer))


class _Folded(Protocol):
    """What a trail adds up to so far."""

    @property
    def seq(self) -> int: ...
    @property
    def head(self) -> Digest: ...
    @property
    def updated_at(self) -> datetime: ...


F = TypeVar("F", bound=_Folded)


@dataclass(frozen=True, slots=True)
class _Line:
    """What the lines of one commit have in common."""

    actor: Actor
    now: datetime
    signer: Signer | None

    def sealed(self, id_: RequestId, before: _Folded | None, what: Happening) -> Sealed:
        event = Event(
            request=id_,
            seq=1 if before is None else before.seq + 1,
            at=self.now if before is None else max(self.now, before.updated_at),
            actor=self.actor,
            what=what,
            prev=GENESIS if before is None else before.head,
        )
        text = codec.encode_event(event)
        signature = self._signature(what, text)
        return Sealed(event=event, text=text, signature=signature, hash=digest(text, signature))

    def _signature(self, what: Happening, text: str) -> Signature | None:
        if self.signer is None or not isinstance(what, DECISIVE):
            return None
        try:
            return self.signer.sign(SIGNED_AS + text.encode())
        except Misconfigured:
            # What only takes away does not wait for a key: it is believed without a signature.
            if must_be_signed(what):
                raise
            return None


def _seal(
    before: F | None,
    id_: RequestId,
    happenings: Sequence[Happening],
    fold: Callable[[F | None, Sealed], F],
    line: _Line,
) -> tuple[F, tuple[Sealed, ...]]:
    sealed: list[Sealed] = []
    for what in happenings:
        sealed.append(line.sealed(id_, before, what))
        before = fold(before, sealed[-1])
    if before is None:
        message = "nothing to seal"
        raise ValueError(message)
    return before, tuple(sealed)


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
        _check_line(request.id, line, verifier)
        folded = unsigned.fold(folded, line)
    if folded is None:
        message = f"Request {request.id} has no trail: nothing is granted on it."
        raise Tampered(message)
    if folded != request:
        changed = _differences(folded, request)
        message = f"The record of request {request.id} is not what its trail says ({changed})."
        raise Tampered(message)
    return folded


def verify_controls(
    known: Controls | None, trail: Iterable[Sealed], verifier: Verifier | None
) -> Controls | None:
    """Check the deployment's own trail, as ``verify`` does a request's. Raises ``Tampered``.

    Whoever adopts a policy text and vouches for the trail so far, answers for it by the key that
    is trusted now: so a key that was stolen can be left behind.
    """
    folded: Controls | None = None
    trail = tuple(trail)
    vouched = _vouched(trail, verifier)
    for line in trail:
        _check_line(CONTROLS, line, verifier if line.event.seq > vouched else None)
        if folded is not None and line.event.at < folded.updated_at:
            unsigned.disbelieve(CONTROLS, line, "it is dated before the one it follows")
        folded = controls.fold(folded, line)
    if folded != known:
        message = "What holds for the whole deployment is not what its trail says."
        raise Tampered(message)
    return folded


def _vouched(trail: Sequence[Sealed], verifier: Verifier | None) -> int:
    """The sequence of the last event by which somebody vouched for what stands before it."""
    for line in reversed(trail):
        if (
            verifier is not None
            and isinstance(line.event.what, Adopted)
            and line.event.what.vouched
        ):
            try:
                _check_line(CONTROLS, line, verifier)
            except Tampered:
                continue
            return line.event.seq - 1
    return 0


def _check_line(of: RequestId, line: Sealed, verifier: Verifier | None) -> None:
    if digest(line.text, line.signature) != line.hash:
        unsigned.disbelieve(of, line, "its text or signature was edited")
    if codec.decode_event(line.text) != line.event:
        unsigned.disbelieve(of, line, "its text says something else than its columns")
    if line.event.request != of:
        unsigned.disbelieve(of, line, "it belongs to another request")
    if verifier is not None:
        _check_signature(of, line, verifier)


def _check_signature(request: RequestId, line: Sealed, verifier: Verifier) -> None:
    if line.signature is None:
        # A refusal gives nothing to anybody, so one that is not signed does no harm.
        if must_be_signed(line.event.what):
            unsigned.disbelieve(request, line, "it is not signed")
        return
    try:
        verifier.verify(SIGNED_AS + line.text.encode(), line.signature)
    except Tampered as exc:
        message = f"Event {line.event.seq} of request {request}: {exc}"
        raise Tampered(message) from exc


def must_be_signed(what: Happening) -> bool:
    """Whether an event is not believed without a signature."""
    return isinstance(what, DECISIVE) and not _refuses(what)


def _refuses(what: Happening) -> bool:
    match what:
        case Decided(decision=Denied()) | Voted(yes=False) | Stopped() | EndAll():
            return True
        case _:
            return False


def _differences(folded: Request, request: Request) -> str:
    names = [
        name
        for name in Request.__dataclass_fields__
        if getattr(folded, name) != getattr(request, name)
    ]
    if folded.seq < request.seq:
        names.append("later events are missing")
    return ", ".join(names)
