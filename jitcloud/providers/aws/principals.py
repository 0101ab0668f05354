"""IAM's own groups, roles and users as the catalog names them, and whose IAM user is whose.

Which user is a person's stands in a table of the catalog, and follows from nothing else. With a
pattern over ids, whoever chooses an id would choose a user; with a tag on the user, whoever may
tag users would choose who is let in. The table is changed as the catalog is: by two people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from jitcloud.errors import CloudRefused, Refused
from jitcloud.model import Entitlement, PersonId
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.target import Arn
from jitcloud.text import quoted

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

# Names as in botocore's model of IAM; those of groups and users are the longest, with 128.
_ARN = re.compile(
    r"arn:(?P<partition>aws(?:-cn|-us-gov)?):iam::(?P<account>[0-9]{12})"
    r":(?P<kind>group|role|user)/(?:[\x21-\x7e]{1,510}/)?(?P<name>[\w+=,.@-]{1,128})",
    re.ASCII,
)


@lru_cache(maxsize=1024)
def principal(text: str) -> Arn:
    """Read the ARN of a group, a role or a user. Raises ``ValueError`` with a sentence."""
    found = _ARN.fullmatch(text)
    if found is None:
        raise ValueError(f"{quoted(text)} is not the ARN of an IAM group, role or user")
    return Arn(
        partition=found["partition"],
        account=found["account"],
        kind=found["kind"],
        name=found["name"],
    )


def written(arn: Arn) -> str:
    """The ARN without its path: within an account names are unique without it."""
    return f"arn:{arn.partition}:iam::{arn.account}:{arn.kind}/{arn.name}"


def one_spelling(arn: Arn) -> str:
    """The same text for every way to write the ARN of one principal.

    IAM distinguishes names neither by path nor by case (IAM User Guide, "IAM and AWS STS
    quotas"). A place that had two keys would be taken for two places.
    """
    return written(arn).lower()


# ── In the catalog ───────────────────────────────────────────────────────────────────────────


def _of(kind: str, text: str) -> str:
    if principal(text).kind != kind:
        raise ValueError(
            f"{quoted(text)} must be the ARN of a {kind}, arn:aws:iam::ACCOUNT:{kind}/NAME"
        )
    return text


def _group(text: str) -> str:
    return _of("group", text)


def _role(text: str) -> str:
    return _of("role", text)


def _user(text: str) -> str:
    return _of("user", text)


def _one_each(users: dict[str, str]) -> dict[str, str]:
    if not users:
        raise ValueError("name at least one person, and the ARN of their IAM user")
    whose: dict[str, str] = {}
    for person, user in users.items():
        other = whose.setdefault(one_spelling(principal(user)), person)
        if other != person:
            raise ValueError(
                f"{quoted(user)} is given to both {quoted(other)} and {quoted(person)}; "
                "each person needs an IAM user of their own"
            )
    return users


GroupArn = Annotated[str, AfterValidator(_group)]
RoleArn = Annotated[str, AfterValidator(_role)]
Users = Annotated[dict[str, Annotated[str, AfterValidator(_user)]], AfterValidator(_one_each)]
"""Person's id -> the ARN of the IAM user that is theirs alone."""


def user_of(users: Mapping[str, str], person: PersonId, entitlement: Entitlement) -> Arn:
    """The IAM user that is this person's. Raises ``Refused`` for whom the catalog names none."""
    user = users.get(person)
    if user is None:
        raise Refused(
            f"The catalog names no IAM user of yours for {entitlement.id}; "
            "ask whoever keeps it to add you to its users."
        )
    return principal(user)


# ── In the account ───────────────────────────────────────────────────────────────────────────


def iam_of(clients: Clients, arn: Arn, through: str | None) -> IAMClient:
    """IAM of the account that a principal is in.

    Raises ``CloudRefused`` where the broker would look in another one: what is not found there
    proves nothing, and whoever has the same name there is somebody else.
    """
    if clients.account(arn.partition, through) != arn.account:
        raise CloudRefused(elsewhere(arn))
    return clients.iam(arn.partition, through)


def elsewhere(arn: Arn) -> str:
    """What to tell when the broker has no way into a principal's account."""
    return (
        f"The {arn.kind} {arn.name} is in account {arn.account}, and the broker in another; "
        "name an account_role there."
    )
