"""Each command is done once, however often it is sent, and whoever dies at it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitcloud.api import once
from jitcloud.api.judging import Judging
from jitcloud.api.message import Answer
from jitcloud.api.once import KEEP, LEASE
from jitcloud.errors import Unavailable
from jitcloud.model import Digest, State
from jitcloud.ports import Answered, Begun
from jitcloud.stores.memory_answers import MemoryAnswers
from jitcloud.stores.sqlite_answers import SqliteAnswers
from tests.api.api_world import ApiWorld, Reply, wish
from tests.cli_world import CATALOG


class Dies:
    """Keeps answers until it dies: then neither an answer nor its release is kept."""

    def __init__(self) -> None:
        self.kept = MemoryAnswers()
        self.is_dying = False

    def begin(
        self, name: Digest, said: Digest, now: datetime, *, lease: timedelta, keep: timedelta
    ) -> Begun | Answered:
        return self.kept.begin(name, said, now, lease=lease, keep=keep)

    def finish(self, begun: Begun, answer: str) -> None:
        if self.is_dying:
            raise Unavailable("The process is killed here.")
        self.kept.finish(begun, answer)

    def release(self, begun: Begun, now: datetime) -> None:
        if not self.is_dying:
            self.kept.release(begun, now)

    def close(self) -> None:
        self.kept.close()


@pytest.fixture
def dying(tmp_path: Path) -> ApiWorld:
    """A judge that dies between each command's commit and the note of its answer."""
    answers = Dies()
    answers.is_dying = True
    return ApiWorld(tmp_path, answers=answers)


def test_the_same_key_asks_once_and_is_answered_as_that_stands_by_now(api: ApiWorld) -> None:
    first = api.post("/v1/requests", wish(), key="k-1")
    name = first.json["requests"][0]["id"]
    assert api.post("/v1/requests", wish(), key="k-1").text == first.text
    api.post(f"/v1/requests/{name}/give-back")
    again = api.post("/v1/requests", wish(), key="k-1")
    assert (again.status, again.json["requests"][0]["id"]) == (201, name)
    assert again.json["requests"][0]["state"] == "ended"
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len(api.world.store.ids(10)) == 1


def test_what_was_asked_for_is_told_again_though_nobody_could_ask_for_it_now(
    api: ApiWorld,
) -> None:
    both = wish("dev-read", "prod-write")
    first = api.post("/v1/requests", both, key="k")
    api.world.catalog_text = CATALOG.replace('"dev-read"', '"dev-look"')
    api.put_together()
    assert api.post("/v1/requests", both, key="another").status == 404
    again = api.post("/v1/requests", both, key="k")
    assert [each["id"] for each in again.json["requests"]] == [
        each["id"] for each in first.json["requests"]
    ]
    assert len(api.world.store.ids(10)) == 2


def test_another_command_is_answered_again_word_for_word(api: ApiWorld) -> None:
    name = api.ask("prod-write")
    path = f"/v1/requests/{name}/approve"
    first = api.post(path, {}, "ben", key="k")
    api.post(f"/v1/requests/{name}/withdraw")
    again = api.post(path, {}, "ben", key="k")
    assert (again.status, again.text) == (first.status, first.text)
    assert again.headers["idempotency-replayed"] == "true"


def test_another_key_or_none_asks_again(api: ApiWorld) -> None:
    for key in ("k-1", "k-2", None, None):
        assert api.post("/v1/requests", wish(), key=key).status == 201
    assert len(api.world.store.ids(10)) == 4


def test_a_key_may_be_quoted_as_the_draft_has_it(api: ApiWorld) -> None:
    first = api.post("/v1/requests", wish(), key='"8e03978e"')
    assert api.post("/v1/requests", wish(), key="8e03978e").text == first.text


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "ä", '"', '""', 'a"b', "a\\b", "a\tb"])
def test_a_key_that_is_none_is_refused(api: ApiWorld, key: str) -> None:
    reply = api.post("/v1/requests", wish(), key=key)
    assert (reply.status, reply.json["error"]) == (400, "Invalid")
    assert api.world.store.ids(10) == ()


