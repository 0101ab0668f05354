"""What the catalog's target table says for ``aws.sts-session``: strict, and told in sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from jitcloud.errors import Misconfigured
from jitcloud.files import parse_table
from jitcloud.model import Entitlement
from jitcloud.providers.aws import escapes
from jitcloud.providers.aws.session_policy import Statement, actions_of
from jitcloud.text import did_you_mean, quoted

REQUEST_TAG = "jitcloud-request"
"""The session tag that carries the request id. The deny document matches it."""

_ARN = re.compile(
    r"arn:(?P<partition>aws(?:-cn|-us-gov)?):iam::(?P<account>[0-9]{12}|aws)"
    r":(?P<kind>role|policy)/(?P<path>[\x21-\x7e]+)"
)

# The patterns of botocore's model of AssumeRole, in ASCII.
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_TAG = re.compile(r"[\w .:/=+@-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arn:
    """The name of a role or a managed policy."""

    partition: str
    account: str
    kind: str
    name: str
    """Without its path: within an account names are unique without it."""


@lru_cache(maxsize=1024)
def parse_arn(text: str) -> Arn:
    """Read the ARN of a role or a policy. Raises ``ValueError`` with a sentence."""
    found = _ARN.fullmatch(text)
    if found is None:
        raise ValueError(f"{quoted(text)} is not the ARN of an IAM role or policy")
    return Arn(
        partition=found["partition"],
        account=found["account"],
        kind=found["kind"],
        name=found["path"].rpartition("/")[2],
    )


def _role(text: str) -> str:
    if parse_arn(text).kind != "role":
        raise ValueError(
            f"{quoted(text)} must be the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME"
        )
    return text


def _policy(text: str) -> str:
    if parse_arn(text).kind != "policy":
        raise ValueError(
            f"{quoted(text)} must be the ARN of a managed policy, arn:aws:iam::ACCOUNT:policy/NAME"
        )
    return text


def _external_id(text: str) -> str:
    if _EXTERNAL_ID.fullmatch(text) is None:
        raise ValueError("an external id has 2 to 1,224 letters, digits or any of +=,.@:/-_")
    return text


def _escape(name: str) -> str:
    if name not in escapes.NAMES:
        raise ValueError(
            f"{quoted(name)} opens nothing; the names are {', '.join(escapes.NAMES)}."
            f"{did_you_mean(name, escapes.NAMES)}"
        )
    return name


def _tags(tags: dict[str, str]) -> dict[str, str]:
    # STS compares keys without regard to case, and refuses a request that holds one twice.
    if len({key.lower() for key in tags} | {REQUEST_TAG}) < len(tags) + 1:
        raise ValueError(f"a tag stands here twice (case does not count), or is {REQUEST_TAG}")
    for key, value in tags.items():
        if not (_TAG.fullmatch(key) and len(key) <= 128 and not key.lower().startswith("aws:")):  # noqa: PLR2004 - STS's own limit
            raise ValueError(f"{quoted(key)} cannot be the key of a session tag")
        if not (_TAG.fullmatch(f"{value}_") and len(value) <= 256):  # noqa: PLR2004 - the same
            raise ValueError(f"{quoted(value)} cannot be the value of a session tag")
    return tags


def _from_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as exc:
        raise ValueError("this text is not JSON; write the policy as a TOML table instead") from exc


def _statements(document: dict[str, object]) -> dict[str, object]:
    if unknown := set(document) - {"Version", "Id", "Statement"}:
        raise ValueError(f"{quoted(min(unknown))} means nothing in an IAM policy")
    if document.get("Version") != "2012-10-17":
        raise ValueError('write Version = "2012-10-17": that is how jitcloud sends it to STS')
    statements = document.get("Statement")
    if not isinstance(statements, list) or not statements:
        raise ValueError("Statement must be a list that holds at least one statement")
    for number, statement in enumerate(statements, start=1):
        for wrong in _complaints(statement):
            raise ValueError(f"statement {number} {wrong}")
    return document


def _complaints(statement: object) -> Iterator[str]:
    if not isinstance(statement, dict):
        yield "must be a table"
        return
    if unknown := set(statement) - _ELEMENTS:
        yield f"holds {quoted(min(unknown))}, which no session policy may hold"
    if statement.get("Effect") not in {"Allow", "Deny"}:
        yield 'needs Effect = "Allow" or "Deny"'
    for one, other in (("Action", "NotAction"), ("Resource", "NotResource")):
        if (one in statement) == (other in statement):
            yield f"needs either {one} or {other}"
    for element in sorted(_LISTS & set(statement)):
        value = statement[element]
        listed = value if isinstance(value, list) else [value]
        if not listed or not all(isinstance(item, str) and item for item in listed):
            yield f"needs text, or a list of texts, as its {element}"
    if not isinstance(statement.get("Condition", {}), dict):
        yield "needs a table as its Condition"


_LISTS = frozenset({"Action", "NotAction", "Resource", "NotResource"})
_ELEMENTS = _LISTS | {"Sid", "Effect", "Condition"}


class Target(BaseModel):
    """The table. Nothing is converted, nothing unknown is skipped."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    role_arn: Annotated[str, AfterValidator(_role)]
    """The role whose sessions are handed out."""
    region: Annotated[str | None, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")] = None
    """Where STS is asked; the broker's own region unless said."""
    external_id: Annotated[str, AfterValidator(_external_id)] | None = None
    account_role: Annotated[str, AfterValidator(_role)] | None = None
    """The role in the target's account by which the broker reads and writes IAM there.

    Not needed in the broker's own account.
    """
    deny_document: Annotated[str, AfterValidator(_policy)] | None = None
    """The managed policy that ends sessions early, attached to the role as its boundary."""
    narrow_policy_arns: Annotated[
        list[Annotated[str, AfterValidator(_policy)]], Field(max_length=10)
    ] = []
    narrow_policy: Annotated[
        dict[str, object] | None, BeforeValidator(_from_json), AfterValidator(_statements)
    ] = None
    allow_escape: list[Annotated[str, AfterValidator(_escape)]] = []
    session_tags: Annotated[dict[str, str], Field(max_length=49), AfterValidator(_tags)] = {}

    @model_validator(mode="after")
    def _agrees(self) -> Target:
        role = parse_arn(self.role_arn)
        for key in ("account_role", "deny_document"):
            value: str | None = getattr(self, key)
            if value is not None and parse_arn(value).account != role.account:
                raise ValueError(f"{key} must be in the role's own account, {role.account}")
        for arn in self.narrow_policy_arns:
            if parse_arn(arn).account not in {role.account, "aws"}:
                raise ValueError(f"{quoted(arn)} must be in the role's own account, {role.account}")
        allows = actions_of(self.narrowing)
        if self.narrowing and not self.narrow_policy_arns and allows == ():
            raise ValueError("narrow_policy allows nothing; add a statement that does")
        return self

    @property
    def narrowing(self) -> tuple[Statement, ...]:
        """The statements of ``narrow_policy``."""
        statements = (self.narrow_policy or {}).get("Statement")
        return tuple(statements) if isinstance(statements, list) else ()

    @property
    def role(self) -> Arn:
        """The role's ARN, taken apart."""
        return parse_arn(self.role_arn)


def check(entitlement: Entitlement) -> tuple[Target | None, tuple[str, ...]]:
    """Read the table, or say in sentences what is wrong with it."""
    wrong: list[str] = []
    target = parse_table(Target, dict(entitlement.target), "target", wrong)
    return target, tuple(wrong)


def read(entitlement: Entitlement) -> Target:
    """Read the table. Raises ``Misconfigured``."""
    target, wrong = _read(json.dumps(entitlement.target))
    if target is None:
        message = f"The target of {entitlement.id} cannot be used: {' '.join(wrong)}"
        raise Misconfigured(message)
    return target


@lru_cache(maxsize=1024)  # each step of a grant reads it
def _read(table: str) -> tuple[Target | None, tuple[str, ...]]:
    wrong: list[str] = []
    return parse_table(Target, json.loads(table), "target", wrong), tuple(wrong)
