"""What the tests of the SQLite store share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from jitcloud.errors import Misconfigured
from jitcloud.stores.sqlite import SqliteStore

PATIENCE = timedelta(seconds=5)
A_WHILE = timedelta(milliseconds=50)


@contextmanager
def each_new(hook: Callable[[apsw.Connection], None]) -> Iterator[None]:
    """Do something with each connection that is opened meanwhile."""
    apsw.connection_hooks.append(hook)
    try:
        yield
    finally:
        apsw.connection_hooks.remove(hook)


def refuses_to_open(path: Path, match: str) -> None:
    with pytest.raises(Misconfigured, match=match) as caught:
        SqliteStore(path)
    assert type(caught.value) is Misconfigured  # Unavailable would say: try again
