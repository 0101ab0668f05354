"""AWS sessions of a role, each clamped to the grant's deadline by AWS itself.

The session policy denies everything from the deadline on, and everything that would outlive it
(``session_policy``, ``escapes``). The request id is a session tag, by which the account's deny
document can end exactly these sessions early (``deny_text``).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from jitcloud.errors import CloudRefused, Refused
from jitcloud.model import (
    Area,
    Credentials,
    Entitlement,
    Guarantee,
    Person,
    Place,
    Places,
    Plan,
    Request,
    SlotKey,
    Window,
)
from jitcloud.providers.aws import deny_document, outlook
from jitcloud.providers.aws.clients import Clients, translated
from jitcloud.providers.aws.facts import Facts
from jitcloud.providers.aws.names import person_mark, session_name
from jitcloud.providers.aws.outlook import Outlook
from jitcloud.providers.aws.session_policy import SessionPolicy, session_policy
from jitcloud.providers.aws.target import REQUEST_TAG, Target, check, read
from jitcloud.text import printable

if TYPE_CHECKING:
    from mypy_boto3_sts.type_defs import AssumeRoleRequestTypeDef, CredentialsTypeDef

SHORTEST_SESSION = timedelta(minutes=15)
"""The least that AssumeRole takes: 900 s (botocore's model)."""


SAME_PLAN = timedelta(seconds=5)
"""How long a plan is told again: from an ask to its activation, an instant later as a rule."""

PLANS = 256


class StsSession:
    """The mechanism ``aws.sts-session``. Safe for several threads."""

    name = "aws.sts-session"
    guarantee = Guarantee.CLOUD
    timeout = timedelta(seconds=10)

    def __init__(self, clients: Clients) -> None:
        """Reach AWS through these clients. Calls nothing yet."""
        self._clients = clients
        self._facts = Facts(clients)
        self._plans: dict[tuple[str, timedelta, bool], tuple[datetime, Plan]] = {}

    def check(self, entitlement: Entitlement) -> tuple[str, ...]:
        """Say what is wrong with the target table."""
        target, wrong = check(entitlement)
        if target is None:
            return wrong
        return outlook.too_large(_policy(target, deadline=outlook.SOME_DAY))

    def parts(self, entitlement: Entitlement, now: datetime) -> tuple[str, ...]:  # noqa: ARG002 - a role is one thing
        """Name none: a role is one thing."""
        return ()

    def plan(
        self,
        entitlement: Entitlement,
        duration: timedelta,
        now: datetime,
        *,
        part: str = "",  # noqa: ARG002 - it is one thing
        person: Person | None = None,  # noqa: ARG002 - it is the same for all
    ) -> Plan:
        """Say what granting would mean, from what IAM said in the last five minutes."""
        target = read(entitlement)
        same = (target.model_dump_json(), duration, self._clients.watch.is_apart)
        told = self._plans.get(same)
        if told is not None and timedelta(0) <= now - told[0] < SAME_PLAN:
            return told[1]
        plan = Outlook(
            target=target,
            policy=_policy(target, deadline=now + duration),
            facts=self._facts,
            duration=duration,
            now=now,
        ).plan()
        if len(self._plans) >= PLANS:
            self._plans.clear()
        self._plans[same] = (now, plan)
        return plan

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:  # noqa: ARG002 - it is one thing
        """Name the deny document, where the catalog names one: nothing is held until an end."""
        target = read(entitlement)
        if target.deny_document is None:
            return Places()
        where: dict[str, object] = {"policy_arn": target.deny_document}
        if target.account_role is not None:
            where["account_role"] = target.account_role
        return Places(
            denial=Place(
                key=SlotKey(f"{deny_document.KIND}/{target.deny_document}"),
                kind=deny_document.KIND,
                where=where,
                detail=target.role_arn,
            )
        )

    def areas(self, entitlement: Entitlement, now: datetime) -> tuple[Area, ...]:  # noqa: ARG002 - there are none
        """Name none: a session stands in no list, and ends by itself."""
        return ()

    def lifetime(self, request: Request, window: Window, now: datetime) -> timedelta:
        """The shortest that AWS takes and that reaches the deadline, up to what the role allows.

        Calls AWS only when what is known of the role is older than five minutes.
        """
        longest = self._facts.longest_set(read(request.entitlement), now)
        left = timedelta(seconds=math.ceil((window.deadline - now).total_seconds()))
        return min(max(left, SHORTEST_SESSION), longest)

    def issue(
        self, request: Request, window: Window, lifetime: timedelta, now: datetime
    ) -> Credentials:
        """Mint one set. Raises ``Refused`` when the deadline is too near to send a call."""
        if window.deadline - now < self.timeout:
            raise Refused(
                f"The grant ends at {window.deadline:%H:%M:%S} UTC, "
                "too soon to hand out credentials for it; ask again if you need more time."
            )
        target = read(request.entitlement)
        policy = _policy(target, deadline=window.deadline)
        if wrong := outlook.too_large(policy):
            raise CloudRefused(" ".join(wrong))
        made = self._assume(target, _call(target, policy, request, lifetime))
        self._clocks_agree()
        return Credentials(
            access_key_id=made["AccessKeyId"],
            secret_access_key=made["SecretAccessKey"],
            session_token=made["SessionToken"],
            expires_at=min(made["Expiration"].astimezone(UTC), window.deadline),
        )

    def _assume(self, target: Target, call: AssumeRoleRequestTypeDef) -> CredentialsTypeDef:
        sts = self._clients.sts(target.role.partition, target.region)
        with translated(f"sts:AssumeRole on {target.role_arn}", denied=_DENIED):
            try:
                return sts.assume_role(**call)["Credentials"]
            except sts.exceptions.PackedPolicyTooLargeException as exc:
                said = printable(exc.response["Error"]["Message"]).rstrip(".")
                raise CloudRefused(
                    f"AWS has too little room for the session policy and tags of this role "
                    f"({said}). {outlook.SHORTEN}"
                ) from exc
            except sts.exceptions.ClientError as exc:
                if "DurationSeconds" in exc.response["Error"]["Message"]:
                    # The role's maximum was lowered since we looked: look again next time.
                    self._facts.forget(target)
                raise

    def _clocks_agree(self) -> None:
        # Measured on the very answer that brought the credentials, which nobody gets to see
        # unless the two clocks mean the same instant by "deadline".
        apart = self._clients.watch.difference
        if apart is not None and self._clients.watch.is_apart:
            raise CloudRefused(outlook.clocks_differ(apart))


_DENIED = (
    " AWS does not tell which: check that the role exists, that its trust policy names the broker "
    "and allows it sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity (with the external "
    "id, if it wants one), and that the broker's own policies allow the same."
)


def _policy(target: Target, *, deadline: datetime) -> SessionPolicy:
    return session_policy(
        deadline=deadline,
        allow_escape=target.allow_escape,
        narrowing=target.narrowing,
        arns=target.narrow_policy_arns,
    )


def _call(
    target: Target, policy: SessionPolicy, request: Request, lifetime: timedelta
) -> AssumeRoleRequestTypeDef:
    tags = outlook.tags(target, request.id)
    call: AssumeRoleRequestTypeDef = {
        "RoleArn": target.role_arn,
        "RoleSessionName": session_name(request.id),
        "SourceIdentity": person_mark(request.person),
        "DurationSeconds": int(lifetime.total_seconds()),
        "Policy": policy.text,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        # A session chained from this one (where that is open) carries the tag on, and so can
        # be ended with it.
        "TransitiveTagKeys": [REQUEST_TAG],
    }
    if policy.arns:
        call["PolicyArns"] = [{"arn": arn} for arn in policy.arns]
    if target.external_id is not None:
        call["ExternalId"] = target.external_id
    return call
