"""What the doctor is to look at, and with what; one thing's trouble is kept from the next."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import TypeVar

from jitcloud.doctor import Finding, Grade
from jitcloud.durations import format_duration
from jitcloud.errors import JitError
from jitcloud.model import Area, Entitlement, EntitlementId, Guarantee
from jitcloud.ports import Mechanisms, SlotKinds, Store
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.doctor_looks import WITHIN, Looks

T = TypeVar("T")

MOST_NAMED = 3
"""How many entitlements are named where many need the same thing."""


@dataclass(frozen=True, slots=True)
class Examination:
    """One run."""

    looks: Looks
    _: KW_ONLY
    entitlements: Sequence[Entitlement]
    mechanisms: Mechanisms
    kinds: SlotKinds
    store: Store
    now: datetime
    external_id: str | None = None
    """What the deployment shows to every role by which it reaches an account."""
    keeps_journal: bool = False
    """Whether what is put into shared places is noted apart from the record."""

    @property
    def clients(self) -> Clients:
        """How AWS is reached."""
        return self.looks.clients

    @property
    def partition(self) -> str:
        """The part of AWS that the broker is in: that of what it grants."""
        for one in self.entitlements:
            for value in one.target.values():
                if isinstance(value, str) and value.startswith("arn:aws"):
                    return value.split(":")[1]
        return "aws"

    @property
    def ended_by_broker(self) -> tuple[str, ...]:
        """The mechanisms whose grants AWS does not end by itself."""
        names = {one.mechanism for one in self.entitlements} & self.mechanisms.keys()
        by_us = [name for name in names if self.mechanisms[name].guarantee is Guarantee.BROKER]
        return tuple(sorted(by_us))

    def of(self, mechanism: str) -> Iterator[Entitlement]:
        """Yield the entitlements of one mechanism."""
        return (one for one in self.entitlements if one.mechanism == mechanism)

    def areas(self, one: Entitlement) -> tuple[Area, ...]:
        """Where what an entitlement gives would be listed. Raises ``JitError``."""
        mechanism = self.mechanisms[one.mechanism]
        key = ("areas", one.mechanism, json.dumps(one.target, sort_keys=True))
        return self.looks.once(key, lambda: mechanism.areas(one, self.now))

    def each(
        self, things: Iterable[tuple[str, T]], look: Callable[[str, T], Iterable[Finding]]
    ) -> Iterator[Finding]:
        """Look at each of the things, which have a name each, whatever becomes of the others."""
        for about, thing in things:
            if self.looks.is_over:
                yield _unfinished()
                return
            yield from isolated(about, lambda: look(about, thing))  # noqa: B023 - called at once


def isolated(about: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Look; and where that fails, say so instead."""
    try:
        yield from look()
    except JitError as exc:
        yield unseen(about, str(exc))
    except Exception as exc:  # noqa: BLE001 - one odd answer must not hide the others
        yield unseen(about, f"jitcloud has a defect here: {type(exc).__name__}.")


def gathered(called: str, needed: Iterable[tuple[EntitlementId, str, T]]) -> list[tuple[str, T]]:
    """Name the things that entitlements need, each once, and say which entitlements those are.

    ``needed`` is an entitlement, what the cloud calls the thing, and the thing.
    """
    whose: dict[tuple[str, T], list[str]] = {}
    for entitlement, name, thing in needed:
        whose.setdefault((name, thing), []).append(entitlement)
    return [(f"{called} {name} ({_shown(ids)})", thing) for (name, thing), ids in whose.items()]


def _shown(ids: Sequence[str]) -> str:
    names = list(dict.fromkeys(ids))
    shown, more = ", ".join(names[:MOST_NAMED]), len(names) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


# ── What was not looked at ───────────────────────────────────────────────────────────────────


def unseen(about: str, why: str) -> Finding:
    """What to say of a thing that a grant needs and that could not be looked at."""
    return Finding(
        grade=Grade.FAILURE,
        about=about,
        what=f"It could not be looked at. {why}",
        costs="A grant may fail for the same reason, and what else is wrong there stays unseen.",
        remedy="See to what the message names, and run this again.",
    )


def unknown(about: str, what: str, why: str, remedy: str) -> Finding:
    """What to say of something that no grant needs, and that could not be looked at."""
    return Finding(
        grade=Grade.NOTICE,
        about=about,
        what=f"{what} could not be looked at. {why}",
        costs="Nothing by itself: if something is wrong there, it stays unseen.",
        remedy=remedy,
    )


def further(there: int, looked_at: int, what: str) -> Finding:
    """What to say where there are more things than one run looks at."""
    return Finding(
        grade=Grade.NOTICE,
        about="this run",
        what=f"Of {there} {what} the first {looked_at} were looked at.",
        costs="What is wrong with the others stays unseen.",
        remedy="Run it again for fewer entitlements at a time, with --entitlement.",
    )


def _unfinished() -> Finding:
    return Finding(
        grade=Grade.FAILURE,
        about="this run",
        what=f"It was stopped after {format_duration(WITHIN)}, before everything was looked at.",
        costs="What is wrong with the rest stays unseen.",
        remedy="Run it again for fewer entitlements at a time, with --entitlement.",
    )
