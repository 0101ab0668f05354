"""What becomes of assignments in Identity Center when the record is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jitcloud.model import State
from jitcloud.providers.aws.identity_center import AccountAssignment
from jitcloud.providers.aws.identity_center_places import KIND
from tests.aws.center_world import PROD, Here, Reach, reaching
from tests.aws.iam_world import catalog
from tests.reconciling import reconcile
from tests.world import World


@pytest.fixture(scope="module")
def reach() -> Iterator[Reach]:
    with reaching() as running:
        yield running


def a_broker(here: Here, folder: Path, *, exclusive: bool) -> World:
    target = here.target(exclusive=exclusive)
    return World(
        folder,
        here.clock,
        mechanisms={KIND: here.access},
        kinds_={KIND: AccountAssignment(here.reach.clients)},
        catalog_text=catalog(KIND, dev_read=target, prod_write=target),
    )


def who(here: Here) -> set[str]:
    return set(here.center.who_can(here.admins, PROD))


def test_what_was_granted_is_found_and_ended_and_nothing_else_is_touched(
    reach: Reach, tmp_path: Path
) -> None:
    here = Here(reach)
    other_set = here.center.permission_sets.add("Others")
    here.center.assign_by_hand(here.ana, other_set, PROD)
    first = a_broker(here, tmp_path, exclusive=True)
    request = first.ask()
    for _ in range(3):
        first.time.forward(seconds=5)
        first.sweep()
    assert first.now(request).state is State.ACTIVE
    lost = a_broker(here, tmp_path, exclusive=True)
    told = reconcile(lost, is_dry=True)
    assert (told.is_finished, told.tally.leaked) == (True, 1)
    assert who(here) == {here.ana}, "a dry run ends nobody"
    assert reconcile(lost, ends_leaked=True).tally.leaked == 1
    for _ in range(6):
        lost.time.forward(seconds=5)
        lost.sweep()
    assert who(here) == set()
    assert here.ana in here.center.who_can(other_set, PROD), "nobody asked for that here"
    assert reconcile(lost).tally.leaked == 0


def test_where_others_give_it_too_nothing_is_touched_that_nothing_knows(
    reach: Reach, tmp_path: Path
) -> None:
    here = Here(reach)
    here.center.assign_by_hand(here.ana, here.admins, PROD)
    lost = a_broker(here, tmp_path, exclusive=False)
    found = reconcile(lost, ends_leaked=True)
    assert (found.tally.leaked, found.tally.foreign) == (0, 1)
    lost.sweep()
    assert who(here) == {here.ana}
