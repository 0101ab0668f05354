"""What an issued AWS session cannot do, because it would outlive the session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from jitcloud.model import Credentials
from jitcloud.providers.aws import escapes
from jitcloud.providers.aws.sts_session import StsSession
from tests.aws.conftest import (
    Aws,
    a_request,
    a_request_id,
    denied,
    issued,
    named,
    policy,
    session_arn,
    unique,
)

READ = {"Effect": "Allow", "Action": "s3:GetObject"}


@dataclass(frozen=True)
class Attempt:
    """A call whose effect would outlive the session, and the name that opens it."""

    opens: str
    call: Callable[[Aws, Credentials, str], object]


def _chain(aws: Aws, credentials: Credentials, role: str) -> object:
    return aws.sts(credentials).assume_role(RoleArn=role, RoleSessionName="onward")


def _web_identity_token(aws: Aws, credentials: Credentials, _: str) -> object:
    return aws.sts(credentials).get_web_identity_token(
        Audience=["another cloud"], SigningAlgorithm="RS256"
    )


def _registry_token(aws: Aws, credentials: Credentials, _: str) -> object:
    return aws.client("ecr", credentials).get_authorization_token()


def _access_key(aws: Aws, credentials: Credentials, _: str) -> object:
    name = unique("backdoor")
    aws.iam().create_user(UserName=name)
    return aws.iam(credentials).create_access_key(UserName=name)


def _trust(aws: Aws, credentials: Credentials, role: str) -> object:
    anyone = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    return aws.iam(credentials).update_assume_role_policy(
        RoleName=named(role), PolicyDocument=policy(anyone)
    )


def _organization(aws: Aws, credentials: Credentials, _: str) -> object:
    return aws.client("organizations", credentials).describe_organization()


def _grant(aws: Aws, credentials: Credentials, role: str) -> object:
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    return aws.client("kms", credentials).create_grant(
        KeyId=key, GranteePrincipal=role, Operations=["Decrypt"]
    )


ATTEMPTS = {
    "chain to another role": Attempt("assume-role", _chain),
    "get a token for another cloud": Attempt("web-identity-token", _web_identity_token),
    "get a registry token": Attempt("registry-tokens", _registry_token),
    "make an access key": Attempt("iam-write", _access_key),
    "let others assume its role": Attempt("iam-write", _trust),
    "change the organisation": Attempt("organizations", _organization),
    "let others decrypt": Attempt("kms-grants", _grant),
}


@pytest.mark.parametrize("what", ATTEMPTS)
def test_a_session_of_an_administrator_cannot(aws: Aws, sessions: StsSession, what: str) -> None:
    role, other = aws.role(), aws.role()
    credentials = issued(sessions, a_request(role_arn=role))
    assert denied(lambda: ATTEMPTS[what].call(aws, credentials, other))


@pytest.mark.parametrize("what", ATTEMPTS)
def test_only_what_the_catalog_opens_by_name_is_open(
    aws: Aws, sessions: StsSession, what: str
) -> None:
    role, other = aws.role(), aws.role()
    opens = ATTEMPTS[what].opens
    others = [name for name in escapes.NAMES if name != opens]
    opened = issued(sessions, a_request(role_arn=role, allow_escape=[opens]))
    closed = issued(sessions, a_request(role_arn=role, allow_escape=others))
    assert not denied(lambda: ATTEMPTS[what].call(aws, opened, other))
    assert denied(lambda: ATTEMPTS[what].call(aws, closed, other))


def test_a_session_may_look_at_iam_though_it_may_not_change_it(
    aws: Aws, sessions: StsSession
) -> None:
    role = aws.role()
    credentials = issued(sessions, a_request(role_arn=role))
    assert not denied(lambda: aws.iam(credentials).get_role(RoleName=named(role)))


def test_narrowing_needs_no_words_against_what_it_does_not_allow(
    aws: Aws, sessions: StsSession
) -> None:
    narrow = {"Version": "2012-10-17", "Statement": [{**READ, "Resource": "*"}]}
    credentials = issued(sessions, a_request(role_arn=aws.role(), narrow_policy=narrow))
    for what, attempt in ATTEMPTS.items():
        assert denied(partial(attempt.call, aws, credentials, aws.role())), what


def test_a_trust_policy_that_names_the_session_does_not_let_a_narrowed_one_out(
    aws: Aws, sessions: StsSession
) -> None:
    role, name = aws.role(), a_request_id()
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": session_arn(role, name)},
        "Action": "sts:AssumeRole",
    }
    other = aws.role(trust=trust)
    narrow = {"Version": "2012-10-17", "Statement": [{**READ, "Resource": "*"}]}
    credentials = issued(sessions, a_request(name, role_arn=role, narrow_policy=narrow))
    assert denied(lambda: _chain(aws, credentials, other))
