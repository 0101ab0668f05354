"""What answers callers of a deployment: the judge, in this very process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from jitcloud import adapters
from jitcloud.api import problems
from jitcloud.api.application import application
from jitcloud.api.judging import EVERYTHING, Judging
from jitcloud.api.message import Answer, Message
from jitcloud.config import Deployment
from jitcloud.errors import JitError
from jitcloud.observing import logs
from jitcloud.serving.current import Current

NOBODY = "no [sign_in] in jitcloud.toml: nobody can call, and all else goes on; see docs/sign-in.md"


class Answering:
    """Answers messages about one deployment; none, while it is broken, but that it is."""

    def __init__(self, deployment: Deployment) -> None:
        """Put the judge together, as far as that goes: ends do not wait for who may call."""
        self.broken = deployment.broken
        """Why nobody is answered, where something is wrong."""
        self._judging: Judging | None = None
        if self.broken:
            return
        try:
            self._judging = _judging(deployment)
        except JitError as exc:
            self.broken = str(exc)
            logs.event("broken", level=logging.ERROR, why=self.broken)
            return
        if self._judging is None:
            logs.event("no-sign-in", level=logging.WARNING, why=NOBODY)

    def __call__(self, message: Message) -> Answer:
        """Answer one message."""
        if self._judging is not None:
            return self._judging.handle(message)
        return problems.problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            error="Misconfigured",
            detail=problems.OPERATOR,
            trace=message.trace,
            headers={"Retry-After": str(problems.AGAIN)},
        )


def _judging(deployment: Deployment) -> Judging | None:
    """Put it together; None where nobody can call."""
    identities = deployment.identities()
    if identities is None:
        return None
    return Judging(
        deployment=deployment,
        identities=identities,
        answers=adapters.answers_of(deployment.settings, deployment.folder),
        clock=deployment.clock,
        commands=EVERYTHING,
    )


def resolver(current: Current[Answering]) -> Callable[[dict[str, Any], Any], Mapping[str, Any]]:
    """Return what answers events by asking whoever answers at that moment."""

    def ask(message: Message) -> Answer:
        return current.answering(message)

    return application(ask).resolve
