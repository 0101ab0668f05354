"""Goes through the lists of AWS Organizations: all of their pages, no faster than it lets us.

Organizations tells at most 20 accounts or units at once, the tags of one account at a time, and
both at a rate: 5 lists of what is in a unit, 8 pages of all accounts and 10 accounts' tags a
second, each with a burst of half as many again
(https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta

from jitcloud.errors import CloudRefused, Throttled
from jitcloud.providers.aws.clients import CALL, Clients, SdkClient, translated
from jitcloud.providers.aws.organization_account import Told

MOST_PAGES = 100
"""How many parts of one list are read; some of them may have nothing in them."""

WITHIN = timedelta(seconds=20)
"""How long one look around takes: whoever asks for something waits for it."""

PAUSE = 1.0
"""How long to wait when it was too much, in seconds; as often as fits into a look."""

Pause = Callable[[float], object]
"""Waits for so many seconds."""

DENIED = (
    " Check that the broker, or the account_role it goes through, may read the organization, "
    "which AWS allows in the management account and in a delegated administrator's alone."
)


class Pages:
    """One look around. Of what is asked, nothing is kept."""

    def __init__(self, clients: Clients, partition: str, through: str | None, pause: Pause) -> None:
        """Begin now, and be through in time."""
        self._clock = clients.clock
        self._organizations: SdkClient = clients.organizations(partition, through)
        self._pause = pause
        self._until = clients.clock() + WITHIN
        self._pauses = int(WITHIN.total_seconds() / PAUSE)

    def accounts(self) -> Iterator[Told]:
        """All accounts of the organization. Raises ``CloudError``, as all of these do."""
        return self._all("ListAccounts", "Accounts")

    def accounts_in(self, unit: str) -> Iterator[Told]:
        """The accounts in a unit, and not in those below it; ``LookupError``: no such unit."""
        return self._all("ListAccountsForParent", "Accounts", ParentId=unit)

    def units_in(self, unit: str) -> Iterator[Told]:
        """The units in a unit, and not in those below it; ``LookupError``: no such unit."""
        name = "ListOrganizationalUnitsForParent"
        return self._all(name, "OrganizationalUnits", ParentId=unit)

    def tags(self, account: str) -> Iterator[Told]:
        """The tags of an account; ``LookupError``: it is not in the organization."""
        return self._all("ListTagsForResource", "Tags", ResourceId=account)

    def _all(self, operation: str, member: str, **params: str) -> Iterator[Told]:
        # "Always check the NextToken response parameter value, even if you receive an empty
        # result set", says the reference of each.
        more: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            page = self._page(operation, {**params, **more})
            yield from page[member]
            if not page.get("NextToken"):
                return
            more = {"NextToken": page["NextToken"]}
        raise CloudRefused(
            f"AWS tells organizations:{operation} in more than {MOST_PAGES} parts, which is too "
            "much to read; name less in the catalog."
        )

    def _page(self, operation: str, params: Mapping[str, str]) -> Told:
        while True:
            if self._clock() > self._until - CALL:
                raise Throttled("Organizations answers too slowly just now; ask again shortly.")
            try:
                return self._call(operation, params)
            except Throttled:
                if self._pauses <= 0:
                    raise
            self._pauses -= 1
            self._pause(PAUSE)

    def _call(self, operation: str, params: Mapping[str, str]) -> Told:
        organizations = self._organizations
        call = {
            "ListAccounts": organizations.list_accounts,
            "ListAccountsForParent": organizations.list_accounts_for_parent,
            "ListOrganizationalUnitsForParent": organizations.list_organizational_units_for_parent,
            "ListTagsForResource": organizations.list_tags_for_resource,
        }[operation]
        gone = (
            organizations.exceptions.ParentNotFoundException,
            organizations.exceptions.TargetNotFoundException,
        )
        with translated(f"organizations:{operation}", denied=DENIED), suppress(*gone):
            page: Told = call(**params)
            return page
        raise LookupError(params)
