"""A sweep returns while a receiver stalls: it does not merely go on once that has given up."""

from __future__ import annotations

import threading
from pathlib import Path

from jitcloud.model import Sealed
from jitcloud.outbox import Outbox
from jitcloud.publishing import Subscription
from jitcloud.sweep import sweep
from tests.published_world import Published, Receiver

CHANNEL = "publish-slow"

WAIT = 2
"""Seconds after which whoever is not let go on has been waited for."""


class Stalling(Receiver):
    """Takes its first event once it is let go on, and says whether it was."""

    def __init__(self) -> None:
        super().__init__(CHANNEL)
        self.goes_on = threading.Event()
        self.before = self.stall
        self.gave_up = False

    def stall(self, _line: Sealed) -> None:
        self.gave_up |= not self.goes_on.wait(WAIT)


def test_a_sweep_returns_while_a_receiver_stalls(tmp_path: Path) -> None:
    world, stalling = Published(tmp_path, channels=(CHANNEL,)), Stalling()
    world.ask(minutes=30)
    box = Outbox(world.store, [Subscription(publisher=stalling)], world.time)
    sweep(world.advance, outbox=box)
    has_waited = stalling.gave_up
    stalling.goes_on.set()
    box.finish()
    assert not has_waited
    assert stalling.sent