def test_another_body_under_the_same_key_is_refused(api: ApiWorld) -> None:
    api.post("/v1/requests", wish(), key="k")
    other = api.post("/v1/requests", wish(justification="another"), key="k")
    assert (other.status, other.json["error"]) == (422, "Invalid")
    assert "Idempotency-Key" in other.json["detail"]
    one, two = api.ask("prod-write"), api.ask("prod-write")
    assert api.post(f"/v1/requests/{one}/approve", {}, "ben", key="v").status == 200
    assert api.post(f"/v1/requests/{two}/approve", {}, "ben", key="v").status == 422
    assert api.now(two).state is State.PENDING


def test_the_same_body_written_otherwise_is_the_same(api: ApiWorld) -> None:
    first = api.post("/v1/requests", wish(), key="k")
    body = (
        '{"justification":"testing", "break_glass": false,\n'
        '"duration":"30m","entitlements":["dev-read"]}'
    )
    assert api.post("/v1/requests", body, key="k").text == first.text


def test_keys_of_different_people_and_routes_do_not_mix(api: ApiWorld) -> None:
    names = {api.post("/v1/requests", wish(), by, key="k").text for by in ("ana", "ben")}
    assert len(names) == 2
    name = api.ask("dev-read")
    assert api.post(f"/v1/requests/{name}/give-back", {}, key="k").json["id"] == name


def test_after_a_day_a_key_is_forgotten(api: ApiWorld) -> None:
    api.post("/v1/requests", wish(), key="k")
    api.world.time.forward(seconds=KEEP.total_seconds() - 1)
    api.post("/v1/requests", wish(), key="k")
    assert len(api.world.store.ids(10)) == 1
    api.world.time.forward(seconds=1)
    assert api.post("/v1/requests", wish(), key="k").status == 201
    assert len(api.world.store.ids(10)) == 2


def test_what_is_refused_is_refused_again_and_what_may_be_tried_again_is(api: ApiWorld) -> None:
    name = api.ask("prod-write")
    path = f"/v1/requests/{name}/approve"
    refused = [api.post(path, {}, key="k") for _ in range(2)]
    assert [reply.status for reply in refused] == [403, 403]
    assert refused[1].headers["idempotency-replayed"] == "true"


