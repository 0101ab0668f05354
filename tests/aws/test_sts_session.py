"""Who can do what with an issued AWS session, before and after its deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from botocore.model import OperationModel

from jitcloud.errors import CloudRefused, Refused
from jitcloud.model import Credentials, Guarantee, Plan
from jitcloud.providers.aws import deny_text, escapes, outlook
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.sts_session import StsSession
from tests.aws.conftest import (
    Aws,
    a_request,
    a_request_id,
    a_window,
    an_entitlement,
    clients_of,
    denied,
    issued,
    named,
    now,
    policy,
    session_arn,
    unique,
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


# ── No escape ────────────────────────────────────────────────────────────────────────────────


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


# ── What a plan says ─────────────────────────────────────────────────────────────────────────


def _plan(sessions: StsSession, hours: float = 1, /, **target: object) -> Plan:
    return sessions.plan(an_entitlement(**target), timedelta(hours=hours), now())


def test_a_plan_for_a_role_that_is_set_up_has_no_problem(aws: Aws, sessions: StsSession) -> None:
    document = aws.deny_document()
    plan = _plan(sessions, role_arn=aws.role(boundary=document), deny_document=document)
    assert plan.problems == ()
    assert plan.guarantee is Guarantee.CLOUD
    assert plan.early_end == outlook.ENDS_EARLY
    assert plan.residual == (outlook.STAYS_OPEN, outlook.IDENTITY, outlook.CONSOLE)
    assert plan.notes == (outlook.TRUST_UNKNOWN,)


def test_a_plan_says_that_the_role_does_not_exist(aws: Aws, sessions: StsSession) -> None:
    (problem,) = _plan(sessions, role_arn=f"arn:aws:iam::{aws.account}:role/nobody").problems
    assert "does not exist" in problem


def test_a_plan_says_how_long_the_role_allows_sessions(aws: Aws, sessions: StsSession) -> None:
    role = aws.role(longest=7200)
    assert _plan(sessions, 2, role_arn=role).problems == ()
    (problem,) = _plan(sessions, 2.5, role_arn=role).problems
    assert "2h at most" in problem


def test_a_plan_says_that_sets_are_issued_again(aws: Aws) -> None:
    chained = clients_of(aws, aws.role_session(aws.role()))
    plan = _plan(StsSession(chained), 2, role_arn=aws.role(longest=7200))
    assert plan.problems == ()
    assert any("lives 1h at most; another is issued" in note for note in plan.notes)


def test_a_plan_says_what_the_catalog_opens(aws: Aws, sessions: StsSession) -> None:
    plan = _plan(sessions, role_arn=aws.role(), allow_escape=["kms-grants"])
    assert plan.residual[0] == "kms-grants is open: A KMS grant stays until it is retired."


def test_a_plan_says_when_little_room_is_left_for_the_policy(
    aws: Aws, sessions: StsSession
) -> None:
    own = [aws.managed_policy({**READ, "Resource": "*"}) for _ in range(4)]
    plan = _plan(sessions, role_arn=aws.role(), narrow_policy_arns=own)
    assert plan.problems == ()
    assert any("an estimate: only AWS can tell" in note for note in plan.notes)


def test_a_plan_says_what_an_early_end_would_leave(aws: Aws, sessions: StsSession) -> None:
    document, full = aws.deny_document(), aws.deny_document()
    gone = f"arn:aws:iam::{aws.account}:policy/gone"
    many = [a_request_id() for _ in range(deny_text.capacity(full))]
    aws.iam().create_policy_version(
        PolicyArn=full, PolicyDocument=deny_text.document(full, many), SetAsDefault=True
    )
    for why, target in {
        "the catalog names no deny document": {"role_arn": aws.role()},
        "is not attached to the role": {"role_arn": aws.role(), "deny_document": document},
        "it is full": {"role_arn": aws.role(boundary=full), "deny_document": full},
        "the deny document is not attached": {"role_arn": aws.role(), "deny_document": gone},
    }.items():
        plan = _plan(sessions, **target)
        assert plan.early_end in plan.residual
        assert why.removeprefix("it ") in plan.early_end
        assert "work until the deadline" in plan.early_end


def test_a_plan_without_the_right_to_look_says_so_and_is_no_problem(aws: Aws) -> None:
    blind = aws.user({"Effect": "Allow", "Action": "sts:*", "Resource": "*"})
    sessions, document = StsSession(clients_of(aws, blind)), aws.deny_document()
    target = {"role_arn": aws.role(boundary=document), "deny_document": document}
    plan = _plan(sessions, **target)
    assert plan.problems == ()
    assert any("could not look at the role" in note for note in plan.notes)
    assert "work until the deadline" in plan.early_end
    assert aws.can_read(issued(sessions, a_request(**target)), aws.bucket())


def test_a_role_in_an_account_where_the_broker_cannot_look_is_said_to_be_so(
    sessions: StsSession,
) -> None:
    plan = _plan(sessions, role_arn="arn:aws:iam::999988887777:role/far")
    assert plan.problems == ()
    assert any("no account_role is named" in note for note in plan.notes)


def test_once_warm_issuing_calls_aws_for_nothing_but_the_session(
    aws: Aws, clients: Clients, sessions: StsSession
) -> None:
    document = aws.deny_document()
    target = {"role_arn": aws.role(boundary=document), "deny_document": document}
    _plan(sessions, **target)
    calls: list[str] = []

    def note(model: OperationModel, **_: object) -> None:
        calls.append(model.name)

    both = (clients.sts("aws"), clients.iam("aws"))
    for client in both:
        client.meta.events.register("before-call", note)
    _plan(sessions, **target)
    issued(sessions, a_request(**target))
    issued(sessions, a_request(**target))
    for client in both:
        client.meta.events.unregister("before-call", note)
    assert calls == ["AssumeRole", "AssumeRole"]
