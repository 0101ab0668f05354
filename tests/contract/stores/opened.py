"""How a contract gets at the store it tries, and what all of its parts use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.errors import Conflict
from jitcloud.ports import Change, Store
from tests.factories import (
    NOW,
)

Opener = Callable[[], Store]
"""Opens the same record each time. Picklable, where other processes are to open it too."""

SECOND = timedelta(seconds=1)
LATER = NOW + timedelta(hours=1)


class Opened(ABC):
    @pytest.fixture
    @abstractmethod
    def record(self, tmp_path: Path) -> Opener: ...

    @pytest.fixture
    def store(self, record: Opener) -> Iterator[Store]:
        store = record()
        yield store
        store.close()


def refuses(store: Store, change: Change) -> None:
    with pytest.raises(Conflict, match="read it again"):
        store.commit(change)
