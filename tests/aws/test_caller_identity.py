"""What somebody's AWS credentials say to a deployment, as it and STS understand it."""

from __future__ import annotations

import base64
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from jitcloud.adapters import caller_identity_of
from jitcloud.directories.static import StaticDirectory
from jitcloud.errors import Misconfigured, Unauthenticated
from jitcloud.identities import presigned
from jitcloud.identities.aws_identity import AwsIdentities, Trusted
from jitcloud.model import Presented
from jitcloud.providers.aws.caller_identity import LASTS, presented, session
from jitcloud.signing_in.client_settings import ApiSettings
from tests.aws.conftest import Aws, now

AUDIENCE = "acme-prod"
AT = datetime(2026, 11, 22, 9, 30, 5, tzinfo=UTC)
KEY, SECRET, TOKEN = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG", "tok/+=en"


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a configuration of its own and no credentials beside it."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
                 "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    profile(tmp_path, "work", region="eu-central-1", aws_access_key_id=KEY,
            aws_secret_access_key=SECRET, aws_session_token=TOKEN)  # fmt: skip
    return tmp_path


def profile(machine: Path, name: str, **keys: str) -> None:
    with (machine / "config").open("a") as file:
        file.write(f"[profile {name}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()))


def url(shown: Presented) -> str:
    return base64.urlsafe_b64decode(shown.text + "=" * (-len(shown.text) % 4)).decode()


def by_profile(name: str, region: str | None = None, at: datetime = AT) -> Presented:
    return presented(session(name), AUDIENCE, region, at)


def settings(profile: str, audience: str) -> ApiSettings:
    url = "https://access.example.com"
    return ApiSettings(url=url, sign_in="aws", audience=audience, profile=profile)


# ── What is signed ───────────────────────────────────────────────────────────────────────────


def test_one_question_is_signed_for_one_deployment_and_one_minute() -> None:
    shown = by_profile("work")
    parts = urlsplit(url(shown))
    assert (parts.scheme, parts.netloc, parts.path) == (
        "https",
        "sts.eu-central-1.amazonaws.com",
        "/",
    )
    query = {name: said for name, (said,) in parse_qs(parts.query).items()}
    assert len(query.pop("X-Amz-Signature")) == 64
    assert query == {
        "Action": "GetCallerIdentity",
        "Version": "2011-06-15",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{KEY}/20261122/eu-central-1/sts/aws4_request",
        "X-Amz-Date": "20261122T093005Z",
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host;x-jitcloud-audience",
        "X-Amz-Security-Token": TOKEN,
    }
    assert shown.kind == "aws"
    assert "=" not in shown.text


def test_a_deployment_reads_it() -> None:
    call = presigned.parse(by_profile("work").text)
    assert (call.access_key_id, call.region) == (KEY, "eu-central-1")
    assert call.expires_at - call.signed_at == LASTS


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "sts.us-east-1.amazonaws.com"),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_sts_of_the_region_is_asked(
    region: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")
    assert urlsplit(url(by_profile("work", region))).netloc == host


def test_time_and_audience_are_a_part_of_what_is_signed() -> None:
    def signature(audience: str, at: datetime) -> str:
        return url(presented(session("work"), audience, None, at)).rpartition("=")[2]

    first = signature(AUDIENCE, AT)
    assert first == signature(AUDIENCE, AT)
    assert first != signature("other", AT)
    assert first != signature(AUDIENCE, AT + timedelta(seconds=1))


def test_nothing_is_shown_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = by_profile("work")
    signature = url(shown).rpartition("=")[2]
    for secret in (SECRET, TOKEN, "tok%2F%2B%3Den", signature, shown.text):
        assert secret not in caplog.text + repr(shown)


# ── What is missing ──────────────────────────────────────────────────────────────────────────


def test_without_credentials_somebody_has_to_sign_in_to_aws(machine: Path) -> None:
    profile(machine, "empty", region="eu-central-1")
    with pytest.raises(Unauthenticated, match="There are no AWS credentials here"):
        by_profile("empty")


def test_credentials_that_cannot_be_had_are_said(machine: Path) -> None:
    profile(machine, "sso", region="eu-central-1", sso_region="eu-central-1", sso_role_name="r",
            sso_start_url="https://a.awsapps.com/start", sso_account_id="1" * 12)  # fmt: skip
    with pytest.raises(Unauthenticated, match="such as with aws sso login"):
        by_profile("sso")


def test_a_profile_that_is_not_there_is_said() -> None:
    with pytest.raises(Misconfigured, match=r"\(nobody\).*; correct the profile"):
        session("nobody")


def test_a_region_has_to_be_named(machine: Path) -> None:
    profile(machine, "nowhere", aws_access_key_id=KEY, aws_secret_access_key=SECRET)
    with pytest.raises(Misconfigured, match="No AWS region is named"):
        by_profile("nowhere")
    assert "ap-south-1" in url(by_profile("nowhere", "ap-south-1"))


def test_a_session_that_no_header_takes_is_said(machine: Path) -> None:
    profile(machine, "long", region="eu-central-1", aws_access_key_id=KEY,
            aws_secret_access_key=SECRET, aws_session_token="t" * 7000)  # fmt: skip
    with pytest.raises(Misconfigured, match="too long for a header"):
        by_profile("long")


# ── Who it is ────────────────────────────────────────────────────────────────────────────────


def test_a_deployment_and_sts_know_who_it_is(
    aws: Aws, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = aws.user()
    people = machine / "people.toml"
    arn = aws.sts(ana).get_caller_identity()["Arn"]
    people.write_text(f'[[person]]\nid = "u-1"\nname = "Ana"\naws = ["{arn}"]\n')
    trusted = Trusted(
        audience=AUDIENCE,
        accounts=frozenset({aws.account}),
        regions=frozenset({"eu-central-1"}),
        endpoint_url=aws.endpoint_url,
    )
    identities = AwsIdentities(StaticDirectory(people), trusted)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint_url)

    for name, secret in (("ana", ana.secret_access_key), ("forged", "x" * 40)):
        profile(machine, name, region="eu-central-1", aws_access_key_id=ana.access_key_id,
                aws_secret_access_key=secret)  # fmt: skip

    def known(name: str, audience: str) -> str:
        shown = caller_identity_of(settings(name, audience), now())
        return identities.identify(shown, now()).person

    assert known("ana", AUDIENCE) == "u-1"
    with pytest.raises(Unauthenticated):
        known("ana", "other")
    with pytest.raises(Unauthenticated):
        known("forged", AUDIENCE)
