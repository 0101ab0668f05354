"""What is told when AWS refuses, fails, or does not answer: the real SDK against a real socket."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from ulid import ULID

from jitcloud.errors import CloudError, CloudRefused, OutcomeUnknown, Refused, Throttled
from jitcloud.model import Credentials, RequestId
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.skew import difference
from jitcloud.providers.aws.sts_session import StsSession
from tests.aws.conftest import a_request, a_window, an_entitlement, now
from tests.aws.fake_aws import (
    GOOD,
    ROLE,
    SECRET,
    WHO,
    Answer,
    FakeAws,
    closes,
    closes_in_the_middle,
    error,
    hangs,
    says,
)


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


def test_a_plan_says_that_the_clocks_differ(fake: FakeAws, reach: Clients) -> None:
    fake.answers = [
        WHO,
        error(403, "AccessDenied"),
        says(200, GOOD, ahead=timedelta(minutes=-1)),
    ]
    sessions, entitlement = StsSession(reach), an_entitlement(role_arn=ROLE)
    agree = sessions.plan(entitlement, timedelta(hours=1), now())
    with pytest.raises(CloudRefused):
        issue(reach)
    differ = sessions.plan(entitlement, timedelta(hours=1), now())
    assert len(differ.notes) == len(agree.notes) + 1
    assert "clock is ahead of that of AWS" in differ.notes[-1]


SENT = datetime(2026, 11, 21, 21, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("Sat, 21 Nov 2026 21:00:00 GMT", 0),
        ("Sat, 21 Nov 2026 21:00:00 -0000", 0),
        ("Sat, 21 Nov 2026 20:59:59 GMT", 0),
        ("Sat, 21 Nov 2026 20:59:49 GMT", -10),
        ("Sat, 21 Nov 2026 21:00:02 GMT", 0),
        ("Sat, 21 Nov 2026 21:00:12 GMT", 10),
        ("Sat, 21 Nov 2026 23:00:12 +0200", 10),
    ],
)
def test_a_difference_is_only_what_no_delay_and_no_rounding_explains(
    said: str, seconds: int
) -> None:
    received = SENT + timedelta(seconds=2)
    assert difference(said, SENT, received) == timedelta(seconds=seconds)


def test_what_is_not_a_date_tells_no_difference() -> None:
    assert difference("soon", SENT, SENT) is None


# ── Partitions ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("region", "partition", "asked"),
    [
        (None, "aws", "us-east-1"),
        ("eu-west-1", "aws", "eu-west-1"),
        ("eu-west-1", "aws-cn", "cn-north-1"),
        ("cn-northwest-1", "aws-cn", "cn-northwest-1"),
        ("us-gov-east-1", "aws-us-gov", "us-gov-east-1"),
        ("us-gov-east-1", "aws", "us-east-1"),
    ],
)
def test_a_role_is_asked_for_in_its_own_partition(
    monkeypatch: pytest.MonkeyPatch, region: str | None, partition: str, asked: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    reach = Clients(clock=now, region=region)
    assert reach.sts(partition).meta.region_name == asked
    assert reach.sts(partition, "us-west-2").meta.region_name == "us-west-2"
