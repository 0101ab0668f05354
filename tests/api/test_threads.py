"""One resolver, many threads: nobody is answered with another's call."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.api.api_world import ApiWorld, event, wish

THREADS, CALLS = 16, 200


@pytest.fixture
def hurried() -> Iterator[None]:
    """Change threads as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hurried")
def test_calls_at_once_are_not_mixed_up(api: ApiWorld) -> None:
    people = ("ana", "ben", "caro", "dora")
    begin = Barrier(THREADS)

    def calls(thread: int) -> list[tuple[str, ...]]:
        begin.wait()  # the first call of each route is made by all of them
        wrong: list[tuple[str, ...]] = []
        for number in range(CALLS):
            who, name = people[(thread + number) % 4], f"{thread}-{number}"
            made = event("GET", "/v1/me", {"authorization": f"Bearer token-of-{who}"})
            made["requestContext"]["requestId"] = name
            reply = api.send(made)
            found = (reply.json.get("id", reply.text), reply.headers["x-request-id"])
            if found != (who, name):
                wrong.append((who, name, *found))
        return wrong

    with ThreadPoolExecutor(THREADS) as pool:
        wrong = [each for found in pool.map(calls, range(THREADS)) for each in found]
    assert wrong == []


@pytest.mark.usefixtures("hurried")
def test_asks_at_once_are_each_recorded_as_they_were_made(api: ApiWorld) -> None:
    def ask(number: int) -> tuple[str, str]:
        who = ("ana", "ben", "caro")[number % 3]
        reply = api.post(
            "/v1/requests", wish(justification=f"{who} {number}"), who, key=str(number)
        )
        return reply.json["requests"][0]["id"], f"{who} {number}"

    with ThreadPoolExecutor(THREADS) as pool:
        asked = dict(pool.map(ask, range(64)))
    assert len(asked) == 64
    for name, justification in asked.items():
        made = api.now(name).ask
        assert f"{made.person} {justification.split()[1]}" == justification == made.justification


@pytest.mark.usefixtures("hurried")
def test_of_the_same_ask_at_once_one_is_made(api: ApiWorld) -> None:
    begin = Barrier(THREADS)

    def ask(_: int) -> int:
        begin.wait()
        return api.post("/v1/requests", wish(), key="k").status

    with ThreadPoolExecutor(THREADS) as pool:
        statuses = sorted(pool.map(ask, range(THREADS)))
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert len(api.world.store.ids(100)) == 1
