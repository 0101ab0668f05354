"""With the rights that are printed each mechanism does all it does, and with one less it does not.

What the emulator cannot judge is held to the text: ``tests/unit/test_aws_rights.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jitcloud.errors import CloudRefused, JitError
from jitcloud.model import State
from jitcloud.providers.aws.rights import BROKER
from tests.aws.conftest import Aws
from tests.aws.rights_cases import EXTERNAL_ID, KINDS, Case, Rights
from tests.aws.rights_world import Allowed

AWAY = "222233334444"


# Making clients takes longer than all that is done with them, so they are used again.
@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> Callable[..., Case]:
    made: Callable[..., Case] = request.param
    return made


@pytest.fixture(scope="module")
def here(aws: Aws, kind: Callable[..., Case]) -> Case:
    return kind(aws, aws, {})


@pytest.fixture(scope="module")
def elsewhere(aws: Aws, kind: Callable[..., Case]) -> Case:
    away = replace(aws, account=AWAY)
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{aws.account}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
    }
    return kind(aws, away, {"account_role": away.role(trust=trust)})


@pytest.fixture(scope="module", params=["here", "elsewhere"])
def case(request: pytest.FixtureRequest, kind: Callable[..., Case]) -> Case:  # noqa: ARG001 - both are of that kind
    found: Case = request.getfixturevalue(request.param)
    return found


# ── Enough, and no more than enough ──────────────────────────────────────────────────────────

UNJUDGED = {"sts:SetSourceIdentity", "sts:TagSession"}
"""For which the emulator asks the role's trust policy alone, or nobody."""


def test_with_these_rights_it_is_granted_and_ended(case: Case, tmp_path: Path) -> None:
    world = case.world(case.broker(case.rights()), tmp_path)
    case.ended(world, *case.granted(world))


def test_with_any_one_of_them_less_it_is_not(here: Case, tmp_path: Path) -> None:
    needless = set()
    for number, (one, left) in enumerate(each_taken_away(here.rights())):
        world = here.world(here.broker(left), folder(tmp_path, number))
        if succeeds(lambda world=world: here.ended(world, *here.granted(world))):  # type: ignore[misc] # a default binds it
            needless.add(one.action)
        here.clean()
    assert needless <= UNJUDGED


def test_without_the_way_into_the_account_nothing_is_granted_there(
    elsewhere: Case, tmp_path: Path
) -> None:
    rights = elsewhere.rights()
    way = Allowed("sts:AssumeRole", str(elsewhere.target["account_role"]))
    elsewhere.start_anew()
    world = elsewhere.world(elsewhere.broker({**rights, BROKER: rights[BROKER] - {way}}), tmp_path)
    assert not succeeds(lambda: elsewhere.granted(world))


def test_with_the_rights_to_end_it_is_ended(case: Case, tmp_path: Path) -> None:
    grants = case.world(case.broker(case.rights()), tmp_path)
    request, key = case.granted(grants)
    only_ends = case.world(case.broker(case.rights(to_end=True)), tmp_path, other=grants)
    case.ended(only_ends, request, key)


def test_with_the_rights_to_end_nothing_is_granted(case: Case, tmp_path: Path) -> None:
    world = case.world(case.broker(case.rights(to_end=True)), tmp_path)
    request = world.ask()
    if case.key is None:
        with pytest.raises(CloudRefused, match=r"^AWS refused sts:AssumeRole on "):
            case.uses(world, request)
        return
    assert request.state is State.ACTIVATING
    assert "AWS refused iam:" in world.slot(request).trouble
    assert not case.aws.can_read(case.key, case.bucket)


def test_with_any_one_of_the_rights_to_end_less_it_is_not(here: Case, tmp_path: Path) -> None:
    needless = set()
    for number, (one, left) in enumerate(each_taken_away(here.rights(to_end=True))):
        grants = here.world(here.broker(here.rights()), folder(tmp_path, number))
        request, key = here.granted(grants)
        only_ends = here.world(here.broker(left), grants.folder, other=grants)
        if succeeds(lambda w=only_ends, r=request, k=key: here.ended(w, r, k)):  # type: ignore[misc] # the same
            needless.add(one.action)
        here.clean()
    assert needless == set()


def each_taken_away(rights: Rights) -> list[tuple[Allowed, Rights]]:
    """What remains of the broker's own rights without one of them."""
    return [(one, {BROKER: rights[BROKER] - {one}}) for one in sorted(rights[BROKER])]


def folder(inside: Path, number: int) -> Path:
    made = inside / str(number)
    made.mkdir()
    return made


def succeeds(what: Callable[[], object]) -> bool:
    try:
        what()
    except (AssertionError, JitError):
        return False
    return True
