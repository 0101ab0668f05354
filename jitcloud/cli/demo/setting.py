"""Where the demo plays: an account with two roles and a bucket, and a jitcloud deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jitcloud.audit import keys
from jitcloud.cli.demo.center import Center
from jitcloud.emulators.account import Account
from jitcloud.model import Credentials, Privilege

BUCKET = "reports"
KEY = "2026.csv"
READER, WRITER, DOCUMENT = "reports-reader", "reports-writer", "jitcloud-deny"
READ, WRITE = "reports-read", "reports-write"
PEOPLE = ("alice", "bob", "carol")

_CONFIGURATION = """\
[aws]
endpoint_url = "{endpoint_url}"
identity_center_url = "{identity_center_url}"
settle = "0s" # the emulator acts on a change at once; AWS takes seconds

[journal]
path = "places"

[trial]
unsafe_act_as_anyone = true
"""

_ENTITLEMENT = """\
[[entitlement]]
id = "{id}"
title = "{title}"
cloud = "aws"
mechanism = "aws.sts-session"
privilege = "{privilege}"
environment = "prod"
owner = "staff"

[entitlement.target]
role_arn = "{role}"
deny_document = "{document}"

"""

_PEOPLE = """\
[[person]]
id = "alice"
name = "Alice"

[[person]]
id = "bob"
name = "Bob"

[[person]]
id = "carol"
name = "Carol"

[groups]
staff = { members = ["alice", "bob", "carol"] }
"""

_RULES = """\
@id("reading-is-free")
permit (
  principal in Group::"staff",
  action == Action::"activate",
  resource in Environment::"prod"
)
when { resource.privilege == Privilege::"read" && context.duration <= duration("1h") };

@id("writing-takes-two")
@approval("1 of staff")
permit (
  principal in Group::"staff",
  action == Action::"request",
  resource in Environment::"prod"
)
when { resource.privilege == Privilege::"write" && context.duration <= duration("1h") };
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the story needs of its surroundings."""

    account: Account
    center: Center
    folder: Path
    broker: Credentials
    everyday: Mapping[str, Credentials]
    """Each person's own AWS credentials, which may do nothing."""


def prepare(
    account: Account, endpoint_url: str, center: Center, folder: Path, *, boundary: bool = True
) -> Setting:
    """Make all of it. Without ``boundary`` no session can be ended early, which a test needs."""
    document = account.arn("policy", DOCUMENT)
    roles = [account.arn("role", name) for name in (READER, WRITER)]
    account.broker_role(roles, [document])
    account.deny_document(DOCUMENT)
    bounds = document if boundary else None
    account.target_role(READER, Privilege.READ, BUCKET, bounds)
    account.target_role(WRITER, Privilege.WRITE, BUCKET, bounds)
    account.bucket(BUCKET, {KEY: b"month,sum\n"})
    _deploy(folder, endpoint_url, center, dict(zip((READ, WRITE), roles, strict=True)), document)
    return Setting(
        account=account,
        center=center,
        folder=folder,
        broker=account.broker(),
        everyday={name: account.person(name) for name in PEOPLE},
    )


def _deploy(
    folder: Path, endpoint_url: str, center: Center, roles: Mapping[str, str], document: str
) -> None:
    entitlements = (
        (READ, "Read the reports", Privilege.READ),
        (WRITE, "Change the reports", Privilege.WRITE),
    )
    catalog = "".join(
        _ENTITLEMENT.format(
            id=name, title=title, privilege=privilege, role=roles[name], document=document
        )
        for name, title, privilege in entitlements
    )
    configuration = _CONFIGURATION.format(endpoint_url=endpoint_url, identity_center_url=center.url)
    (folder / "jitcloud.toml").write_text(configuration)
    (folder / "catalog.toml").write_text(catalog + center.entitlement)
    (folder / "people.toml").write_text(_PEOPLE)
    (folder / "policy").mkdir()
    (folder / "policy" / "rules.cedar").write_text(_RULES)
    keys.create(folder / "keys")
