"""A deployment's folder as functions take it: nothing in it is secret."""

from __future__ import annotations

from pathlib import Path

from tests.deployments import POLICY
from tests.world import PEOPLE

SETTINGS = """
[store]
kind = "dynamodb"

[signing]
kind = "kms"

[[sign_in.issuer]]
url = "https://login.example.com/"
audiences = ["jitcloud"]

[aws]
region = "us-east-1"
"""
CATALOG = """
[[entitlement]]
id = "dev-read"
title = "Read in development"
cloud = "aws"
mechanism = "aws.sts-session"
privilege = "read"
environment = "dev"
owner = "leads"

[entitlement.target]
role_arn = "arn:aws:iam::111122223333:role/dev-read"
deny_document = "arn:aws:iam::111122223333:policy/denies"

[[entitlement]]
id = "prod-oncall"
title = "On call"
cloud = "aws"
mechanism = "aws.iam-group"
privilege = "admin"
environment = "prod"
owner = "leads"

[entitlement.target]
group_arn = "arn:aws:iam::222233334444:group/oncall"
account_role = "arn:aws:iam::222233334444:role/jitcloud-account"
users = {ana = "arn:aws:iam::222233334444:user/ana"}
"""


def folder(path: Path, settings: str = SETTINGS) -> Path:
    """Write one, and return where it is."""
    (path / "policy").mkdir(parents=True)
    (path / "jitcloud.toml").write_text(settings)
    (path / "catalog.toml").write_text(CATALOG)
    (path / "people.toml").write_text(PEOPLE)
    (path / "policy" / "rules.cedar").write_text(POLICY)
    return path