def test_a_failure_is_not_kept(api: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = api.world.store.commit

    def fail(_: object) -> None:
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(api.world.store, "commit", fail)
    failed = api.post("/v1/requests", wish(), key="k")
    assert (failed.status, failed.headers["retry-after"]) == (503, "5")
    monkeypatch.setattr(api.world.store, "commit", commit)
    assert api.post("/v1/requests", wish(), key="k").status == 201


def test_while_one_is_at_it_the_other_is_told_so(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, go = threading.Event(), threading.Event()
    commit = api.world.store.commit

    def slowly(change: object) -> None:
        inside.set()
        assert go.wait(10)
        commit(change)  # type: ignore[arg-type] # passed on as it is

    monkeypatch.setattr(api.world.store, "commit", slowly)
    replies: list[Reply] = []
    first = threading.Thread(
        target=lambda: replies.append(api.post("/v1/requests", wish(), key="k"))
    )
    first.start()
    assert inside.wait(10)
    second = api.post("/v1/requests", wish(), key="k")
    assert (second.status, second.json["error"]) == (409, "Conflict")
    assert second.headers["retry-after"] == "1"
    go.set()
    first.join()
    assert replies[0].status == 201
    assert len(api.world.store.ids(10)) == 1


# ── Killed between the commit and the note of its answer ─────────────────────────────────────


def revived(world: ApiWorld) -> None:
    """Let the next process live, once nobody can be at it any more."""
    assert isinstance(world.answers, Dies)
    world.answers.is_dying = False
    world.world.time.forward(seconds=LEASE.total_seconds())


def test_an_ask_is_not_made_twice(dying: ApiWorld) -> None:
    dying.post("/v1/requests", wish("dev-read", "prod-write"), key="k")
    (one, two) = dying.world.store.ids(10)
    for _ in range(2):
        again = dying.post("/v1/requests", wish("dev-read", "prod-write"), key="k")
        assert again.status == 201
        assert [each["id"] for each in again.json["requests"]] == [one, two]
        assert "idempotency-replayed" in again.headers
        assert dying.world.store.ids(10) == (one, two)
        revived(dying)


def test_an_ask_that_was_not_recorded_is_made_now(
    dying: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(dying.world.store, "commit", _killed)
        assert dying.post("/v1/requests", wish(), key="k").status == 500
    revived(dying)
    assert dying.post("/v1/requests", wish(), key="k").status == 201
    assert len(dying.world.store.ids(10)) == 1


def test_more_time_is_not_asked_for_twice(dying: ApiWorld) -> None:
    name = dying.ask("dev-read")
    body = {"duration": "30m", "justification": "not done yet"}
    dying.post(f"/v1/requests/{name}/extend", body, key="k")
    revived(dying)
    again = dying.post(f"/v1/requests/{name}/extend", body, key="k")
    assert (again.status, again.json["state"]) == (201, "extended")
    assert dying.now(name).prolonged_by == (again.json["id"],)


Prepare = Callable[[ApiWorld], str]


def waiting(api: ApiWorld) -> str:
    return api.ask("prod-write")


def active(api: ApiWorld) -> str:
    return api.ask("dev-read")


def broken(api: ApiWorld) -> str:
    return api.ask("prod-write", break_glass=True, incident="INC-9")


SAID: dict[str, tuple[Prepare, str, dict[str, object]]] = {
    "approve": (waiting, "ben", {"reason": "fine"}),
    "deny": (waiting, "ben", {"reason": "no"}),
    "withdraw": (waiting, "ana", {}),
    "give-back": (active, "ana", {}),
    "revoke": (active, "dora", {"reason": "a leak"}),
    "review": (broken, "ben", {"note": "fine", "fine": True}),
}


@pytest.mark.parametrize("verb", SAID)
def test_nothing_is_said_twice(dying: ApiWorld, verb: str) -> None:
    prepare, by, body = SAID[verb]
    name = prepare(dying)
    first = dying.post(f"/v1/requests/{name}/{verb}", body, by, key="k")
    before = dying.trail(name)
    revived(dying)
    again = dying.post(f"/v1/requests/{name}/{verb}", body, by, key="k")
    assert (again.status, again.json["id"]) == (first.status, name) == (200, name)
    assert dying.trail(name) == before


def test_a_withdrawal_by_another_is_not_said_twice(dying: ApiWorld) -> None:
    name = dying.ask("prod-write")
    path, body = f"/v1/requests/{name}/revoke", {"reason": "x"}
    first = dying.post(path, body, "ben", key="k")
    revived(dying)
    assert dying.post(path, body, "ben", key="k").json["state"] == first.json["state"]
    assert dying.trail(name).count("withdrawn") == 1


@pytest.mark.parametrize("verb", ["stop", "resume", "end"])
def test_no_brake_is_used_twice(dying: ApiWorld, verb: str) -> None:
    body = {"reach": "person", "id": "ana@example.com", "reason": "a drill"}
    if verb == "resume":
        dying.post("/v1/brakes/stop", body, "ben")
    first = dying.post(f"/v1/brakes/{verb}", body, "ben", key="k")
    before = dying.world.store.control_events()
    revived(dying)
    later = dying.ask("prod-write", by="ben")
    again = dying.post(f"/v1/brakes/{verb}", body, "ben", key="k")
    assert (first.status, again.status) == (200, 200)
    assert len(dying.world.store.control_events()) == len(before)
    assert dying.now(later).state is State.PENDING
    if verb == "end":
        assert again.json["requests"] is None


def test_another_brake_for_the_same_reason_is_still_used(
    dying: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(who: str, key: str) -> Reply:
        body = {"reach": "person", "id": who, "reason": "a drill"}
        return dying.post("/v1/brakes/stop", body, "ben", key=key)

    with monkeypatch.context() as killed:
        killed.setattr(dying.world.store, "commit", _killed)
        assert stop("caro", "k-1").status == 500
    stop("ana", "k-2")
    revived(dying)
    stopped = {each["id"] for each in stop("caro", "k-1").json["stops"]}
    assert stopped == {"ana", "caro"}


def test_what_another_has_said_meanwhile_is_not_taken_for_ones_own(
    dying: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = dying.ask("prod-role")
    path = f"/v1/requests/{name}/approve"
    with monkeypatch.context() as killed:
        killed.setattr(dying.world.store, "commit", _killed)
        assert dying.post(path, {}, "ben", key="k").status == 500
    dying.post(path, {}, "caro")
    revived(dying)
    assert dying.post(path, {}, "ben", key="k").status == 200
    assert {vote.by for vote in dying.now(name).votes} == {"ben", "caro"}


def test_what_one_has_said_long_before_is_said_anew(
    dying: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"reach": "everything", "reason": "a drill"}
    for verb in ("stop", "resume"):
        assert dying.post(f"/v1/brakes/{verb}", body, "ben").status == 200
    dying.world.time.forward(seconds=1)
    with monkeypatch.context() as killed:
        killed.setattr(dying.world.store, "commit", _killed)
        assert dying.post("/v1/brakes/stop", body, "ben", key="k").status == 500
    revived(dying)
    assert len(dying.post("/v1/brakes/stop", body, "ben", key="k").json["stops"]) == 1


def test_whoever_says_yes_in_person_is_told_they_did_already(api: ApiWorld) -> None:
    """Only an attempt that may have been made before looks for what it did."""
    name = api.ask("prod-role")
    path = f"/v1/requests/{name}/approve"
    assert api.post(path, {}, "ben", key="k-1").status == 200
    assert api.post(path, {}, "ben", key="k-2").status == 403
    assert len(api.now(name).votes) == 1


def _killed(_: object) -> None:
    raise RuntimeError("killed")


# ── What is kept ─────────────────────────────────────────────────────────────────────────────


def test_an_answer_that_is_too_large_is_made_anew(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(once, "LARGEST", 10)
    name = api.ask("prod-write")
    path = f"/v1/requests/{name}/approve"
    first = api.post(path, {}, "ben", key="k")
    before = api.trail(name)
    again = api.post(path, {}, "ben", key="k")
    assert (again.status, again.json["id"]) == (first.status, name) == (200, name)
    assert "idempotency-replayed" not in again.headers
    assert api.trail(name) == before


def test_no_token_and_no_credentials_are_kept(tmp_path: Path) -> None:
    api = ApiWorld(tmp_path, answers=SqliteAnswers(tmp_path / "answers.db"))
    name = api.granted()
    made = api.post(f"/v1/requests/{name}/credentials", key="a-key").json
    api.post(f"/v1/requests/{name}/give-back", {}, key="a-key")
    api.answers.close()
    written = b"".join(path.read_bytes() for path in tmp_path.glob("answers.db*"))
    assert b"answers" in written
    for secret in (made["secret_access_key"], made["session_token"], "token-of-ana", "a-key"):
        assert str(secret).encode() not in written


class Counts:
    """A judge that counts how often it does something, and does nothing else."""

    def __init__(self) -> None:
        self.done = 0
        self.says = 200

    def __call__(self, _: Begun) -> Answer:
        self.done += 1
        return Answer(status=self.says, body={"done": self.done})


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["200", "503", "kill"]),
            st.sampled_from(["x", "y"]),
            st.integers(0, 200),
        ),
        max_size=8,
    )
)
def test_whatever_comes_in_between_what_was_answered_stays(
    steps: list[tuple[str, str, int]],
) -> None:
    """A model of one key: once answered, always the same; another body never gets in."""
    answers, now = Dies(), [datetime.fromisoformat("2026-12-01T09:00:00+00:00")]
    keeps = once.Once(answers, lambda: now[0])
    do, said, kept = Counts(), None, None
    for kind, body, seconds in steps:
        now[0] += timedelta(seconds=seconds)
        answers.is_dying = kind == "kill"
        do.says = 503 if kind == "503" else 200
        before = do.done
        answer = keeps("ana", "ask", "k", {"body": body}, "", do)  # type: ignore[arg-type] # a name
        if said is not None and body != said:
            assert (answer.status, do.done) == (422, before)
            continue
        said = body
        if kept is not None:
            assert (answer.body, do.done) == (kept, before)
        elif do.done > before and kind == "200":
            kept = answer.body


def test_names_that_follow_from_keys_sort_by_time_and_do_not_collide() -> None:
    at = datetime.fromisoformat("2026-12-01T09:00:00+00:00")
    names = [
        once.request_id(
            Begun(
                name=Digest(f"{number:064x}"),
                said=Digest("0" * 64),
                since=at + timedelta(milliseconds=number),
                number=attempt,
            )
        )
        for number in range(200)
        for attempt in (1, 2)
    ]
    assert names == sorted(names)
    assert len(set(names)) == 200


def test_a_judge_without_answers_takes_no_keys(api: ApiWorld) -> None:
    api.judging = Judging(
        deployment=api.deployment,
        identities=api.table,
        answers=None,
        clock=api.world.time,
        commands=api.commands,
    )
    assert api.post("/v1/requests", wish(), key="k").status == 400
    assert api.post("/v1/requests", wish()).status == 201
