"""Who is calling, by a presigned GetCallerIdentity: as an STS that verifies signatures has it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import botocore.credentials
import botocore.session
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from jitcloud.directories.static import StaticDirectory
from jitcloud.errors import Unauthenticated, Unavailable
from jitcloud.identities import aws_identity
from jitcloud.identities.aws_identity import AwsIdentities, Trusted
from jitcloud.model import Caller, Credentials, Presented
from jitcloud.providers.aws import caller_identity
from tests.aws.conftest import Aws, named, now, policy, unique

AUDIENCE = "https://jitcloud.example.com"
OTHER_ACCOUNT = "444455556666"
HOUR = timedelta(hours=1)


def presigned(  # noqa: PLR0913 - each of them is tried out
    endpoint: str,
    credentials: Credentials,
    *,
    audience: str | None = AUDIENCE,
    header: str = "x-jitcloud-audience",
    region: str = "us-east-1",
    expires: int = 60,
    action: str = "GetCallerIdentity",
) -> str:
    """Sign as a command line does, with botocore alone."""
    headers = {} if audience is None else {header: audience}
    url = f"{endpoint}/?Action={action}&Version=2011-06-15"
    request = AWSRequest("GET", url, headers=headers)
    key: Any = botocore.credentials.Credentials(
        credentials.access_key_id, credentials.secret_access_key, credentials.session_token or None
    )
    SigV4QueryAuth(key, "sts", region, expires=expires).add_auth(request)
    return str(request.url)


def shown(url: str) -> Presented:
    return Presented(kind="aws", text=base64.urlsafe_b64encode(url.encode()).decode().rstrip("="))


def refused(
    identities: AwsIdentities, url: str, why: str, at: datetime | None = None
) -> Unauthenticated:
    with pytest.raises(Unauthenticated, match=why) as caught:
        identities.identify(shown(url), at or now())
    said = str(caught.value)
    assert said.isprintable()
    assert url.rpartition("X-Amz-Signature=")[2] not in said
    return caught.value


def directory(folder: Path, text: str) -> StaticDirectory:
    path = folder / "people.toml"
    path.write_text(text)
    return StaticDirectory(path)


def person(id_: str, *aws_names: str, emails: str = "") -> str:
    return (
        f'[[person]]\nid = "{id_}"\nname = "{id_}"\nemails = {json.dumps(emails.split())}\n'
        f"aws = {json.dumps(aws_names)}\n"
    )


def arn_of(aws: Aws, credentials: Credentials) -> str:
    return aws.sts(credentials).get_caller_identity()["Arn"]


def trusted(aws: Aws) -> Trusted:
    return Trusted(
        audience=AUDIENCE,
        accounts=frozenset({aws.account}),
        regions=frozenset({"us-east-1", "eu-central-1"}),
        endpoint_url=aws.endpoint_url,
    )


@pytest.fixture(scope="module")
def ana(aws: Aws) -> Credentials:
    """An IAM user with a path."""
    name = unique("ana")
    aws.iam().create_user(UserName=name, Path="/people/sre/")
    key = aws.iam().create_access_key(UserName=name)["AccessKey"]
    return Credentials(
        access_key_id=key["AccessKeyId"],
        secret_access_key=key["SecretAccessKey"],
        session_token="",
        expires_at=now() + HOUR,
    )


@pytest.fixture
def identities(aws: Aws, ana: Credentials, tmp_path: Path) -> AwsIdentities:
    return AwsIdentities(directory(tmp_path, person("u-1", arn_of(aws, ana))), trusted(aws))


# ── Who it is ────────────────────────────────────────────────────────────────────────────────


def test_a_user_is_known_by_its_arn(aws: Aws, ana: Credentials, identities: AwsIdentities) -> None:
    caller = identities.identify(shown(presigned(aws.endpoint_url, ana)), now())
    assert (caller.person, caller.signed_in_at, caller.bound_to) == ("u-1", None, None)
    assert (caller.token.kind, caller.token.id) == ("aws", ana.access_key_id)
    assert len(caller.token.sha256 or "") == 64


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_any_region_that_is_named_will_do(
    aws: Aws, ana: Credentials, identities: AwsIdentities, region: str
) -> None:
    url = presigned(aws.endpoint_url, ana, region=region)
    assert identities.identify(shown(url), now()).person == "u-1"


def test_a_user_is_known_by_its_id_and_a_later_one_of_that_name_is_somebody_else(
    aws: Aws, tmp_path: Path
) -> None:
    def hired(name: str) -> Credentials:
        aws.iam().create_user(UserName=name)
        key = aws.iam().create_access_key(UserName=name)["AccessKey"]
        return Credentials(
            access_key_id=key["AccessKeyId"],
            secret_access_key=key["SecretAccessKey"],
            session_token="",
            expires_at=now() + HOUR,
        )

    name = unique("joe")
    first = hired(name)
    id_ = aws.sts(first).get_caller_identity()["UserId"]
    identities = AwsIdentities(directory(tmp_path, person("u-7", id_)), trusted(aws))
    assert identities.identify(shown(presigned(aws.endpoint_url, first)), now()).person == "u-7"
    aws.iam().delete_access_key(UserName=name, AccessKeyId=first.access_key_id)
    url = presigned(aws.endpoint_url, first, expires=61)  # another one: who signed is remembered
    refused(identities, url, "does not accept the AWS identity")
    aws.iam().delete_user(UserName=name)
    second = hired(name)
    refused(identities, presigned(aws.endpoint_url, second), f"user/{name}.* does not know")


def test_whose_arn_and_id_are_two_people_is_nobody(
    aws: Aws, ana: Credentials, tmp_path: Path
) -> None:
    id_ = aws.sts(ana).get_caller_identity()["UserId"]
    people = person("u-1", arn_of(aws, ana)) + person("u-2", id_)
    identities = AwsIdentities(directory(tmp_path, people), trusted(aws))
    refused(identities, presigned(aws.endpoint_url, ana), "and its id as two people")


def test_a_session_is_its_role_whatever_it_is_called(aws: Aws, tmp_path: Path) -> None:
    role = aws.role()
    people = person("u-1", emails="ana@example.com") + person("robot", role)
    identities = AwsIdentities(directory(tmp_path, people), trusted(aws))
    for session in ("u-1", "ana@example.com", "anything"):
        made = aws.sts(aws.broker).assume_role(RoleArn=role, RoleSessionName=session)
        caller = identities.identify(
            shown(presigned(aws.endpoint_url, credentials_of(made))), now()
        )
        assert caller.person == "robot"
    stranger = aws.sts(aws.broker).assume_role(RoleArn=aws.role(), RoleSessionName="u-1")
    url = presigned(aws.endpoint_url, credentials_of(stranger))
    refused(identities, url, "role/role-.* does not know")


def test_a_role_with_a_path_is_known_without_it(aws: Aws, tmp_path: Path) -> None:
    name = unique("robot")
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{aws.account}:root"},
        "Action": "sts:AssumeRole",
    }
    made = aws.iam().create_role(
        RoleName=name, Path="/service/x/", AssumeRolePolicyDocument=policy(trust)
    )
    alias = f"arn:aws:iam::{aws.account}:role/{name}"
    assert made["Role"]["Arn"] != alias
    identities = AwsIdentities(directory(tmp_path, person("robot", alias)), trusted(aws))
    credentials = aws.role_session(made["Role"]["Arn"])
    url = presigned(aws.endpoint_url, credentials)
    assert identities.identify(shown(url), now()).person == "robot"


def credentials_of(made: Any) -> Credentials:
    return Credentials(
        access_key_id=made["Credentials"]["AccessKeyId"],
        secret_access_key=made["Credentials"]["SecretAccessKey"],
        session_token=made["Credentials"]["SessionToken"],
        expires_at=made["Credentials"]["Expiration"],
    )


@pytest.mark.parametrize(
    ("role", "believed", "outcome"),
    [
        ("AWSReservedSSO_Admin_0123456789abcdef", True, "u-1"),
        ("AWSReservedSSO_Read_Only_fedcba9876543210", True, "u-1"),
        ("AWSReservedSSO_Admin_0123456789abcdef", False, "shared by many people"),
        ("AWSReservedSSO_Admin", True, "shared by many people"),
        ("AWSReservedSSO_Admin_0123456789ABCDEF", True, "shared by many people"),
        ("AWSReservedSSO_Admin_0123456789abcdef0", True, "shared by many people"),
        ("awsreservedsso_Admin_0123456789abcdef", True, "does not know"),
    ],
)
def test_a_session_of_identity_center_is_who_it_is_called_where_that_is_believed(
    aws: Aws, tmp_path: Path, role: str, outcome: str, *, believed: bool
) -> None:
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{aws.account}:root"},
        "Action": "sts:AssumeRole",
    }
    made = aws.iam().create_role(RoleName=role, AssumeRolePolicyDocument=policy(trust))
    try:
        arn = made["Role"]["Arn"]
        said = aws.sts(aws.broker).assume_role(RoleArn=arn, RoleSessionName="ana@example.com")
    finally:
        aws.iam().delete_role(RoleName=named(arn))
    settings = replace(trusted(aws), identity_center=believed)
    people = person("u-1", emails="ana@example.com")
    identities = AwsIdentities(directory(tmp_path, people), settings)
    url = presigned(aws.endpoint_url, credentials_of(said))
    if outcome == "u-1":
        assert identities.identify(shown(url), now()).person == outcome
    else:
        refused(identities, url, outcome)


def test_neither_root_nor_a_federated_user_may_call(
    aws: Aws, ana: Credentials, identities: AwsIdentities
) -> None:
    root = replace(ana, access_key_id=aws.account, secret_access_key="test")  # noqa: S106 - everybody knows it
    refused(identities, presigned(aws.endpoint_url, root), r':root" is calling, which is neither')
    made = aws.sts(aws.user()).get_federation_token(Name="someone")
    url = presigned(aws.endpoint_url, credentials_of(made))
    refused(identities, url, r"federated-user/someone.* neither")


def test_nobody_of_another_account_may_call(aws: Aws, tmp_path: Path) -> None:
    other = Aws(aws.ministack, OTHER_ACCOUNT, broker=aws.broker)
    stranger = other.user()
    people = person("u-1", arn_of(other, stranger))
    identities = AwsIdentities(directory(tmp_path, people), trusted(aws))
    refused(identities, presigned(aws.endpoint_url, stranger), f"account {OTHER_ACCOUNT} may call")
    both = replace(trusted(aws), accounts=frozenset({aws.account, OTHER_ACCOUNT}))
    identities = AwsIdentities(directory(tmp_path, people), both)
    url = presigned(aws.endpoint_url, stranger)
    assert identities.identify(shown(url), now()).person == "u-1"


def test_what_the_command_line_shows_is_taken(
    aws: Aws, ana: Credentials, identities: AwsIdentities, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ana.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ana.secret_access_key)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", aws.endpoint_url)
    found = caller_identity.presented(caller_identity.session(), AUDIENCE, "us-east-1", now())
    assert identities.identify(found, now()).person == "u-1"


# ── What the signature binds ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "audience", ["https://other.example.com", AUDIENCE + "/", AUDIENCE.upper()]
)
def test_what_was_signed_for_another_deployment_is_nobody_s_here(
    aws: Aws, ana: Credentials, identities: AwsIdentities, audience: str
) -> None:
    url = presigned(aws.endpoint_url, ana, audience=audience)
    refused(identities, url, r"\(SignatureDoesNotMatch\).* signed for another jitcloud")


@pytest.mark.parametrize("audience", [None, "my-cluster"])
def test_nor_is_what_was_signed_for_no_deployment_or_for_a_cluster(
    aws: Aws, ana: Credentials, identities: AwsIdentities, audience: str | None
) -> None:
    url = presigned(aws.endpoint_url, ana, audience=audience, header="x-k8s-aws-id")
    refused(identities, url, "no presigned GetCallerIdentity")


CHANGED: dict[str, Callable[[str], str]] = {
    "its signature": lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"),
    "how long it lasts": lambda url: url.replace("Expires=60", "Expires=900"),
    "for which region": lambda url: url.replace("us-east-1", "eu-central-1"),
    "whose key it is": lambda url: url.replace("AKIA", "AKIB"),
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED.keys())
def test_nothing_of_it_can_be_changed(
    aws: Aws, ana: Credentials, identities: AwsIdentities, change: Callable[[str], str]
) -> None:
    url = presigned(aws.endpoint_url, ana)
    assert change(url) != url
    refused(identities, change(url), "does not accept the AWS identity")


def test_another_secret_signs_for_nobody(
    aws: Aws, ana: Credentials, identities: AwsIdentities
) -> None:
    mallory = replace(ana, secret_access_key="guessed")  # noqa: S106 - and wrong
    refused(identities, presigned(aws.endpoint_url, mallory), "SignatureDoesNotMatch")


def test_a_session_without_its_token_is_nobody(aws: Aws, identities: AwsIdentities) -> None:
    bare = replace(aws.role_session(aws.role()), session_token="")
    refused(identities, presigned(aws.endpoint_url, bare), "does not accept the AWS identity")


# ── When ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("expires", "seconds", "why"),
    [
        (60, -7, "signed in the future"),
        (60, -4, None),
        (60, 64, None),
        (60, 67, "more than a minute ago"),
        (900, 67, "more than a minute ago"),
        (10, 14, None),
        (10, 17, "or has expired"),
    ],
)
def test_it_counts_for_a_minute_and_not_before(
    ana: Credentials, identities: AwsIdentities, expires: int, seconds: int, why: str | None
) -> None:
    (endpoint,) = identities._servers  # noqa: SLF001 - where this one asks
    url = presigned(endpoint, ana, expires=expires)
    at = now() + timedelta(seconds=seconds)
    if why is None:
        assert identities.identify(shown(url), at).person == "u-1"
    else:
        refused(identities, url, why, at)


def test_who_it_is_is_remembered_only_while_it_counts(
    aws: Aws, ana: Credentials, tmp_path: Path
) -> None:
    """And it is who the directory says now, not who it said first."""
    people = person("u-1", arn_of(aws, ana))
    found = directory(tmp_path, people)
    with fake_sts() as sts:
        sts.answers = [(200, answer(arn_of(aws, ana), "AIDAEXAMPLEEXAMPLE", aws.account))]
        identities = AwsIdentities(found, replace(trusted(aws), endpoint_url=sts.url))
        url = presigned(sts.url, ana)
        assert identities.identify(shown(url), now()).person == "u-1"
        assert identities.identify(shown(url), now()).person == "u-1"
        assert len(sts.asked) == 1
        (tmp_path / "people.toml").write_text(people.replace("u-1", "u-9"))
        assert identities.identify(shown(url), now()).person == "u-9"
        refused(identities, url, "more than a minute ago", now() + timedelta(seconds=67))
        # Another call is another question, though it is of the same caller.
        with pytest.raises(Unavailable):
            identities.identify(shown(presigned(sts.url, ana, expires=50)), now())
        assert len(sts.asked) == 2


# ── Where it is sent ─────────────────────────────────────────────────────────────────────────


class FakeSts(ThreadingHTTPServer):
    """Says what a test tells it to, to whoever asks."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, bytes]] = []
        self.headers: dict[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeSts

    def do_GET(self) -> None:
        self.server.asked.append(
            {"path": self.path, **{k.lower(): v for k, v in self.headers.items()}}
        )
        status, body = self.server.answers.pop(0) if self.server.answers else (500, b"")
        if status == SILENT:
            self.server.closing.wait(30)
            return
        self.send_response(status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


SILENT = 0


@contextmanager
def fake_sts() -> Iterator[FakeSts]:
    server = FakeSts()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def answer(arn: str, user_id: str, account: str, more: str = "") -> bytes:
    return (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<GetCallerIdentityResult><Arn>{arn}</Arn><UserId>{user_id}</UserId>"
        f"<Account>{account}</Account>{more}</GetCallerIdentityResult>"
        "<ResponseMetadata><RequestId>01234567</RequestId></ResponseMetadata>"
        "</GetCallerIdentityResponse>"
    ).encode()


USER = "arn:aws:iam::111122223333:user/ana"
KEY = Credentials(
    access_key_id="AKIAIOSFODNN7EXAMPLE",
    secret_access_key="a-secret",  # noqa: S106 - made up
    session_token="",
    expires_at=datetime.max.replace(tzinfo=UTC),
)
GOOD = answer(USER, "AIDAEXAMPLEEXAMPLE", "111122223333")


@pytest.fixture
def sts() -> Iterator[FakeSts]:
    with fake_sts() as server:
        yield server


def asking(sts: FakeSts, folder: Path) -> AwsIdentities:
    """Whoever asks this server, and knows a user Ana."""
    return AwsIdentities(
        directory(folder, person("u-1", USER)),
        Trusted(
            audience=AUDIENCE,
            accounts=frozenset({"111122223333"}),
            regions=frozenset({"us-east-1"}),
            endpoint_url=sts.url,
        ),
    )


def identified(sts: FakeSts, folder: Path) -> Caller:
    return asking(sts, folder).identify(shown(presigned(sts.url, KEY)), now())


def test_one_question_is_asked_with_our_header_and_none_of_the_caller_s(
    sts: FakeSts, tmp_path: Path
) -> None:
    sts.answers = [(200, GOOD)]
    assert identified(sts, tmp_path).person == "u-1"
    (asked,) = sts.asked
    assert asked["x-jitcloud-audience"] == AUDIENCE
    assert asked["host"] == sts.url.removeprefix("http://")
    assert asked.keys() <= {"path", "host", "x-jitcloud-audience", "connection", "accept-encoding"}


def test_nobody_is_asked_who_is_not_on_the_list(sts: FakeSts, tmp_path: Path) -> None:
    """Whoever could name a server of his own would say himself who he is."""
    sts.answers = [(200, GOOD)]
    with fake_sts() as ours:
        identities = asking(ours, tmp_path)
        for at in (sts.url, "https://sts.amazonaws.com", "https://sts.s3.amazonaws.com"):
            refused(identities, presigned(at, KEY), f"sign it for {ours.url}")
        refused(identities, presigned(ours.url, KEY, region="eu-west-1"), "eu-west-1.* not asked")
        assert ours.asked == sts.asked == []


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        (
            "us-east-1",
            {
                "https://sts.amazonaws.com": "us-east-1",
                "https://sts.us-east-1.amazonaws.com": "us-east-1",
            },
        ),
        ("eu-central-1", {"https://sts.eu-central-1.amazonaws.com": "eu-central-1"}),
        ("cn-north-1", {"https://sts.cn-north-1.amazonaws.com.cn": "cn-north-1"}),
        ("us-gov-west-1", {"https://sts.us-gov-west-1.amazonaws.com": "us-gov-west-1"}),
        ("eusc-de-east-1", {"https://sts.eusc-de-east-1.amazonaws.eu": "eusc-de-east-1"}),
    ],
)
def test_the_list_is_that_of_aws(regions: str, expected: dict[str, str]) -> None:
    found = aws_identity.endpoints(regions.split())
    assert found == {at: frozenset({region}) for at, region in expected.items()}
    (region,) = {name for names in found.values() for name in names}
    assert f"https://{sdk_has(region)}" in found


