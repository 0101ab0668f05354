"""What people do over HTTP, and what they are answered."""

from __future__ import annotations

import pytest

from jitcloud.model import State
from tests.api.api_world import ApiWorld, event, wish

NAME = "01JD8Z6N3V5E6X7Y8Z9ABCDEFG"


def test_what_policy_allows_is_asked_for_and_had(api: ApiWorld) -> None:
    reply = api.post("/v1/requests", wish("dev-read", ticket="INC-7"))
    assert reply.status == 201
    (request,) = reply.json["requests"]
    assert reply.headers["location"] == f"/v1/requests/{request['id']}"
    assert (request["state"], request["person"], request["ticket"]) == ("active", "ana", "INC-7")
    assert (request["duration"], request["justification"]) == (1800, "testing")
    assert api.trail(request["id"])[0] == "asked"


def test_a_refusal_by_policy_is_recorded_and_answered_as_a_request(api: ApiWorld) -> None:
    reply = api.post("/v1/requests", wish("prod-write", duration="9h"))
    assert reply.status == 201
    (request,) = reply.json["requests"]
    assert (request["state"], request["decision"]["kind"]) == ("denied", "denied")
    assert request["reason"]
    assert api.now(request["id"]).state is State.DENIED


def test_several_are_asked_for_at_once(api: ApiWorld) -> None:
    reply = api.post("/v1/requests", wish("dev-read", "prod-write"))
    one, two = reply.json["requests"]
    assert (one["state"], two["state"]) == ("active", "pending")
    assert one["together"] == two["together"] == [one["id"], two["id"]]


def test_a_start_is_read_with_its_zone(api: ApiWorld) -> None:
    reply = api.post("/v1/requests", wish(start="2026-12-01T13:00:00[Europe/Berlin]"))
    assert reply.json["requests"][0]["start"] == "2026-12-01T12:00:00Z"
    assert api.post("/v1/requests", wish(start="2026-12-01T13:00:00")).status == 400
    assert api.post("/v1/requests", wish(start="tomorrow")).status == 422


def test_a_colleague_says_yes_and_nobody_does_so_to_their_own(api: ApiWorld) -> None:
    name = api.ask("prod-write")
    own = api.post(f"/v1/requests/{name}/approve", {})
    assert (own.status, own.json["error"]) == (403, "Refused")
    waiting = api.get("/v1/approvals", "ben").json
    assert ([each["id"] for each in waiting["requests"]], waiting["more"]) == ([name], False)
    done = api.post(f"/v1/requests/{name}/approve", {"reason": "fine"}, "ben")
    assert (done.status, done.json["state"]) == (200, "active")
    assert done.json["votes"][0] == {
        "by": "ben",
        "stage": 0,
        "at": "2026-12-01T09:00:00Z",
        "reason": "fine",
    }
    assert api.get("/v1/approvals", "ben").json == {"requests": [], "more": False}


def test_a_vote_needs_no_body(api: ApiWorld) -> None:
    name = api.ask("prod-write")
    assert api.post(f"/v1/requests/{name}/approve", None, "ben").json["state"] == "active"


def test_one_no_is_enough(api: ApiWorld) -> None:
    name = api.ask("prod-write")
    assert api.post(f"/v1/requests/{name}/deny", {}, "ben").status == 422
    done = api.post(f"/v1/requests/{name}/deny", {"reason": "not now"}, "ben")
    assert (done.json["state"], done.json["reason"]) == ("denied", "not now")


def test_what_is_no_longer_needed_is_given_back_and_what_never_was_is_withdrawn(
    api: ApiWorld,
) -> None:
    held, waits = api.ask("dev-read"), api.ask("prod-write")
    assert api.post(f"/v1/requests/{waits}/give-back").status == 403
    assert api.post(f"/v1/requests/{held}/withdraw").status == 403
    assert api.post(f"/v1/requests/{held}/give-back").json["cause"] == "given-back"
    assert api.post(f"/v1/requests/{waits}/withdraw", {"reason": "x"}).json["state"] == "withdrawn"


