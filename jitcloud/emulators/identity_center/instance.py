"""The instance: what the rest is in, and what says where the directory is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from jitcloud.emulators.identity_center.behaviour import Behaviour
from jitcloud.emulators.identity_center.call import Answer, Call, Handler
from jitcloud.emulators.identity_center.paging import page
from jitcloud.emulators.identity_center.refusal import not_found


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The one of the organization."""

    id: str
    store: str
    owner: str
    region: str
    made_at: datetime
    behaviour: Behaviour

    @property
    def arn(self) -> str:
        """Its name."""
        return f"arn:aws:sso:::instance/{self.id}"

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Who answers what."""
        return {"ListInstances": self._list}

    def check(self, said: str) -> None:
        """Raise what AWS answers about an instance that is another one."""
        if said != self.arn:
            raise not_found("There is no such instance of IAM Identity Center.")

    def _list(self, call: Call) -> Answer:
        told = {
            "InstanceArn": self.arn,
            "IdentityStoreId": self.store,
            "IdentityStoreArn": f"arn:aws:identitystore::{self.owner}:identitystore/{self.store}",
            "OwnerAccountId": self.owner,
            "CreatedDate": self.made_at,
            "Status": "ACTIVE",
            "PrimaryRegion": self.region,
        }
        return page(call, self.behaviour, "Instances", [(self.arn, told)])