def sdk_has(region: str) -> str:
    """Where STS is in a region, by the data that the SDK comes with."""
    partitions = botocore.session.get_session().get_data("endpoints")["partitions"]
    suffixes = [
        partition["dnsSuffix"]
        for partition in partitions
        if region in partition["services"]["sts"]["endpoints"]
    ]
    assert len(suffixes) == 1
    return f"sts.{region}.{suffixes[0]}"


# ── What is answered ─────────────────────────────────────────────────────────────────────────

NO_ANSWERS: dict[str, bytes] = {
    "JSON": b'{"GetCallerIdentityResponse": {"GetCallerIdentityResult": {"Account": "1"}}}',
    "nothing": b"",
    "half of it": GOOD[:-30],
    "an entity": b'<!DOCTYPE x [<!ENTITY a "ana">]>' + GOOD.replace(b"user/ana", b"user/&a;"),
    "another encoding": GOOD.decode().encode("utf-16"),
    "another namespace": GOOD.replace(b"2011-06-15", b"2010-05-08"),
    "no namespace": GOOD.replace(b' xmlns="https://sts.amazonaws.com/doc/2011-06-15/"', b""),
    "another answer": GOOD.replace(b"GetCallerIdentity", b"GetAccessKeyInfo"),
    "the answer to another call": GOOD.replace(b"GetCallerIdentityResponse", b"AssumeRoleResponse"),
    # CVE-2020-16250: an answer within an answer.
    "one within another": b"<AssumeRoleResponse>" + GOOD + b"</AssumeRoleResponse>",
    "two results": GOOD.replace(
        b"<ResponseMetadata>",
        b"<GetCallerIdentityResult><Arn>x</Arn></GetCallerIdentityResult><ResponseMetadata>",
    ),
    "two ARNs": GOOD.replace(b"<UserId>", b"<Arn>arn:aws:iam::111122223333:user/ben</Arn><UserId>"),
    "one more thing": answer(USER, "AIDAEXAMPLEEXAMPLE", "111122223333", "<Tags/>"),
    "no account": GOOD.replace(b"<Account>111122223333</Account>", b""),
    "things within": GOOD.replace(b"user/ana</Arn>", b"user/<b>ana</b></Arn>"),
    "another account than its ARN's": answer(USER, "AIDAEXAMPLEEXAMPLE", "444455556666"),
    "another partition": GOOD.replace(b"arn:aws:", b"arn:aws-cn:"),
    "an odd id": answer(USER, "<i/>", "111122223333"),
    "an id of nobody": answer(USER, "ana", "111122223333"),
    "another session than its ARN's": answer(
        "arn:aws:sts::111122223333:assumed-role/robot/me", "AROAEXAMPLEEXAMPLE:you", "111122223333"
    ),
    "more than it takes": GOOD + b" " * 70_000,
}


