"""The example organisation with an AWS of its own, on the loopback and with IAM enforced."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import boto3

from jitcloud.emulators.ministack import Ministack
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.deny_document import DenyDocument
from jitcloud.providers.aws.deny_text import base_document
from jitcloud.providers.aws.sts_session import StsSession
from jitcloud.stores.sqlite import SqliteStore
from tests.example import FOLDER
from tests.world import Time, World

_ANYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
_NO_FILES = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}

_ENTITLEMENT = """
[[entitlement]]
id = "{environment}-read"
title = "Read in {environment}"
cloud = "aws"
mechanism = "aws.sts-session"
privilege = "read"
environment = "{environment}"
owner = "db-owners"
labels = ["pii", "cloud-root"]
target = {{ role_arn = "{role}", deny_document = "{document}" }}
"""


class Now(Time):
    """The clock of this machine."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Account:
    """An AWS account with a role to be had. The broker is a user of it, by the environment."""

    endpoint_url: str
    region: str
    role: str
    document: str
    """The deny document: the role's boundary."""


@contextmanager
def account() -> Iterator[Account]:
    with Ministack() as aws, _environment(root := {**_NO_FILES, **aws.environment}):
        iam = boto3.client("iam")
        document = f"arn:aws:iam::{aws.account}:policy/jitcloud-deny"
        iam.create_policy(PolicyName="jitcloud-deny", PolicyDocument=base_document(document))
        role = iam.create_role(
            RoleName="reader",
            AssumeRolePolicyDocument=_policy(
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{aws.account}:root"},
                    "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
                }
            ),
            PermissionsBoundary=document,
        )["Role"]["Arn"]
        iam.put_role_policy(RoleName="reader", PolicyName="p", PolicyDocument=_policy(_ANYTHING))
        iam.create_user(UserName="broker")
        iam.put_user_policy(UserName="broker", PolicyName="p", PolicyDocument=_policy(_ANYTHING))
        key = iam.create_access_key(UserName="broker")["AccessKey"]
        broker = {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
        with _environment(root | broker):
            yield Account(
                endpoint_url=aws.endpoint_url, region=aws.region, role=role, document=document
            )


def organisation(folder: Path, account: Account, time: Time) -> tuple[World, Clients]:
    """The real core over SQLite and this account, and what it reaches the account by."""
    clients = Clients(clock=time, region=account.region, endpoint_url=account.endpoint_url)
    sessions, documents = StsSession(clients), DenyDocument(clients)
    catalog = (
        _ENTITLEMENT.format(environment=name, role=account.role, document=account.document)
        for name in ("dev", "prod", "root")
    )
    folder.mkdir(parents=True, exist_ok=True)
    world = World(
        folder,
        time=time,
        store=SqliteStore(folder / "jitcloud.db"),
        policy_text="\n".join(path.read_text() for path in sorted(FOLDER.glob("*.cedar"))),
        catalog_text="".join(catalog),
        people_text=(FOLDER / "people.toml").read_text(),
        mechanisms={sessions.name: sessions},
        kinds_={documents.name: documents},
    )
    return world, clients


def _policy(statement: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Let these be all that the environment says of AWS, for a while."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
