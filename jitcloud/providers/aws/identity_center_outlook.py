"""What giving a permission set would mean, told beforehand from what AWS says now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from jitcloud.durations import format_duration
from jitcloud.errors import CloudRefused, Refused
from jitcloud.model import Guarantee, Person, Plan
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.identity_center_accounts import Accounts, Span
from jitcloud.providers.aws.identity_center_facts import SetFacts, SetsFacts
from jitcloud.providers.aws.identity_center_people import People
from jitcloud.providers.aws.identity_center_target import Target

MOST_SHOWN = 5

LEAVES = "Giving back or revoking deletes the assignment, so that nobody gets a new session by it"
DENIED_WITHIN = (
    f"{LEAVES}, and the account's deny document denies running sessions everything within seconds."
)
OPEN = "Sessions that are open at the end, in the console and on the command line,"
BROKER_ENDS = (
    "AWS holds no deadline for an assignment: jitcloud deletes it at its end, and while jitcloud "
    "does not run, it stays."
)
MADE_MEANWHILE = (
    "What the permission set lets somebody make stays: access keys, roles, policies and compute; "
    "a session of another role lives until it expires."
)
# https://docs.aws.amazon.com/singlesignon/latest/userguide/user-background-sessions.html
BACKGROUND = (
    "Jobs that somebody started in the background (user background sessions, in SageMaker Studio) "
    "run on for as long as Identity Center is set to let them, up to 90 days."
)
# https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html#ssothrottlelimits
TAKES_TURNS = (
    "Identity Center takes 20 calls a second and 10 assignments at a time, from everybody "
    "together; where many begin or end at once, each waits its turn, and ends go first."
)
WHERE_PROVISIONED = (
    "The deny document reaches sessions in an account where the permission set was provisioned "
    "since it got this boundary, as long as the document has room; that shows at an end, or in "
    "jitcloud doctor aws."
)
MANAGEMENT_LEFT_OUT = (
    "The management account is left out; whoever means it names it as the account of an "
    "entitlement of its own."
)


@dataclass(slots=True)
class _Findings:
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def look(self, what: str, looking: Callable[[], None]) -> None:
        """Look at something. That the broker may not is a note: it may be allowed the rest."""
        try:
            looking()
        except Refused as exc:
            self.problems.append(str(exc))
        except CloudRefused as exc:
            self.notes.append(_unseen(what, str(exc)))


@dataclass(frozen=True, slots=True)
class Outlook:
    """Where to look what an assignment would mean."""

    clients: Clients
    sets: SetsFacts
    accounts: Accounts
    people: People

    def plan(self, target: Target, account: str, person: Person | None, now: datetime) -> Plan:
        """Say what giving it there would mean; without an account, in all that are meant.

        Raises ``Throttled`` or ``OutcomeUnknown``.
        """
        found = _Findings()
        facts = self.sets.permission_set(target, now)
        if facts.missing:
            found.problems.append(facts.missing)
        if facts.unseen:
            found.notes.append(_unseen("the permission set", facts.unseen))
        if account:
            found.look("the account", lambda: self._account(target, account, now, found))
        if target.group_id is not None:
            found.look("the group", lambda: self._group(target, now, found))
        elif person is not None:
            found.look("your user", lambda: self._user(target, person, now, found))
        if target.account is None:
            found.look("the accounts", lambda: self._left_out(target, account, now, found))
        obstacle = next(self._obstacles(target, account, facts, now), "")
        found.notes += [TAKES_TURNS] if obstacle else [TAKES_TURNS, WHERE_PROVISIONED]
        lasts = f"for up to {format_duration(facts.session)}, because {obstacle}."
        return Plan(
            guarantee=Guarantee.BROKER,
            early_end=f"{LEAVES}; running sessions work on {lasts}" if obstacle else DENIED_WITHIN,
            residual=(
                *((f"{OPEN} work on {lasts}",) if obstacle else ()),
                BROKER_ENDS,
                MADE_MEANWHILE,
                BACKGROUND,
            ),
            notes=tuple(found.notes),
            problems=tuple(found.problems),
        )

    # ── What would be in the way ─────────────────────────────────────────────────────────────

    def _account(self, target: Target, account: str, now: datetime, found: _Findings) -> None:
        if trouble := self.accounts.trouble(target, account, now):
            found.problems.append(trouble)

    def _user(self, target: Target, person: Person, now: datetime, found: _Findings) -> None:
        user = self.people.user(target, person, now)
        if user.unseen:
            found.notes.append(_unseen("whether your user is disabled", user.unseen))

    def _group(self, target: Target, now: datetime, found: _Findings) -> None:
        group = self.people.group(target, now)
        if not group.exists:
            found.problems.append(
                f"The group {target.group_id} is not in the identity store; create one, or correct "
                "group_id in the catalog."
            )
            return
        if group.unseen:
            found.notes.append(_unseen("the group", group.unseen))
        found.notes.append(
            f"The assignment goes to the group {group.name or target.group_id}: whoever is in it "
            "has the access meanwhile."
        )

    def _left_out(self, target: Target, account: str, now: datetime, found: _Findings) -> None:
        span = self.accounts.last_span(target, now)
        if span is None and not account:
            span = self.accounts.asked(target, now)
        if span is not None:
            found.notes += _not_in(span)

    # ── What would be left over ──────────────────────────────────────────────────────────────

    def _obstacles(
        self, target: Target, account: str, facts: SetFacts, now: datetime
    ) -> Iterator[str]:
        """Why an early end would not end running sessions; the first one matters."""
        if target.group_id is not None:
            yield "the assignment goes to a group, and a deny document names users"
        if target.deny_document is None:
            yield "the catalog names no deny document for it"
        if facts.missing or facts.unseen:
            yield "the broker cannot read the permission set"
        boundary = self.sets.boundary(target, now)
        if boundary.unseen:
            yield (
                "the broker cannot read whether the deny document is the permission set's boundary "
                f"({boundary.unseen.rstrip('.')})"
            )
        if boundary.policy != f"/{target.deny_document}":
            yield "the deny document is not the permission set's permissions boundary"
        if target.deny_role is None and self._is_elsewhere(target, account):
            yield "the broker is in another account, and the catalog names no deny_role there"

    def _is_elsewhere(self, target: Target, account: str) -> bool:
        try:
            return self.clients.account(target.partition, None) != account
        except CloudRefused:
            return True


def _not_in(span: Span) -> Iterator[str]:
    if span.inactive:
        shown = ", ".join(span.inactive[:MOST_SHOWN])
        more = len(span.inactive) - MOST_SHOWN
        shown = f"{shown} and {more} more" if more > 0 else shown
        yield f"Accounts that are suspended, closed or not in use yet are left out: {shown}."
    if span.management:
        yield MANAGEMENT_LEFT_OUT


def _unseen(what: str, why: str) -> str:
    return f"The broker could not look at {what}: {why.rstrip('.')}."
