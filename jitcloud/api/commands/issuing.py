"""Handing out credentials: the one answer that is a secret."""

from __future__ import annotations

from typing import Any

from jitcloud import shapes
from jitcloud.api.commands.command import Command, Doing, OfRequest
from jitcloud.api.message import Answer
from jitcloud.model import RequestId


def credentials(doing: Doing, what: OfRequest) -> Answer:
    """Mint a set of credentials for one's own active grant."""
    name = RequestId(what.request)
    doing.seeing.request(name)
    made = doing.acting.credentials(name)
    return Answer(
        status=200,
        body=shapes.of_credentials(name, made),
        headers={"Cache-Control": "no-store"},
    )


COMMANDS: tuple[Command[Any], ...] = (
    # No key: an answer that is kept would be a secret at rest.
    Command(name="credentials", takes=OfRequest, run=credentials),
)
