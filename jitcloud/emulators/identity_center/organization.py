"""The accounts that access is given in, and the calls of Organizations that find them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

from jitcloud.emulators.identity_center.agenda import Agenda
from jitcloud.emulators.identity_center.behaviour import Behaviour
from jitcloud.emulators.identity_center.call import Answer, Call, Handler
from jitcloud.emulators.identity_center.names import Ids
from jitcloud.emulators.identity_center.paging import page
from jitcloud.emulators.identity_center.refusal import Refusal
from jitcloud.errors import Invalid
from jitcloud.text import quoted

AccountState = Literal["ACTIVE", "SUSPENDED", "PENDING_CLOSURE"]

_PAGE = 20
"""The most that Organizations puts on one page."""


@dataclass(slots=True)
class _Account:
    id: str
    name: str
    email: str
    parent: str
    joined_at: datetime
    state: AccountState = "ACTIVE"


@dataclass(slots=True)
class _Unit:
    id: str
    name: str
    parent: str


_Row = TypeVar("_Row", _Account, _Unit)


class Organization:
    """A root, organizational units, and accounts in them; the management account is in the root."""

    def __init__(self, agenda: Agenda, behaviour: Behaviour, ids: Ids, management: str) -> None:
        """Make one that has its management account alone."""
        self._agenda = agenda
        self._behaviour = behaviour
        self._ids = ids
        self.id = f"o-{ids.digits(10)}"
        self.root = f"r-{ids.digits(4)}"
        self.management = management
        self._units: dict[str, _Unit] = {}
        self._accounts: dict[str, _Account] = {}
        self._tags: dict[str, dict[str, str]] = {}
        self.add_account(management, "management")

    # ── What there is ────────────────────────────────────────────────────────────────────────

    def add_unit(self, name: str, *, parent: str | None = None) -> str:
        """Make an organizational unit, in the root or in another one; return its id."""
        with self._agenda.moment():
            unit = f"ou-{self.root[2:]}-{self._ids.digits(8)}"
            self._units[unit] = _Unit(unit, name, self._parent(parent))
            return unit

    def add_account(
        self,
        account: str,
        name: str,
        *,
        email: str | None = None,
        parent: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Make an account, in the root or in a unit. Raises ``Invalid`` without twelve digits."""
        if re.fullmatch("[0-9]{12}", account) is None:
            raise Invalid(f"{quoted(account)} is not an account id; write twelve digits.")
        with self._agenda.moment() as now:
            email = email or f"{account}@example.org"
            self._accounts[account] = _Account(account, name, email, self._parent(parent), now)
            self._tags[account] = dict(tags or {})

    def set_state(self, account: str, state: AccountState) -> None:
        """Suspend an account, close it, or take either back."""
        with self._agenda.moment():
            self._accounts[account].state = state

    def tag(self, resource: str, tags: Mapping[str, str]) -> None:
        """Tag an account, a unit or the root."""
        with self._agenda.moment():
            self._tags.setdefault(resource, {}).update(tags)

    def has(self, account: str) -> bool:
        """Whether it is in the organization."""
        return account in self._accounts

    def unmanageable(self, account: str) -> str | None:
        """Why Identity Center can do nothing in an account: it is suspended or closed.

        https://github.com/aws-samples/aws-identitycenter-codepipeline-auto-assignment/issues/31
        """
        if self._accounts[account].state == "ACTIVE":
            return None
        return (
            "AWS SSO is unable to complete your request at this time. Obtaining permissions to "
            f"manage your AWS account '{account}' takes longer than usual. Please try again in a "
            "few minutes. If this problem continues, contact AWS Support."
        )

    def _parent(self, parent: str | None) -> str:
        if parent is None:
            return self.root
        if parent not in self._units and parent != self.root:
            raise Invalid(f"{quoted(parent)} is no unit here; make it with add_unit first.")
        return parent

    # ── What it answers ──────────────────────────────────────────────────────────────────────

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Who answers what."""
        return {
            "DescribeAccount": self._describe_account,
            "DescribeOrganization": self._describe,
            "ListAccounts": self._list_accounts,
            "ListAccountsForParent": self._list_accounts_for_parent,
            "ListChildren": self._list_children,
            "ListOrganizationalUnitsForParent": self._list_units,
            "ListRoots": self._list_roots,
            "ListTagsForResource": self._list_tags,
        }

    def _describe(self, _call: Call) -> Answer:
        return {
            "Organization": {
                "Id": self.id,
                "Arn": self._arn("organization", self.id),
                "FeatureSet": "ALL",
                "MasterAccountId": self.management,
                "MasterAccountArn": self._arn("account", f"{self.id}/{self.management}"),
                "MasterAccountEmail": self._accounts[self.management].email,
                "AvailablePolicyTypes": [],
            }
        }

    def _describe_account(self, call: Call) -> Answer:
        account = self._accounts.get(call.params["AccountId"])
        if account is None:
            raise Refusal(
                "AccountNotFoundException", "You specified an account that doesn't exist."
            )
        return {"Account": self._told(account)}

    def _list_accounts(self, call: Call) -> Answer:
        return self._page(call, "Accounts", self._accounts.values(), self._told)

    def _list_accounts_for_parent(self, call: Call) -> Answer:
        parent = self._known_parent(call)
        inside = [account for account in self._accounts.values() if account.parent == parent]
        return self._page(call, "Accounts", inside, self._told)

    def _list_units(self, call: Call) -> Answer:
        parent = self._known_parent(call)
        inside = [unit for unit in self._units.values() if unit.parent == parent]
        return self._page(call, "OrganizationalUnits", inside, self._told_unit)

    def _list_children(self, call: Call) -> Answer:
        parent, kind = self._known_parent(call), call.params["ChildType"]
        every = self._accounts if kind == "ACCOUNT" else self._units
        inside = [child.id for child in every.values() if child.parent == parent]
        rows = [(child, {"Id": child, "Type": kind}) for child in inside]
        return page(call, self._behaviour, "Children", rows, most=_PAGE)

    def _list_roots(self, call: Call) -> Answer:
        root = {
            "Id": self.root,
            "Arn": self._arn("root", f"{self.id}/{self.root}"),
            "Name": "Root",
            "PolicyTypes": [],
        }
        return page(call, self._behaviour, "Roots", [(self.root, root)])

    def _list_tags(self, call: Call) -> Answer:
        resource = call.params["ResourceId"]
        if resource not in {self.root, *self._units, *self._accounts}:
            raise Refusal("TargetNotFoundException", "You specified a target that doesn't exist.")
        tags = self._tags.get(resource, {}).items()
        rows = [(key, {"Key": key, "Value": value}) for key, value in tags]
        return page(call, self._behaviour, "Tags", rows)

    def _page(
        self, call: Call, member: str, found: Iterable[_Row], told: Callable[[_Row], object]
    ) -> Answer:
        rows = [(one.id, told(one)) for one in found]
        return page(call, self._behaviour, member, rows, most=_PAGE)

    def _known_parent(self, call: Call) -> str:
        parent = str(call.params["ParentId"])
        if parent != self.root and parent not in self._units:
            raise Refusal("ParentNotFoundException", "You specified parent that doesn't exist.")
        return parent

    def _told(self, account: _Account) -> Answer:
        return {
            "Id": account.id,
            "Arn": self._arn("account", f"{self.id}/{account.id}"),
            "Email": account.email,
            "Name": account.name,
            "Status": account.state,
            "State": account.state,
            "Paths": [f"{self._path(account.parent)}{account.id}/"],
            "JoinedMethod": "CREATED",
            "JoinedTimestamp": account.joined_at,
        }

    def _told_unit(self, unit: _Unit) -> Answer:
        return {
            "Id": unit.id,
            "Arn": self._arn("ou", f"{self.id}/{unit.id}"),
            "Name": unit.name,
            "Path": self._path(unit.id),
        }

    def _path(self, parent: str) -> str:
        if parent == self.root:
            return f"{self.id}/{self.root}/"
        return f"{self._path(self._units[parent].parent)}{parent}/"

    def _arn(self, kind: str, resource: str) -> str:
        return f"arn:aws:organizations::{self.management}:{kind}/{resource}"
