"""What holds for the deployment rests on its own trail; what ends does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jitcloud.audit.keys import Ed25519Signer, Ed25519Verifier
from jitcloud.controls import EVERYTHING
from jitcloud.errors import NotFound, Tampered
from jitcloud.model import EndAll, Happening, Reach, Resumed, Scope, State
from jitcloud.stores.memory import MemoryStore
from tests.core.test_brakes import ANA, DEV, RIGHTS
from tests.world import CATALOG, PEOPLE, World, caller

FORGED = Resumed(scope=EVERYTHING, reason="trust me")
NOBODY = Scope(reach=Reach.PERSON, id="nobody")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, policy_text=RIGHTS)


def stopped(world: World) -> None:
    world.broker.stop(caller("ben"), EVERYTHING, world.time(), "leaked key")


def write(world: World, *what: Happening) -> None:
    """Write to the trail as whoever can write the record, and has no key."""
    world.forge(*what)


def test_ending_on_a_forged_trail_makes_nobody_believe_it(world: World) -> None:
    stopped(world)
    write(world, FORGED, EndAll(scope=NOBODY, reason="look here"))
    world.sweep()  # signs nothing, but writes that all of nobody's has begun to end
    with pytest.raises(Tampered, match="not signed"):
        world.ask()
    world.broker.end_all(caller("ben"), NOBODY, world.time(), "look here")
    with pytest.raises(Tampered, match="not signed"):
        world.ask()


def test_a_forged_trail_keeps_nothing_from_being_ended(world: World) -> None:
    active = world.ask()
    stopped(world)
    write(world, FORGED)
    world.broker.end_all(caller("ben"), EVERYTHING, world.time(), "laptop stolen")
    assert world.now(active).state is State.ENDING


def test_without_any_key_that_is_trusted_everything_can_be_ended(world: World) -> None:
    active = world.ask()
    ledger = replace(world.ledger, signer=None, verifier=Ed25519Verifier(()))
    broker = replace(world.broker, ledger=ledger)
    broker.end_all(caller("ben"), EVERYTHING, world.time(), "laptop stolen")
    assert world.now(active).state is State.ENDING


@pytest.mark.parametrize("gone", [ANA, DEV], ids=["person", "entitlement"])
def test_what_has_left_its_file_is_ended_and_resumed_by_its_old_name(
    world: World, gone: Scope
) -> None:
    active = world.ask()
    world.broker.stop(caller("ben"), gone, world.time(), "leaked key")
    world.people_text = PEOPLE.replace('"ana"', '"anne"').replace("ana@", "anne@")
    world.catalog_text = CATALOG.replace('"dev-read"', '"dev-look"')
    world.put_together()
    world.broker.end_all(caller("ben"), gone, world.time(), "laptop stolen")
    assert world.now(active).state is State.ENDING
    world.broker.resume(caller("ben"), gone, world.time(), "found again")
    with pytest.raises(NotFound):
        world.broker.stop(caller("ben"), replace(gone, id="neverthere"), world.time(), "a slip")


def test_a_name_that_nothing_has_is_a_slip(world: World) -> None:
    world.ask()
    before = world.store.control_events()
    for scope in (NOBODY, Scope(reach=Reach.ENTITLEMENT, id="dev-reed")):
        with pytest.raises(NotFound):
            world.broker.end_all(caller("ben"), scope, world.time(), "laptop stolen")
    assert world.store.control_events() == before


def test_a_record_without_its_controls_is_not_taken_for_a_new_one(world: World) -> None:
    stopped(world)
    assert isinstance(world.store, MemoryStore)
    world.store._controls = None  # noqa: SLF001 - as whoever can write the record would
    world.put_together()
    with pytest.raises(Tampered, match="not what its trail says"):
        world.ask()


def test_a_stolen_key_can_be_left_behind(world: World) -> None:
    world.ask()
    world.signer = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"n" * 32))
    world.put_together()
    with pytest.raises(Tampered, match="a key that is not trusted here"):
        world.ask()
    # Somebody has read what the old key signed, and answers for it by name.
    reason = "the key was stolen; I have read the trail"
    world.broker.adopt(caller("caro"), world.time(), reason, vouched=True)
    assert world.ask().state is State.ACTIVE
