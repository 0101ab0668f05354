"""The ASGI adapter over real connections: nobody's call gets into another's way."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, TypeVar

import pytest
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.utilities.parser.models import APIGatewayProxyEventV2Model
from pydantic import BaseModel

from jitcloud.api import reading
from jitcloud.api.reading import Limits
from jitcloud.api.resolver import Resolver
from jitcloud.observing.call import current
from jitcloud.serving import protocol
from tests.serving.callers import Answer, read_answer
from tests.serving.served import Running, running

MANY, AT_ONCE = 200, 8

Resolve = Callable[[dict[str, Any], Any], Mapping[str, Any]]


def echo(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Answer with the event itself."""
    told = json.dumps(event)
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": told}


@pytest.fixture(scope="module")
def one() -> Iterator[Running]:
    with running(echo, limits=Limits(slowest_body=0.2)) as server:
        yield server


@pytest.fixture
def echoing(one: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    monkeypatch.setattr(reading, "LINGER", 0.5)
    while one.api.in_hand:  # the last test's
        time.sleep(0.001)
    one.served.clear()
    return one


# ── Many at once ─────────────────────────────────────────────────────────────────────────────


class _Numbered(BaseModel):
    number: str


T = TypeVar("T", bound=APIGatewayHttpResolver)


def mixing(resolver: T) -> T:
    """Answer with facts of a call, some read before others have come and some after."""
    together = threading.Barrier(AT_ONCE)

    @resolver.post("/things/<name>")
    def thing(name: str, number: Annotated[str, Query()], body: _Numbered) -> dict[str, Any]:
        before = resolver.current_event.headers["x-number"]
        together.wait(20)
        return {
            "path": name,
            "before": before,
            "query": number,
            "after": resolver.current_event.query_string_parameters["number"],
            "body": body.number,
            "trace": resolver.lambda_context.aws_request_id,
        }

    return resolver


async def one_of_many(port: int, number: int) -> tuple[int, bytes]:
    body = json.dumps({"number": str(number)}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            f"POST /things/{number}?number={number} HTTP/1.1\r\nHost: localhost\r\n"
            f"X-Number: {number}\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        return number, await asyncio.wait_for(reader.read(), 30)
    finally:
        writer.close()


def many(port: int) -> list[tuple[int, bytes]]:
    async def together() -> list[tuple[int, bytes]]:
        return await asyncio.gather(*(one_of_many(port, number) for number in range(MANY)))

    return asyncio.run(together())


def mixed_up(answers: list[tuple[int, bytes]]) -> list[int]:
    """Whose answer has anything of somebody else's, or is none."""
    wrong = []
    for number, said in answers:
        head, _, body = said.partition(b"\r\n\r\n")
        told = json.loads(body) if b" 200 " in head.split(b"\r\n")[0] else {}
        trace = told.pop("trace", None)
        names = ("path", "before", "query", "after", "body")
        if told != dict.fromkeys(names, str(number)) or f"x-request-id: {trace}" not in str(head):
            wrong.append(number)
    return wrong


def test_two_hundred_at_once_neither_mix_nor_hang() -> None:
    resolver = mixing(Resolver())
    resolver.ready()
    with running(resolver.resolve, threads=AT_ONCE) as server:
        assert mixed_up(many(server.port)) == []
        assert {each.route for each in server.served} == {"/things/<name>"}
        assert len(server.served) == MANY


def test_what_powertools_itself_does_would_mix_them() -> None:
    # So the test above would notice.
    resolver = mixing(APIGatewayHttpResolver(enable_validation=True))
    with running(resolver.resolve, threads=AT_ONCE) as server:
        assert mixed_up(many(server.port))


def test_more_than_it_takes_on_are_sent_away() -> None:
    enough = threading.Event()

    def waits(event: dict[str, Any], context: object) -> Mapping[str, Any]:
        enough.wait(20)
        return echo(event, context)

    with running(waits, limits=Limits(at_once=1)) as server, server.connected() as first:
        first.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        while not server.api.in_hand:
            time.sleep(0.001)
        answer = server.call()
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert answer.json["error"] == "Unavailable"
        enough.set()
        assert read_answer(first).status == 200


def test_what_takes_too_long_is_not_waited_for() -> None:
    enough = threading.Event()

    def waits(event: dict[str, Any], context: object) -> Mapping[str, Any]:
        enough.wait(20)
        return echo(event, context)

    with running(waits, limits=Limits(answer=0.05)) as server:
        answer = server.call()
        assert (answer.status, answer.json["error"]) == (503, "Unavailable")
        assert "Idempotency-Key" in answer.json["detail"]
        enough.set()


# ── What a function would be handed ──────────────────────────────────────────────────────────


def test_an_event_is_one_of_api_gateway(echoing: Running) -> None:
    told = echoing.call(
        "POST",
        "/v1/requests/a%20b?of=me&of=ben&q=%C3%A4&empty=",
        body='{"reason": "ä"}'.encode(),
        headers={"X-Twice": "1\r\nX-Twice: 2", "User-Agent": "test"},
    )
    event = APIGatewayProxyEventV2Model.model_validate(told.json)
    assert event.rawPath == event.requestContext.http.path == "/v1/requests/a%20b"
    assert event.queryStringParameters == {"of": "me,ben", "q": "ä", "empty": ""}
    assert event.rawQueryString == "of=me&of=ben&q=%C3%A4&empty="
    assert event.headers["x-twice"] == "1,2"
    assert (event.body, event.isBase64Encoded) == ('{"reason": "ä"}', False)
    assert event.requestContext.http.method == "POST"
    assert str(event.requestContext.http.sourceIp).startswith("127.0.0.1")
    assert event.requestContext.http.userAgent == "test"
    assert event.requestContext.requestId == told.headers["x-request-id"]


def test_a_body_that_is_no_text_is_handed_on_in_base64(echoing: Running) -> None:
    told = echoing.call("POST", body=b"\xff\xfe").json
    assert (told["body"], told["isBase64Encoded"]) == ("//4=", True)


def test_head_is_get_without_its_body(echoing: Running) -> None:
    answer = echoing.call("HEAD", "/v1/me")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 100
    assert echoing.served[0].method == "HEAD"


def test_what_is_allowed_is_said_with_what_every_route_allows() -> None:
    resolver = Resolver()

    @resolver.get("/v1/things")
    def things() -> dict[str, Any]:
        return {}

    resolver.ready()
    with running(resolver.resolve) as server:
        asked = server.call("OPTIONS", "/v1/things")
        assert (asked.status, asked.body) == (204, b"")
        assert asked.headers["allow"] == "GET, HEAD, OPTIONS"
        wrong = server.call("DELETE", "/v1/things")
        assert is_problem(wrong, 405, "Invalid")
        assert wrong.headers["allow"] == "GET, HEAD, OPTIONS"
        assert is_problem(server.call("OPTIONS", "/v1/elsewhere"), 404, "NotFound")


@pytest.mark.parametrize(
    ("behind_proxy", "forwarded", "source"),
    [
        (False, "203.0.113.9", "127.0.0.1"),
        (True, "203.0.113.9", "203.0.113.9"),
        (True, "10.9.9.9, 203.0.113.9", "203.0.113.9"),  # the first anybody may have written
        (True, "10.9.9.9\r\nX-Forwarded-For: 2001:db8::7", "2001:db8::7"),
        (True, "somebody", "127.0.0.1"),
        (True, "", "127.0.0.1"),
    ],
)
def test_where_a_call_came_from_is_what_the_proxy_says_if_there_is_one(
    behind_proxy: bool,  # noqa: FBT001 - a case
    forwarded: str,
    source: str,
) -> None:
    with running(echo, behind_proxy=behind_proxy) as server:
        told = server.call(headers={"X-Forwarded-For": forwarded}).json
    assert told["requestContext"]["http"]["sourceIp"] == source


@pytest.mark.parametrize("behind_proxy", [False, True])
def test_a_call_has_a_name_of_its_own_unless_the_proxy_gives_it_one(behind_proxy: bool) -> None:  # noqa: FBT001 - a case
    with running(echo, behind_proxy=behind_proxy) as server:
        named = server.call(headers={"X-Request-Id": "abcdef-0123"})
        odd = server.call(headers={"X-Request-Id": "a b"})
        others = {server.call().headers["x-request-id"] for _ in range(5)}
    assert (named.headers["x-request-id"] == "abcdef-0123") is behind_proxy
    assert odd.headers["x-request-id"] != "a b"
    assert len(others) == 5


# ── Too much, too slow, not HTTP ─────────────────────────────────────────────────────────────


def is_problem(answer: Answer, status: int, error: str) -> bool:
    assert answer.headers["content-type"] == "application/problem+json"
    return (answer.status, answer.json["status"], answer.json["error"]) == (status, status, error)


def test_a_body_that_says_it_is_too_large_is_not_read(echoing: Running) -> None:
    with echoing.connected() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\n")
        # Nothing of it was sent, and the answer is here.
        answer = read_answer(connection)
        assert is_problem(answer, 413, "Invalid")
        assert answer.headers["connection"] == "close"
        assert connection.recv(1) == b""


def test_who_sends_ten_megabytes_without_looking_still_gets_the_answer(echoing: Running) -> None:
    assert is_problem(echoing.call("POST", body=b"x" * 10_000_000), 413, "Invalid")


def test_a_body_of_no_given_length_is_read_up_to_the_limit(echoing: Running) -> None:
    chunk = b"2000\r\n" + b"x" * 0x2000 + b"\r\n"
    head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert is_problem(echoing.raw(head + chunk * 9), 413, "Invalid")
    fits = echoing.raw(head + chunk * 8 + b"0\r\n\r\n")
    assert (fits.status, len(fits.json["body"])) == (200, 8 * 0x2000)


def test_a_caller_who_expects_to_be_told_to_go_on_is_told_not_to(echoing: Running) -> None:
    head = b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: "
    assert is_problem(echoing.raw(head + b"10000000\r\n\r\n"), 413, "Invalid")
    with echoing.connected() as connection:
        connection.sendall(head + b"2\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert read_answer(connection).status == 200


def test_a_body_that_does_not_come_is_not_waited_for(echoing: Running) -> None:
    answer = echoing.raw(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
    assert is_problem(answer, 408, "Invalid")


def test_who_hangs_up_in_a_body_is_answered_by_nobody(
    echoing: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "jitcloud")
    with echoing.connected() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
        while not echoing.api.in_hand:
            time.sleep(0.001)
    while echoing.api.in_hand:
        time.sleep(0.001)
    assert [record.msg for record in caplog.records] == ["hung-up"]
    assert echoing.served == []


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:"])
def test_a_head_that_does_not_come_is_not_waited_for(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SLOWEST_HEAD", 0.05)
    with running(echo) as server, server.connected() as connection:
        connection.sendall(sent)
        assert connection.recv(1) == b""


def test_a_head_that_begins_on_a_kept_connection_is_not_waited_for_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running(echo) as server, server.connected() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert read_answer(connection).status == 200
        monkeypatch.setattr(protocol, "SLOWEST_HEAD", 0.05)
        connection.sendall(b"GET / HTTP/1.1\r\n")
        assert connection.recv(1) == b""


def test_connections_beyond_the_most_are_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MOST_CONNECTIONS", 1)
    with running(echo) as server, server.connected() as first:
        first.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert read_answer(first).status == 200
        with server.connected() as second:
            assert second.recv(1) == b""


TWO_LENGTHS = {"Content-Length": "2", "Transfer-Encoding": "chunked"}


@pytest.mark.parametrize(
    ("call", "status", "error"),
    [
        ({"path": "/" + "x" * 5000}, 414, "Invalid"),
        ({"headers": {f"X-{n}": "1" for n in range(70)}}, 431, "Invalid"),
        ({"headers": {"X-Large": "x" * 25_000}}, 431, "Invalid"),
        ({"headers": TWO_LENGTHS, "body": b"0\r\n\r\n"}, 400, "Invalid"),
        ({"method": "BREW"}, 501, "Invalid"),
        ({"path": "/?a=%ff"}, 400, "Invalid"),
        ({"path": "/?" + "&".join(f"{n}=" for n in range(101))}, 400, "Invalid"),
        ({"headers": {"Content-Length": "x"}}, 400, "Invalid"),
        ({"headers": {"Content-Length": "2\r\nContent-Length: 3"}}, 400, "Invalid"),
        ({"headers": {"Host": "a\r\nHost: b"}}, 400, "Invalid"),
        ({"headers": {"X-Large": "x" * 400_000}}, 400, "Invalid"),
    ],
)
def test_what_is_not_to_be_read_is_refused(
    echoing: Running, call: dict[str, Any], status: int, error: str
) -> None:
    assert is_problem(echoing.call(**call), status, error)


def test_what_is_no_http_is_answered_by_a_problem(echoing: Running) -> None:
    assert is_problem(echoing.raw(b"\x16\x03\x01\x02\x00\x01\r\n\r\n"), 400, "Invalid")


def test_a_request_that_was_smuggled_behind_a_body_is_read_by_nobody(echoing: Running) -> None:
    sent = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
    with echoing.connected() as connection:
        connection.sendall(sent + b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
        assert read_answer(connection).status == 400
        assert connection.recv(1) == b""
    assert [each.status for each in echoing.served] == [400]


def test_a_connection_is_kept_for_the_next_call(echoing: Running) -> None:
    with echoing.connected() as connection:
        for path in ("/a", "/b", "/c"):
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            assert read_answer(connection).json["rawPath"] == path


# ── Defects ──────────────────────────────────────────────────────────────────────────────────


def test_a_defect_is_answered_without_a_word_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(event: dict[str, Any], _: object) -> Mapping[str, Any]:
        raise ValueError(f"the secret of {event['rawPath']}")

    with running(broken) as server:
        answer = server.call(path="/who")
    assert is_problem(answer, 500, "Defect")
    assert b"secret" not in answer.body
    assert answer.json["trace"] == answer.headers["x-request-id"]
    assert [r.msg for r in caplog.records if r.name == "jitcloud"] == ["defect", "http"]


def test_a_thread_knows_which_call_it_answers() -> None:
    def named(_: dict[str, Any], __: object) -> Mapping[str, Any]:
        call = current()
        assert call is not None
        return {"statusCode": 200, "body": call.trace}

    with running(named) as server:
        answer = server.call()
    assert answer.body.decode() == answer.headers["x-request-id"]
