"""What a hostile review of the network face has shown; each test fails until that is mended."""

from __future__ import annotations

import base64
import json
import socket
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jitcloud.api.application import application
from jitcloud.api.message import Answer
from jitcloud.api.reading import Limits
from jitcloud.directories.static import StaticDirectory
from jitcloud.emulators.oidc import OidcIssuer
from jitcloud.errors import Unauthenticated
from jitcloud.identities import aws_identity
from jitcloud.identities.aws_identity import AwsIdentities, Trusted
from jitcloud.identities.claims import Issuer
from jitcloud.identities.oidc import OidcIdentities
from jitcloud.identities.several import SeveralIdentities
from jitcloud.model import Presented, State
from jitcloud.serving import protocol
from jitcloud.serving.server import THREADS
from jitcloud.sign_in_settings import SignInSettings
from tests.api.api_world import ApiWorld, event
from tests.cli_world import POLICY
from tests.remote.remote_world import world_in
from tests.serving.served import running
from tests.world import START, Time

AT_ONCE = '@id("all")\npermit (principal, action == Action::"activate", resource);\n'


# ── Seeing ───────────────────────────────────────────────────────────────────────────────────


def test_where_a_page_ends_names_nothing_that_is_hidden(api: ApiWorld) -> None:
    """An id is all that revoking takes: whoever pages through hidden ones ends everything."""
    hidden = {api.ask("dev-read", by="ben") for _ in range(12)}
    named: set[str] = set()
    after: dict[str, str] = {}
    for _ in range(5):
        page = api.get("/v1/requests", "dora", of="everybody", state="active", limit=1, **after)
        assert page.json["requests"] == []
        if page.json["next"] is None:
            break
        after = {"after": page.json["next"]}
        named.add(base64.urlsafe_b64decode(after["after"] + "=" * 4).decode())
    for name in named & hidden:
        api.post(f"/v1/requests/{name}/revoke", {"reason": "x"}, "dora")
    assert {api.now(name).state for name in hidden} == {State.ACTIVE}


@pytest.mark.parametrize("verb", ["approve", "deny"])
def test_a_stranger_who_votes_learns_and_moves_nothing_though_policy_is_new(
    api: ApiWorld, verb: str
) -> None:
    name = api.ask("prod-write", justification="what only leads may read")
    api.world.policy_text = POLICY + AT_ONCE
    api.put_together()
    said = api.post(f"/v1/requests/{name}/{verb}", {"reason": "x"}, "dora")
    actors = {line.event.actor.id for line in api.world.store.events(api.now(name).id)}
    assert (said.status, "what only leads may read" in said.text) == (404, False)
    assert "dora" not in actors


def test_a_no_lets_nobody_in(api: ApiWorld) -> None:
    """Ben was asked. Ana has joined a group since that need ask nobody: his no still is one."""
    api.world.policy_text = POLICY + AT_ONCE.replace(
        "principal,", 'principal in Group::"security",'
    )
    api.put_together()
    name = api.ask("prod-write")
    assert api.now(name).state is State.PENDING
    api.world.people_text = api.world.people_text.replace('["dora"]', '["dora", "ana"]')
    api.put_together()
    api.post(f"/v1/requests/{name}/deny", {"reason": "this is an attack"}, "ben")
    api.deployment.sweep()
    assert api.now(name).state is not State.ACTIVE
    assert "this is an attack" in api.get(f"/v1/requests/{name}/trail").text


def test_an_answer_that_was_kept_is_not_shown_to_whom_the_directory_has_disabled(
    api: ApiWorld,
) -> None:
    name = api.ask("prod-write")
    path, said = f"/v1/requests/{name}/deny", {"reason": "x"}
    assert api.post(path, said, "ben", key="k").status == 200
    api.world.people_text = api.world.people_text.replace(
        'name = "Ben"', 'name = "Ben"\ndisabled = true'
    )
    api.put_together()
    assert api.get(f"/v1/requests/{name}", "ben").status == 403
    assert api.post(path, said, "ben", key="k").status == 403


# ── Who is calling ───────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def issuer() -> Iterator[OidcIssuer]:
    with OidcIssuer(algorithm="ES256", clock=Time()) as running_:
        yield running_


@pytest.mark.parametrize(
    "email",
    ["boss@stra\u00dfe.example", "bo\u017fs@strasse.example", "bo\ufb06@strasse.example"],
    ids=["another domain", "long s", "ligature"],
)
def test_another_mailbox_that_folds_to_the_same_letters_is_somebody_else(
    issuer: OidcIssuer, tmp_path: Path, email: str
) -> None:
    """``straße.example`` and ``strasse.example`` are two domains (IDNA 2008), of two owners."""
    people = tmp_path / "people.toml"
    mails = '["boss@strasse.example", "bost@strasse.example"]'
    people.write_text(f'[[person]]\nid = "u1"\nname = "Boss"\nemails = {mails}\n')
    trusted = Issuer(
        url=issuer.url,
        audiences=frozenset({"jitcloud"}),
        algorithms=frozenset({"ES256"}),
        subject_claim="email",
    )
    identities = OidcIdentities([trusted], StaticDirectory(people))
    token = issuer.token("ana", email=email, email_verified=True)
    with pytest.raises(Unauthenticated):
        identities.identify(Presented(kind="oidc", text=token), START)


