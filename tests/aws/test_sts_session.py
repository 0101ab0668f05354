"""Who can do what with an issued AWS session, before and after its deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from jitcloud.errors import CloudRefused, Refused
from jitcloud.model import Credentials
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.sts_session import StsSession
from tests.aws.conftest import (
    Aws,
    a_request,
    a_request_id,
    a_window,
    clients_of,
    issued,
    now,
    session_arn,
)

READ = {"Effect": "Allow", "Action": "s3:GetObject"}


# ── The deadline, and what narrowing holds and does not ──────────────────────────────────────


@dataclass(frozen=True)
class Reads:
    """Which of three buckets a session could read before its deadline, and which after."""

    before: dict[str, bool]
    after: dict[str, bool]
    url_before: bool
    url_after: bool


KINDS = ("nothing narrows", "by ARN", "inline", "both", "inline, with a Deny")


@pytest.fixture(scope="module")
def reads(aws: Aws, clients: Clients) -> dict[str, Reads]:
    """Five sessions with one deadline some seconds ahead, each tried before and after it."""
    sessions = StsSession(clients)
    sessions.timeout = timedelta(0)
    sets = {kind: _narrowed(aws, sessions, kind) for kind in KINDS}
    window = a_window(timedelta(seconds=5))
    made = {kind: (issue(window), buckets) for kind, (issue, buckets) in sets.items()}
    urls = {kind: _url(aws, made[kind][0], made[kind][1]["own"]) for kind in KINDS}
    before = {kind: _tried(aws, *made[kind]) for kind in KINDS}
    opened = {kind: _opens(urls[kind]) for kind in KINDS}
    assert now() < window.deadline, "the machine was too slow for this test to mean anything"
    time.sleep((window.deadline - now()).total_seconds())
    after = {kind: _tried(aws, *made[kind]) for kind in KINDS}
    return {
        kind: Reads(before[kind], after[kind], opened[kind], _opens(urls[kind])) for kind in KINDS
    }


def _narrowed(
    aws: Aws, sessions: StsSession, kind: str
) -> tuple[Callable[..., Credentials], dict[str, str]]:
    role, name = aws.role(), a_request_id()
    buckets = {
        "own": aws.bucket(),
        "names the role": aws.bucket(role),
        "names the session": aws.bucket(session_arn(role, name)),
    }
    own = {**READ, "Resource": f"arn:aws:s3:::{buckets['own']}/*"}
    other = f"arn:aws:s3:::{buckets['names the session']}/*"
    no = {"Effect": "Deny", "Action": "s3:*", "Resource": other}
    table: dict[str, object] = {"role_arn": role}
    if kind in {"by ARN", "both"}:
        table["narrow_policy_arns"] = [aws.managed_policy(own)]
    if kind in {"inline", "both"}:
        table["narrow_policy"] = {"Version": "2012-10-17", "Statement": [own]}
    if kind == "inline, with a Deny":
        table["narrow_policy"] = {"Version": "2012-10-17", "Statement": [own, no]}
    request = a_request(name, **table)
    return lambda window: issued(sessions, request, window), buckets


def _tried(aws: Aws, credentials: Credentials, buckets: dict[str, str]) -> dict[str, bool]:
    return {what: aws.can_read(credentials, bucket) for what, bucket in buckets.items()}


def _url(aws: Aws, credentials: Credentials, bucket: str) -> str:
    return aws.s3(credentials).generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "o"}, ExpiresIn=3600
    )


def _opens(url: str) -> bool:
    try:
        with urlopen(url) as answer:  # noqa: S310 - made by this test, for the loopback
            return bool(answer.status == 200)
    except HTTPError as exc:
        exc.close()
        return False


@pytest.mark.parametrize("kind", KINDS)
def test_from_the_deadline_on_a_session_can_do_nothing_whatever_lets_it_in(
    reads: dict[str, Reads], kind: str
) -> None:
    assert not any(reads[kind].after.values())


@pytest.mark.parametrize("kind", KINDS)
def test_an_address_signed_before_the_deadline_dies_at_it(
    reads: dict[str, Reads], kind: str
) -> None:
    assert reads[kind].url_before
    assert not reads[kind].url_after


def test_a_session_that_nothing_narrows_can_do_what_its_role_can(reads: dict[str, Reads]) -> None:
    assert all(reads["nothing narrows"].before.values())


@pytest.mark.parametrize("kind", ["by ARN", "inline", "both"])
def test_narrowing_binds_against_the_role_and_against_policies_that_name_it(
    reads: dict[str, Reads], kind: str
) -> None:
    assert reads[kind].before["own"]
    assert not reads[kind].before["names the role"]


@pytest.mark.parametrize("kind", ["by ARN", "inline", "both"])
def test_narrowing_does_not_bind_against_a_policy_that_names_the_session(
    reads: dict[str, Reads], kind: str
) -> None:
    assert reads[kind].before["names the session"]


def test_a_deny_in_the_narrowing_binds_even_then(reads: dict[str, Reads]) -> None:
    assert reads["inline, with a Deny"].before["own"]
    assert not reads["inline, with a Deny"].before["names the session"]


# ── How long a set lives ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("left", "longest", "chained", "lives"),
    [
        pytest.param(60, 3600, False, 900, id="never below what STS takes"),
        pytest.param(1800, 3600, False, 1800, id="to the deadline"),
        pytest.param(7200, 3600, False, 3600, id="not beyond what the role allows"),
        pytest.param(7200, 14400, False, 7200, id="to the deadline where the role allows it"),
        pytest.param(7200, 14400, True, 3600, id="an hour when the broker is a role session"),
    ],
)
def test_a_set_lives_no_longer_than_it_must(  # noqa: PLR0913, PLR0917 - a table
    aws: Aws,
    clients: Clients,
    left: int,
    longest: int,
    chained: bool,  # noqa: FBT001 - a table
    lives: int,
) -> None:
    if chained:
        clients = clients_of(aws, aws.role_session(aws.role()))
    sessions = StsSession(clients)
    window = a_window()
    request = a_request(role_arn=aws.role(longest=longest))
    at = window.deadline - timedelta(seconds=left - 0.5)
    assert sessions.lifetime(request, window, at) == timedelta(seconds=lives)


def test_credentials_say_that_they_end_at_the_deadline(aws: Aws, sessions: StsSession) -> None:
    soon, late = a_window(timedelta(minutes=5)), a_window(timedelta(hours=3))
    request = a_request(role_arn=aws.role())
    assert issued(sessions, request, soon).expires_at == soon.deadline
    assert issued(sessions, request, late).expires_at < late.deadline


def test_nothing_is_issued_when_a_call_might_end_after_the_deadline(
    aws: Aws, sessions: StsSession
) -> None:
    request = a_request(role_arn=aws.role())
    with pytest.raises(Refused, match="too soon to hand out"):
        issued(sessions, request, a_window(timedelta(seconds=9)))


def test_credentials_do_not_show(aws: Aws, sessions: StsSession) -> None:
    made = issued(sessions, a_request(role_arn=aws.role()))
    for secret in (made.access_key_id, made.secret_access_key, made.session_token):
        assert secret
        assert secret not in repr(made)


# ── What the set-up gets wrong ───────────────────────────────────────────────────────────────


def test_a_role_that_does_not_trust_the_broker_is_told_as_what_to_check(
    aws: Aws, sessions: StsSession
) -> None:
    nobody = {
        "Effect": "Allow",
        "Principal": {"AWS": aws.role()},
        "Action": "sts:AssumeRole",
    }
    role = aws.role(trust=nobody)
    with pytest.raises(CloudRefused, match="check that the role exists, that its trust policy"):
        issued(sessions, a_request(role_arn=role))


def test_a_role_that_wants_an_external_id_gets_it(aws: Aws, sessions: StsSession) -> None:
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{aws.account}:root"},
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        "Condition": {"StringEquals": {"sts:ExternalId": "jitcloud:4711"}},
    }
    role, bucket = aws.role(trust=trust), aws.bucket()
    with pytest.raises(CloudRefused):
        issued(sessions, a_request(role_arn=role))
    made = issued(sessions, a_request(role_arn=role, external_id="jitcloud:4711"))
    assert aws.can_read(made, bucket)


def test_a_session_carries_the_tags_of_the_catalog(aws: Aws, sessions: StsSession) -> None:
    bucket = aws.bucket()
    only = {
        **READ,
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/team": "payments"}},
    }
    role = aws.role(only)
    tagged = issued(sessions, a_request(role_arn=role, session_tags={"team": "payments"}))
    assert aws.can_read(tagged, bucket)
    assert not aws.can_read(issued(sessions, a_request(role_arn=role)), bucket)
