"""Whose access ends when, where grants overlap, meet standing access, or are cut short by a crash.

Each story is told over real boto3 clients and HTTP; judged by ``who_can`` of the emulator.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jitcloud.emulators.identity_center import Behaviour, IdentityCenter, IdentityCenterServer
from jitcloud.providers.aws.clients import Clients
from tests.aws.overlap_world import Dies, Story
from tests.world import Time

STORIES = {
    # ── One grant ────────────────────────────────────────────────────────────────────────────
    "one, to its deadline": """
        ana asks A 30m
        cannot
        pass 10s
        can
        A is active
        pass 30m
        cannot
    """,
    "one, given back": """
        ana asks A 30m
        pass 10s
        A back
        pass 10s
        cannot
        A is ending        # sessions made of it live on for an hour
    """,
    "one, revoked before the create is done": """
        ana asks A 30m
        A revoked
        pass 1m
        cannot
    """,
    "one, whose create is done only after its deadline": """
        takes 3m
        ana asks A 2m
        pass 10m
        cannot
    """,
    "one that is over before anything was told": """
        fault THROTTLED on ListAccountAssignmentsForPrincipal
        fault THROTTLED on ListAccountAssignmentsForPrincipal
        fault THROTTLED on ListAccountAssignmentsForPrincipal
        fault THROTTLED on ListAccountAssignmentsForPrincipal
        ana asks A 12s
        pass 5m
        cannot
    """,
    "one after another": """
        ana asks A 10m
        pass 15m
        cannot
        ana asks B 10m
        pass 10s
        can
        pass 10m
        cannot
    """,
    "one extended": """
        ana asks A 10m
        pass 10s
        extend A 20m
        pass 15m
        can
        pass 20m
        cannot
    """,
    "one extended, then given back": """
        ana asks A 10m
        pass 10s
        extend A 60m
        A back
        pass 10s
        cannot
    """,
    # ── Two grants ───────────────────────────────────────────────────────────────────────────
    "two, the first to ask ends first": """
        ana asks A 10m
        pass 10s
        ana asks B 30m
        B is active
        pass 12m
        A is ended
        can
        pass 20m
        cannot
    """,
    "two, the last to ask ends first": """
        ana asks A 30m
        pass 10s
        ana asks B 10m
        pass 12m
        B is ended
        can
        pass 20m
        cannot
    """,
    "two that end together": """
        ana asks A 10m
        ana asks B 10m
        pass 10s
        can
        pass 11m
        cannot
    """,
    "two, the one with the later deadline leaves first": """
        ana asks A 10m
        pass 10s
        ana asks B 60m
        B back
        can
        pass 9m
        can
        pass 2m
        cannot
    """,
    "two, the one with the earlier deadline leaves first": """
        ana asks A 10m
        pass 10s
        ana asks B 60m
        A back
        A is ended
        can
        pass 30m
        can
        pass 31m
        cannot
    """,
    "two, both given back": """
        ana asks A 10m
        ana asks B 60m
        pass 10s
        A back
        B back
        pass 10s
        cannot
    """,
    "two, one revoked while the create is under way": """
        ana asks A 10m
        ana asks B 60m
        A revoked
        pass 10s
        can
        B is active
    """,
    "two, both revoked while the create is under way": """
        ana asks A 10m
        ana asks B 60m
        A revoked
        B revoked
        pass 1m
        cannot
    """,
    "two by different entitlements of the same thing": """
        ana asks A 10m
        pass 10s
        ana asks B 60m too
        B is active
        pass 12m
        can
        B back
        pass 10s
        cannot
    """,
    "two, one extended past the other": """
        ana asks A 10m
        pass 10s
        ana asks B 20m
        extend A 30m
        pass 25m
        can
        pass 20m
        cannot
    """,
    "two people, one leaves": """
        ana asks A 10m
        ben asks B 60m
        pass 10s
        A back
        pass 10s
        cannot
        ben can
    """,
    # ── Three grants ─────────────────────────────────────────────────────────────────────────
    "three, in the order they were asked": """
        ana asks A 10m
        pass 10s
        ana asks B 20m
        ana asks C 30m too
        pass 12m
        can
        pass 10m
        can
        pass 10m
        cannot
    """,
    "three, in the opposite order": """
        ana asks A 30m
        pass 10s
        ana asks B 20m
        ana asks C 10m
        pass 12m
        can
        pass 10m
        can
        pass 10m
        cannot
    """,
    "three, the middle one first, then the last": """
        ana asks A 60m
        pass 10s
        ana asks B 60m
        ana asks C 60m
        B back
        can
        C back
        can
        A back
        pass 10s
        cannot
    """,
    "three, two given back at once": """
        ana asks A 60m
        ana asks B 60m
        ana asks C 10m
        pass 10s
        A back
        B back
        can
        pass 12m
        cannot
    """,
    "three, one joins while the last one leaves": """
        ana asks A 10m
        pass 10s
        ana asks B 10m
        A back
        B back
        ana asks C 10m
        pass 1m
        can
        C is active
        pass 10m
        cannot
    """,
    # ── A newcomer during a removal ──────────────────────────────────────────────────────────
    "a newcomer while the delete is under way": """
        ana asks A 30m
        pass 10s
        takes 30s
        A back
        pass 5s
        ana asks B 30m
        B is activating
        pass 2m
        B is active
        can
        pass 30m
        cannot
    """,
    "a newcomer after the delete and before it is proven": """
        ana asks A 30m
        pass 10s
        A back
        pass 6s
        ana asks B 30m
        pass 1m
        can
        B is active
    """,
    "a newcomer who leaves while the delete is under way": """
        ana asks A 30m
        pass 10s
        takes 30s
        A back
        ana asks B 30m
        B back
        pass 2m
        cannot
    """,
    "a newcomer while deletes fail": """
        ana asks A 30m
        pass 10s
        fault FAILS on DeleteAccountAssignment
        A back
        pass 20s
        ana asks B 30m
        pass 1m
        can
        B is active
    """,
    # ── Standing access ──────────────────────────────────────────────────────────────────────
    "standing before, one grant": """
        hand gives
        ana asks A 10m
        A is active
        pass 12m
        A is ended
        can
    """,
    "standing before, two grants": """
        hand gives
        ana asks A 10m
        ana asks B 30m
        A back
        can
        pass 32m
        can
    """,
    "standing before, taken by hand during the grant": """
        hand gives
        ana asks A 30m
        hand takes
        cannot
        A back
        pass 1m
        cannot
    """,
    "standing before, taken by hand, then another grant": """
        hand gives
        ana asks A 30m
        A back
        hand takes
        ana asks B 30m
        pass 10s
        can
        B is active
        pass 31m
        cannot
    """,
    "standing before for somebody else": """
        hand gives ben
        ana asks A 10m
        pass 12m
        cannot
        ben can
    """,
    "standing made while a grant is active goes with it": """
        # It cannot be told apart: an assignment takes no mark, and is the same one.
        ana asks A 10m
        pass 10s
        hand gives
        pass 12m
        cannot
    """,
    "standing made while the delete is under way goes with it": """
        ana asks A 10m
        pass 10s
        takes 30s
        A back
        hand gives
        pass 2m
        cannot
    """,
    "standing made between two grants stays": """
        ana asks A 10m
        pass 20m
        cannot
        hand gives
        ana asks B 10m
        B is active
        pass 12m
        can
    """,
    "standing made after the last grant stays": """
        ana asks A 10m
        pass 20m
        hand gives
        pass 3h
        can
    """,
    "taken by hand during the grant": """
        ana asks A 30m
        pass 10s
        hand takes
        A back
        pass 1m
        cannot
    """,
    "taken by hand, and another grant joins": """
        ana asks A 60m
        pass 10s
        hand takes
        ana asks B 30m
        pass 10s
        can
        A back
        can
        pass 31m
        cannot
    """,
    # ── Lists that lag ───────────────────────────────────────────────────────────────────────
    "a list that lags behind what a delete has done": """
        lag 9s
        ana asks A 10m
        pass 20s
        A back
        pass 6s
        cannot
        ana asks B 10m
        pass 1m
        can
        B is active
    """,
    "a list that lags behind what a create has done": """
        lag 9s
        ana asks A 10m
        pass 6s
        A is active
        can
        A back
        pass 30s
        cannot
    """,
    "a list that lags behind a standing one taken away": """
        hand gives
        pass 1m
        lag 9s
        hand takes
        ana asks A 30m
        pass 10m
        A back
        pass 1m
        cannot
    """,
    # ── Slow and lost calls ──────────────────────────────────────────────────────────────────
    "a create that lands after its answer was given up": """
        fault LATE on CreateAccountAssignment after 8s
        ana asks A 10m
        pass 5m
        can
        A is active
        pass 6m
        cannot
    """,
    "a create that lands after the grant was given back": """
        fault LATE on CreateAccountAssignment after 8s
        ana asks A 10m
        A back
        pass 5m
        cannot
    """,
    "a create that was done and never answered": """
        fault HANG_UP_DONE on CreateAccountAssignment
        ana asks A 10m
        pass 3m
        can
        A is active
        A back
        pass 1m
        cannot
    """,
    "a create that was done and never answered, given back at once": """
        fault HANG_UP_DONE on CreateAccountAssignment
        ana asks A 10m
        A back
        pass 3m
        cannot
    """,
    "a delete that lands late, with a newcomer": """
        ana asks A 30m
        pass 10s
        fault LATE on DeleteAccountAssignment after 8s
        A back
        pass 20s
        ana asks B 30m
        pass 5m
        can
        B is active
    """,
    "a delete that was done and never answered": """
        ana asks A 30m
        pass 10s
        fault HANG_UP_DONE on DeleteAccountAssignment
        A back
        pass 1m
        cannot
    """,
    "a delete that fails twice": """
        ana asks A 30m
        pass 10s
        fault FAILS on DeleteAccountAssignment
        fault FAILS on DeleteAccountAssignment
        A back
        pass 5m
        cannot
    """,
    "a create that never ends, given back": """
        fault NEVER_FINISHES on CreateAccountAssignment
        ana asks A 60m
        pass 1m
        A back
        pass 30m
        cannot
        A is ending
        release
        pass 30m
        cannot
    """,
    "a delete that never ends": """
        ana asks A 60m
        pass 10s
        fault NEVER_FINISHES on DeleteAccountAssignment
        A back
        pass 20m
        release
        pass 10m
        cannot
    """,
    "statuses that are forgotten": """
        fault FORGOTTEN
        ana asks A 60m
        pass 3m
        can
        A is active
        fault FORGOTTEN
        A back
        pass 5m
        cannot
    """,
}

OVER_BOTH = [pytest.param(text, id=name) for name, text in STORIES.items()]


@pytest.fixture(scope="module")
def server() -> Iterator[IdentityCenterServer]:
    with IdentityCenterServer(IdentityCenter(Time())) as running:
        yield running


@pytest.fixture
def over_http(
    server: IdentityCenterServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Story]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")

    def made(**behaviour: Any) -> Story:
        time = Time()
        server.center = IdentityCenter(time, Behaviour(rate=None, **behaviour))
        clients = Clients(clock=time, identity_center_url=server.url)
        return Story(tmp_path, server.center, clients, time)

    return made


@pytest.mark.parametrize("text", OVER_BOTH)
def test_it_ends_with_exactly_the_right_access(over_http: Callable[..., Story], text: str) -> None:
    over_http().tell(text)


@pytest.mark.parametrize("already", ["accepted", "conflict"])
@pytest.mark.parametrize("missing", ["fails", "not found", "succeeds"])
def test_whatever_aws_answers_to_what_is_there_or_is_not(
    over_http: Callable[..., Story], already: str, missing: str
) -> None:
    """AWS says nowhere what a create of what exists is answered, nor a delete of what does not."""
    for name in ("taken by hand during the grant", "standing made between two grants stays"):
        over_http(already=already, missing=missing).tell(STORIES[name])
    over_http(already=already, missing=missing).tell(
        STORIES["a delete that was done and never answered"]
    )


class InProcess(Clients):
    """The same without a network in between: several times as fast, for enumerating."""

    def __init__(self, center: IdentityCenter, time: Time) -> None:
        super().__init__(clock=time)
        self._center = center

    def sso_admin(self, region: str, through: str | None = None) -> Any:  # noqa: ARG002 - a client
        return self._center.client("sso-admin", check=False)

    def identity_store(self, region: str, through: str | None = None) -> Any:  # noqa: ARG002 - a client
        return self._center.client("identitystore", check=False)

    def organizations(self, partition: str, through: str | None = None) -> Any:  # noqa: ARG002 - a client
        return self._center.client("organizations", check=False)


def in_process(folder: Path, dies: Dies) -> Story:
    time = Time()
    center = IdentityCenter(time, Behaviour(rate=None))
    return Story(folder, center, InProcess(center, time), time, dies=dies, strict=dies.at is None)


def steps(folder: Path, text: str) -> int:
    """How many steps a story takes when nobody dies."""
    dies = Dies()
    in_process(folder, dies).tell(text)
    return len(dies.steps)


@pytest.mark.parametrize("text", OVER_BOTH[::3])
def test_a_crash_between_any_two_steps_changes_nothing_of_how_it_ends(
    tmp_path: Path, text: str
) -> None:
    """At one step of every third story; at every step of all of them in the long tests."""
    dice = random.Random(text)  # noqa: S311 - to be repeated, not to be secret
    _dies_at(tmp_path, text, dice.randint(1, steps(tmp_path, text)))


@pytest.mark.long
@pytest.mark.parametrize("text", OVER_BOTH)
def test_a_crash_between_any_two_steps_at_all(tmp_path: Path, text: str) -> None:
    for at in range(1, steps(tmp_path, text) + 1):
        _dies_at(tmp_path, text, at)


def _dies_at(folder: Path, text: str, at: int) -> None:
    dies = Dies(at)
    try:
        in_process(folder, dies).tell(text)
    except AssertionError as exc:
        exc.add_note(f"died at step {at}, {dies.steps[at - 1] if len(dies.steps) >= at else '?'}")
        raise
