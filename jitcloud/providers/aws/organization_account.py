"""An account as AWS Organizations tells it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jitcloud.text import printable

Told = Mapping[str, Any]
"""An account, a unit or a tag, as the SDK tells it."""

# https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_account_state.html
_STATES = {
    "CLOSED": "closed",
    "PENDING_ACTIVATION": "not in use yet",
    "PENDING_CLOSURE": "being closed",
    "SUSPENDED": "suspended",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of the organization."""

    id: str
    state: str
    """As Organizations says it; empty where it does not."""
    management: str
    """The organization's management account."""
    paths: tuple[tuple[str, ...], ...] = ()
    """The root and the units that it is in, outermost first; empty where that was not told."""

    @property
    def said(self) -> str:
        """Its state in words."""
        return _STATES.get(self.state, printable(self.state))

    @property
    def is_active(self) -> bool:
        """Whether it is in use. Where that is not told, Identity Center says no in time."""
        return self.state in {"ACTIVE", ""}


def read(told: Told) -> Account:
    """Read an account as it is described or listed."""
    # "Status" was to be retired in September 2026, and older SDKs know no "State".
    return Account(
        id=told["Id"],
        state=told.get("State") or told.get("Status") or "",
        # Its ARN is arn:aws:organizations::MANAGEMENT:account/ORGANIZATION/ACCOUNT.
        management=told["Arn"].split(":")[4],
        paths=tuple(_units(path) for path in told.get("Paths", ())),
    )


def _units(path: str) -> tuple[str, ...]:
    """The root and the units in a path as Organizations writes it, ``o-…/r-…/ou-…/ACCOUNT/``."""
    return tuple(part for part in path.split("/") if part.startswith(("r-", "ou-")))
