"""The mechanism ``aws.identity-center``: a permission set in one account, or in each of several.

The broker ends it at the deadline, by deleting the assignment. What somebody has made of theirs
by then, role sessions, lives on for as long as the permission set lets it: the account's deny
document ends that, where the permission set has it as its boundary.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from jitcloud.errors import CloudRefused, Refused
from jitcloud.model import Area, Entitlement, Guarantee, Person, Place, Places, Plan, SlotKey
from jitcloud.providers.aws import deny_document
from jitcloud.providers.aws import identity_center_places as places
from jitcloud.providers.aws import identity_center_target as targets
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.deny_subjects import sso_detail
from jitcloud.providers.aws.identity_center_accounts import MOST_LISTED, Accounts
from jitcloud.providers.aws.identity_center_facts import SetsFacts
from jitcloud.providers.aws.identity_center_ids import is_account
from jitcloud.providers.aws.identity_center_outlook import Outlook
from jitcloud.providers.aws.identity_center_pace import Pace
from jitcloud.providers.aws.identity_center_people import People
from jitcloud.providers.aws.identity_center_target import Target
from jitcloud.providers.aws.organization_pages import Pause


class IdentityCenterAccess:
    """Safe for several threads."""

    name = places.KIND
    guarantee = Guarantee.BROKER

    def __init__(
        self, clients: Clients, *, pace: Pace | None = None, pause: Pause = time.sleep
    ) -> None:
        """Reach AWS through these clients; calls nothing yet.

        ``pace`` is the slot kind's, which its calls count against. ``pause`` waits for so many
        seconds when Organizations has had too much, while somebody asks.
        """
        self._clients = clients
        self._sets = SetsFacts(clients, pace or Pace())
        self._accounts = Accounts(clients, pause)
        self._people = People(clients)
        self._outlook = Outlook(clients, self._sets, self._accounts, self._people)

    def check(self, entitlement: Entitlement) -> tuple[str, ...]:
        """Say what is wrong with the target table."""
        return targets.check(entitlement)

    def spans(self, entitlement: Entitlement) -> bool:
        """Whether the catalog names accounts by where they are, or how they are tagged."""
        return targets.read(entitlement).account is None

    def parts(self, entitlement: Entitlement, now: datetime) -> tuple[str, ...]:
        """The accounts that are meant and in use, sorted; none where the catalog names one.

        The management account is never among them. Raises ``Refused`` where that is no account,
        or more than 200, and ``CloudError``.
        """
        target = targets.read(entitlement)
        return () if target.account is not None else self._accounts.asked(target, now).accounts

    def plan(
        self,
        entitlement: Entitlement,
        duration: timedelta,  # noqa: ARG002 - it is the same for all
        now: datetime,
        *,
        part: str = "",
        person: Person | None = None,
    ) -> Plan:
        """Say what granting would mean, from what AWS said in the last five minutes.

        Whose user somebody is, and whether it is disabled, from the last five seconds.
        """
        target = targets.read(entitlement)
        return self._outlook.plan(target, target.account or part, person, now)

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:
        """Name the assignment, and the deny document of the account.

        Whose user is meant is fixed here: an end needs neither the catalog nor the directory, nor
        that the user is still called the same.
        """
        target, now = targets.read(entitlement), self._clients.clock()
        account = target.account or self._part(entitlement, target, part, now)
        facts = self._sets.permission_set(target, now)
        if facts.missing or facts.unseen:
            raise CloudRefused(facts.missing or facts.unseen)
        area = _area(target, account)
        if target.group_id is not None:
            return Places(
                grant=places.place(area, "GROUP", target.group_id), outlives=facts.session
            )
        user = self._people.user(target, person, now).id
        denial = None
        if target.deny_document is not None:
            detail = sso_detail(user, facts.name)
            denial = _denial(target, target.deny_document, account, detail)
        return Places(grant=places.place(area, "USER", user), denial=denial, outlives=facts.session)

    def areas(self, entitlement: Entitlement, now: datetime) -> tuple[Area, ...]:
        """Each account in which this permission set may be given by this entitlement now.

        Raises ``CloudError``.
        """
        target = targets.read(entitlement)
        if target.account is not None:
            return (_area(target, target.account),)
        try:
            span = self._accounts.span(target, now, most=MOST_LISTED)
        except Refused as exc:
            raise CloudRefused(str(exc)) from exc
        return tuple(_area(target, account) for account in span.accounts)

    def _part(self, entitlement: Entitlement, target: Target, part: str, now: datetime) -> str:
        """The account of one of several. Raises ``Refused`` for what is none of them (any more)."""
        if not is_account(part):
            raise Refused(f"{entitlement.id} is several accounts; ask for it again, for each.")
        if trouble := self._accounts.trouble(target, part, now):
            raise Refused(trouble)
        return part


def _area(target: Target, account: str) -> Area:
    return places.area(
        instance_arn=target.instance_arn,
        region=target.region,
        permission_set_arn=target.permission_set_arn,
        account=account,
        exclusive=target.exclusive,
        account_role=target.account_role,
    )


def _denial(target: Target, policy: str, account: str, detail: str) -> Place:
    home = f"arn:{target.partition}:iam::{account}"
    arn = f"{home}:policy/{policy}"
    where: dict[str, object] = {"policy_arn": arn}
    if target.deny_role is not None:
        where["account_role"] = f"{home}:role/{target.deny_role}"
    return Place(
        key=SlotKey(f"{deny_document.KIND}/{arn}"),
        kind=deny_document.KIND,
        where=where,
        detail=detail,
    )
