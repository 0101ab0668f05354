"""A process that dies before its n-th call of anything outside: for enumerating crash points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class Killed(BaseException):
    """The process is gone: not an ``Exception``, so that no handler runs on as if it lived."""


def die() -> None:
    raise Killed


@dataclass
class Switch:
    """Counts calls, and kills before call number ``at`` (from 1)."""

    at: int
    kill: Callable[[], None] = die
    calls: list[str] = field(default_factory=list)

    def count(self, name: str) -> None:
        self.calls.append(name)
        if len(self.calls) == self.at:
            self.kill()

    def over(self, port: Any, *names: str) -> Any:
        """Return the port with the calls of these names counted; of all names, if none is given."""
        return _Counted(port, self, frozenset(names))


class _Counted:
    def __init__(self, port: Any, switch: Switch, names: frozenset[str]) -> None:
        self._port, self._switch, self._names = port, switch, names

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found) or (self._names and name not in self._names):
            return found

        def counted(*args: Any, **kwargs: Any) -> Any:
            self._switch.count(f"{type(self._port).__name__}.{name}")
            return found(*args, **kwargs)

        return counted
