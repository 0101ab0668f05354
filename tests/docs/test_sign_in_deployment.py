"""What docs/sign-in.md says of a deployment is what the code has."""

from __future__ import annotations

import tomllib

import pytest
from pydantic import BaseModel

from jitcloud.identities import aws_identity, claims, compact, jwks, presigned
from jitcloud.settings import Settings
from jitcloud.sign_in_settings import AwsSignInSettings, IssuerSettings, SignInSettings
from tests.docs.pages import bare, blocks, prose, table
from tests.docs.said import PACKAGE, is_said, templates
from tests.docs.test_claims import _shown

PAGE = "docs/sign-in.md"

MODULES = (
    *sorted(f"identities/{path.name}" for path in (PACKAGE / "identities").glob("*.py")),
    "directories/signed_in.py",
    "https.py",
    "sign_in_settings.py",
    "stores/dynamodb/sign_ins.py",
    "stores/sign_in_rules.py",
)

UNTOLD = {
    "nested too deeply": "never leaves the module",
    "a key stands there twice": "the same",
    "no number": "the same",
    "… OR #at <= :at": "a condition of DynamoDB",
    "#pk = :group": "the same",
    "#until > :now": "the same",
    "The store is closed.": "a defect of a caller, not of a person",
    "OpenID Connect tokens": "a part of others",
}
"""What no page has to explain, and why."""


@pytest.mark.parametrize("module", MODULES)
def test_every_message_is_explained(module: str) -> None:
    told = prose(PAGE)
    said = [text for text in templates(module) if text not in UNTOLD]
    assert [text for text in said if not is_said(text, told)] == []


@pytest.mark.parametrize("message", UNTOLD)
def test_what_need_not_be_explained_is_still_said(message: str) -> None:
    assert any(message in templates(module) for module in MODULES)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("[sign_in]", SignInSettings),
        ("[[sign_in.issuer]]", IssuerSettings),
        ("[sign_in.aws]", AwsSignInSettings),
    ],
)
def test_the_keys_are_those_that_are_read(name: str, model: type[BaseModel]) -> None:
    rows = table(PAGE, f"key of `{name}`", "unless said", "is")
    told = {bare(row[f"key of `{name}`"]): row["unless said"].strip("`") for row in rows}
    assert told == {key: _default(field.default) for key, field in model.model_fields.items()} | {
        key: "needed" for key, field in model.model_fields.items() if field.is_required()
    }


def _default(default: object) -> str:
    match default:
        case "" | None:
            return "none"
        case [] | [str(), *_]:
            return str(default).replace("'", '"')
        case _:
            return "" if default is ... or repr(default) == "PydanticUndefined" else _shown(default)


def test_what_is_shown_is_accepted() -> None:
    (shown,) = (block.text for block in blocks(PAGE) if "[[sign_in.issuer]]" in block.text)
    settings = Settings.model_validate(tomllib.loads(shown))
    assert settings.sign_in is not None
    assert settings.sign_in.keeps_sign_ins


def test_the_numbers_are_those_of_the_code() -> None:
    page = prose(PAGE)
    assert f"at most {compact.LARGEST:,} characters" in page
    assert compact.DEEPEST == 8
    assert claims.MOST_GROUPS == 200
    assert (jwks.WITHIN.seconds, jwks.BETWEEN.seconds) == (3, 30)
    assert (jwks.FRESH.seconds, jwks.STALE.seconds) == (10 * 60, 60 * 60)
    assert (aws_identity.OLDEST.seconds, aws_identity.WITHIN.seconds) == (60, 4)
    assert presigned.HEADER in page
