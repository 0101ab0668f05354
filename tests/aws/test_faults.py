"""What is told when AWS refuses, fails, or does not answer: the real SDK against a real socket."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qs

import pytest
from ulid import ULID

from jitcloud.errors import CloudError, CloudRefused, OutcomeUnknown, Refused, Throttled
from jitcloud.model import Credentials, RequestId, Slot, SlotKey
from jitcloud.providers.aws import clients as clients_module
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.deny_document import DenyDocument
from jitcloud.providers.aws.sts_session import StsSession
from tests.aws.conftest import a_request, a_window, now

Answer = Callable[["_Handler"], None]

ROLE = "arn:aws:iam::111122223333:role/admin"
SECRET = "a-session-token-that-must-not-show"  # noqa: S105 - made up

GOOD = f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>{SECRET}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>"""


class FakeAws(ThreadingHTTPServer):
    """Answers what a test queued, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Answer] = []
        self.asked: list[dict[str, str]] = []
        self.closing = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeAws

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        asked = parse_qs(self.rfile.read(length).decode())
        self.server.asked.append({key: value[0] for key, value in asked.items()})
        self.server.answers.pop(0)(self)

    def log_message(self, *_: object) -> None:
        pass


def says(status: int, body: str, *, ahead: timedelta = timedelta(0)) -> Answer:
    def answer(handler: _Handler) -> None:
        handler.send_response_only(status)
        handler.send_header("Date", format_datetime(datetime.now(UTC) + ahead, usegmt=True))
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body.encode())

    return answer


def error(status: int, code: str, message: str = "as told") -> Answer:
    said = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return says(status, f"<ErrorResponse>{said}<RequestId>r</RequestId></ErrorResponse>")


def hangs(handler: _Handler) -> None:
    handler.server.closing.wait(30)


def closes(handler: _Handler) -> None:
    handler.close_connection = True


def closes_in_the_middle(handler: _Handler) -> None:
    handler.send_response_only(200)
    handler.send_header("Content-Length", str(len(GOOD)))
    handler.end_headers()
    handler.wfile.write(GOOD[:100].encode())
    handler.close_connection = True


@pytest.fixture
def fake() -> Iterator[FakeAws]:
    with FakeAws() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def reach(fake: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Clients:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    return Clients(clock=now, endpoint_url=fake.url)


def issue(reach: Clients, **target: object) -> Credentials:
    request = a_request(RequestId(str(ULID())), role_arn=ROLE, **target)
    return StsSession(reach).issue(request, a_window(), timedelta(hours=1), now())


# ── What is sent ─────────────────────────────────────────────────────────────────────────────


def test_a_session_bears_the_request_and_the_person(fake: FakeAws, reach: Clients) -> None:
    fake.answers = [says(200, GOOD)]
    request = a_request(role_arn=ROLE, session_tags={"team": "payments"}, external_id="x:1")
    StsSession(reach).issue(request, a_window(), timedelta(minutes=40), now())
    (asked,) = fake.asked
    assert asked.pop("Policy").startswith('{"Version":"2012-10-17","Statement":[{"Effect":"Deny"')
    assert asked == {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": ROLE,
        "RoleSessionName": f"jit-{request.id}",
        "SourceIdentity": "ana",
        "DurationSeconds": "2400",
        "ExternalId": "x:1",
        "Tags.member.1.Key": "jitcloud-request",
        "Tags.member.1.Value": request.id,
        "Tags.member.2.Key": "team",
        "Tags.member.2.Value": "payments",
        "TransitiveTagKeys.member.1": "jitcloud-request",
    }


def test_nothing_is_sent_when_the_deadline_is_too_near(fake: FakeAws, reach: Clients) -> None:
    window = a_window(timedelta(seconds=9))
    with pytest.raises(Refused):
        StsSession(reach).issue(a_request(role_arn=ROLE), window, timedelta(hours=1), now())
    assert fake.asked == []


# ── What comes back ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answer", "raised", "words"),
    [
        pytest.param(error(400, "Throttling"), Throttled, "limits the rate", id="throttled"),
        pytest.param(error(503, "SlowDown"), Throttled, "limits the rate", id="slow down"),
        pytest.param(error(429, "Other"), Throttled, "limits the rate", id="too many"),
        pytest.param(
            error(403, "AccessDenied"), CloudRefused, "its trust policy names", id="denied"
        ),
        pytest.param(
            error(400, "PackedPolicyTooLarge", "Packed policy consumes 112% of allotted space"),
            CloudRefused,
            "consumes 112% of allotted space.*Shorten narrow_policy",
            id="packed too large",
        ),
        pytest.param(
            error(400, "ValidationError", "The requested DurationSeconds exceeds the Max"),
            CloudRefused,
            "DurationSeconds exceeds",
            id="too long",
        ),
        pytest.param(error(400, "ExpiredToken"), CloudRefused, "clock is right", id="expired"),
        pytest.param(error(500, "InternalFailure"), OutcomeUnknown, "may have", id="500"),
        pytest.param(error(503, "ServiceUnavailable"), OutcomeUnknown, "may have", id="503"),
        pytest.param(says(200, "<not xml"), OutcomeUnknown, "may have", id="unreadable"),
        pytest.param(closes, OutcomeUnknown, "may have", id="closed"),
        pytest.param(closes_in_the_middle, OutcomeUnknown, "may have", id="cut off"),
    ],
)
def test_what_aws_says_is_told_as_what_it_means(
    fake: FakeAws, reach: Clients, answer: Answer, raised: type[CloudError], words: str
) -> None:
    fake.answers = [answer]
    with pytest.raises(raised, match=words):
        issue(reach)
    assert len(fake.asked) == 1


def test_an_answer_that_does_not_come_in_time_leaves_the_outcome_open(
    fake: FakeAws, reach: Clients
) -> None:
    fake.answers = [hangs]
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown, match="AWS may have done it"):
        issue(reach)
    assert time.monotonic() - began < StsSession.timeout.total_seconds()
    assert len(fake.asked) == 1


def test_when_nothing_listens_nothing_was_sent(reach: Clients, fake: FakeAws) -> None:
    fake.shutdown()
    fake.server_close()
    with pytest.raises(Throttled, match="Nothing was sent"):
        issue(reach)


def test_without_credentials_nothing_is_sent(
    fake: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for reach in (Clients(clock=now, endpoint_url=fake.url), Clients(clock=now, profile="none")):
        with pytest.raises(CloudRefused, match="no AWS credentials of its own"):
            issue(reach)
    assert fake.asked == []


def test_what_aws_quotes_of_a_bad_signature_shows_nowhere(fake: FakeAws, reach: Clients) -> None:
    fake.answers = [error(403, "SignatureDoesNotMatch", f"x-amz-security-token:{SECRET}")]
    with pytest.raises(CloudRefused) as caught:
        issue(reach)
    shown: BaseException | None = caught.value
    while shown is not None:
        assert SECRET not in str(shown)
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)


# ── Clocks ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seconds", [-3600, -8, 8, 3600])
def test_credentials_are_not_handed_out_when_the_clocks_differ(
    fake: FakeAws, reach: Clients, seconds: int
) -> None:
    fake.answers = [says(200, GOOD, ahead=timedelta(seconds=seconds))]
    with pytest.raises(CloudRefused, match="behind" if seconds > 0 else "ahead of"):
        issue(reach)


@pytest.mark.parametrize("seconds", [-5, 0, 5])
def test_credentials_are_handed_out_when_the_clocks_nearly_agree(
    fake: FakeAws, reach: Clients, seconds: int
) -> None:
    fake.answers = [says(200, GOOD, ahead=timedelta(seconds=seconds))]
    assert issue(reach).session_token == SECRET


def test_once_the_clocks_agree_again_credentials_are_handed_out(
    fake: FakeAws, reach: Clients
) -> None:
    fake.answers = [says(200, GOOD, ahead=timedelta(minutes=1)), says(200, GOOD)]
    with pytest.raises(CloudRefused):
        issue(reach)
    assert issue(reach).session_token == SECRET


# ── The deny document ────────────────────────────────────────────────────────────────────────

DOCUMENT = "arn:aws:iam::111122223333:policy/deny"
SLOT = Slot(key=SlotKey("d"), kind="aws.deny-document", where={"policy_arn": DOCUMENT})

_IAM = 'xmlns="https://iam.amazonaws.com/doc/2010-05-08/"'


def versions(*numbers: int) -> Answer:
    listed = "".join(
        f"<member><VersionId>v{number}</VersionId>"
        f"<IsDefaultVersion>{str(number == max(numbers)).lower()}</IsDefaultVersion></member>"
        for number in numbers
    )
    return says(
        200,
        f"<ListPolicyVersionsResponse {_IAM}><ListPolicyVersionsResult>"
        f"<Versions>{listed}</Versions></ListPolicyVersionsResult></ListPolicyVersionsResponse>",
    )


def done(what: str) -> Answer:
    return says(200, f"<{what}Response {_IAM}><{what}Result/></{what}Response>")


def put(reach: Clients) -> None:
    DenyDocument(reach).put(SLOT, [RequestId("01J")], now() + timedelta(hours=1))


def actions(fake: FakeAws) -> Sequence[str]:
    return [asked["Action"] for asked in fake.asked]


def test_the_oldest_unused_version_makes_room(fake: FakeAws, reach: Clients) -> None:
    deleted, created = done("DeletePolicyVersion"), done("CreatePolicyVersion")
    fake.answers = [versions(8, 9, 10, 11, 12), deleted, created]
    put(reach)
    assert actions(fake) == ["ListPolicyVersions", "DeletePolicyVersion", "CreatePolicyVersion"]
    assert fake.asked[1]["VersionId"] == "v8"


@pytest.mark.parametrize("code", ["NoSuchEntity", "DeleteConflict"])
def test_room_that_another_writer_made_is_as_good(fake: FakeAws, reach: Clients, code: str) -> None:
    created = done("CreatePolicyVersion")
    fake.answers = [versions(1, 2, 3, 4, 5), error(404, code), created]
    put(reach)
    assert actions(fake)[-1] == "CreatePolicyVersion"


def test_room_that_another_writer_took_is_tried_for_again(fake: FakeAws, reach: Clients) -> None:
    fake.answers = [versions(1, 2), error(409, "LimitExceeded")]
    with pytest.raises(CloudRefused, match="Another writer took the place"):
        put(reach)


def test_a_write_that_is_not_answered_leaves_the_outcome_open(
    fake: FakeAws, reach: Clients
) -> None:
    fake.answers = [versions(1, 2), closes]
    with pytest.raises(OutcomeUnknown):
        put(reach)


def test_no_write_begins_when_it_might_not_end_in_time(fake: FakeAws, reach: Clients) -> None:
    document = DenyDocument(reach, timeout=2 * clients_module.CALL - timedelta(seconds=1))
    fake.answers = [versions(1, 2)]
    with pytest.raises(Throttled, match="too slowly"):
        document.put(SLOT, [RequestId("01J")], now() + timedelta(hours=1))
    assert actions(fake) == ["ListPolicyVersions"]