def test_more_time_is_a_request_of_its_own(api: ApiWorld) -> None:
    name = api.ask("dev-read")
    body = {"duration": "30m", "justification": "not done yet"}
    reply = api.post(f"/v1/requests/{name}/extend", body)
    assert reply.status == 201
    assert (reply.json["extends"], reply.json["state"]) == (name, "extended")
    assert reply.headers["location"] == f"/v1/requests/{reply.json['id']}"
    assert api.get(f"/v1/requests/{name}").json["extended_by"] == [reply.json["id"]]


def test_a_broken_glass_is_reviewed(api: ApiWorld) -> None:
    name = api.ask("prod-write", break_glass=True, incident="INC-9")
    waiting = api.get("/v1/reviews", "ben").json
    assert [each["id"] for each in waiting["requests"]] == [name]
    assert api.get("/v1/reviews").json["requests"] == []
    done = api.post(f"/v1/requests/{name}/review", {"note": "as it should be"}, "ben")
    assert (done.status, done.json["review_by"]) == (200, None)
    assert done.json["reviews"][0]["reason"] == "as it should be"


def test_credentials_are_for_the_holder_alone_and_kept_nowhere(api: ApiWorld) -> None:
    name = api.granted()
    other = api.post(f"/v1/requests/{name}/credentials", None, "ben")
    assert (other.status, other.json["error"]) == (404, "NotFound")
    first = api.post(f"/v1/requests/{name}/credentials", key="k")
    again = api.post(f"/v1/requests/{name}/credentials", key="k")
    assert (first.status, first.headers["cache-control"]) == (200, "no-store")
    assert first.json["request"] == name
    assert first.json["access_key_id"] != again.json["access_key_id"]
    assert "idempotency-replayed" not in again.headers
    assert "AKIA" not in repr(api.answers.__dict__)


def test_a_request_is_shown_with_its_trail(api: ApiWorld) -> None:
    name = api.granted()
    shown = api.get(f"/v1/requests/{name}").json
    assert (shown["id"], shown["troubles"], shown["ask"]) == (name, [], None)
    trail = api.get(f"/v1/requests/{name}/trail").json
    assert [event["what"]["type"] for event in trail["events"]] == api.trail(name)
    first = trail["events"][0]
    assert first["actor"] == {
        "id": "ana",
        "token": {"kind": "oidc", "id": "oidc-of-ana", "sha256": None},
    }
    assert [event["seq"] for event in trail["events"]] == list(range(1, len(trail["events"]) + 1))
    signed = [event for event in trail["events"] if event["signature"]]
    assert {event["what"]["type"] for event in signed} == {"decided", "voted", "approved"}


