"""How many calls to AWS a life takes among others, and a comparison of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from jitcloud.model import State
from jitcloud.providers.aws.identity_center import AccountAssignment
from jitcloud.providers.aws.identity_center_places import KIND
from jitcloud.reconcile import Compared
from tests.aws.center_world import PROD, Here, Reach
from tests.aws.iam_world import catalog
from tests.reconciling import reconcile
from tests.world import World

DEV = "333344445555"


def a_broker(reach: Reach, folder: Path, others: int) -> tuple[Here, World]:
    """A broker of an organization in which so many others have the same, in two accounts."""
    here = Here(reach)
    here.organization.add_account(DEV, "dev")
    for number in range(others):
        user = here.store.add_user(f"other-{number}")
        here.center.assign_by_hand(user, here.admins, PROD if number % 2 else DEV)
    target = here.target(find_user_by="email")
    world = World(
        folder,
        here.clock,
        mechanisms={KIND: here.access},
        kinds_={KIND: AccountAssignment(reach.clients)},
        catalog_text=catalog(KIND, dev_read=target, prod_write=target),
    )
    return here, world


def calls_of_a_life(reach: Reach, folder: Path, others: int) -> int:
    """Ask, be approved, get it, give it back, and be seen to have it no more."""
    here, world = a_broker(reach, folder, others)
    request = world.approve(world.ask(what="prod-write"))
    for _ in range(4):
        world.time.forward(seconds=5)
        world.sweep()
    if world.now(request).state is not State.ACTIVE:
        raise AssertionError(world.now(request))
    world.give_back(request)
    for _ in range(6):
        world.time.forward(seconds=5)
        world.sweep()
    if world.now(request).removed_at is None:
        raise AssertionError(world.now(request))
    return sum(here.calls.values())


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a reconcile of so many assignments took."""

    compared: Compared
    calls: int
    pages: int
    """Those that must be read."""


def a_comparison(reach: Reach, folder: Path, assignments: int) -> Comparison:
    """Compare with an empty record, which has to look at all of them, and change nothing."""
    here, world = a_broker(reach, folder, 2 * assignments)
    here.behaviour.rate = None
    before = sum(here.calls.values())
    compared = reconcile(world, within=timedelta(minutes=5), is_dry=True)
    size = here.behaviour.page_size
    return Comparison(compared, sum(here.calls.values()) - before, -(-assignments // size))
