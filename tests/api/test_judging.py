"""The judge believes nothing of whoever invokes it: they may have been taken over."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitcloud.api import problems
from jitcloud.api.application import application
from jitcloud.api.commands import COMMANDS
from jitcloud.api.judging import EVERYTHING, ISSUE, JUDGE
from jitcloud.api.message import (
    LONGEST_TOKEN,
    Answer,
    Message,
    answer_of,
    message_of,
)
from jitcloud.directories.unreadable import Unreadable
from jitcloud.errors import (
    CloudError,
    CloudRefused,
    Conflict,
    Invalid,
    JitError,
    Misconfigured,
    NotFound,
    OutcomeUnknown,
    Refused,
    Tampered,
    Throttled,
    Unauthenticated,
    Unavailable,
)
from jitcloud.model import Caller, Presented, State
from jitcloud.observing import call, logs
from jitcloud.providers.memory import Fault
from tests.api.api_world import ApiWorld, wish
from tests.api.test_hostile import JSON

ANA = Presented(kind="oidc", text="token-of-ana")


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> ApiWorld:
    """One for all that only look, and are sent away."""
    return ApiWorld(tmp_path_factory.mktemp("judging"))


def told(
    api: ApiWorld, command: str, presented: Presented | None = ANA, **arguments: Any
) -> Answer:
    message = Message(command=command, arguments=arguments, presented=presented, trace="t-1")
    return api.judging.handle(message)


# ── Messages ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("presented", [ANA, Presented(kind="aws", text="x" * LONGEST_TOKEN), None])
@pytest.mark.parametrize("key", [None, "k", "~" * 255])
def test_a_message_comes_over_as_it_was(presented: Presented | None, key: str | None) -> None:
    message = Message(
        command="give-back",
        arguments={"request": "x", "n": 1, "list": ["ä"]},
        presented=presented,
        key=key,
        trace="JKJaXmPLvHcESHA=",
    )
    assert message_of(json.loads(json.dumps(message.as_dict()))) == message


def test_an_answer_comes_over_as_it_was() -> None:
    answer = Answer(status=201, body={"a": [1, None, "ä"]}, headers={"Location": "/v1"})
    assert answer_of(json.loads(json.dumps(answer.as_dict()))) == answer


GOOD = {
    "command": "me",
    "arguments": {},
    "presented": {"kind": "oidc", "text": "token-of-ana"},
    "key": None,
    "trace": "t",
}


@pytest.mark.parametrize(
    "change",
    [
        {"command": 1},
        {"command": ""},
        {"command": "ME"},
        {"command": "x" * 41},
        {"command": "__class__"},
        {"arguments": None},
        {"arguments": []},
        {"arguments": {str(n): n for n in range(21)}},
        {"presented": "token-of-ana"},
        {"presented": {"kind": "root", "text": "x"}},
        {"presented": {"kind": "oidc", "text": ""}},
        {"presented": {"kind": "oidc", "text": "x" * (LONGEST_TOKEN + 1)}},
        {"presented": {"kind": "oidc", "text": "x", "person": "ben"}},
        {"presented": {"kind": "oidc"}},
        {"key": 1},
        {"key": ""},
        {"key": "a b"},
        {"key": "x" * 256},
        {"trace": None},
        {"trace": "x" * 129},
        {"trace": "a\nb"},
        {"person": "ben"},
        {"now": "2026-12-01T09:00:00Z"},
    ],
)
def test_a_message_that_is_none_is_refused_and_not_quoted(
    quiet: ApiWorld, change: dict[str, object]
) -> None:
    assert quiet.judging.answer(GOOD)["status"] == 200
    answered = quiet.judging.answer({**GOOD, **change})
    assert answered["status"] == 400
    assert "token-of-ana" not in json.dumps(answered)
    assert quiet.judging.answer({key: GOOD[key] for key in list(GOOD)[1:]})["status"] == 400


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON)
def test_whatever_is_sent_as_a_message_is_answered(quiet: ApiWorld, anything: object) -> None:
    assert answer_of(quiet.judging.answer(anything)).status == 400


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(EVERYTHING)),
    st.dictionaries(
        st.sampled_from(
            ["request", "entitlements", "duration", "reason", "limit", "after", "state", "all", "x"]
        ),
        JSON,
        max_size=5,
    ),
)
def test_whatever_the_arguments_are_they_are_answered(
    quiet: ApiWorld, command: str, arguments: dict[str, Any]
) -> None:
    answered = told(quiet, command, **arguments)
    assert answered.status < 500
    json.dumps(answered.as_dict())


@pytest.mark.parametrize(
    "table",
    [
        None,
        {},
        {"status": 99, "body": {}, "headers": {}},
        {"status": True, "body": {}, "headers": {"a": 1}},
        {"status": 200, "body": [], "headers": {}},
        {"status": 200, "body": {}, "headers": {}, "more": 1},
        {"errorMessage": "Task timed out after 29.00 seconds"},
    ],
)
def test_what_is_no_answer_of_the_judge_is_unavailable(table: object) -> None:
    with pytest.raises(Unavailable, match="try again"):
        answer_of(table)


# ── Arguments that the front would have refused ──────────────────────────────────────────────


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("ask", wish(person="ben")),
        ("ask", wish(id_="01JD8Z6N3V5E6X7Y8Z9ABCDEFG")),
        ("ask", wish(duration="forever")),
        ("ask", {**wish(), "entitlements": ["x"] * 500}),
        ("ask", wish(justification="x" * 100_000)),
        ("show", {"request": "../x"}),
        ("show", {"request": "x" * 100_000}),
        ("show", {}),
        ("list", {"limit": 100_000}),
        ("list", {"limit": "10; DROP TABLE requests"}),
        ("list", {"limit": True}),
        ("list", {"person": "ben"}),
        ("trail", {"request": "01JD8Z6N3V5E6X7Y8Z9ABCDEFG", "after": "x" * 100_000}),
        ("stop", {"reach": "all", "reason": "x"}),
        ("me", {"person": "ben"}),
    ],
)
def test_forged_arguments_are_refused(
    quiet: ApiWorld, command: str, arguments: dict[str, Any]
) -> None:
    answered = told(quiet, command, **arguments)
    assert (answered.status, answered.body["error"]) == (422, "Invalid")
    assert len(json.dumps(answered.body)) < 8000
    assert quiet.world.store.ids(10) == ()


def test_without_a_proof_nothing_is_done(api: ApiWorld) -> None:
    for command in sorted(EVERYTHING):
        assert told(api, command, None).status == 401
    assert api.table.asked == 0


def test_a_command_that_is_none_is_not_looked_up_as_anything_else(api: ApiWorld) -> None:
    for command in ("", "sweep", "adopt", "restored", "as-dict", "x"):
        assert told(api, command).status == 400


def test_the_judge_and_the_issuer_share_no_command() -> None:
    assert frozenset({"credentials"}) == ISSUE
    assert not JUDGE & ISSUE
    assert set(COMMANDS) == JUDGE | ISSUE == EVERYTHING


def test_what_reads_takes_no_key_and_neither_do_credentials() -> None:
    keyed = {name for name, command in COMMANDS.items() if command.takes_key}
    assert keyed == {
        *("ask", "extend", "withdraw", "give-back", "revoke"),
        *("approve", "deny", "review", "attest", "stop", "resume", "end"),
    }


# ── Errors ───────────────────────────────────────────────────────────────────────────────────

STATUSES = {
    Invalid: 400,
    NotFound: 404,
    Unauthenticated: 401,
    Refused: 403,
    Conflict: 409,
    Misconfigured: 500,
    Unavailable: 503,
    Tampered: 500,
    CloudError: 502,
    CloudRefused: 502,
    Throttled: 503,
    OutcomeUnknown: 504,
    JitError: 500,
}


class Fails:
    """Knows nobody, and says why."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def identify(self, presented: Presented, now: datetime) -> Caller:
        del presented, now
        raise self.error