def test_a_trail_is_read_page_by_page(api: ApiWorld) -> None:
    name = api.granted()
    pages: list[list[int]] = []
    after: dict[str, str] = {}
    while True:
        page = api.get(f"/v1/requests/{name}/trail", limit=2, **after).json
        pages.append([event["seq"] for event in page["events"]])
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    numbers = [number for page in pages for number in page]
    assert numbers == list(range(1, len(api.trail(name)) + 1))
    assert len(pages) == -(-len(numbers) // 2)


def test_own_requests_are_listed_page_by_page_and_by_state(api: ApiWorld) -> None:
    names = [api.ask() for _ in range(5)]
    api.ask(by="ben")
    api.post(f"/v1/requests/{names[0]}/give-back")
    found: list[str] = []
    after: dict[str, str] = {}
    for _ in range(10):
        page = api.get("/v1/requests", limit=2, **after).json
        assert len(page["requests"]) <= 2
        found += [each["id"] for each in page["requests"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert found == sorted(names, reverse=True)
    ended = api.get("/v1/requests", state="ended", limit=1).json
    assert [each["id"] for each in ended["requests"]] == [names[0]]
    assert api.get("/v1/requests", state="lapsed").json == {"requests": [], "next": None}


@pytest.mark.parametrize("after", ["AAAA", "eA", "x" * 200, "MDFKRDhaNk4zVjVFNlg3WThaOUFCQ0RFRkc_"])
def test_a_cursor_that_no_page_gave_is_refused(api: ApiWorld, after: str) -> None:
    for path in ("/v1/requests", f"/v1/requests/{api.ask()}/trail", "/v1/entitlements"):
        reply = api.get(path, after=after)
        assert (reply.status, reply.json["error"]) in {(400, "Invalid"), (422, "Invalid")}


def test_who_speaks_is_told_who_that_is(api: ApiWorld) -> None:
    assert api.get("/v1/me").json == {
        "id": "ana",
        "name": "Ana",
        "emails": ["ana@example.com"],
        "groups": ["developers"],
        "rotations": [],
        "token": "oidc",
        "signed_in_at": "2026-12-01T08:57:00Z",
    }


@pytest.mark.parametrize("path", ["/v1/me", "/v1/entitlements", "/v1/brakes", "/v1/approvals"])
def test_whoever_is_disabled_or_unknown_gets_nothing(api: ApiWorld, path: str) -> None:
    disabled, unknown = api.get(path, "emil"), api.get(path, "nobody")
    assert (disabled.status, disabled.json["error"]) == (403, "Refused")
    assert (unknown.status, unknown.json["error"]) == (404, "NotFound")


# ── What can be asked for ────────────────────────────────────────────────────────────────────


def test_what_could_be_had_is_listed_with_how_long(api: ApiWorld) -> None:
    listed = api.get("/v1/entitlements").json
    told = {
        each["id"]: {(offer["duration"], offer["kind"]) for offer in each["offers"]}
        for each in listed["entitlements"]
    }
    hours = [900, 1800, 3600, 7200, 14400, 21600]
    assert told["prod-write"] == {(s, "needs-approval") for s in hours if s <= 14400}
    assert (28800, "activate") in told["dev-read"]
    assert (43200, "activate") not in told["dev-read"]
    assert listed["next"] is None
    assert api.get("/v1/entitlements", "dora").json["entitlements"] == []
    everything = api.get("/v1/entitlements", "dora", all="true").json["entitlements"]
    assert [each["offers"] for each in everything] == [[], [], []]


def test_a_stop_is_seen_in_what_could_be_had(api: ApiWorld) -> None:
    assert api.post("/v1/brakes/stop", {"reach": "everything", "reason": "x"}, "ben").status == 200
    assert api.get("/v1/entitlements").json["entitlements"] == []


def test_what_can_be_asked_for_is_listed_page_by_page(api: ApiWorld) -> None:
    first = api.get("/v1/entitlements", limit=2).json
    rest = api.get("/v1/entitlements", limit=2, after=first["next"]).json
    found = [each["id"] for page in (first, rest) for each in page["entitlements"]]
    assert found == ["dev-read", "prod-write", "prod-role"]
    assert rest["next"] is None


def test_what_would_be_said_to_an_ask_is_told_and_not_recorded(api: ApiWorld) -> None:
    told = api.get("/v1/entitlements/prod-write", duration="1h").json
    assert told["decision"]["kind"] == "needs-approval"
    assert [person["id"] for person in told["asked"][0]["people"]] == ["ben", "caro"]
    denied = api.get("/v1/entitlements/prod-write", duration="9h").json
    assert (denied["decision"]["kind"], bool(denied["hints"])) == ("denied", True)
    assert api.get("/v1/entitlements/no-such").status == 404
    assert api.world.store.ids(10) == ()


def test_a_decision_is_explained(api: ApiWorld) -> None:
    name = api.ask("prod-write")
    told = api.get(f"/v1/requests/{name}/explanation").json
    assert (told["id"], told["decision"]["kind"]) == (name, "needs-approval")
    assert [person["id"] for person in told["asked"][0]["people"]] == ["ben", "caro"]


# ── Brakes ───────────────────────────────────────────────────────────────────────────────────


def test_brakes_are_put_on_seen_and_taken_off(api: ApiWorld) -> None:
    body = {"reach": "person", "id": "ana@example.com", "reason": "a drill"}
    assert api.post("/v1/brakes/stop", body).status == 403
    stopped = api.post("/v1/brakes/stop", body, "ben")
    assert stopped.status == 200
    assert stopped.json["stops"] == [
        {
            "reach": "person",
            "id": "ana",
            "by": "ben",
            "at": "2026-12-01T09:00:00Z",
            "reason": "a drill",
        }
    ]
    assert api.get("/v1/brakes").json == stopped.json
    assert api.post("/v1/requests", wish()).json["requests"][0]["state"] == "denied"
    assert api.post("/v1/brakes/resume", body, "ben").json["stops"] == []
    assert api.post("/v1/brakes/resume", body, "ben").status == 403


def test_everything_is_ended_at_once(api: ApiWorld) -> None:
    held, waits = api.ask("dev-read"), api.ask("prod-write")
    body = {"reach": "everything", "reason": "a breach"}
    ended = api.post("/v1/brakes/end", body, "ben")
    assert (ended.status, ended.json["requests"]) == (200, 2)
    assert [api.now(name).state for name in (held, waits)] == [State.ENDING, State.WITHDRAWN]


# ── What is not there, and what is no call ───────────────────────────────────────────────────


def test_a_wrong_method_is_told_the_right_ones(api: ApiWorld) -> None:
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        reply = api.call(method, "/v1/requests")
        assert (reply.status, reply.headers["allow"]) == (405, "GET, POST")
        assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/",
        "/v2/me",
        "/v1/me/",
        "/v1/requests/",
        "/aws/healthz",
        "/aws/aws/v1/me",
        "/v1/me\n",
        "/v1/requests/a/b/c",
        "/v1/" + "x" * 1000,
        "/../etc/passwd",
        "v1/me",
    ],
)
def test_where_nothing_is_nothing_is(api: ApiWorld, path: str) -> None:
    reply = api.get(path)
    assert (reply.status, reply.json["error"]) == (404, "NotFound")


def test_the_routes_of_aws_are_the_same(api: ApiWorld) -> None:
    told = {"authorization": "AWS4-HMAC-SHA256 Credential=x", "x-jitcloud-identity": "dG9r"}
    assert api.call("GET", "/aws/v1/me", by=None, headers=told).status == 401
    told["x-jitcloud-identity"] = "token-of-ana"
    by_identity = api.call("GET", "/aws/v1/me", by=None, headers=told).json
    by_token = api.get("/aws/v1/me").json
    assert [known["token"] for known in (by_identity, by_token)] == ["aws", "oidc"]


def test_behind_a_stage_the_paths_are_the_same(api: ApiWorld) -> None:
    made = event("GET", "/prod/v1/me", {"Authorization": "bearer token-of-ana"})
    made["requestContext"]["stage"] = "prod"
    assert api.send(made).json["id"] == "ana"


def test_each_part_has_its_routes_alone(api: ApiWorld) -> None:
    name = api.granted()
    calls = {
        "request": ("GET", "/v1/me"),
        "approve": ("GET", "/v1/approvals"),
        "issue": ("POST", f"/v1/requests/{name}/credentials"),
    }
    for part in calls:
        alone = api.clone(parts=frozenset({part}))
        found = {each: alone.call(*call).status for each, call in calls.items()}
        assert found == {each: 200 if each == part else 404 for each in calls}
    assert api.clone(parts=frozenset({"issue"})).call("GET", "/healthz").status == 404


def test_each_judge_does_its_commands_alone(api: ApiWorld) -> None:
    name = api.granted()
    issues = api.clone(commands=frozenset({"credentials"}))
    assert issues.post(f"/v1/requests/{name}/credentials").status == 200
    refused = issues.get("/v1/me")
    assert (refused.status, refused.json["error"]) == (400, "Invalid")


def test_what_is_told_to_nobody_is_on_every_answer(api: ApiWorld) -> None:
    replies = [
        api.get("/v1/me"),
        api.get("/v1/me", None),
        api.get("/nowhere"),
        api.post("/v1/requests", "{"),
        api.get("/healthz", None),
        api.get("/docs", None),
        api.send({}),
    ]
    assert [reply.status for reply in replies] == [200, 401, 404, 400, 200, 200, 400]
    for reply in replies:
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["x-frame-options"] == "DENY"
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-eval" not in policy
        assert reply.headers["x-request-id"]


def test_the_page_loads_what_it_needs_from_here_alone(api: ApiWorld) -> None:
    page = api.get("/docs", None)
    assert "http" not in page.text
    assert "<script>" not in page.text
    for name, kind in (("swagger-ui.js", "javascript"), ("swagger-ui.css", "css")):
        asset = api.get(f"/docs/{name}", None)
        assert (asset.status, kind in asset.headers["content-type"]) == (200, True)
        assert len(asset.text) > 100_000
    assert "SwaggerUIBundle(" in api.get("/docs/start.js", None).text
