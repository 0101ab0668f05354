"""How Identity Center and Organizations write ids, and what to say of one that is written wrongly.

The patterns are those of botocore's models of sso-admin, identitystore, organizations and iam,
without what would make one thing several: ARNs in place of ids, slashes inside of ids.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator

from jitcloud.text import quoted

_ARN = re.compile(
    r"arn:(?P<partition>aws(?:-cn|-us-gov)?):sso:::"
    r"(?P<kind>instance|permissionSet)/(?P<instance>(?:sso)?ins-[a-zA-Z0-9.-]{16})"
    r"(?:/(?P<id>ps-[a-zA-Z0-9.-]{16}))?"
)
_UUID = "[A-Fa-f0-9]{8}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{12}"
_STORE = re.compile(f"d-[0-9a-f]{{10}}|{_UUID.replace('A-F', '')}")
_PRINCIPAL = re.compile(f"(?:[0-9a-f]{{10}}-)?{_UUID}")
_REGION = re.compile("[a-z]{2}(?:-[a-z]+)+-[0-9]")
_ACCOUNT = re.compile("[0-9]{12}")
_UNIT = re.compile("r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}")
_POLICY = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
_ROLE = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)

_IN_TAGS = frozenset(" _.:/=+-@")
_LONGEST_KEY = 128
_LONGEST_VALUE = 256
_LONGEST_ISSUER = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class SsoArn:
    """The ARN of an instance, or of a permission set in one, taken apart."""

    partition: str
    instance: str
    """The instance's id."""
    id: str
    """The permission set's id; of an instance, empty."""


@lru_cache(maxsize=1024)
def sso_arn(text: str) -> SsoArn:
    """Read the ARN of an instance or a permission set. Raises ``ValueError`` with a sentence."""
    found = _ARN.fullmatch(text)
    if found is None or (found["kind"] == "instance") != (found["id"] is None):
        raise ValueError(f"{quoted(text)} is not an ARN of Identity Center")
    return SsoArn(partition=found["partition"], instance=found["instance"], id=found["id"] or "")


def is_principal(text: str) -> bool:
    """Whether it is written as the id of a user or a group of an identity store is."""
    return _PRINCIPAL.fullmatch(text) is not None


def is_account(text: str) -> bool:
    """Whether it is written as an account's id is."""
    return _ACCOUNT.fullmatch(text) is not None


def partition_of(region: str) -> str:
    """The partition that a region is in."""
    found = next((p for p in ("cn", "us-gov") if region.startswith(f"{p}-")), None)
    return "aws" if found is None else f"aws-{found}"


# ── In the catalog ───────────────────────────────────────────────────────────────────────────


def _instance(text: str) -> str:
    found = _ARN.fullmatch(text)
    if found is None or found["kind"] != "instance" or found["id"] is not None:
        raise ValueError(
            f"{quoted(text)} is not the ARN of an Identity Center instance, "
            "arn:aws:sso:::instance/ssoins-…; copy it from the settings of Identity Center"
        )
    return text


def _permission_set(text: str) -> str:
    found = _ARN.fullmatch(text)
    if found is None or found["kind"] != "permissionSet" or found["id"] is None:
        raise ValueError(
            f"{quoted(text)} is not the ARN of a permission set, "
            "arn:aws:sso:::permissionSet/ssoins-…/ps-…; copy it from Identity Center"
        )
    return text


def _store(text: str) -> str:
    if _STORE.fullmatch(text) is None:
        raise ValueError(
            f"{quoted(text)} is not the id of an identity store, such as d-1234567890; "
            "copy it from the settings of Identity Center"
        )
    return text


def _region(text: str) -> str:
    if _REGION.fullmatch(text) is None:
        raise ValueError(f"{quoted(text)} is not a region, such as eu-central-1")
    return text


def _account(text: str) -> str:
    if not is_account(text):
        raise ValueError(f"{quoted(text)} is not the id of an account; write its twelve digits")
    return text


def _unit(text: str) -> str:
    if _UNIT.fullmatch(text) is None:
        raise ValueError(
            f"{quoted(text)} is not the id of an organizational unit, such as ou-abcd-12345678, "
            "nor that of a root"
        )
    return text


def _user(text: str) -> str:
    if not is_principal(text):
        raise ValueError(
            f"{quoted(text)} is not a user id of Identity Center; "
            "copy the id from the user's page there, not the name"
        )
    return text


def _group(text: str) -> str:
    if not is_principal(text):
        raise ValueError(
            f"{quoted(text)} is not a group id of Identity Center; "
            "copy the id from the group's page there, not the name"
        )
    return text


def _issuer(text: str) -> str:
    if not 0 < len(text) <= _LONGEST_ISSUER or not text.isprintable() or " " in text:
        raise ValueError("write what DescribeUser tells as Issuer among a user's ExternalIds")
    return text


def _policy_name(text: str) -> str:
    if _POLICY.fullmatch(text) is None:
        raise ValueError(
            f"{quoted(text)} is not the name of a managed policy; "
            "write its name alone, which is the same in each account"
        )
    return text


def _role_name(text: str) -> str:
    if _ROLE.fullmatch(text) is None:
        raise ValueError(
            f"{quoted(text)} is not the name of a role; "
            "write its name alone, which is the same in each account"
        )
    return text


def _tag_key(text: str) -> str:
    if not text or len(text) > _LONGEST_KEY:
        raise ValueError(f"the key of a tag has 1 to {_LONGEST_KEY} characters")
    return _in_tag(text)


def _tag_value(text: str) -> str:
    if len(text) > _LONGEST_VALUE:
        raise ValueError(f"the value of a tag has at most {_LONGEST_VALUE} characters")
    return _in_tag(text)


def _in_tag(text: str) -> str:
    if not all(char.isalnum() or char in _IN_TAGS for char in text):
        raise ValueError(
            f"{quoted(text)} cannot be in a tag; write letters, digits, spaces and _.:/=+-@ alone"
        )
    return text


InstanceArn = Annotated[str, AfterValidator(_instance)]
PermissionSetArn = Annotated[str, AfterValidator(_permission_set)]
StoreId = Annotated[str, AfterValidator(_store)]
Region = Annotated[str, AfterValidator(_region)]
AccountId = Annotated[str, AfterValidator(_account)]
UnitId = Annotated[str, AfterValidator(_unit)]
UserId = Annotated[str, AfterValidator(_user)]
GroupId = Annotated[str, AfterValidator(_group)]
Issuer = Annotated[str, AfterValidator(_issuer)]
PolicyName = Annotated[str, AfterValidator(_policy_name)]
RoleName = Annotated[str, AfterValidator(_role_name)]
TagKey = Annotated[str, AfterValidator(_tag_key)]
TagValue = Annotated[str, AfterValidator(_tag_value)]
