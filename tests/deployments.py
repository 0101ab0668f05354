"""A deployment in a folder: all that an operator writes, and a signing key."""

from __future__ import annotations

from pathlib import Path

from jitcloud.audit import keys
from tests.world import PEOPLE

POLICY = """
@id("self-serve")
permit (principal in Group::"developers", action == Action::"activate",
        resource in Environment::"dev")
when { context.duration <= duration("1h") };

@id("ask-a-lead")
@approval("1 of resource.owner")
permit (principal in Group::"developers", action == Action::"request",
        resource in Environment::"prod")
when { context.duration <= duration("1h") };
"""


def make(
    folder: Path,
    *,
    endpoint_url: str,
    entitlements: dict[str, dict[str, str]],
    external_id: str = "jitcloud",
) -> Path:
    """Write a deployment whose entitlements are AWS roles; return the folder.

    ``entitlements`` names, for each id, the keys of its target table. Those whose id begins
    with ``prod`` need a lead's yes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "jitcloud.toml").write_text(
        f"""
[aws]
region = "us-east-1"
endpoint_url = "{endpoint_url}"
external_id = "{external_id}"
settle = "0s"

[trial]
unsafe_act_as_anyone = true
"""
    )
    (folder / "people.toml").write_text(PEOPLE)
    (folder / "policy").mkdir()
    (folder / "policy" / "rules.cedar").write_text(POLICY)
    (folder / "catalog.toml").write_text(
        "\n".join(_entitlement(name, target) for name, target in entitlements.items())
    )
    keys.create(folder / "keys")
    return folder


def _entitlement(name: str, target: dict[str, str]) -> str:
    environment = "prod" if name.startswith("prod") else "dev"
    lines = "\n".join(f'{key} = "{value}"' for key, value in target.items())
    return f"""
[[entitlement]]
id = "{name}"
title = "Test {name}"
cloud = "aws"
mechanism = "aws.sts-session"
privilege = "read"
environment = "{environment}"
owner = "leads"

[entitlement.target]
{lines}
"""
