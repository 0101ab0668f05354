"""How far a comparison of the clouds with the record has come: kept in the record itself.

So a run of a few minutes goes on where the last one stopped, in whichever process. It is a mark
like those of messages, of a channel of its own.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime, ConfigDict, TypeAdapter

from jitcloud.errors import Conflict
from jitcloud.model import CONTROLS, Mark
from jitcloud.ports import Store

CHANNEL = "reconcile"

STALE = timedelta(hours=1)
"""A round that nobody has gone on with for so long begins anew: what it saw is too old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How much was found of what matters."""

    leaked: int = 0
    missing: int = 0
    foreign: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(
            leaked=self.leaked + other.leaked,
            missing=self.missing + other.missing,
            foreign=self.foreign + other.foreign,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One comparison of all clouds with the record."""

    begun_at: AwareDatetime
    terms: str
    """What it was begun with; with anything else another one begins."""
    passed: str = ""
    """The areas with this key, and those before it, are done."""
    area: str = ""
    """The one it is in; empty between two."""
    after: str | None = None
    """Behind which page of it."""
    sought: str | None = None
    """Once all its pages were read: up to which slot what was not found was looked for."""
    done: Tally = Tally()
    here: Tally = Tally()
    """Of the area it is in."""
    ended: int = 0
    """How many of the leaked ones of that area are being ended: they are not found again."""
    is_marred: bool = False
    """Whether something was wrong in that area."""
    troubled: tuple[str, ...] = ()
    """Areas that something was wrong with."""
    again: bool = False
    """Whether it is at those for the second time."""
    is_spoilt: bool = False
    """Whether what is to be looked at could not be told in full."""

    def enter(self, area: str) -> Round:
        """Begin an area, or go on with it."""
        return self if area == self.area else self._at(area)

    def plus(self, found: Tally, ended: int = 0) -> Round:
        """Count what was found in the area, and how many of it are not found again."""
        return replace(self, here=self.here + found, ended=self.ended + ended)

    def leave(self) -> Round:
        """Be done with the area; what had trouble is looked at once more in the end."""
        others = tuple(key for key in self.troubled if key != self.area)
        counts = self.again or not self.is_marred
        return replace(
            self._at(""),
            passed=self.area,
            done=self.done + (self.here if counts else Tally(leaked=self.ended)),
            troubled=(*others, self.area) if self.is_marred else others,
        )

    def second(self) -> Round:
        """Go through the areas once more that something was wrong with."""
        return replace(self._at(""), passed="", again=True)

    def _at(self, area: str) -> Round:
        return replace(
            self, area=area, after=None, sought=None, here=Tally(), ended=0, is_marred=False
        )


@dataclass(slots=True)
class Progress:
    """Keeps a round in the record as it goes on; only ever one of several that go on with it."""

    store: Store | None
    """None where nothing is to be kept."""
    mark: Mark

    @classmethod
    def read(cls, store: Store, *, is_kept: bool) -> Progress:
        """Read how far the last one has come. Raises ``Tampered``."""
        stored = store.mark(CHANNEL, CONTROLS) if is_kept else None
        fresh = Mark(channel=CHANNEL, request=CONTROLS)
        return cls(store=store if is_kept else None, mark=stored or fresh)

    def unfinished(self, terms: str, now: datetime, since: datetime | None) -> Round | None:
        """Return the round to go on with; None where one is to begin.

        ``since`` is when the record was restored: what came before it no longer counts.
        """
        kept = _decoded(self.mark.cursor)
        if kept is None or kept[0].terms != terms:
            return None
        found, touched_at = kept
        if not timedelta(0) <= now - touched_at < STALE or (since and found.begun_at < since):
            return None
        return found

    def keep(self, found: Round | None, now: datetime) -> None:
        """Keep how far it has come; None: it is over. Raises ``Conflict`` if another goes on."""
        if self.store is None:
            return
        cursor = "" if found is None else _encoded(found, now)
        mark = replace(self.mark, cursor=cursor, version=self.mark.version + 1)
        try:
            self.store.put_mark(mark)
        except Conflict as exc:
            message = "Another reconcile is under way and goes on; look again when it is done."
            raise Conflict(message) from exc
        self.mark = mark


def _encoded(found: Round, now: datetime) -> str:
    plain = {**asdict(found), "begun_at": found.begun_at.isoformat(), "touched_at": now.isoformat()}
    return json.dumps(plain)


def _decoded(text: str) -> tuple[Round, datetime] | None:
    """Read what ``_encoded`` wrote; None of anything else: then a round begins anew."""
    try:
        plain = json.loads(text)
        touched_at = _INSTANT.validate_python(plain.pop("touched_at"))
        found = _ROUND.validate_python(plain)
        begun_at = found.begun_at.astimezone(UTC)
        return replace(found, begun_at=begun_at), touched_at.astimezone(UTC)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return None


Round.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined] # see codec
Tally.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined] # see codec

_ROUND: TypeAdapter[Round] = TypeAdapter(Round)
_INSTANT: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)
