"""Two drivers at AWS, one of them slow: what lands late gives nothing, and takes nothing back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.httpsession import URLLib3Session

import jitcloud
from jitcloud import slots
from jitcloud.clock import utc_now
from jitcloud.errors import Refused
from jitcloud.library import Acting, Jitcloud
from jitcloud.model import Credentials, Evidence, State
from jitcloud.providers.aws.deny_text import base_document
from tests import deployments
from tests.aws.conftest import Aws

SLOW = "slow"


@dataclass
class SlowCall:
    """Holds one AWS action of the thread named ``slow`` back, until it is let go."""

    action: str
    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    answers: list[bytes] = field(default_factory=list)

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        send: Callable[..., Any] = URLLib3Session.send

        def held(session: URLLib3Session, request: Any) -> Any:
            body = str(request.body)
            mine = threading.current_thread().name == SLOW and self.action in body
            if mine and not self.reached.is_set():
                self.reached.set()
                assert self.go.wait(20)
            answer = send(session, request)
            if mine:
                self.answers.append(answer.content)
            return answer

        monkeypatch.setattr(URLLib3Session, "send", held)

    def run(self, what: Callable[[], object]) -> threading.Thread:
        def quietly() -> None:
            with suppress(Refused):
                what()

        thread = threading.Thread(target=quietly, name=SLOW, daemon=True)
        thread.start()
        assert self.reached.wait(20)
        return thread


@pytest.fixture
def folder(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.broker.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", aws.broker.secret_access_key)
    document = aws.deny_document()
    target = {"role_arn": aws.role(boundary=document), "deny_document": document}
    return deployments.make(
        tmp_path,
        endpoint_url=aws.endpoint_url,
        entitlements={"dev-role": target, "prod-role": target},
    )


@pytest.fixture
def drivers(folder: Path) -> Iterator[tuple[Jitcloud, Jitcloud]]:
    with jitcloud.load(folder) as one, jitcloud.load(folder) as other:
        yield one, other


def until_ended(jit: Jitcloud, ana: Acting, name: str, seconds: float = 30) -> jitcloud.Request:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        jit.sweep()
        request = ana.show(name)
        if request.state.is_finished:
            return request
        time.sleep(0.2)
    raise AssertionError(ana.show(name))


def test_a_session_minted_after_its_grant_was_given_back_is_dead(
    aws: Aws, drivers: tuple[Jitcloud, Jitcloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = drivers
    bucket = aws.bucket()
    ana = other.acting_as("ana")
    request = ana.request("dev-role", "5m", "testing")
    slow = SlowCall("Action=AssumeRole")
    slow.patch(monkeypatch)
    handed_out: list[Credentials] = []
    thread = slow.run(lambda: handed_out.append(one.acting_as("ana").credentials(request.id)))

    ana.give_back(request)
    ended = until_ended(other, ana, request.id)
    assert ended.state is State.ENDED
    assert ended.evidence is Evidence.SEEN_DENIED
    slow.go.set()
    thread.join(20)

    assert handed_out == [], "what was minted too late is not handed out"
    assert not aws.can_read(_minted(slow.answers[-1]), bucket)


def test_a_slow_denial_cannot_undo_anothers(
    aws: Aws, drivers: tuple[Jitcloud, Jitcloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = drivers
    bucket = aws.bucket()
    ana, ben = one.acting_as("ana"), other.acting_as("ben")
    first = ana.request("dev-role", "5m", "testing")
    second = ben.request("dev-role", "5m", "testing")
    sessions = {first.id: ana.credentials(first), second.id: ben.credentials(second)}
    assert all(aws.can_read(made, bucket) for made in sessions.values())

    slow = SlowCall("Action=CreatePolicyVersion")
    slow.patch(monkeypatch)
    thread = slow.run(lambda: ana.give_back(first))  # its text knows nothing of Ben's end yet
    ben.give_back(second)

    def ended_means_dead() -> None:
        for name, made in sessions.items():
            if ben.show(name).state is State.ENDED:
                assert not aws.can_read(made, bucket)

    for _ in range(5):
        other.sweep()
        ended_means_dead()
        time.sleep(0.1)
    slow.go.set()
    thread.join(20)
    ended_means_dead()
    for name in sessions:
        assert until_ended(other, ben, name).evidence is Evidence.SEEN_DENIED
        ended_means_dead()


def test_a_deny_document_somebody_wrote_over_is_made_whole_again(
    aws: Aws, folder: Path, drivers: tuple[Jitcloud, Jitcloud]
) -> None:
    bucket = aws.bucket()
    ana = drivers[0].acting_as("ana")
    request = ana.request("dev-role", "5m", "testing")
    made = ana.credentials(request)
    ana.give_back(request)
    until_ended(drivers[0], ana, request.id)
    assert not aws.can_read(made, bucket)

    place = ana.show(request).places.denial
    assert place is not None
    arn = str(place.where["policy_arn"])
    aws.iam().create_policy_version(
        PolicyArn=arn, PolicyDocument=base_document(arn), SetAsDefault=True
    )
    assert aws.can_read(made, bucket), "the denial was meant to be written over"

    with jitcloud.load(folder, clock=lambda: utc_now() + slots.LOOK_AGAIN) as later:
        assert later.sweep().troubles == ()
    assert not aws.can_read(made, bucket)


def _minted(answer: bytes) -> Credentials:
    from botocore.parsers import create_parser  # noqa: PLC0415 - the SDK's own reading of it
    from botocore.session import get_session  # noqa: PLC0415 - loaded in the process that needs it

    model = get_session().get_service_model("sts").operation_model("AssumeRole")
    assert model.output_shape is not None
    parsed = create_parser("query").parse(
        {"body": answer, "headers": {}, "status_code": 200}, model.output_shape
    )
    made = parsed["Credentials"]
    return Credentials(
        access_key_id=made["AccessKeyId"],
        secret_access_key=made["SecretAccessKey"],
        session_token=made["SessionToken"],
        expires_at=made["Expiration"],
    )
