"""An organisation as a test writes it down, whatever form its directory wants it in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from jitcloud.ports import Directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Someone:
    id: str
    name: str = "Somebody"
    emails: tuple[str, ...] = ()
    manager: str | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    members: tuple[str, ...] = ()
    """Those who are in it themselves."""
    groups: tuple[str, ...] = ()
    """Those within it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    people: tuple[Someone, ...]
    groups: Mapping[str, Group] = field(default_factory=dict)
    rotations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Source(Protocol):
    """Where a directory has its knowledge from."""

    def write(self, organisation: Organisation) -> None:
        """Make it know this, and nothing else."""
        ...

    def spoil(self) -> None:
        """Make it unable to answer, until something is written again."""
        ...

    def open(self) -> Directory:
        """Return a directory over it, as a deployment has it for days."""
        ...


ANN = Someone(
    id="u-1",
    name="Ann Straßer",
    emails=("Ann@Example.org", "ann.straßer@example.org"),
    manager="u-2",
)
BOB = Someone(id="u-2", name="Bob", emails=("bob@example.org",))
CAT = Someone(id="u-3", name="Cat", disabled=True)

SMALL = Organisation(
    people=(ANN, BOB, CAT),
    groups={
        "inner": Group(members=("u-1",)),
        "middle": Group(members=("u-3",), groups=("inner",)),
        "outer": Group(groups=("middle", "inner")),
        "apart": Group(members=("u-2",)),
        "empty": Group(),
    },
    rotations={"pager": ("u-1", "u-2"), "nobody": ()},
)
