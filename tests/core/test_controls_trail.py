"""What holds for the deployment rests on its own trail; what ends does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jitcloud import controls
from jitcloud.audit import chain
from jitcloud.audit.keys import Ed25519Signer
from jitcloud.audit.public_keys import TrustedKeys
from jitcloud.audit.verify import verify_all
from jitcloud.braking import LINGER
from jitcloud.controls import EVERYTHING
from jitcloud.errors import NotFound, Tampered
from jitcloud.model import (
    BROKER,
    CONTROLS,
    Brake,
    EndAll,
    Happening,
    PersonId,
    Reach,
    Resumed,
    Scope,
    State,
)
from jitcloud.ports import Change, Control
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
    ledger = replace(world.ledger, signer=None, verifier=TrustedKeys(()))
    broker = replace(world.broker, ledger=ledger)
    broker.end_all(caller("ben"), EVERYTHING, world.time(), "laptop stolen")
    assert world.now(active).state is State.ENDING


def edit(world: World, **values: Any) -> None:
    """Edit the row that says what holds, and leave its trail as it was."""
    assert isinstance(world.store, MemoryStore)
    known = world.store.controls()
    assert known is not None
    world.store._controls = replace(known, **values)  # noqa: SLF001 - as a forger writes


@pytest.mark.parametrize("again", ["swept", "started anew", "ended by hand"])
def test_what_is_sealed_on_an_edited_row_is_believed_by_nobody(world: World, again: str) -> None:
    scheduled = world.ask(start=world.time() + timedelta(minutes=2))
    stopped(world)
    brake = Brake(scope=NOBODY, by=PersonId("x"), at=world.time(), reason="look here")
    edit(world, stops=(), endings=(brake,))
    with pytest.raises(Tampered):
        world.ask()
    if again == "started anew":
        world.put_together()
    if again == "ended by hand":
        world.broker.end_all(caller("ben"), DEV, world.time() - 2 * LINGER, "look here")
    world.time.forward(minutes=2)
    world.sweep()
    with pytest.raises(Tampered):
        world.ask()
    assert world.now(scheduled).state is not State.ACTIVE
    assert not world.cloud.who_can("reader")


def test_a_number_set_back_lets_no_older_text_judge(world: World) -> None:
    world.ask()
    known = world.store.controls()
    assert known is not None
    world.policy_text += "// newer"
    world.put_together()
    world.ask()
    world.policy_text = RIGHTS
    world.put_together()
    brake = Brake(scope=NOBODY, by=PersonId("x"), at=world.time(), reason="look here")
    edit(world, policy=known.policy, endings=(brake,))
    for _ in range(2):
        with pytest.raises(Tampered):
            world.ask()
        world.time.forward(minutes=2)
        world.sweep()


def test_a_trail_cut_off_before_a_policy_that_has_judged_is_found(world: World) -> None:
    world.ask()
    assert isinstance(world.store, MemoryStore)
    known, trail = world.store.controls(), world.store.control_events()
    world.policy_text += "// newer"
    world.put_together()
    world.ask()
    verifier = world.signer.verifier()
    assert verify_all(world.store, verifier, world.time()).findings == ()
    world.store._controls, world.store._control_events = known, trail  # noqa: SLF001 - as above
    (finding,) = verify_all(world.store, verifier, world.time()).findings
    assert finding.where == CONTROLS
    assert finding.message.startswith("Policy 2 has judged, and the deployment's own trail knows")


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


def vouching(world: World, signer: Ed25519Signer | None) -> None:
    """Write that somebody vouches for the trail so far."""
    known = world.store.controls()
    assert known is not None
    what = controls.adopt(known, world.broker.judge.policy.ref, "trust me", vouched=True)
    after, events = chain.seal_controls(
        known, (what,), actor=BROKER, now=world.time(), signer=signer
    )
    world.store.commit(Change(control=Control(controls=after, events=events)))
    world.put_together()


def test_nobody_vouches_without_a_key_that_is_trusted(world: World) -> None:
    stopped(world)
    write(world, FORGED)
    for signer in (None, Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"n" * 32))):
        vouching(world, signer)
        with pytest.raises(Tampered, match="not signed"):
            world.ask()


def test_who_vouches_answers_for_what_stands_before_and_for_nothing_after(world: World) -> None:
    stopped(world)
    write(world, FORGED)
    world.broker.adopt(caller("caro"), world.time(), "I have read it", vouched=True)
    assert world.ask().state is State.ACTIVE
    stopped(world)
    write(world, FORGED)
    with pytest.raises(Tampered, match="not signed"):
        world.ask()


def test_vouching_makes_no_edited_line_true(world: World) -> None:
    stopped(world)
    world.broker.adopt(caller("caro"), world.time(), "I have read it", vouched=True)
    assert isinstance(world.store, MemoryStore)
    first, second, *rest = world.store.control_events()
    text = second.text.replace("leaked key", "nothing")
    world.store._control_events = (first, replace(second, text=text), *rest)  # noqa: SLF001 - as above
    world.put_together()
    with pytest.raises(Tampered, match="was edited"):
        world.ask()
