"""What a webhook proves about who sent it and when, and what each answer to one means."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from jitcloud.errors import Invalid, JitError, Misconfigured, Refused, Unavailable
from jitcloud.model import Request, Sealed
from jitcloud.publishers.webhook import WebhookPublisher, signed
from jitcloud.secret import Secret
from tests.contract.publishers.hook import (
    KEYS,
    SECRETS,
    Hook,
    a_webhook,
    closes,
    drips,
    hangs,
    receiving,
    says,
)
from tests.world import START, World


@pytest.fixture
def hook() -> Iterator[Hook]:
    with receiving() as running:
        yield running


@pytest.fixture
def asked(world: World) -> tuple[Request, tuple[Sealed, ...]]:
    request = world.ask(what="prod-write")
    return request, world.store.events(request.id)


Asked = tuple[Request, tuple[Sealed, ...]]


# ── Signatures ───────────────────────────────────────────────────────────────────────────────


def test_it_signs_as_the_specification_does() -> None:
    # The vector that the libraries of Standard Webhooks are tested with.
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    now = datetime.fromtimestamp(1614265330, UTC)
    headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", now, b'{"test": 2432232314}', [key])
    assert headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_can_verify_who_sent_what_and_when(
    hook: Hook, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_webhook(hook.url, monkeypatch).publish(*asked)
    assert len(hook.got) == len(asked[1])
    for post, line in zip(hook.got, asked[1], strict=True):
        assert post.is_signed_by(KEYS[0])
        assert not post.is_signed_by(KEYS[1])
        assert post.headers["content-type"] == "application/json"
        assert post.headers["webhook-timestamp"] == str(int(START.timestamp()))
        assert post.headers["webhook-id"] == json.loads(post.body)["id"]
        assert "." not in post.headers["webhook-id"]
        assert post.headers["webhook-id"].startswith(f"{asked[0].id}-{line.event.seq}-")


def test_each_attempt_is_dated_anew(
    hook: Hook, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([START, START + timedelta(hours=1)])
    webhook = a_webhook(hook.url, monkeypatch, clock=lambda: next(times))
    line = asked[1][:1]
    webhook.publish(asked[0], line)
    webhook.publish(asked[0], line)
    first, second = hook.got
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert int(second.headers["webhook-timestamp"]) == START.timestamp() + 3600
    assert second.is_signed_by(KEYS[0])
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


def test_while_a_secret_is_replaced_it_signs_with_both(
    hook: Hook, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_webhook(hook.url, monkeypatch, secrets=2).publish(asked[0], asked[1][:1])
    (post,) = hook.got
    assert all(post.is_signed_by(key) for key in KEYS)
    assert len(post.headers["webhook-signature"].split(" ")) == 2


def test_a_secret_is_read_anew_for_each_event(
    hook: Hook, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = a_webhook(hook.url, monkeypatch)
    webhook.publish(asked[0], asked[1][:1])
    monkeypatch.setenv("HOOK_0", SECRETS[1])
    webhook.publish(asked[0], asked[1][:1])
    assert hook.got[0].is_signed_by(KEYS[0])
    assert hook.got[1].is_signed_by(KEYS[1])


@pytest.mark.parametrize(
    "secret",
    ["hunter2", "whsec_", "whsec_hunter2!", SECRETS[0][6:], "whsec_" + "QUJD" * 5, SECRETS[0] * 3],
)
def test_what_is_no_secret_is_said_without_it(
    hook: Hook, asked: Asked, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    webhook = a_webhook(hook.url, monkeypatch)
    monkeypatch.setenv("HOOK_0", secret)
    with pytest.raises(Misconfigured, match="HOOK_0 is no secret of a webhook") as caught:
        webhook.publish(*asked)
    assert secret == "whsec_" or secret not in str(caught.value)  # noqa: S105 - of no use
    assert hook.got == []


def test_a_secret_that_is_not_there_is_said(hook: Hook, asked: Asked) -> None:
    webhook = WebhookPublisher(
        "publish-hook", hook.url, [Secret(variable="NO_SUCH")], clock=lambda: START
    )
    with pytest.raises(Misconfigured, match="NO_SUCH"):
        webhook.publish(*asked)


# ── Answers ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_success_counts(
    hook: Hook, asked: Asked, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    hook.answers.append(says(status, b"" if status == 204 else b"thanks, and more"))
    a_webhook(hook.url, monkeypatch).publish(asked[0], asked[1][:1])
    assert len(hook.got) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 413, 429, 500, 502, 503])
def test_anything_else_is_tried_again(
    hook: Hook, asked: Asked, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    elsewhere = hook.url.replace("/hooks/jitcloud", "/elsewhere")
    hook.answers.append(says(status, b"a secret", Location=elsewhere))
    with pytest.raises(Unavailable, match=f"127.0.0.1:.* answered with status {status}") as caught:
        a_webhook(hook.url, monkeypatch).publish(*asked)
    assert "a secret" not in str(caught.value)
    assert [post.path for post in hook.got] == ["/hooks/jitcloud"], "nothing follows it elsewhere"


def test_who_is_gone_is_not_sent_it_again(
    hook: Hook, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.answers.append(says(410))
    with pytest.raises(Refused, match="wants no more"):
        a_webhook(hook.url, monkeypatch).publish(*asked)


SILENCE = {"hangs": hangs, "drips": drips, "closes": closes}


@pytest.mark.parametrize("how", SILENCE)
def test_no_answer_is_waited_for_a_bounded_time(
    hook: Hook, asked: Asked, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    hook.answers.append(SILENCE[how])
    with pytest.raises(Unavailable):
        a_webhook(hook.url, monkeypatch, seconds=0.2).publish(*asked)
    assert len(hook.got) == 1


def test_who_is_not_there_is_said(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        a_webhook("http://127.0.0.1:9/", monkeypatch).publish(*asked)


# ── Addresses ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/hooks/jitcloud", "/hooks/jitcloud/", "/", ""])
def test_it_goes_where_it_is_said_to_the_slash(
    hook: Hook, asked: Asked, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    url = hook.url.replace("/hooks/jitcloud", path)
    a_webhook(url, monkeypatch).publish(asked[0], asked[1][:1])
    assert [post.path for post in hook.got] == [path or "/"]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://user:hunter2@example.com/hook",
        "https://example.com/hook?token=hunter2",
        "ftp://example.com/hunter2",
        "https://example.com/a\r\nX-Header: hunter2",
    ],
)
def test_nothing_is_sent_where_it_could_be_read(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        WebhookPublisher("publish-hook", url, [], clock=lambda: START)
    assert isinstance(caught.value, JitError)
    assert "hunter2" not in str(caught.value)
