"""The place that ends AWS sessions early: one managed policy an account, see ``deny_text``.

The broker needs to read and write that policy's versions, and nothing else in the account.
Ending is a write of the whole text from the record, so of two writers with different records
the later one wins, and the next read tells: sessions it dropped are not seen, and are put back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jitcloud.errors import CloudRefused, Throttled
from jitcloud.model import RequestId, Sight, Slot
from jitcloud.providers.aws import deny_text
from jitcloud.providers.aws.clients import CALL, Clients, translated
from jitcloud.providers.aws.facts import read_policy
from jitcloud.providers.aws.target import parse_arn

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

KIND = "aws.deny-document"

MOST_VERSIONS = 5
"""What IAM keeps of one managed policy (botocore's model of CreatePolicyVersion)."""


@dataclass(frozen=True, slots=True)
class DenyDocument:
    """The slot kind. A slot's ``where`` names the policy, and the role to reach its account by."""

    clients: Clients
    _: KW_ONLY
    settle: timedelta = timedelta(seconds=10)
    """IAM spreads a change within seconds as a rule; AWS promises no time."""
    timeout: timedelta = timedelta(seconds=15)
    name: str = KIND
    grants: bool = False
    takes_standing: bool = False

    def see(self, slot: Slot, now: datetime) -> Sight:
        """Read whom the document ends. A session whose role it does not bind is not ended."""
        arn, through = _where(slot)
        began = self.clients.clock()
        policy = read_policy(self.clients, arn, through)
        named = frozenset[RequestId]() if policy is None else deny_text.ended_in(policy)
        roles = {holder.request: holder.detail for holder in slot.holders}
        bound = self._bound(arn, through, {roles[r] for r in named if r in roles}, began)
        unbound = {request for request in named if roles.get(request, "") not in {"", *bound}}
        return Sight(at=now, present=bool(named), holders=named - unbound)

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> None:
        """Make the document end exactly these sessions, or as many of them as fit."""
        arn, through = _where(slot)
        ended = deny_text.fitting(slot, arn, wish, until)
        self._write(arn, through, deny_text.document(arn, ended))

    def remove(self, slot: Slot) -> None:
        """Make the document end no session. A policy that does not exist ends none."""
        arn, through = _where(slot)
        if read_policy(self.clients, arn, through) is not None:
            self._write(arn, through, deny_text.base_document(arn))

    def _bound(self, arn: str, through: str | None, roles: set[str], began: datetime) -> set[str]:
        """Which of the roles have the document as their boundary."""
        wanted = {parse_arn(role).name: role for role in roles if role}
        found: set[str] = set()
        iam = self.clients.iam(parse_arn(arn).partition, through)
        marker: str | None = None
        while wanted.keys() - found:
            self._still_in_time(began)
            with translated(f"iam:ListEntitiesForPolicy on {arn}"):
                page = iam.list_entities_for_policy(
                    PolicyArn=arn,
                    EntityFilter="Role",
                    PolicyUsageFilter="PermissionsBoundary",
                    MaxItems=1000,
                    **({} if marker is None else {"Marker": marker}),
                )
            found |= {role["RoleName"] for role in page["PolicyRoles"] if "RoleName" in role}
            marker = page.get("Marker")
            if not page.get("IsTruncated") or marker is None:
                break
        return {role for name, role in wanted.items() if name in found}

    def _write(self, arn: str, through: str | None, text: str) -> None:
        # Of five versions one must go before another can come. The version in effect is never
        # touched, so a crash between the two leaves the document as it was.
        began = self.clients.clock()
        iam = self.clients.iam(parse_arn(arn).partition, through)
        self._make_room(iam, arn, began)
        self._still_in_time(began)
        with translated(f"iam:CreatePolicyVersion on {arn}", denied=_DENIED):
            try:
                iam.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
            except iam.exceptions.LimitExceededException as exc:
                raise CloudRefused(
                    f"Another writer took the place in {arn} that was just made; "
                    "it is tried again by itself."
                ) from exc

    def _make_room(self, iam: IAMClient, arn: str, began: datetime) -> None:
        with translated(f"iam:ListPolicyVersions on {arn}", denied=_DENIED):
            versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        if len(versions) < MOST_VERSIONS:
            return
        unused = [v for v in versions if not v.get("IsDefaultVersion")]
        oldest = min(unused, key=lambda v: int(v.get("VersionId", "v0").removeprefix("v")))
        self._still_in_time(began)
        with translated(f"iam:DeletePolicyVersion on {arn}", denied=_DENIED):
            try:
                iam.delete_policy_version(PolicyArn=arn, VersionId=oldest["VersionId"])
            except (
                iam.exceptions.NoSuchEntityException,  # another writer made the same room
                iam.exceptions.DeleteConflictException,  # … or put that very version in effect
            ):
                return

    def _still_in_time(self, began: datetime) -> None:
        """Begin no call that might still be under way when ``timeout`` is over.

        The first one may have to fetch credentials for the account, which takes as long.
        """
        if self.clients.clock() - began > self.timeout - 2 * CALL:
            raise Throttled("IAM answers too slowly just now; it is tried again by itself.")


_DENIED = (
    " Check that the policy exists, and that the broker, or the account_role it goes through, "
    "may list, create and delete its versions."
)


def _where(slot: Slot) -> tuple[str, str | None]:
    arn, through = slot.where["policy_arn"], slot.where.get("account_role")
    return str(arn), None if through is None else str(through)
