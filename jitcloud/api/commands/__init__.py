"""What the judge can be told to do: a table of commands, each one call of the library.

Arguments come from whoever faces the network, who may have been taken over: each is checked here
again, by the same definitions. Who speaks is never an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jitcloud.api.commands import brakes, catalog, issuing, reading, requests, votes
from jitcloud.api.commands.command import Command, Doing

__all__ = ["COMMANDS", "Command", "Doing"]

COMMANDS: Mapping[str, Command[Any]] = MappingProxyType(
    {
        command.name: command
        for module in (reading, catalog, requests, votes, brakes, issuing)
        for command in module.COMMANDS
    }
)
