"""How far the clocks of the broker and of AWS are apart, measured on every answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from jitcloud.model import SKEW
from jitcloud.ports import Clock

if TYPE_CHECKING:
    from botocore.client import BaseClient

_SENT = "jitcloud_sent"
_RESOLUTION = timedelta(seconds=1)
_NONE = timedelta(0)


class ClockWatch:
    """Reads the ``Date`` of each answer that the clients it follows get."""

    def __init__(self, clock: Clock) -> None:
        """Compare with this clock."""
        self._clock = clock
        self.difference: timedelta | None = None
        """How much AWS was ahead at least, at the last answer; negative: behind. None: none yet."""
        self.calls = 0
        """How many were begun."""

    @property
    def is_apart(self) -> bool:
        """Whether the clocks do not mean the same instant by a deadline."""
        return self.difference is not None and abs(self.difference) > SKEW

    def follow(self, client: BaseClient) -> None:
        """Measure each answer that this client gets from now on."""
        client.meta.events.register("before-call", self._sent)
        client.meta.events.register("response-received", self._received)

    def _sent(self, context: dict[str, object], **_: object) -> None:
        context[_SENT] = self._clock()
        self.calls += 1

    def _received(
        self,
        context: dict[str, object],
        response_dict: Mapping[str, Mapping[str, str]] | None = None,
        **_: object,
    ) -> None:
        sent, said = context.get(_SENT), (response_dict or {}).get("headers", {}).get("Date")
        if isinstance(sent, datetime) and said is not None:
            self.difference = difference(said, sent, self._clock())


def difference(said: str, sent: datetime, received: datetime) -> timedelta | None:
    """How much the clock that wrote ``said`` is surely ahead of ours; zero if it need not be.

    It was written between the two instants, and tells whole seconds only. None: not a date.
    """
    theirs = _read(said)
    if theirs is None:
        return None
    least, most = theirs - received, theirs + _RESOLUTION - sent
    if least > _NONE:
        return least
    return min(most, _NONE)


@lru_cache(maxsize=64)  # calls come in swarms, and a second is told in many answers
def _read(said: str) -> datetime | None:
    try:
        read = parsedate_to_datetime(said)
    except ValueError:
        return None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)