@pytest.mark.parametrize("prefixes", [("", "corp:"), ("c", "corp:")])
def test_no_issuer_can_write_the_prefix_of_another(prefixes: tuple[str, str]) -> None:
    """Else a subject ``corp:ana`` of the one is the subject ``ana`` of the other."""
    issuers = [
        {"url": f"https://{name}.example", "audiences": ["x"], "prefix": prefix}
        for name, prefix in zip("ab", prefixes, strict=True)
    ]
    with pytest.raises(ValidationError, match="prefix"):
        SignInSettings.model_validate({"people_from_tokens": True, "issuer": issuers})


# ── Keeping others out ───────────────────────────────────────────────────────────────────────


def _until(is_so: Callable[[], bool], seconds: float = 5) -> bool:
    ends = time.monotonic() + seconds
    while not is_so() and time.monotonic() < ends:
        time.sleep(0.01)
    return is_so()


def test_who_does_not_read_their_answers_keeps_nobody_else_out_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three connections that ask twice and never read; nothing they send proves anybody."""
    monkeypatch.setattr(protocol, "SLOWEST_READER", 0.5)

    def large(_: dict[str, Any], __: object) -> Mapping[str, Any]:
        return {"statusCode": 200, "body": "x" * 4_000_000, "headers": {}}

    with running(large, limits=Limits(at_once=3)) as server, ExitStack() as held:
        for _ in range(3):
            connection = held.enter_context(server.connected())
            connection.sendall(b"GET /docs/swagger-ui.js HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        assert _until(lambda: len(server.served) >= 3)
        assert _until(lambda: server.api.in_hand == 0)
        assert server.call("GET", "/healthz").status == 200


def test_a_page_for_anybody_costs_no_compression(monkeypatch: pytest.MonkeyPatch) -> None:
    """Swagger UI takes 80 ms of a processor to compress, for whoever asks, each time."""
    resolver = application(lambda _: Answer(status=200, body={}))
    asked = event("GET", "/docs/swagger-ui.js", {"accept-encoding": "gzip"})
    resolver.resolve(asked, None)
    compressed: list[object] = []
    real = zlib.compressobj

    def counting(*args: Any, **more: Any) -> Any:
        compressed.append(args)
        return real(*args, **more)

    monkeypatch.setattr(zlib, "compressobj", counting)
    resolver.resolve(asked, None)
    assert compressed == []


@contextmanager
def _silent() -> Iterator[int]:
    """An STS that takes every connection, and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


def _made_up(port: int, number: int) -> str:
    """An AWS identity that nobody's credentials have signed."""
    query = (
        "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAAAAAAAAAAAAA%2F20261201%2Fus-east-1%2Fsts%2Faws4_request"
        f"&X-Amz-Date={START:%Y%m%dT%H%M%SZ}&X-Amz-Expires=60"
        f"&X-Amz-SignedHeaders=host%3Bx-jitcloud-audience&X-Amz-Signature={number:064x}"
    )
    url = f"http://127.0.0.1:{port}/?{query}"
    return base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def test_made_up_aws_identities_keep_no_token_waiting(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holds a thread for as long as STS takes: 16 of them, every 4 s, hold all there are."""
    monkeypatch.setattr(aws_identity, "WITHIN", timedelta(seconds=2))
    with _silent() as port, ExitStack() as held:
        trusted = Trusted(
            audience="us",
            accounts=frozenset({"123456789012"}),
            regions=frozenset({"us-east-1"}),
            endpoint_url=f"http://127.0.0.1:{port}",
        )
        aws = AwsIdentities(api.world.directory, trusted)
        api.table = SeveralIdentities({"oidc": api.table, "aws": aws})  # type: ignore[assignment] # more than a table
        api.put_together()
        limits = Limits(answer=0.5)
        server = held.enter_context(running(api.resolver.resolve, threads=THREADS, limits=limits))
        for number in range(THREADS):
            connection = held.enter_context(server.connected())
            shown = f"X-Jitcloud-Identity: {_made_up(port, number)}"
            connection.sendall(f"GET /v1/me HTTP/1.1\r\nHost: x\r\n{shown}\r\n\r\n".encode())
        assert _until(lambda: len(server.served) == THREADS)
        said = server.call("GET", "/v1/me", headers={"Authorization": "Bearer token-of-ana"})
        assert said.status == 200


# ── Bound votes ──────────────────────────────────────────────────────────────────────────────


def test_whoever_signs_in_for_a_yes_is_shown_nothing_that_the_yes_does_not_cover(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API's face was taken over: it cannot change the ask, but it names who asked."""
    world = world_in(tmp_path, capsys, monkeypatch)
    try:
        with world.served() as server:
            name = world.asked_there("prod-bound")["id"]
            world.issuer.browser = "ben"
            assert world.at_home("login", "--browser", by="ben").code == 0
            honest = server.api._resolve  # noqa: SLF001 - whoever took it over does the same

            def lying(event_: dict[str, Any], context: Any) -> Mapping[str, Any]:
                answer = honest(event_, context)
                body = json.loads(answer["body"])
                if "names" in body:
                    body["names"] = {"ana": "Caro, your manager"}
                return {**answer, "body": json.dumps(body)}

            monkeypatch.setattr(server.api, "_resolve", lying)
            said = world.at_home("approve", name, by="ben")
            assert "Caro" not in said.err
    finally:
        world.browser.close()
        world.issuer.stop()
