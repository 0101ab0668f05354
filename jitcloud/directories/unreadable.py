"""Stands in for a directory, and for a policy, while the configuration is broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from jitcloud.errors import Misconfigured
from jitcloud.model import GroupId, RotationId


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Nobody can be looked up, and nothing judged: only ends go on."""

    why: str

    def person(self, handle: str) -> NoReturn:  # noqa: ARG002 - whoever it is
        """Raise ``Misconfigured``."""
        raise Misconfigured(f"Nothing is granted until this is mended; ends go on. {self.why}")

    def policy(self) -> NoReturn:
        """Raise ``Misconfigured``."""
        self.person("")

    def members(self, group: GroupId) -> NoReturn:
        """Raise ``Misconfigured``."""
        self.person(group)

    def on_call(self, rotation: RotationId) -> NoReturn:
        """Raise ``Misconfigured``."""
        self.person(rotation)

    def groups(self) -> None:
        """Nobody knows."""

    def rotations(self) -> None:
        """Nobody knows."""
