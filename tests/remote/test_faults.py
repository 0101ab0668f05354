"""What goes wrong on the way, and what an API may say that is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jitcloud.cli.exits import ExitCode
from jitcloud.model import State
from tests.cli_world import SECRET, MemoryKeyring
from tests.remote.between import Call, Reply, Way, answering
from tests.remote.remote_world import AtHome, RemoteWorld

NAME, OTHER = "01JD8Z6N3V5E6X7Y8Z9ABCDEFG", "01JD8Z6N3V5E6X7Y8Z9ABCDEFH"


@pytest.fixture
def way(world: RemoteWorld) -> Iterator[Way]:
    """A way to the API that loses things."""
    assert world.server is not None
    way = Way(world.server.port)
    with answering(way) as url:
        world.settle(url)
        yield way


def keys(way: Way) -> list[str]:
    return [call.headers["idempotency-key"] for call in way.calls if call.method == "POST"]


@pytest.mark.parametrize("fault", ["lost", "down", "busy"])
def test_what_is_sent_again_is_done_once(fault: str, world: RemoteWorld, way: Way) -> None:
    way.faults.extend([fault, fault])
    asked = world.asked_there()
    assert asked["state"] == State.ACTIVE
    assert world.recorded()[0] == 1
    assert len(keys(way)) == 3
    assert len(set(keys(way))) == 1


def test_a_yes_whose_answer_was_lost_is_not_said_twice(world: RemoteWorld, way: Way) -> None:
    name = world.asked_there("prod-role")["id"]
    way.calls.clear()
    way.faults.extend(["", "lost"])  # what is shown first, then the yes
    said = world.there("approve", name, "--json", by="ben")
    assert [vote["by"] for vote in said.json["votes"]] == ["ben"]
    assert world.trail(name).count("voted") == 1


def test_two_asks_are_two(world: RemoteWorld, way: Way) -> None:
    world.asked_there()
    world.asked_there()
    assert world.recorded()[0] == 2
    assert len(set(keys(way))) == 2


def test_the_same_id_asks_once(world: RemoteWorld, way: Way) -> None:
    first, second = (world.asked_there("dev-read", "--id", NAME)["id"] for _ in range(2))
    assert first == second
    assert keys(way) == [NAME, NAME]


def test_what_never_answers_is_given_up(world: RemoteWorld, way: Way) -> None:
    waits: list[float] = []
    world.sleep = waits.append
    way.faults.extend(["busy"] * 9)
    said = world.there("list", "--json")
    assert said.code == ExitCode.MISCONFIGURED
    assert said.error["kind"] == "Unavailable"
    assert len(way.calls) == 3
    assert waits == [7, 7]


def test_an_api_that_is_down_is_said_to_be(world: RemoteWorld) -> None:
    world.settle("http://127.0.0.1:9")
    said = world.there("show", NAME)
    assert said.code == ExitCode.MISCONFIGURED
    assert "127.0.0.1:9 cannot be reached" in said.err


def test_credentials_are_asked_for_once_and_under_no_key(world: RemoteWorld, way: Way) -> None:
    name = world.asked_there()["id"]
    way.calls.clear()
    way.faults.extend(["", "lost"])  # it is shown first
    said = world.there("credentials", name, "--json")
    assert said.code == ExitCode.MISCONFIGURED
    (minted,) = [call for call in way.calls if call.method == "POST"]
    assert "idempotency-key" not in minted.headers


def test_a_grant_that_is_being_activated_is_waited_for(world: RemoteWorld, way: Way) -> None:
    name = world.asked_there()["id"]
    shown: list[bytes] = []

    def activating(call: Call) -> Reply | None:
        reply = way(call)
        is_shown = call.path == f"/v1/requests/{name}"
        if reply is None or not is_shown or len(shown) >= 3:
            return reply
        shown.append(reply.body)
        return Reply(200, json.dumps({**json.loads(reply.body), "state": "activating"}).encode())

    with answering(activating) as url:
        world.settle(url)
        said = world.there("credentials", name, "--json")
    assert said.json["secret_access_key"] == SECRET
    assert len(shown) == 3


def test_one_that_is_never_activated_is_given_up(world: RemoteWorld, way: Way) -> None:
    name = world.asked_there()["id"]

    def activating(call: Call) -> Reply | None:
        reply = way(call)
        assert reply is not None
        return Reply(200, json.dumps({**json.loads(reply.body), "state": "activating"}).encode())

    with answering(activating) as url:
        world.settle(url)
        said = world.there("env", name)
    assert said.code == ExitCode.REFUSED
    assert "still activating after 2m" in said.err
    assert len(way.calls) < 60


# ── What answers is no API, or means ill ─────────────────────────────────────────────────────


def problem(status: int, **said: object) -> Callable[[Call], Reply]:
    return lambda _: Reply(status, json.dumps(said).encode())


def always(status: int, body: bytes, **headers: str) -> Callable[[Call], Reply]:
    return lambda _: Reply(status, body, headers)


HOSTILE: dict[str, tuple[Callable[[Call], Reply], ExitCode, str]] = {
    "no JSON": (always(200, b"<html>"), ExitCode.MISCONFIGURED, "as no jitcloud API does"),
    "a list": (always(200, b"[]"), ExitCode.MISCONFIGURED, "as no jitcloud API does"),
    "too deep": (always(200, b"[" * 100_000), ExitCode.MISCONFIGURED, "as no jitcloud API does"),
    "huge": (always(200, b" " * (9 * 2**20)), ExitCode.MISCONFIGURED, "which were not read"),
    "nothing in it": (always(200, b"{}"), ExitCode.MISCONFIGURED, "cannot read (at id)"),
    "led elsewhere": (
        always(302, b"", Location="http://127.0.0.1:9/"),
        ExitCode.MISCONFIGURED,
        "HTTP status 302",
    ),
    "not found by a proxy": (always(404, b"nope"), ExitCode.MISCONFIGURED, "HTTP status 404"),
    "refused by a gateway": (
        always(403, b'{"message":"Forbidden"}'),
        ExitCode.REFUSED,
        "does not let you call it",
    ),
    "unknown to a gateway": (
        always(401, b'{"message":"Unauthorized"}'),
        ExitCode.UNAUTHENTICATED,
        "sign in again",
    ),
    "steers the terminal": (
        problem(403, error="Refused", detail="\x1b[2Jno\u202e"),
        ExitCode.REFUSED,
        "\\x1b[2Jno\\u202e",
    ),
    "more words than one reads": (
        problem(403, error="Refused", detail="no\n" * 50_000),
        ExitCode.REFUSED,
        "no\\nno",
    ),
    "an error of its own": (
        problem(409, error="SystemExit", detail="Look again."),
        ExitCode.CONFLICT,
        "Look again.",
    ),
    "a defect": (
        problem(500, error="Defect", detail="It has a defect.", trace="abc"),
        ExitCode.MISCONFIGURED,
        "It has a defect. (Trace: abc)",
    ),
    "no words": (problem(403, error="Refused", detail=7), ExitCode.REFUSED, "does not let you"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_api_is_told_in_a_sentence(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, code, told = HOSTILE[name]
    token, home = "very.secret.token", AtHome(tmp_path, capsys, MemoryKeyring)
    with answering(answer) as url:
        home.settle(url, "http://127.0.0.1:9", "jitcloud")
        said = home.jit("show", NAME, JITCLOUD_TOKEN=token)
    assert (said.code, said.out) == (code, "")
    assert told in said.err
    assert said.err.isascii()
    assert "\x1b" not in said.err
    assert token not in said.err
    assert len(said.err) < 5000
    assert said.err.count("\n") == 1


WRONG: dict[str, dict[str, Any]] = {
    "another request": {"id": OTHER},
    "a state of tomorrow": {"state": "levitating"},
    "a number for a text": {"justification": 7},
    "a truth for a number": {"issued": True},
    "a time without a zone": {"asked_at": "2026-12-01T09:00:00"},
    "a time without end": {"window": {"start": "0001-01-01T00:00:00+23:59", "deadline": None}},
    "a duration without end": {"duration": 10**12},
    "too many": {"together": [OTHER] * 2000},
}


def test_an_answer_of_another_form_is_not_believed(world: RemoteWorld, way: Way) -> None:
    asked, wrong = world.asked_there()["id"], dict[str, object]()

    def spoilt(call: Call) -> Reply | None:
        reply = way(call)
        assert reply is not None
        return Reply(200, json.dumps({**json.loads(reply.body), **wrong}).encode())

    with answering(spoilt) as url:
        world.settle(url)
        assert world.there("show", asked).code == ExitCode.OK
        for name, members in WRONG.items():
            wrong.clear()
            wrong.update(members)
            said = world.there("show", asked)
            assert (said.code, said.out) == (ExitCode.MISCONFIGURED, ""), name
            assert "tell its operator" in said.err or "cannot read" in said.err


def test_what_a_later_version_tells_besides_changes_nothing(world: RemoteWorld, way: Way) -> None:
    name = world.asked_there()["id"]

    def more(call: Call) -> Reply | None:
        reply = way(call)
        assert reply is not None
        table = json.loads(reply.body)
        table["mood"] = table["entitlement"]["mood"] = {"of": "the moment"}
        return Reply(200, json.dumps(table).encode())

    plain = world.there("show", name, "--json")
    with answering(more) as url:
        world.settle(url)
        assert world.there("show", name, "--json") == plain


def test_credentials_of_another_request_are_not_handed_on(world: RemoteWorld, way: Way) -> None:
    name = world.asked_there()["id"]

    def others(call: Call) -> Reply | None:
        reply = way(call)
        if reply is None or not call.path.endswith("/credentials"):
            return reply
        return Reply(200, json.dumps({**json.loads(reply.body), "request": OTHER}).encode())

    with answering(others) as url:
        world.settle(url)
        said = world.there("credentials", name, "--json")
    assert (said.code, said.out) == (ExitCode.MISCONFIGURED, "")
    assert SECRET not in said.err


def test_one_thing_is_not_shown_and_another_signed(world: RemoteWorld, way: Way) -> None:
    name = world.asked_there("prod-bound")["id"]
    world.issuer.browser = "ben"

    def two_faced(call: Call) -> Reply | None:
        reply = way(call)
        assert reply is not None
        table = json.loads(reply.body)
        table["ask"]["entitlement"]["id"] = "prod-role"
        return Reply(200, json.dumps(table).encode())

    with answering(two_faced) as url:
        world.settle(url)
        said = world.there("approve", name, by="ben")
    assert said.code == ExitCode.MISCONFIGURED
    assert "two ways that do not agree" in said.err
    assert world.browser.pages == []


def test_what_cannot_be_shown_whole_is_not_signed(world: RemoteWorld, way: Way) -> None:
    name = world.asked_there("prod-bound")["id"]

    def more(call: Call) -> Reply | None:
        reply = way(call)
        assert reply is not None
        table = json.loads(reply.body)
        table["ask"]["and_for_good"] = True
        return Reply(200, json.dumps(table).encode())

    with answering(more) as url:
        world.settle(url)
        said = world.there("approve", name, by="ben")
    assert said.code == ExitCode.MISCONFIGURED
    assert "cannot show whole" in said.err
    assert world.browser.pages == []


def test_a_trail_that_was_edited_does_not_hold(world: RemoteWorld, way: Way) -> None:
    name = world.asked_there()["id"]

    def edited(call: Call) -> Reply | None:
        reply = way(call)
        assert reply is not None
        return Reply(200, reply.body.replace(b"testing", b"tasting"))

    with answering(edited) as url:
        world.settle(url)
        said = world.there("audit", "show", name)
    assert said.code == ExitCode.TAMPERED
    assert "was changed after it was sealed" in said.err
