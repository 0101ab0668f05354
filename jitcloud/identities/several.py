"""Who is calling, whatever they present: each kind of proof has somebody who verifies it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from jitcloud.errors import Unauthenticated
from jitcloud.model import Caller, Presented
from jitcloud.ports import Identities

_NAMES = {"oidc": "OpenID Connect tokens", "aws": "AWS identities"}


@dataclass(frozen=True, slots=True)
class SeveralIdentities:
    """Passes what is presented on to whoever verifies that kind."""

    by_kind: Mapping[str, Identities]

    def identify(self, presented: Presented, now: datetime) -> Caller:
        identities = self.by_kind.get(presented.kind)
        if identities is None:
            taken = " or ".join(_NAMES[kind] for kind in self.by_kind)
            raise Unauthenticated(
                f"{_NAMES[presented.kind]} do not count here; sign in by {taken}."
            )
        return identities.identify(presented, now)
