"""Which accounts an entitlement spans: those in an organizational unit, or those with a tag.

What is spanned is read anew for each ask: a call for every 20 accounts, and where units below are
meant two for each unit. Tags have to be asked for account by account and are remembered for five
minutes. Of an organization of 500 accounts that is 25 calls, and 500 more from cold, which takes
Organizations 50 seconds: longer than anybody waits, so the next ask goes on where one has stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from jitcloud.errors import CloudRefused, Refused, Throttled
from jitcloud.providers.aws.clients import Clients, translated
from jitcloud.providers.aws.facts import REMEMBERED
from jitcloud.providers.aws.identity_center_target import Target
from jitcloud.providers.aws.organization_account import Account, Told, read
from jitcloud.providers.aws.organization_pages import DENIED, Pages, Pause
from jitcloud.providers.aws.remembered import Remembered

MOST_ACCOUNTS = 200
"""How many accounts one ask may come to."""

MOST_LISTED = 1000
"""Of how many accounts the tags are read, and how many are looked at for what leaked there."""

MOST_UNITS = 50
"""How many units an entitlement may span."""

DEEPEST = 5
"""How many levels of units there can be below a root (quotas of Organizations)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The accounts that an entitlement comes to, and those that are left out of it."""

    accounts: tuple[str, ...]
    inactive: tuple[str, ...] = ()
    """Suspended, closed, or not in use yet."""
    management: bool = False
    """Whether the management account is meant. It is left out of every span: AWS takes no
    assignment there from a delegated administrator, and the policies that protect an organization
    do not bind it. Whoever means it names it as the ``account`` of an entitlement."""


Through = str | None


@dataclass(frozen=True, slots=True)
class Accounts:
    """Asks Organizations. Safe for several threads."""

    clients: Clients
    pause: Pause
    _known: Remembered[tuple[Through, str], Account] = field(
        default_factory=lambda: Remembered(REMEMBERED)
    )
    _tags: Remembered[tuple[Through, str], Mapping[str, str]] = field(
        default_factory=lambda: Remembered(REMEMBERED)
    )
    _spans: Remembered[str, Span] = field(default_factory=lambda: Remembered(REMEMBERED))

    def account(self, target: Target, account: str, now: datetime) -> Account | None:
        """One account, asked for at most every five minutes; None outside of the organization.

        Raises ``CloudError``.
        """
        known = self._known.get((target.account_role, account), now)
        if known is not None:
            return known
        organizations = self.clients.organizations(target.partition, target.account_role)
        with translated(f"organizations:DescribeAccount on {account}", denied=DENIED):
            try:
                told = organizations.describe_account(AccountId=account)["Account"]
            except organizations.exceptions.AccountNotFoundException:
                return None
        return self._keep(target, told, now)

    def span(self, target: Target, now: datetime, *, most: int = MOST_ACCOUNTS) -> Span:
        """Expand what the target names, as it is now.

        Raises ``Refused`` where that comes to more than ``most`` accounts, or cannot be read, and
        ``CloudError``: a part of a list is not used for the whole.
        """
        active, inactive, management = set[str](), set[str](), False
        for account in self._meant(target, now):
            if account.id == account.management:
                management = True
            elif account.is_active:
                active.add(account.id)
            else:
                inactive.add(account.id)
            if len(active) > most:
                raise Refused(
                    f"The accounts {target.accounts} are more than {most}, the most that can be "
                    "asked for at once; ask whoever keeps the catalog to name fewer."
                )
        span = Span(
            accounts=tuple(sorted(active)),
            inactive=tuple(sorted(inactive)),
            management=management,
        )
        return self._spans.put(target.model_dump_json(), now, span)

    def asked(self, target: Target, now: datetime) -> Span:
        """Expand it for an ask: ``span``, and ``Refused`` too where that comes to no account."""
        span = self.span(target, now)
        if not span.accounts:
            raise Refused(
                f"There are no accounts {target.accounts} that are in use; "
                "ask whoever keeps the catalog to correct that."
            )
        return span

    def last_span(self, target: Target, now: datetime) -> Span | None:
        """What was expanded in the last five minutes; calls nothing."""
        return self._spans.get(target.model_dump_json(), now)

    def trouble(self, target: Target, account: str, now: datetime) -> str:
        """Say why nothing can be given in an account; empty when it can, as far as that is told.

        Raises ``CloudError``.
        """
        known = self.account(target, account, now)
        if known is None:
            return f"The account {account} is not in the organization; correct the catalog."
        if not known.is_active:
            return (
                f"The account {account} is {known.said}, so nothing can be given there; "
                "have it put in order, or take it out of the catalog."
            )
        if target.account is None:
            if account != known.management and self._is_meant(target, known, now):
                return ""
            return (
                f"The account {account} is none of the accounts {target.accounts} any more; "
                "ask again for those that are."
            )
        home = known.management
        if account == home and self.clients.account(target.partition, target.account_role) != home:
            return (
                f"The account {account} is the organization's management account, where AWS takes "
                "assignments from that account alone; name an account_role in it, or another "
                "account."
            )
        return ""

    def _is_meant(self, target: Target, account: Account, now: datetime) -> bool:
        tag = target.accounts_tagged
        if tag is not None:
            return self._tags_of(target, account.id, now).get(tag.key) == tag.value
        if target.accounts_in is None or not account.paths:
            return True
        if target.nested:
            return any(target.accounts_in in path for path in account.paths)
        return any(path[-1:] == (target.accounts_in,) for path in account.paths)

    # ── Looking around ───────────────────────────────────────────────────────────────────────

    def _meant(self, target: Target, now: datetime) -> Iterator[Account]:
        if target.accounts_tagged is not None:
            return self._tagged(target, now)
        return self._inside(target, now)

    def _inside(self, target: Target, now: datetime) -> Iterator[Account]:
        pages, level, units = self._pages(target), [str(target.accounts_in)], 0
        for _ in range(DEEPEST + 1):
            units += len(level)
            if units > MOST_UNITS:
                raise Refused(
                    f"There are more than {MOST_UNITS} organizational units in "
                    f"{target.accounts_in}; ask whoever keeps the catalog to name smaller ones."
                )
            below: list[str] = []
            for unit in level:
                try:
                    for told in pages.accounts_in(unit):
                        yield self._keep(target, told, now)
                    if target.nested:
                        below += [told["Id"] for told in pages.units_in(unit)]
                except LookupError:
                    if unit == target.accounts_in:
                        raise Refused(
                            f"There is no organizational unit {unit} in the organization; "
                            "ask whoever keeps the catalog to correct accounts_in."
                        ) from None
                    # Deleted meanwhile, it has nothing in it.
            if not below:
                return
            level = below
        raise CloudRefused(
            f"AWS tells of more than {DEEPEST} levels of organizational units in "
            f"{target.accounts_in}, and there can be no more; name a unit further down."
        )

    def _tagged(self, target: Target, now: datetime) -> Iterator[Account]:
        pages, tag = self._pages(target), target.accounts_tagged
        every: dict[str, Account] = {}
        for told in pages.accounts():
            account = self._keep(target, told, now)
            every[account.id] = account
            if len(every) > MOST_LISTED:
                raise Refused(
                    f"The organization has more than {MOST_LISTED} accounts, and AWS tells the "
                    "tags of one at a time; ask whoever keeps the catalog to use accounts_in."
                )
        for number, account in enumerate(every.values()):
            try:
                tags = self._tags_of(target, account.id, now, pages)
            except Throttled as exc:
                raise Throttled(
                    f"AWS tells the tags of one account at a time, and those of {number} of "
                    f"{len(every)} are read; ask again in some seconds, it goes on from there."
                ) from exc
            if tag is not None and tags.get(tag.key) == tag.value:
                yield account

    def _tags_of(
        self, target: Target, account: str, now: datetime, pages: Pages | None = None
    ) -> Mapping[str, str]:
        def ask() -> Mapping[str, str]:
            try:
                told = (pages or self._pages(target)).tags(account)
                return {tag["Key"]: tag["Value"] for tag in told}
            except LookupError:
                return {}

        return self._tags.ask((target.account_role, account), now, ask)

    def _pages(self, target: Target) -> Pages:
        return Pages(self.clients, target.partition, target.account_role, self.pause)

    def _keep(self, target: Target, told: Told, now: datetime) -> Account:
        account = read(told)
        return self._known.put((target.account_role, account.id), now, account)
