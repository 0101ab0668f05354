"""The demo's IAM Identity Center: an organization, a permission set in one account, and people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from jitcloud.clock import utc_now
from jitcloud.emulators.account import OK
from jitcloud.emulators.identity_center import Behaviour, IdentityCenter, IdentityCenterServer

ACCOUNT, ACCOUNT_NAME = "222233334444", "payments"
PERMISSION_SET = "Viewer"
VIEW = "payments-view"

NO_ACCESS = "No access"
"""What Identity Center tells whoever wants to open an account as what they are not assigned."""

_REGION = "us-east-1"
_TAKES = timedelta(milliseconds=200)

# Others assign it too, so what jitcloud assigns is noted in its journal.
_ENTITLEMENT = """\
[[entitlement]]
id = "{id}"
title = "Look around in the account {name}"
cloud = "aws"
mechanism = "aws.identity-center"
privilege = "read"
environment = "prod"
owner = "staff"

[entitlement.target]
instance_arn = "{instance}"
identity_store_id = "{store}"
region = "{region}"
permission_set_arn = "{permission_set}"
account = "{account}"
exclusive = false
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Center:
    """An Identity Center that answers on this machine, and what is true in it."""

    server: IdentityCenterServer
    permission_set: str
    users: Mapping[str, str]
    """Person's id -> user id."""

    @classmethod
    def answering(cls, server: IdentityCenterServer, people: Iterable[str]) -> Self:
        """Make what the demo needs in the Identity Center of a server."""
        center = server.center
        center.organization.add_account(ACCOUNT, ACCOUNT_NAME)
        return cls(
            server=server,
            permission_set=center.permission_sets.add(PERMISSION_SET),
            users={name: center.store.add_user(name) for name in people},
        )

    @property
    def url(self) -> str:
        """Where it answers."""
        return self.server.url

    @property
    def entitlement(self) -> str:
        """What the catalog says of it."""
        center = self.server.center
        return _ENTITLEMENT.format(
            id=VIEW,
            name=ACCOUNT_NAME,
            instance=center.instance_arn,
            store=center.store.id,
            region=_REGION,
            permission_set=self.permission_set,
            account=ACCOUNT,
        )

    def assign_by_hand(self, who: str) -> None:
        """Do at once what somebody does in the console."""
        self.server.center.assign_by_hand(self.users[who], self.permission_set, ACCOUNT)

    def opens(self, who: str) -> str:
        """Say whether somebody can open the account now: ``OK`` or ``NO_ACCESS``."""
        can = self.server.center.who_can(self.permission_set, ACCOUNT)
        return OK if self.users[who] in can else NO_ACCESS


def serving() -> IdentityCenterServer:
    """Make an Identity Center on the real clock that takes its time; starts nothing yet."""
    center = IdentityCenter(utc_now, Behaviour(takes=_TAKES), region=_REGION)
    return IdentityCenterServer(center)