@pytest.mark.parametrize("body", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_what_is_no_answer_proves_nobody(sts: FakeSts, tmp_path: Path, body: bytes) -> None:
    sts.answers = [(200, body)]
    with pytest.raises(Unavailable) as caught:
        identified(sts, tmp_path)
    assert str(caught.value).isprintable()
    # Nor is it remembered.
    sts.answers = [(200, GOOD)]
    assert identified(sts, tmp_path).person == "u-1"


def error(code: str) -> bytes:
    return (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>m</Message></Error></ErrorResponse>"
    ).encode()


@pytest.mark.parametrize(
    ("status", "body", "is_refused"),
    [
        (403, error("SignatureDoesNotMatch"), True),
        (403, error("ExpiredToken"), True),
        (400, error("Throttling"), False),
        (429, error("SignatureDoesNotMatch"), False),
        (503, error("ServiceUnavailable"), False),
        (500, b"", False),
        (403, b"<html>a proxy says no</html>", False),
        (403, error("\x07"), False),
        (302, b"", False),
        (204, b"", False),
    ],
)
def test_a_no_is_told_from_a_not_now(
    sts: FakeSts, tmp_path: Path, status: int, body: bytes, *, is_refused: bool
) -> None:
    sts.headers = {"Location": f"{sts.url}/elsewhere"}
    sts.answers = [(status, body), (200, GOOD)]
    kind = Unauthenticated if is_refused else Unavailable
    with pytest.raises(kind) as caught:
        identified(sts, tmp_path)
    assert str(caught.value).isprintable()
    assert len(sts.asked) == 1, "and nobody is led elsewhere"


def test_whoever_does_not_answer_is_not_waited_for(
    sts: FakeSts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_identity, "WITHIN", timedelta(milliseconds=50))
    sts.answers = [(SILENT, b"")]
    with pytest.raises(Unavailable, match="STS has not answered within"):
        identified(sts, tmp_path)


def test_the_arn_is_shown_and_cannot_play_tricks(sts: FakeSts, tmp_path: Path) -> None:
    arn = "arn:aws:iam::111122223333:user/ana\u202e\u2028"
    sts.answers = [(200, answer(arn, "AIDAEXAMPLEEXAMPLE", "111122223333"))]
    url = presigned(sts.url, KEY)
    said = str(refused(asking(sts, tmp_path), url, "neither an IAM user"))
    assert "user/ana" in said
