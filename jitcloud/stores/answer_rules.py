"""What becomes of a command under a key, the same for every adapter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jitcloud.model import Digest
from jitcloud.ports import Answered, Begun


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is kept under one name."""

    said: Digest
    since: datetime
    number: int
    leased_until: datetime
    kept_until: datetime
    answer: str | None = None


def begin(
    kept: Kept | None, said: Digest, now: datetime, *, lease: timedelta, keep: timedelta
) -> Kept | Answered:
    """Return what is to be kept from now on, where the command is begun; else what became of it."""
    if kept is None or kept.kept_until <= now:
        return Kept(said=said, since=now, number=1, leased_until=now + lease, kept_until=now + keep)
    if kept.said == said and kept.answer is None and kept.leased_until <= now:
        return replace(kept, number=kept.number + 1, leased_until=now + lease)
    return Answered(said=kept.said, since=kept.since, answer=kept.answer)


def begun(name: Digest, kept: Kept) -> Begun:
    """Return what whoever begins is given."""
    return Begun(name=name, said=kept.said, since=kept.since, number=kept.number)


def is_at_it(kept: Kept | None, attempt: Begun) -> bool:
    """Whether no later attempt took the place of this one, and it has not finished."""
    return (
        kept is not None
        and (kept.since, kept.number) == (attempt.since, attempt.number)
        and kept.answer is None
    )