def kinds(kind: type[JitError] = JitError) -> set[type[JitError]]:
    """Every error of ours."""
    return {kind}.union(*map(kinds, kind.__subclasses__())) if kind.__subclasses__() else {kind}


def test_every_error_has_its_status() -> None:
    ours = {kind for kind in kinds() if kind.__module__ == "jitcloud.errors"}
    assert ours == set(STATUSES)


@pytest.mark.parametrize(("kind", "status"), STATUSES.items())
def test_each_error_is_a_problem(quiet: ApiWorld, kind: type[JitError], status: int) -> None:
    words = "policy/secret.cedar:3: mend this."

    judging = replace(quiet.judging, identities=Fails(kind(words)))
    quiet.resolver = application(judging.handle)
    reply = quiet.get("/v1/me")
    assert reply.status == status
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json
    assert set(problem) == {"type", "title", "status", "detail", "error", "trace"}
    assert (problem["type"], problem["status"]) == ("about:blank", status)
    assert problem["trace"] == reply.headers["x-request-id"] == "JKJaXmPLvHcESHA="
    assert ("retry-after" in reply.headers) == (status == 503)
    assert ("www-authenticate" in reply.headers) == (status == 401)
    # What is for operators is not for callers.
    is_for_operators = status == 500
    assert (words in problem["detail"]) != is_for_operators
    assert problem["error"] == ("Defect" if kind is JitError else kind.__name__)


