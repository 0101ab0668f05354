"""Trails as an API tells them: each line read anew, and its hash and order checked here.

Whose the signatures are this machine cannot say: the public keys are an operator's to hand out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from jitcloud import codec
from jitcloud.audit import chain
from jitcloud.errors import Invalid, Misconfigured, Tampered
from jitcloud.model import GENESIS, Digest, RequestId, Sealed, Signature
from jitcloud.remote import reading

_BESIDE = ("hash", "signature")


def lines(events: Iterable[Mapping[str, Any]], who: str) -> Iterator[Sealed]:
    """Read the events of a trail. Raises ``Misconfigured`` for what is none."""
    for table in events:
        try:
            text = codec.canonical({k: v for k, v in table.items() if k not in _BESIDE})
            event = codec.decode_event(text)
            said = table.get("signature")
            signature = None if said is None else reading.Signature.model_validate(said)
        except (Invalid, Tampered, ValidationError):
            raise Misconfigured(
                f"{who} tells of events that this jitcloud cannot read; bring it up to date."
            ) from None
        yield Sealed(
            event=event,
            text=text,
            signature=None
            if signature is None
            else Signature(key=signature.key, value=signature.value),
            hash=Digest(str(table.get("hash"))),
        )


def trouble(name: RequestId, trail: Iterable[Sealed]) -> str:
    """Say why a trail does not hold, as far as it says so itself; "" where it does."""
    prev: Digest = GENESIS
    for number, line in enumerate(trail, start=1):
        event = line.event
        if event.request != name or event.seq != number or event.prev != prev:
            return f"The trail of {name} has a gap, or is out of order, at event {number}."
        if chain.digest(line.text, line.signature) != line.hash:
            return f"Event {number} of {name} was changed after it was sealed."
        prev = line.hash
    return ""
