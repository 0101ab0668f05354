"""Asks AWS what a principal may do, without doing it (iam:SimulatePrincipalPolicy).

It goes by policies, boundaries and service control policies, and by no trust policies.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jitcloud.errors import CloudRefused
from jitcloud.providers.aws.clients import Clients, translated
from jitcloud.providers.aws.principals import principal
from jitcloud.providers.aws.rights import BROKER, Right

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import EvaluationResultTypeDef

NOBODY = "jitcloud-doctor"
"""A name that nothing has: what may be done to it may be done to whatever there is."""

_SESSION = re.compile(r"arn:aws[\w-]*:sts::[0-9]{12}:assumed-role/([^/]+)/.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """A role or user that the broker acts as."""

    arn: str
    iam: IAMClient

    def may(self, actions: Sequence[str], resource: str) -> frozenset[str]:
        """Which of the actions it may do to one thing. Raises ``CloudError``."""
        with translated(f"iam:SimulatePrincipalPolicy on {self.arn}"):
            answer = self.iam.simulate_principal_policy(
                PolicySourceArn=self.arn,
                ActionNames=list(actions),
                ResourceArns=[resource],
                MaxItems=1000,
            )
        results = answer.get("EvaluationResults", ())
        return frozenset(each["EvalActionName"] for each in results if _is_yes(each))

    def lacks(self, rights: Iterable[Right]) -> Iterator[Right]:
        """Yield those that it does not have; a call for each thing.

        Of a pattern it tells whether the right is there for something that fits it. What AWS
        cannot simulate is not among them. Raises ``Throttled`` and ``OutcomeUnknown``.
        """
        things: defaultdict[str, list[Right]] = defaultdict(list)
        for right in rights:
            things[right.resource].append(right)
        for resource in sorted(things):
            actions = sorted({right.action for right in things[resource]})
            try:
                allowed = self.may(actions, self._fitting(resource))
            except CloudRefused:
                continue
            yield from (right for right in things[resource] if right.action not in allowed)

    def _fitting(self, pattern: str) -> str:
        """Something that fits a pattern; ``rights.literal`` has escaped what is none."""
        if pattern == "*":
            return pattern
        home = pattern.replace("::*:", f"::{principal(self.arn).account}:")
        named = re.sub(r"\*(?!\})", NOBODY, home)
        return re.sub(r"\$\{([$*?])\}", r"\1", named)


def whose(clients: Clients, partition: str, named: str) -> Whose | None:
    """Find what ``Right.whose`` names; None for a root, which may do everything.

    Raises ``CloudError``.
    """
    if named != BROKER:
        return Whose(arn=named, iam=clients.iam(principal(named).partition, named))
    caller, iam = clients.identity(partition), clients.iam(partition)
    session = _SESSION.fullmatch(caller)
    if session is None:
        return None if caller.endswith(":root") else Whose(arn=caller, iam=iam)
    with translated(f"iam:GetRole on {caller}"):
        # A session's ARN does not have the path of its role.
        return Whose(arn=iam.get_role(RoleName=session[1])["Role"]["Arn"], iam=iam)


def _is_yes(result: EvaluationResultTypeDef) -> bool:
    return result["EvalDecision"] == "allowed"