def test_a_defect_is_answered_without_its_words_and_logged_by_its_place(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise KeyError("s3cr3t")

    written = io.StringIO()
    monkeypatch.setattr(api.world.store, "request", breaks)
    with logs.written(written):
        reply = api.get("/v1/requests/01JD8Z6N3V5E6X7Y8Z9ABCDEFG")
    assert (reply.status, reply.json["error"]) == (500, "Defect")
    assert "s3cr3t" not in reply.text + written.getvalue()
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    (defect,) = [line for line in lines if line["event"] == "defect"]
    assert (defect["trace"], defect["error"]["kind"]) == (reply.json["trace"], "KeyError")


def test_what_an_operator_has_to_mend_stands_in_the_log(api: ApiWorld) -> None:
    wrong = Misconfigured("jitcloud.toml: sign_in: there is no issuer.")
    api.judging = replace(api.judging, identities=Fails(wrong))
    written = io.StringIO()
    with logs.written(written):
        reply = api.get("/v1/me")
    assert "no issuer" not in reply.text
    assert "there is no issuer" in written.getvalue()
    assert reply.json["trace"] in written.getvalue()


def test_a_judge_that_cannot_be_asked_is_a_problem(api: ApiWorld) -> None:
    def nobody(_: Message) -> Answer:
        raise Unavailable("The judge cannot be reached just now; try again soon.")

    def breaks(_: Message) -> Answer:
        raise RuntimeError("s3cr3t")

    for asked, status, error in ((nobody, 503, "Unavailable"), (breaks, 500, "Defect")):
        api.resolver = application(asked)
        reply = api.get("/v1/me")
        assert (reply.status, reply.json["error"]) == (status, error)
        assert "s3cr3t" not in reply.text


def test_a_cloud_that_refuses_is_a_problem_of_the_cloud(api: ApiWorld) -> None:
    name = api.granted()
    for error, status in (
        (CloudRefused("AWS refuses: AccessDenied."), 502),
        (Throttled("AWS is busy."), 503),
        (OutcomeUnknown("No answer came in time."), 504),
    ):
        api.sessions.faults.append(error)
        reply = api.post(f"/v1/requests/{name}/credentials")
        assert (reply.status, reply.json["error"]) == (status, type(error).__name__)


def test_many_mistakes_are_told_in_part(api: ApiWorld) -> None:
    reply = api.post("/v1/requests", {f"key-{n}": "x" * 500 for n in range(50)})
    assert reply.status == 422
    assert len(reply.json["errors"]) == problems.MOST_WRONG
    assert len(reply.text) < 8000


# ── What stands in no log ────────────────────────────────────────────────────────────────────


def test_no_log_has_a_token_a_justification_or_credentials(api: ApiWorld) -> None:
    written = io.StringIO()
    with logs.written(written):
        name = api.ask("prod-write", justification="because of the acquisition")
        api.post(f"/v1/requests/{name}/approve", {"reason": "a quiet word"}, "ben")
        made = api.post(f"/v1/requests/{name}/credentials").json
        api.post(f"/v1/requests/{name}/approve", {"reason": "a quiet word"}, "dora")
        api.post("/v1/requests", wish(duration="because of the acquisition"))
    text = written.getvalue()
    assert "judged" in text
    for secret in (
        "acquisition",
        "quiet word",
        "token-of-",
        made["secret_access_key"],
        made["session_token"],
        made["access_key_id"],
    ):
        assert secret not in text


def test_nothing_that_is_sent_shows_in_a_repr() -> None:
    message = Message(command="ask", arguments={"justification": "s3cr3t"}, presented=ANA)
    answer = Answer(status=200, body={"secret_access_key": "s3cr3t"})
    assert "s3cr3t" not in repr(message) + repr(answer)
    assert "token-of-ana" not in repr(message)


def test_one_name_finds_a_call_in_the_log_of_the_judge_too(api: ApiWorld) -> None:
    written = io.StringIO()
    with logs.written(written), call.answering("of-the-judge"):
        api.judging.answer(GOOD)
    (line,) = map(json.loads, written.getvalue().splitlines())
    assert (line["trace"], line["person"], line["command"]) == ("t", "ana", "me")


# ── A judge in a fleet tells no cloud anything ───────────────────────────────────────────────


def test_where_others_drive_clouds_nothing_is_active_when_it_is_answered(api: ApiWorld) -> None:
    fleet = api.clone(advances=False)
    api.world.cloud.faults.append(Fault.REFUSED)  # whoever asked it would hear of it
    name = fleet.ask("prod-role")
    states = [
        fleet.post(f"/v1/requests/{name}/approve", {}, by).json["state"] for by in ("ben", "caro")
    ]
    assert states == ["pending", "scheduled"]
    body = {"reach": "everything", "reason": "x"}
    assert fleet.post("/v1/brakes/end", body, "ben").json["requests"] == 1
    assert len(api.world.cloud.faults) == 1


@pytest.mark.parametrize("verb", ["give-back", "revoke"])
def test_a_deployment_that_is_broken_still_ends(api: ApiWorld, verb: str) -> None:
    """Nobody can say who is in which group; whoever has proven who they are still ends access."""
    name = api.ask("dev-read")
    broken(api)
    by = "ana" if verb == "give-back" else "caro"
    reply = api.post(f"/v1/requests/{name}/{verb}", {"reason": "a leak"}, by)
    assert (reply.status, reply.json["state"]) == (200, "ended")
    assert api.post("/v1/requests", wish()).status == 500


def test_everything_is_ended_though_nothing_can_be_read(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = api.ask("dev-read")
    broken(api)

    def tampered() -> None:
        raise Tampered("The deployment's own trail does not hold.")

    monkeypatch.setattr(api.world.store, "controls", tampered)
    body = {"reach": "everything", "reason": "a breach"}
    ended = api.post("/v1/brakes/end", body, "caro", key="k")
    assert (ended.status, ended.json["requests"], ended.json["stops"]) == (200, 1, [])
    assert api.now(name).state is State.ENDING


def broken(api: ApiWorld) -> None:
    """Let the directory be broken from now on, as far as the judge has one."""
    directory = Unreadable("people.toml: this is not TOML.")
    broker = replace(api.world.broker, judge=replace(api.world.broker.judge, directory=directory))
    api.judging = replace(api.judging, deployment=replace(api.deployment, broker=broker))
