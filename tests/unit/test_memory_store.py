"""What the contract's races cannot show of the memory store: they are over too fast to collide."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from jitcloud.errors import Conflict
from jitcloud.model import SlotKey
from jitcloud.ports import Change
from jitcloud.stores.memory import MemoryStore
from tests.factories import a_slot


class Slow(str):
    """A key that gives other threads a turn whenever it is looked up."""

    __slots__ = ()

    def __hash__(self) -> int:
        time.sleep(0.001)
        return super().__hash__()

    __eq__ = str.__eq__


def test_of_threads_that_move_one_slot_at_once_one_wins() -> None:
    store = MemoryStore()
    change = Change(slots=(replace(a_slot(1), key=SlotKey(Slow("key"))),))

    barrier = threading.Barrier(4)

    def wins(_: int) -> bool:
        barrier.wait(30)
        try:
            store.commit(change)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(wins, range(4))) == 1
