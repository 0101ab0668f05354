"""The doctor for AWS: looks at a deployment and at its accounts, and changes neither.

One run asks each thing once, however many entitlements need it, and a bounded number of things.
Whatever cannot be looked at is a finding, and keeps nothing else from being looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from jitcloud.doctor import Examined, Finding, Grade, ordered
from jitcloud.durations import format_duration
from jitcloud.errors import CloudError
from jitcloud.model import Cloud, Entitlement
from jitcloud.ports import Mechanisms, SlotKinds, Store
from jitcloud.providers.aws import (
    doctor_accounts,
    doctor_documents,
    doctor_iam,
    doctor_identity_center,
    doctor_load,
    doctor_places,
    doctor_rights,
    doctor_ways_in,
)
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.doctor_examination import Examination, isolated
from jitcloud.providers.aws.doctor_looks import Looks

Check = Callable[[Examination], Iterator[Finding]]

CHECKS: Mapping[str, Check] = {
    "the roles by which accounts are reached": doctor_ways_in.account_roles,
    "the roles that are handed out": doctor_ways_in.target_roles,
    "the boundaries of roles": doctor_documents.roles,
    "deny documents": doctor_documents.documents,
    "groups": doctor_iam.groups,
    "inline policies": doctor_iam.policies,
    "instances of Identity Center": doctor_identity_center.instances,
    "permission sets": doctor_identity_center.permission_sets,
    "accounts": doctor_accounts.accounts,
    "who is where": doctor_places.places,
    "live grants": doctor_load.ends,
    "the broker's rights": doctor_rights.rights,
}
"""What is looked at, in this order, by what to call it where looking fails as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsDoctor:
    """See ``jitcloud.doctor.Doctor``."""

    clients: Clients
    """Those of the mechanisms and slot kinds: all of their calls are counted together."""
    mechanisms: Mechanisms
    kinds: SlotKinds
    store: Store
    external_id: str | None = None
    """What is shown to every role by which an account is reached."""
    keeps_journal: bool = False
    """Whether what is put into shared places is noted apart from the record."""
    pause: Callable[[float], object] = time.sleep
    """Waits for so many seconds."""

    def examine(self, entitlements: Sequence[Entitlement]) -> Examined:
        """Look at all that these need at AWS."""
        here = [one for one in entitlements if one.cloud is Cloud.AWS]
        before = self.clients.watch.calls
        examination = Examination(
            Looks(self.clients, self.pause),
            entitlements=here,
            mechanisms=self.mechanisms,
            kinds=self.kinds,
            store=self.store,
            now=self.clients.clock(),
            external_id=self.external_id,
            keeps_journal=self.keeps_journal,
        )
        findings = ordered(_found(examination)) if here else ()
        calls = self.clients.watch.calls - before
        return Examined(findings=findings, entitlements=len(here), calls=calls)


def _found(examination: Examination) -> Iterator[Finding]:
    try:
        caller = examination.clients.identity(examination.partition)
    except CloudError as exc:
        yield doctor_ways_in.unreachable(examination, str(exc))
        return
    yield from doctor_ways_in.identity(caller)
    yield from _clock(examination)
    for called, check in CHECKS.items():
        yield from isolated(called, partial(check, examination))


def _clock(examination: Examination) -> Iterator[Finding]:
    """Compare the clocks, as measured on the first answer."""
    watch = examination.clients.watch
    if watch.difference is None or not watch.is_apart:
        return
    is_behind = watch.difference.total_seconds() > 0
    side, apart = "behind" if is_behind else "ahead of", format_duration(abs(watch.difference))
    ends_late = is_behind and bool(examination.ended_by_broker)
    late = f", and what the broker has to end itself ends {apart} late" if ends_late else ""
    yield Finding(
        grade=Grade.HARM if ends_late else Grade.FAILURE,
        about="this machine's clock",
        what=f"It is {side} that of AWS by {apart} or more.",
        costs=f"No credentials are handed out, for a deadline means two instants{late}.",
        remedy="Set it right (NTP).",
    )
