"""An organization whose role sessions are judged by the deny document that an account really has.

Identity Center is emulated, and its roles are mirrored in an account that has a real IAM API: the
document goes there and comes back from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from jitcloud import slots
from jitcloud.emulators.identity_center import Behaviour, IdentityCenter, Session
from jitcloud.model import Holder, Sight, Slot, SlotKey
from jitcloud.providers.aws.deny_document import DenyDocument
from jitcloud.providers.aws.deny_subjects import sso_detail
from tests.aws.conftest import Aws, a_request_id, unique
from tests.emulators.identity_centers import SettableClock

HOUR = timedelta(hours=1)


class World:
    """An organization whose sessions are judged by the document that an account really has."""

    def __init__(self, aws: Aws, document: DenyDocument, region: str = "eu-west-1") -> None:
        self.aws = aws
        self.document = document
        self.clock = SettableClock()
        self.center = IdentityCenter(
            self.clock, Behaviour(rate=None), region=region, management_account="999900009999"
        )
        self.center.organization.add_account(aws.account, "prod")
        self.arn = aws.deny_document()
        boundary = {"CustomerManagedPolicyReference": {"Name": self.arn.rpartition("/")[2]}}
        self.names = {unique("Admin"): "", unique("Admin"): ""}
        for name in self.names:
            self.names[name] = self.center.permission_sets.add(name, boundary=boundary)
        self.admin, self.other = self.names
        self.ana, self.ben = (self.center.store.add_user(name) for name in ("ana", "ben"))
        self.mirrored: set[str] = set()

    def sign_in(self, user: str, permission_set: str, *, bound: bool = True) -> Session:
        arn = self.names[permission_set]
        self.center.assign_by_hand(user, arn, self.aws.account)
        session = self.center.sign_in(user, arn, self.aws.account)
        self.mirror(session.role.arn, boundary=self.arn if bound else None)
        return session

    def mirror(self, role_arn: str, boundary: str | None) -> None:
        """Make in IAM the role that Identity Center has made."""
        if role_arn not in self.mirrored:
            make_role(self.aws, role_arn, boundary)
            self.mirrored.add(role_arn)

    def unassign(self, user: str, permission_set: str) -> None:
        """Take it away, and the role with it where nobody has it any more."""
        arn = self.names[permission_set]
        role = self.center.permission_sets.role(self.aws.account, arn)
        self.center.unassign_by_hand(user, arn, self.aws.account)
        assert role is not None
        if self.center.permission_sets.role(self.aws.account, arn) is None:
            self.aws.iam().delete_role(RoleName=role.arn.rpartition("/")[2])

    def holder(self, user: str, permission_set: str, before: datetime | None = None) -> Holder:
        return Holder(
            request=a_request_id(),
            until=self.clock.now + HOUR,
            detail=sso_detail(user, permission_set),
            before=before,
        )

    def slot(self, *holders: Holder) -> Slot:
        return Slot(
            key=SlotKey(f"{self.document.name}/{self.arn}"),
            kind=self.document.name,
            where={"policy_arn": self.arn},
            holders=holders,
        )

    def write(self, text: str) -> None:
        """Put this into the document, as somebody else may."""
        self.aws.iam().create_policy_version(
            PolicyArn=self.arn, PolicyDocument=text, SetAsDefault=True
        )

    def end(self, *holders: Holder) -> Slot:
        """Write what the slot wishes, as the core does."""
        slot = self.slot(*holders)
        wish = slots.wish(slot, self.clock.now)
        if wish.until is None:
            self.document.remove(slot)
        else:
            self.document.put(slot, wish.holders, wish.until)
        return slot

    def see(self, slot: Slot) -> Sight:
        return self.document.see(slot, self.clock.now)

    def seen(self, *holders: Holder) -> set[Holder]:
        """Whose sessions are seen ended, of these; all that is seen is one of them."""
        sight = self.see(self.slot(*holders))
        named = {h for h in holders if h.request in (sight.holders or ())}
        assert sight.holders == frozenset(h.request for h in named)
        return named

    def agrees(self, slot: Slot) -> bool:
        """Whether the core would leave the document as it is."""
        return slots.fits(slot, self.see(slot), slots.wish(slot, self.clock.now))

    def in_effect(self) -> Mapping[str, object]:
        iam = self.aws.iam()
        version = iam.get_policy(PolicyArn=self.arn)["Policy"]["DefaultVersionId"]
        answer = iam.get_policy_version(PolicyArn=self.arn, VersionId=version)
        return cast("Mapping[str, object]", answer["PolicyVersion"]["Document"])

    def works(self, session: Session) -> bool:
        assert session.role.boundary_arn == self.arn
        return self.center.works(session, self.in_effect())


def make_role(aws: Aws, role_arn: str, boundary: str | None = None, *, may: bool = False) -> None:
    path, _, name = role_arn.partition(":role")[2].rpartition("/")
    anybody = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sts:*"]}
    given: Any = {} if boundary is None else {"PermissionsBoundary": boundary}
    aws.iam().create_role(
        Path=f"{path}/",
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [anybody]}),
        **given,
    )
    if may:
        anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        text = json.dumps({"Version": "2012-10-17", "Statement": [anything]})
        aws.iam().put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=text)
