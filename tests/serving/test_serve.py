"""``jitcloud serve`` as a process: a lifetime, what its log says of it, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import jitcloud
from jitcloud.audit import chain
from jitcloud.audit.public_keys import TrustedKeys, public_keys
from jitcloud.clock import utc_now
from jitcloud.emulators.oidc import OidcIssuer
from jitcloud.model import Ended, RequestId
from jitcloud.stores.sqlite import SqliteStore
from tests.aws import fake_aws
from tests.serving import deployed
from tests.serving.callers import read_answer

WHY = "Look into the payroll of Zoë, INC-7"
BECAUSE = "Zoë has asked me on the phone"


OF_AWS = "ana@mail.example.com"
HANDED_OUT = {
    "AccessKeyId": "ASIAJITCLOUDSERVE0042",
    "SecretAccessKey": "v9Qm+Zt/0kXw2rLb7NdPfYh3sAeCgUj5iOxTnWq1",
    "SessionToken": "IQoJb3JpZ2luX2Vj" * 20,
}
"""A set of credentials that opens nothing."""


@pytest.fixture
def cloud() -> Iterator[str]:
    until = (utc_now() + timedelta(minutes=15)).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = "".join(f"<{name}>{value}</{name}>" for name, value in HANDED_OUT.items())
    said = (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
        f"<Credentials>{told}<Expiration>{until}</Expiration></Credentials>"
        "</AssumeRoleResult></AssumeRoleResponse>"
    )
    answers = {"AssumeRole": fake_aws.says(200, said), "GetCallerIdentity": fake_aws.WHO}
    no = fake_aws.error(403, "AccessDenied", f"{OF_AWS} may not")

    with fake_aws.faking() as server:

        def answer(handler: Any) -> None:
            answers.get(server.asked[-1]["Action"], no)(handler)

        server.answers += [answer] * 100
        yield server.url


WISH = {"entitlements": ["dev-read"], "duration": "30m", "justification": WHY}


def asked(api: deployed.Api, what: str = "dev-read", duration: str = "30m") -> str:
    wish = {**WISH, "entitlements": [what], "duration": duration}
    answer = api.ask("ana", "POST", "/v1/requests", wish)
    assert answer.status == 201, answer.body
    name: str = answer.json["requests"][0]["id"]
    return name


# ── A lifetime, and its log ──────────────────────────────────────────────────────────────────


def test_lifetimes_leave_a_log_without_a_word_of_what_was_typed_or_handed_out(
    tmp_path: Path, issuer: OidcIssuer, cloud: str
) -> None:
    folder = deployed.make(tmp_path / "srv", issuer, cloud)
    with deployed.process(folder, issuer) as server:
        short = asked(server, duration="1s")
        request = asked(server, "prod-read")
        own = server.ask("ana", "POST", f"/v1/requests/{request}/approve", {"reason": BECAUSE})
        assert own.status == 403
        server.ask("ben", "POST", f"/v1/requests/{request}/approve", {"reason": BECAUSE})
        given = server.ask("ana", "POST", f"/v1/requests/{request}/credentials")
        assert HANDED_OUT["SessionToken"] in given.body.decode()
        server.until_state("ana", short, "ended")
        stranger = server.ask("mallory@example.com", "GET", "/v1/me")
        assert stranger.status in {401, 403, 404}
        server.call("POST", f"/v1/{WHY.encode().hex()}", body=WHY.encode())
        server.call(path=f"/v1/me?why={WHY.encode().hex()}", headers={"X-Why": "Zoe"})
        server.ask("ana", "POST", "/v1/requests", {"justification": WHY, "zoe": BECAUSE})
        back = server.ask("ana", "POST", f"/v1/requests/{request}/give-back", {"reason": BECAUSE})
        assert back.status == 200
        assert server.stopped() == 0
        said, lines = server.log.read_text(), server.lines()
    secrets = [
        *(part for token in server.tokens.values() for part in token.split(".")),
        *HANDED_OUT.values(),
        *(text.encode().hex() for text in (WHY, BECAUSE)),
        *json.dumps([WHY, BECAUSE]).strip('[]"').split('", "'),
        *(WHY, BECAUSE, "Zo", "INC-7", "example.com", "payroll", "phone"),
    ]
    assert [secret for secret in secrets if secret.lower() in said.lower()] == []
    assert said.isascii()
    for line in lines:
        assert datetime.fromisoformat(line["at"]).utcoffset() is not None
        assert {"level", "event"} <= set(line)
    calls = {line["trace"]: line for line in lines if line["event"] == "http"}
    assert calls[given.headers["x-request-id"]] | {"at": "", "ms": 0} == {
        "at": "",
        "level": "info",
        "event": "http",
        "trace": given.headers["x-request-id"],
        "person": "ana",
        "method": "POST",
        "route": "/v1/requests/<request>/credentials",
        "status": given.status,
        "ms": 0,
        "source": "127.0.0.1",
    }
    assert {"sweep", "listening", "stopped", "reconcile"} <= {line["event"] for line in lines}
    assert {"defect", "sweep-died", "log"} & {line["event"] for line in lines} == set()


# ── Two on one record ────────────────────────────────────────────────────────────────────────


def test_two_on_one_record_end_everything_once(tmp_path: Path, issuer: OidcIssuer) -> None:
    folder = deployed.make(tmp_path / "srv", issuer)
    with deployed.process(folder, issuer) as one, deployed.within(folder, issuer) as other:
        servers: tuple[deployed.Api, ...] = (one, other)
        requests = [asked(server, duration="1s") for _ in range(5) for server in servers]
        for request in reversed(requests):
            other.until_state("ana", request, "ended")
        assert one.stopped() == 0
        lines = one.lines() + other.lines()
    assert [line for line in lines if line["event"] == "trouble"] == []
    assert sum(line["woken"] for line in lines if line["event"] == "sweep") >= len(requests)
    store = SqliteStore(folder / "jitcloud.db")
    verifier = TrustedKeys(public_keys(folder / "keys"))
    for name in map(RequestId, requests):
        found, events = store.request(name), store.events(name)
        assert found is not None
        chain.verify(found, events, verifier)
        assert sum(isinstance(line.event.what, Ended) for line in events) == 1
    store.close()


# ── How it ends ──────────────────────────────────────────────────────────────────────────────

HALF = (
    b"POST /v1/requests HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
    b"Content-Length: 2\r\n\r\n{"
)


def in_hand(server: deployed.Process) -> socket.socket:
    """A call of which half has come."""
    connection = socket.create_connection(("127.0.0.1", server.port), 20)
    connection.sendall(HALF)
    server.until(lambda: b"requests_in_hand 1" in server.call(path="/metrics").body)
    return connection


def refuses(server: deployed.Process) -> bool:
    with closing(socket.socket()) as caller:
        return caller.connect_ex(("127.0.0.1", server.port)) != 0


def test_told_to_stop_it_takes_no_more_and_finishes_what_is_in_hand(
    tmp_path: Path, issuer: OidcIssuer
) -> None:
    folder = deployed.make(tmp_path / "srv", issuer)
    with deployed.process(folder, issuer) as server, in_hand(server) as connection:
        server.process.send_signal(signal.SIGTERM)
        server.until(lambda: refuses(server))
        connection.sendall(b"}")
        assert read_answer(connection).status == 401
        assert server.process.wait(20) == 0
        last = server.lines()[-1]
    assert (last["event"], last["signal"]) == ("stopped", "SIGTERM")


def test_what_is_still_in_hand_in_the_end_is_cut_short(tmp_path: Path, issuer: OidcIssuer) -> None:
    hurried = """if True:
        import sys
        from jitcloud.cli.run import run
        from jitcloud.serving import http, server
        server.GRACE, http.ANSWERING = 0.2, 0
        sys.exit(run(sys.argv[1:]))
    """
    with fake_aws.faking() as silent:
        silent.answers += [fake_aws.hangs] * 9
        folder = deployed.make(tmp_path / "srv", issuer, silent.url)
        with deployed.process(folder, issuer, (sys.executable, "-c", hurried)) as server:
            with ThreadPoolExecutor(1) as caller:
                answer = caller.submit(server.ask, "ana", "POST", "/v1/requests", WISH)
                server.until(lambda: bool(silent.asked))
                assert server.stopped() == 1
            assert answer.result().status == 503
            lines = server.lines()
    assert [line["event"] for line in lines[-2:]] == ["http", "cut-short"]


def test_told_twice_it_waits_for_nothing(tmp_path: Path, issuer: OidcIssuer) -> None:
    folder = deployed.make(tmp_path / "srv", issuer)
    with deployed.process(folder, issuer) as server, in_hand(server) as connection:
        server.process.send_signal(signal.SIGINT)
        server.until(lambda: refuses(server))
        assert server.stopped(signal.SIGTERM) == 130
        assert connection.recv(1) == b""
    # Nothing of it was lost that was committed.
    with closing(sqlite3.connect(folder / "jitcloud.db")) as record:
        assert record.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with jitcloud.load(folder) as opened:
        assert opened.sweep().troubles == ()
