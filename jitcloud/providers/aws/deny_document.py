"""The place that ends AWS sessions early: one managed policy an account, see ``deny_text``.

The broker needs to read and write that policy's versions, and nothing else in the account.
Ending is a write of the whole text from the record, so of two writers with different records
the later one wins, and the next read tells: sessions it dropped are not seen, and are put back.

A document binds the roles that have it as their boundary, and no others. The role of a permission
set is gone with the set's last assignment in the account, and with it the boundary. Of sessions
that are left then AWS only says that permissions are judged anew at each call, and that a role
loses its policies before it is deleted: likely they can do nothing, but nothing shows it. So they
are not seen ended, and whoever keeps the record waits for as long as they may live.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_disable-perms.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_manage_delete.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jitcloud.errors import CloudRefused, Throttled
from jitcloud.model import Area, Hold, Holder, Listing, RequestId, Sight, Slot
from jitcloud.providers.aws import deny_text, sso_roles
from jitcloud.providers.aws.clients import CALL, Clients, translated
from jitcloud.providers.aws.deny_subjects import SsoUser, denials, denied, subject
from jitcloud.providers.aws.facts import read_policy
from jitcloud.providers.aws.target import parse_arn

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

KIND = "aws.deny-document"

MOST_VERSIONS = 5
"""What IAM keeps of one managed policy (botocore's model of CreatePolicyVersion)."""

NO_REQUEST = RequestId("nobody's")
"""Seen as a holder where a document says what no request wants, so that it is written anew."""


@dataclass(frozen=True, slots=True)
class DenyDocument:
    """The slot kind. A slot's ``where`` names the policy, and the role to reach its account by."""

    clients: Clients
    _: KW_ONLY
    settle: timedelta = timedelta(seconds=10)
    """IAM spreads a change within seconds as a rule; AWS promises no time."""
    timeout: timedelta = timedelta(seconds=15)
    patience: timedelta = timedelta(minutes=2)
    name: str = KIND
    grants: bool = False
    takes_standing: bool = False

    def see(self, slot: Slot, now: datetime) -> Sight:
        """Read whom the document ends. A session whose role it does not bind is not ended."""
        arn, through = _where(slot)
        began = self.clients.clock()
        policy = read_policy(self.clients, arn, through)
        if policy is None:
            return Sight(at=now, present=False, holders=frozenset())
        there = deny_text.denials_in(arn, policy)
        live = [holder for holder in slot.holders if holder.until > now]
        named = denied(there, live)
        seen = self._bound(arn, through, named, began)
        seen |= self._deleted(arn, through, _were_bound(slot, named, seen), began)
        if there.without(denials(live)) or not deny_text.is_exactly(arn, policy, there):
            seen |= {NO_REQUEST}
        # What already says all that can be said is not written anew: that would change nothing,
        # and the others could not be seen to be denied until it has settled again.
        says_all = NO_REQUEST not in seen and there == deny_text.fitting(arn, live)
        left = frozenset(holder.request for holder in live) - seen
        return Sight(
            at=now,
            present=bool(there or seen),
            holders=seen,
            in_vain=left if says_all else frozenset(),
        )

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> str | None:
        """Make the document end exactly these sessions, or as many of them as fit."""
        arn, through = _where(slot)
        known = {holder.request: holder for holder in slot.holders}
        wanted = [known.get(each, Holder(request=each, until=until)) for each in wish]
        self._write(arn, through, deny_text.document(arn, deny_text.fitting(arn, wanted)))
        return None

    def remove(self, slot: Slot) -> str | None:
        """Make the document end no session. A policy that does not exist ends none."""
        arn, through = _where(slot)
        if read_policy(self.clients, arn, through) is not None:
            self._write(arn, through, deny_text.base_document(arn))
        return None

    def hold(self, slot: Slot) -> Hold:  # noqa: ARG002 - it is the same for all
        """Every denial names whom it is for."""
        return Hold.MARKED

    def area(self, slot: Slot) -> Area | None:  # noqa: ARG002 - it is the same for all
        """Nowhere: it gives nobody access."""
        return None

    def ours(self, area: Area, after: str | None, now: datetime) -> Listing:  # noqa: ARG002 - there is no such area
        """Read nothing: there is no area to ask for."""
        return Listing(found=())

    def _bound(
        self, arn: str, through: str | None, named: Sequence[Holder], began: datetime
    ) -> frozenset[RequestId]:
        """Those of the holders whose role has the document as its boundary."""
        roles: dict[RequestId, str] = {}
        sets: dict[RequestId, str] = {}
        for holder in named:
            whose = subject(holder)
            if isinstance(whose, SsoUser):
                sets[holder.request] = whose.permission_set
            elif holder.detail:
                roles[holder.request] = holder.detail.rpartition("/")[2]
        plain = _found(set(roles.values()), self._roles(arn, through, None, began))
        # Only under that path: a role with such a name elsewhere is no permission set's.
        listed = self._roles(arn, through, sso_roles.PATH, began)
        made = _found(set(sets.values()), (sso_roles.permission_set_of(name) for name in listed))
        return frozenset(
            holder.request
            for holder in named
            if roles.get(holder.request) in {None, *plain}
            and sets.get(holder.request) in {None, *made}
        )

    def _deleted(
        self, arn: str, through: str | None, were_bound: Sequence[Holder], began: datetime
    ) -> frozenset[RequestId]:
        """Those whose role was seen bound by this denial, and does not exist any more.

        With a permission set's last assignment in an account its role goes, and with it nothing
        that kept sessions of it from anything. A role that exists and is not bound is another
        matter: somebody has taken the boundary off.
        """
        if not were_bound:
            return frozenset()
        try:
            there = {sso_roles.permission_set_of(name) for name in self._made(arn, through, began)}
        except CloudRefused:
            return frozenset()  # who may not look does not know
        return frozenset(
            holder.request
            for holder in were_bound
            if isinstance(whose := subject(holder), SsoUser) and whose.permission_set not in there
        )

    def _made(self, arn: str, through: str | None, began: datetime) -> Iterator[str]:
        """The names of all roles in the account that permission sets are."""
        iam = self.clients.iam(parse_arn(arn).partition, through)
        marker: str | None = None
        while True:
            self._still_in_time(began)
            with translated("iam:ListRoles"):
                page = iam.list_roles(
                    PathPrefix=sso_roles.PATH,
                    MaxItems=1000,
                    **({} if marker is None else {"Marker": marker}),
                )
            yield from (role["RoleName"] for role in page["Roles"])
            marker = page.get("Marker")
            if not page.get("IsTruncated") or marker is None:
                return

    def _roles(
        self, arn: str, through: str | None, path: str | None, began: datetime
    ) -> Iterator[str]:
        """The names of the roles, under a path, that have the document as their boundary."""
        iam = self.clients.iam(parse_arn(arn).partition, through)
        marker: str | None = None
        while True:
            self._still_in_time(began)
            with translated(f"iam:ListEntitiesForPolicy on {arn}"):
                page = iam.list_entities_for_policy(
                    PolicyArn=arn,
                    EntityFilter="Role",
                    PolicyUsageFilter="PermissionsBoundary",
                    MaxItems=1000,
                    **({} if path is None else {"PathPrefix": path}),
                    **({} if marker is None else {"Marker": marker}),
                )
            yield from (role["RoleName"] for role in page["PolicyRoles"] if "RoleName" in role)
            marker = page.get("Marker")
            if not page.get("IsTruncated") or marker is None:
                return

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


def _found(wanted: set[str], names: Iterable[str | None]) -> set[str]:
    """Those of the wanted that are among the names, of which no more are asked for than needed."""
    missing = set(wanted)
    if missing:
        for name in names:
            missing -= {name}
            if not missing:
                break
    return wanted - missing


def _were_bound(
    slot: Slot, named: Sequence[Holder], bound: frozenset[RequestId]
) -> tuple[Holder, ...]:
    """Whom the document names and binds no more, of those that it was last seen to bind."""
    before = (slot.seen.holders if slot.seen is not None else None) or frozenset()
    return tuple(h for h in named if h.request in before and h.request not in bound)


def _where(slot: Slot) -> tuple[str, str | None]:
    arn, through = slot.where["policy_arn"], slot.where.get("account_role")
    return str(arn), None if through is None else str(through)
