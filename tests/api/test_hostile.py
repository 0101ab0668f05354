"""What strangers send: every call is answered, each body has one meaning or none."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitcloud.api import strict_json
from jitcloud.api.strict_json import DEEPEST, LARGEST, MOST_BYTES
from jitcloud.errors import Invalid
from tests.api.api_world import ApiWorld, event, wish
from tests.cli_world import HOSTILE, MARKUP

BEARER = {"authorization": "Bearer token-of-ana", "content-type": "application/json"}
ONE_WORLD = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> ApiWorld:
    """One for all: hardly anything that is sent here leaves a trace."""
    return ApiWorld(tmp_path_factory.mktemp("hostile"))


@pytest.fixture
def untouched(api: ApiWorld) -> Iterator[None]:
    """Whatever is sent, nothing is recorded."""
    before = api.world.store.ids(1000)
    yield
    assert api.world.store.ids(1000) == before


def sent(api: ApiWorld, body: str | bytes | None, **headers: str) -> int:
    """Ask with a body as it is; return the status."""
    told = {**BEARER, **{name.replace("_", "-"): value for name, value in headers.items()}}
    reply = api.send(event("POST", "/v1/requests", told, body))
    if reply.status >= 400:
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["status"] == reply.status
        assert len(reply.text) < 8000
    return reply.status


# ── Bodies ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a":1,"a":1}', 'the key "a" twice'),
        ('{"a":[{"b":1,"c":2,"b":1}]}', 'the key "b" twice'),
        ('{"a":1,"\\u0061":1}', 'the key "a" twice'),
        ('{"a":"\\ud800"}', "half of a character"),
        ('{"a":["\\udc00\\ud800"]}', "half of a character"),
        ('{"\\ud83d":1}', "half of a character"),
        ('{"a":NaN}', "NaN is not JSON"),
        ('{"a":-Infinity}', "-Infinity is not JSON"),
        ('{"a":1e3}', "no whole number"),
        ('{"a":1.0}', "no whole number"),
        (f'{{"a":{LARGEST + 1}}}', "too large"),
        (f'{{"a":-{"9" * 4000}}}', "too large"),
        ("[{}]", "must be a JSON object"),
        ('{"a":1} 2', "not JSON"),
    ],
)
def test_what_programs_would_read_in_two_ways_is_read_in_none(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        strict_json.loads(text)


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "",
        "null",
        "[]",
        "1",
        '"x"',
        "true",
        "NaN",
        json.dumps([wish()]),
        '{"entitlements":["dev-read"],"entitlements":["prod-write"]}',
        '{"a":{"b":1,"b":2}}',
        '{"a":1e400}',
        '{"a":NaN}',
        '{"a":-Infinity}',
        '{"a":0.1}',
        '{"a":1.0}',
        f'{{"a":{LARGEST + 1}}}',
        f'{{"a":{"9" * 5000}}}',
        '{"a":"\\ud800"}',
        '{"\\udfff":1}',
        f'{{"a":{"[" * DEEPEST}{"]" * DEEPEST}}}',
        f'{{"a":{"[" * 20000}{"]" * 20000}}}',
        '{"a":' * 5000 + "1" + "}" * 5000,
        "\ufeff{}",
        "{}{}",
        "{} x",
        "{'a':1}",
        '{"a":1,}',
        '{"a":"\t"}',
        "\x00",
    ],
)
@pytest.mark.usefixtures("untouched")
def test_what_is_no_json_object_with_one_meaning_is_refused(api: ApiWorld, body: str) -> None:
    assert sent(api, body) in {400, 422}


def test_what_is_just_deep_and_large_enough_is_read() -> None:
    deep = f'{{"a":{"[" * (DEEPEST - 2)}{LARGEST}{"]" * (DEEPEST - 2)}}}'
    assert strict_json.loads(deep)
    assert strict_json.loads(f'{{"a":{-LARGEST}}}') == {"a": -LARGEST}
    with pytest.raises(Invalid, match="deeper"):
        strict_json.loads(f'{{"a":{"[" * (DEEPEST - 1)}1{"]" * (DEEPEST - 1)}}}')


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.text(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        max_size=5,
    )
)
def test_what_has_one_meaning_is_read_as_everybody_reads_it(value: dict[str, Any]) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert strict_json.loads(text) == value


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"entitlements": "dev-read"}, "#/entitlements"),
        ({"entitlements": []}, "#/entitlements"),
        ({"entitlements": ["x"] * 21}, "#/entitlements"),
        ({"entitlements": [1]}, "#/entitlements/0"),
        ({"entitlements": ["Dev Read"]}, "#/entitlements/0"),
        ({"entitlements": None}, "#/entitlements"),
        ({"duration": 30}, "#/duration"),
        ({"duration": "30"}, "#/duration"),
        ({"duration": "0s"}, "#/duration"),
        ({"duration": "31d"}, "#/duration"),
        ({"duration": "in 3 dys"}, "#/duration"),
        ({"duration": ""}, "#/duration"),
        ({"duration": "1h\n"}, "#/duration"),
        ({"duration": "٣h"}, "#/duration"),
        ({"justification": ""}, "#/justification"),
        ({"justification": "x" * 1001}, "#/justification"),
        ({"justification": ["x"]}, "#/justification"),
        ({"break_glass": "true"}, "#/break_glass"),
        ({"break_glass": 1}, "#/break_glass"),
        ({"break_glass": None}, "#/break_glass"),
        ({"start": 1700000000}, "#/start"),
        ({"start": "9999-12-31T23:59:59Z"}, "#/start"),
        ({"ticket": {"id": "x"}}, "#/ticket"),
        ({"a/b~c": 1}, "#/a~1b~0c"),
        ({"": 1}, "#/"),
    ],
)
@pytest.mark.usefixtures("untouched")
def test_a_body_that_does_not_fit_is_told_where(
    api: ApiWorld, changes: dict[str, object], where: str
) -> None:
    reply = api.post("/v1/requests", wish(**changes))
    assert (reply.status, reply.json["error"]) == (422, "Invalid")
    assert where in {each.get("pointer") for each in reply.json["errors"]}


@pytest.mark.parametrize(("text", "said"), HOSTILE)
@pytest.mark.usefixtures("untouched")
def test_a_text_that_plays_tricks_is_refused(api: ApiWorld, text: str, said: str) -> None:
    body = json.dumps(wish(justification=text))
    reply = api.send(event("POST", "/v1/requests", BEARER, body))
    assert reply.status in {400, 422}
    if (
        reply.json["error"] == "Invalid"
        and reply.status == 400
        and "body" not in reply.json["detail"]
    ):
        assert said in reply.json["detail"]


def test_a_text_is_kept_byte_for_byte(api: ApiWorld) -> None:
    for text in (MARKUP, "a: b: c", " x ", "Grüße 東京 \U0001f511", "</script>"):
        name = api.ask(justification=text)
        assert api.get(f"/v1/requests/{name}").json["justification"] == text


def test_a_body_is_as_large_as_allowed_and_no_larger(api: ApiWorld) -> None:
    text = json.dumps(wish())
    assert sent(api, text + " " * (MOST_BYTES - len(text))) == 201
    assert sent(api, text + " " * (MOST_BYTES - len(text) + 1)) == 413
    assert sent(api, (text + " " * (MOST_BYTES - len(text) + 1)).encode()) == 413
    assert sent(api, "é" * (MOST_BYTES // 2 + 1)) == 413
    assert sent(api, b"x" * 10_000_000) == 413


def test_a_body_may_come_as_base64_and_must_be_utf8(api: ApiWorld) -> None:
    assert sent(api, json.dumps(wish()).encode()) == 201
    assert sent(api, b'{"a":"\xff"}') == 400
    assert sent(api, json.dumps(wish()).encode("utf-16")) == 400
    broken = event("POST", "/v1/requests", BEARER, json.dumps(wish()))
    broken["isBase64Encoded"] = True
    assert api.send(broken).status == 400


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 201),
        ("Application/JSON; charset=UTF-8", 201),
        ('application/json;charset="utf-8"', 201),
        ("application/json; charset=latin-1", 415),
        ("application/jsonx", 415),
        ("application/json, text/plain", 415),
        ("application/json; x=y", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("text/plain", 415),
        ("", 415),
    ],
)
def test_a_body_is_json_and_says_so(api: ApiWorld, kind: str, status: int) -> None:
    assert sent(api, json.dumps(wish()), content_type=kind) == status


def test_where_no_body_belongs_none_is_taken(api: ApiWorld) -> None:
    name = api.granted()
    before = api.sessions.issued
    assert api.call("GET", "/v1/me", body={}).status == 400
    assert api.post(f"/v1/requests/{name}/credentials", {}).status == 400
    assert api.sessions.issued == before


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=1_0",
        "limit=+1",
        "limit= 1",
        "limit=1.0",
        "limit=x",
        "limit=",
        "limit=1&limit=2",
        "limit=1,2",
        "state=gone",
        "state=ACTIVE",
        "of=ben",
        "after=",
        "after=a%20b",
        "person=ben",
        "limit[]=1",
        "LIMIT=1",
        "&".join(f"a{n}=1" for n in range(100)),
        "after=%ff",
        "x" * 3000,
    ],
)
def test_a_query_that_means_nothing_is_refused(api: ApiWorld, query: str) -> None:
    reply = api.send(event("GET", "/v1/requests", BEARER, None, query))
    assert (reply.status in {400, 422}, reply.json["error"]) == (True, "Invalid")


@pytest.mark.parametrize("flag", ["1", "yes", "on", "True", "t", ""])
def test_a_flag_is_true_or_false(api: ApiWorld, flag: str) -> None:
    assert api.get("/v1/entitlements", all=flag).status == 422
    assert api.get("/v1/entitlements", all="false").status == 200


@pytest.mark.parametrize(
    "name", ["x", "01jd8z6n3v5e6x7y8z9abcdefg", "01JD8Z6N3V5E6X7Y8Z9ABCDEFG0", "%2e%2e", "*"]
)
def test_what_is_no_id_is_refused(api: ApiWorld, name: str) -> None:
    assert api.get(f"/v1/requests/{name}").status == 422
    assert api.post(f"/v1/requests/{name}/approve", {}).status == 422


# ── Events ───────────────────────────────────────────────────────────────────────────────────

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=20,
)


@ONE_WORLD
@given(JSON)
def test_whatever_comes_as_an_event_is_answered(api: ApiWorld, anything: object) -> None:
    assert api.send(anything).status == 400


@ONE_WORLD
@given(data=st.data())
def test_whatever_one_part_of_an_event_is_it_is_answered(
    api: ApiWorld, data: st.DataObject
) -> None:
    made = event("POST", "/v1/requests", BEARER, json.dumps(wish()))
    part = data.draw(st.sampled_from(sorted(made)))
    made[part] = data.draw(JSON)
    assert api.send(made).status < 500


@ONE_WORLD
@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60), st.binary(max_size=60))
def test_whatever_path_query_header_and_body_are_they_are_answered(
    api: ApiWorld, path: str, query: str, header: str, body: bytes
) -> None:
    for where in (f"/v1/{path}", "/v1/requests"):
        for name in ("authorization", "idempotency-key", "content-type", "x-jitcloud-identity"):
            made = event("POST", where, {**BEARER, name: header}, body, query)
            assert api.send(made).status < 500


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer a b"},
        {"authorization": "Bearer token-of-ana, Bearer token-of-ben"},
        {"authorization": "Basic YW5hOmFuYQ=="},
        {"authorization": "Bearer " + "x" * 20_000},
        {"authorization": "Bearer ä"},
        {"authorization": "Bearer token-of-ana", "x-jitcloud-identity": "token-of-ben"},
        {"authorization": "Bearer", "x-jitcloud-identity": "token-of-ana"},
        {"x-jitcloud-identity": ""},
        {"x-jitcloud-identity": "a b"},
        {"x-jitcloud-identity": "x" * 20_000},
        {"cookie": "authorization=Bearer token-of-ana"},
    ],
)
def test_whoever_does_not_say_who_they_are_is_told_how_and_asks_nothing(
    api: ApiWorld, headers: dict[str, str]
) -> None:
    before = len(api.messages)
    for made in (
        event("GET", "/v1/me", headers),
        event("POST", "/v1/requests", {**headers, "content-type": "text/plain"}, "{"),
    ):
        reply = api.send(made)
        assert (reply.status, reply.json["error"]) == (401, "Unauthenticated")
        assert reply.headers["www-authenticate"].startswith("Bearer")
    assert len(api.messages) == before


def test_whoever_presents_what_proves_nobody_is_told_so_and_nothing_is_quoted(
    api: ApiWorld,
) -> None:
    reply = api.call("GET", "/v1/me", by=None, headers={"authorization": "Bearer s3cr3t"})
    assert (reply.status, reply.json["error"]) == (401, "Unauthenticated")
    assert 'error="invalid_token"' in reply.headers["www-authenticate"]
    assert "s3cr3t" not in reply.text


def test_base64_is_no_way_around_the_limit(api: ApiWorld) -> None:
    whole = base64.b64encode(b" " * MOST_BYTES + b"{}").decode()
    made = {**event("POST", "/v1/requests", BEARER, whole), "isBase64Encoded": True}
    assert api.send(made).status == 413
