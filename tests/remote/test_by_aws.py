"""Whoever signs in with AWS: what goes along with each call, and what API Gateway is shown."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from jitcloud.cli.exits import ExitCode
from tests.cli_world import MemoryKeyring
from tests.remote.between import Call, Reply, answering
from tests.remote.remote_world import AtHome
from tests.remote.test_modes import ME

ID, SECRET, SESSION = "AKIAEXAMPLE", "made-up", "of-a-session"
AUDIENCE = "access.example.com"


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION)


@pytest.fixture
def seen() -> list[Call]:
    return []


@pytest.fixture
def home(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seen: list[Call]
) -> Iterator[Callable[[str], AtHome]]:
    """A person's home, where client.toml says these lines more."""

    def answer(call: Call) -> Reply:
        seen.append(call)
        return Reply(200, ME)

    with answering(answer) as url:

        def made(more: str) -> AtHome:
            home = AtHome(tmp_path / "home", capsys, MemoryKeyring)
            home.write(url, f'sign_in = "aws"\naudience = "{AUDIENCE}"\n{more}')
            return home

        yield made


def test_each_call_shows_an_identity_and_no_credentials(
    home: Callable[[str], AtHome], seen: list[Call]
) -> None:
    assert home('region = "eu-central-1"').jit("whoami").code == ExitCode.OK
    (call,) = seen
    assert call.path == "/v1/me"
    assert "authorization" not in call.headers
    shown = call.headers["x-jitcloud-identity"]
    url = base64.urlsafe_b64decode(shown + "=" * (-len(shown) % 4)).decode()
    assert url.startswith("https://sts.eu-central-1.amazonaws.com/?Action=GetCallerIdentity")
    assert SECRET not in f"{call}{url}"


def test_behind_api_gateway_each_call_is_signed_for_it(
    home: Callable[[str], AtHome], seen: list[Call]
) -> None:
    person = home('region = "eu-central-1"\ngateway_region = "eu-west-1"')
    name = "01JD8Z6N3V5E6X7Y8Z9ABCDEFG"
    person.jit("whoami")
    person.jit("give-back", name, "--because", "done")  # what it is answered is none of ours
    looked, done = seen[0], seen[1]
    assert (looked.path, done.path) == ("/aws/v1/me", f"/aws/v1/requests/{name}/give-back")
    assert done.body == b'{"reason": "done"}'
    for call in (looked, done):
        assert call.headers["x-amz-security-token"] == SESSION
        assert f"Credential={ID}/" in call.headers["authorization"]
        assert "/eu-west-1/execute-api/aws4_request" in call.headers["authorization"]
        assert call.headers["authorization"] == _signature(call)


def _signature(call: Call) -> str:
    """What AWS would compute for a call, of the headers that it says are signed."""
    said = call.headers["authorization"]
    names = re.search(r"SignedHeaders=([a-z0-9;-]+)", said)
    assert names is not None
    assert "x-jitcloud-identity" in names[1]
    assert "host" in names[1].split(";")
    request = AWSRequest(
        call.method,
        f"http://{call.headers['host']}{call.path}",
        headers={n: call.headers[n] for n in names[1].split(";") if not n.startswith("x-amz-")},
        data=call.body,
    )
    signer = SigV4Auth(Credentials(ID, SECRET, SESSION), "execute-api", "eu-west-1")
    request.context["timestamp"] = call.headers["x-amz-date"]
    assert len(SIGV4_TIMESTAMP) > 0
    signer._modify_request_before_signing(request)  # type: ignore[attr-defined]  # noqa: SLF001 - as AWS reads it
    canonical = signer.canonical_request(request)
    assert hashlib.sha256(call.body).hexdigest() in canonical
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    return re.sub(r"Signature=\w+", f"Signature={signature}", said)


def test_signing_in_and_out_is_not_of_jitcloud(home: Callable[[str], AtHome]) -> None:
    person = home('region = "eu-central-1"')
    said = person.jit("login")
    assert (said.code, [ring.held for ring in person.keyrings.values()]) == (ExitCode.OK, [{}])
    assert "you:         Ana (ana)" in said.out
    assert "sign out of AWS" in person.jit("logout").err


def test_without_credentials_one_is_told_to_get_some(
    home: Callable[[str], AtHome], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    said = home('region = "eu-central-1"\ngateway_region = "eu-west-1"').jit("whoami")
    assert said.code == ExitCode.UNAUTHENTICATED
    assert "There are no AWS credentials here" in said.err
