"""The broker dies before each effect of a lifetime in turn, over an AWS in this process (moto).

An effect is a commit, or a change of IAM: dying before a read is dying after the effect before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from jitcloud.ports import Mechanism, SlotKind
from jitcloud.stores.memory import MemoryStore
from tests.faults import Killed, Switch
from tests.world import Time, World

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

ACCOUNT = "arn:aws:iam::123456789012"
"""The one account of moto."""


@contextlib.contextmanager
def in_process() -> Iterator[IAMClient]:
    """An empty account that anybody may do anything in."""
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        environment.delenv("AWS_PROFILE", raising=False)
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        yield boto3.Session().client("iam", region_name="us-east-1")


@dataclass(frozen=True)
class Target:
    """One group or role that nothing was ever granted in."""

    catalog: str
    mechanism: Mechanism
    kind: SlotKind
    granted: Callable[[], list[str]]
    """What is there now that a grant has put there."""


def die_everywhere(
    folder: Path, lifetime: Callable[[World], None], target: Callable[[int], Target]
) -> int:
    """Check what is left after each death; return how many deaths there were."""
    for at in range(1, 200):
        here, store, time, switch = target(at), MemoryStore(), Time(), Switch(at)
        (folder / str(at)).mkdir()
        broker = partial(
            World,
            folder / str(at),
            time=time,
            catalog_text=here.catalog,
            mechanisms={here.kind.name: here.mechanism},
        )
        kind = switch.over(here.kind, "put", "remove")
        with contextlib.suppress(Killed):
            lifetime(broker(store=switch.over(store, "commit"), kinds_={here.kind.name: kind}))
        alive = broker(store=store, kinds_={here.kind.name: here.kind})
        _what_is_granted_has_an_end_on_record(here, alive)
        _past_the_deadline_all_is_over(here, alive, f"after dying at {switch.calls[-1]} ({at})")
        if len(switch.calls) < at:
            return at - 1
    raise AssertionError(lifetime)


def _what_is_granted_has_an_end_on_record(here: Target, world: World) -> None:
    if here.granted():
        assert any(request.window for request in world.unfinished())


def _past_the_deadline_all_is_over(here: Target, world: World, when: str) -> None:
    world.time.forward(minutes=20)
    world.sweep_until_quiet(step=600)  # an undecided request lapses after a day
    assert here.granted() == [], when
    world.verify_all()
    world.time.forward(hours=1)
    world.sweep()
    assert world.store.due(world.time(), 10) == (), when
