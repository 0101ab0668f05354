"""Just-in-time access to AWS, Azure and Google Cloud, that always ends.

``import jitcloud`` loads no cloud SDK, no pydantic and no command line: names are fetched when
they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jitcloud.errors import (
        CloudError,
        Conflict,
        Invalid,
        JitError,
        Misconfigured,
        NotFound,
        Refused,
        Tampered,
    )
    from jitcloud.library import Acting, Grant, Jitcloud, load, load_to_end
    from jitcloud.model import Caller, Credentials, Reach, Request, Scope, State, Token

__all__ = [
    "Acting",
    "Caller",
    "CloudError",
    "Conflict",
    "Credentials",
    "Grant",
    "Invalid",
    "JitError",
    "Jitcloud",
    "Misconfigured",
    "NotFound",
    "Reach",
    "Refused",
    "Request",
    "Scope",
    "State",
    "Tampered",
    "Token",
    "load",
    "load_to_end",
]

_HOMES = {
    "jitcloud.library": ("Acting", "Grant", "Jitcloud", "load", "load_to_end"),
    "jitcloud.model": ("Caller", "Credentials", "Reach", "Request", "Scope", "State", "Token"),
    "jitcloud.errors": (
        "CloudError",
        "Conflict",
        "Invalid",
        "JitError",
        "Misconfigured",
        "NotFound",
        "Refused",
        "Tampered",
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        message = f"module 'jitcloud' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(home), name)
