"""Who looks at a broken glass afterwards, and who hears of it at once, as a rule writes it.

``@review("within 24h by security")`` and ``@notify("security, platform-leads")``. A name is one
of those that ``@approval`` takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from jitcloud.durations import parse_duration
from jitcloud.errors import Invalid
from jitcloud.model import Approver, Need, Review, Stage
from jitcloud.policy.names import Name, Related, read_name, unreadable

_REVIEW = re.compile(r"\s*within\s+(?P<time>\S+)\s+by\s+(?P<name>\S+)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRule:
    """``@review``, parsed, with its ``@notify``."""

    within: timedelta
    by: Name
    notify: tuple[Name, ...] = ()

    @classmethod
    def of(cls, annotations: Mapping[str, str]) -> ReviewRule:
        """Read what a permit of breakGlass says. Raises ``Invalid``."""
        return cls.parse(annotations["review"], annotations.get("notify"))

    @classmethod
    def parse(cls, text: str, notify: str | None = None) -> ReviewRule:
        """Read the annotations. Raises ``Invalid``.

        >>> ReviewRule.parse("within 24h by resource.owner").by
        <Relation.OWNER: 'resource.owner'>
        """
        match = _REVIEW.fullmatch(text)
        by = None if match is None else read_name(match["name"])
        if match is None or by is None:
            raise unreadable("review", text, "within 24h by security")
        try:
            within = parse_duration(match["time"])
        except Invalid as exc:
            raise Invalid(f"@review: {exc}") from exc
        return cls(within=within, by=by, notify=() if notify is None else parse_notify(notify))

    @property
    def names(self) -> tuple[Name, ...]:
        """Everybody it names."""
        return (self.by, *self.notify)

    def resolve(self, related: Related) -> Review | None:
        """Say who reviews for one ask; None where that is a manager who is not there."""
        by = related.find(self.by)
        if by is None:
            return None
        return Review(within=self.within, by=Stage(needs=(Need(count=1, approvers=(by,)),)))

    def hear(self, related: Related) -> tuple[Approver, ...]:
        """Say who hears of it at once; a manager who is not there hears nothing."""
        return tuple(who for who in map(related.find, self.notify) if who is not None)


def parse_notify(text: str) -> tuple[Name, ...]:
    """Read ``@notify``. Raises ``Invalid``."""
    names = [read_name(part.strip()) for part in text.split(",")]
    if None in names:
        raise unreadable("notify", text, "security, platform-leads")
    return tuple(dict.fromkeys(name for name in names if name is not None))


def combine(reviews: Iterable[Review]) -> Review:
    """Add up reviews: within the shortest of their times, by everybody whom any of them names."""
    reviews = tuple(reviews)
    needs = dict.fromkeys(need for review in reviews for need in review.by.needs)
    return Review(within=min(review.within for review in reviews), by=Stage(needs=tuple(needs)))
