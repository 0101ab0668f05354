"""What lifetimes are killed in: every mechanism on every store. A new one joins one of two lists.

A mechanism says how to make a place that nobody was ever let into, and who can get in there; a
store says how a deployment names a record of its own. Nothing else is asked of either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from jitcloud.emulators.identity_center import IdentityCenterServer
from jitcloud.model import Credentials
from jitcloud.providers.aws import iam_group, iam_policy, identity_center_places
from tests.aws.conftest import Aws, policy, unique
from tests.aws.iam_world import member, reading, rights
from tests.dynamodb_tables import a_table, client_of


@dataclass(frozen=True)
class Surroundings:
    """The clouds, as real processes reach them."""

    aws: Aws
    center: IdentityCenterServer


@dataclass(frozen=True)
class Place:
    """Somewhere that nobody was ever let into."""

    target: Mapping[str, Any]
    """What a catalog says of it."""
    who: Callable[[], list[str]]
    """Who can get in there just now, in truth: without what a session has that was handed out."""
    bucket: str = ""
    """What handed-out credentials are tried on, where a grant hands any out."""


@dataclass(frozen=True)
class Mechanism:
    """A mechanism, by the name that catalogs have for it."""

    name: str
    place: Callable[[Surroundings], Place]
    takes: int = 0
    """How many sets of credentials somebody takes on the way."""


@dataclass(frozen=True)
class StoreKind:
    """A kind of store."""

    name: str
    settings: Callable[[Surroundings], str]
    """The section ``[store]`` of a deployment with a record of its own."""


# ── Mechanisms ───────────────────────────────────────────────────────────────────────────────


def _nobody() -> list[str]:
    return []


def _session(here: Surroundings) -> Place:
    document = here.aws.deny_document()
    target = {"role_arn": here.aws.role(boundary=document), "deny_document": document}
    return Place(target, _nobody, here.aws.bucket())


def _group(here: Surroundings) -> Place:
    """A group whose members read a bucket, and Ana, who has a key of her own."""
    aws, ana = here.aws, member(here.aws)
    bucket, group = aws.bucket(), unique("group")
    arn = aws.iam().create_group(GroupName=group)["Group"]["Arn"]
    aws.iam().put_group_policy(
        GroupName=group, PolicyName="all", PolicyDocument=policy(reading(bucket))
    )
    return Place({"group_arn": arn, "users": {"ana": ana.arn}}, _reads(aws, ana.key, bucket))


def _policy(here: Surroundings) -> Place:
    """A role of Ana's that may do nothing by itself, and a session of it."""
    aws, bucket = here.aws, here.aws.bucket()
    role = aws.role({"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"})
    session = aws.role_session(role)
    return Place(
        {"role_arn": role, "policy": rights(reading(bucket))}, _reads(aws, session, bucket)
    )


def _assignment(here: Surroundings) -> Place:
    """A permission set in an account, and Ana, who is a user of Identity Center."""
    center = here.center.center
    account, name = f"2222{int(token_hex(3), 16):08d}", unique("set")
    center.organization.add_account(account, name)
    admins = center.permission_sets.add(name)
    ana = center.store.add_user(name, email=f"{name}@example.com")
    target = {
        "instance_arn": center.instance_arn,
        "identity_store_id": center.store.id,
        "region": "eu-central-1",
        "permission_set_arn": admins,
        "account": account,
        "users": {"ana": ana},
    }

    def who() -> list[str]:
        return sorted(center.who_can(admins, account))

    return Place(target, who)


def _reads(aws: Aws, credentials: Credentials, bucket: str) -> Callable[[], list[str]]:
    return lambda: ["ana"] if aws.can_read(credentials, bucket) else []


MECHANISMS = (
    Mechanism("aws.sts-session", _session, takes=2),
    Mechanism(iam_group.KIND, _group),
    Mechanism(iam_policy.KIND, _policy),
    Mechanism(identity_center_places.KIND, _assignment),
)

# ── Stores ───────────────────────────────────────────────────────────────────────────────────


def _file(_: Surroundings) -> str:
    return 'kind = "sqlite"'


def _table(here: Surroundings) -> str:
    table = a_table(client_of(here.aws.endpoint_url, here.aws.account))
    return (
        f'kind = "dynamodb"\ntable = "{table}"\nregion = "us-east-1"\n'
        f'endpoint_url = "{here.aws.endpoint_url}"'
    )


STORES = (StoreKind("sqlite", _file), StoreKind("dynamodb", _table))
