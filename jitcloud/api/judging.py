"""The judge behind the API: verifies who speaks, and does what they may.

It believes nothing of whoever invokes it but that a message came: identity is verified here, and
every argument is checked again. It tells no cloud anything.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel, ValidationError

from jitcloud.api import problems
from jitcloud.api.commands import COMMANDS, Command, Doing
from jitcloud.api.message import Answer, Message, message_of
from jitcloud.api.once import Once, request_id
from jitcloud.api.seeing import Seeing
from jitcloud.config import Deployment
from jitcloud.errors import Invalid, JitError, Misconfigured
from jitcloud.library import Acting
from jitcloud.model import Caller
from jitcloud.observing import call, logs
from jitcloud.ports import Answers, Begun, Clock, Identities

ISSUE = frozenset({"credentials"})
"""What ``issue`` does, and all that it does."""

JUDGE = frozenset(COMMANDS) - ISSUE
"""What the judge of a fleet does."""

EVERYTHING = JUDGE | ISSUE
"""What one process does that is all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """Answers messages. Safe for several threads, as far as what it is made of is."""

    deployment: Deployment
    identities: Identities
    answers: Answers | None
    """Where keys are kept; None where no command takes one."""
    clock: Clock
    commands: AbstractSet[str] = JUDGE
    """What it can be told to do here."""

    def answer(self, table: object) -> dict[str, object]:
        """Answer a message that another process sent as JSON, in JSON. Raises nothing."""
        try:
            message = message_of(table)
        except JitError as exc:
            return problems.of(exc).as_dict()
        except Exception as exc:  # noqa: BLE001 - whatever was sent, it is answered
            return problems.defect(exc).as_dict()
        return self.handle(message).as_dict()

    def handle(self, message: Message) -> Answer:
        """Do what a message says, if whoever it is from may. Raises nothing."""
        known = call.current()
        if known is not None and message.trace:
            known.trace = message.trace  # so that one name finds a call in every log
        try:
            answer = self._handle(message)
        except JitError as exc:
            answer = problems.of(exc, message.trace)
        except Exception as exc:  # noqa: BLE001 - a defect is answered too, and logged
            answer = problems.defect(exc, message.trace)
        logs.event("judged", level=logging.INFO, command=message.command, status=answer.status)
        return answer

    def _handle(self, message: Message) -> Answer:
        command = COMMANDS.get(message.command) if message.command in self.commands else None
        if command is None:
            raise Invalid("There is no such command here; see docs/api.md for what there is.")
        if message.presented is None:
            return problems.unknown_caller(
                "Say who you are: send an OpenID Connect token, or an AWS identity.",
                message.trace,
            )
        caller = self.identities.identify(message.presented, self.clock())
        known = call.current()
        if known is not None:
            known.person = caller.person
        try:
            taken = command.takes.model_validate(dict(message.arguments))
        except ValidationError as exc:
            errors: Any = exc.errors(include_url=False, include_input=False, include_context=False)
            return problems.wrong(
                ({**error, "loc": error["loc"]} for error in errors), message.trace
            )
        do = partial(self._do, command, caller, taken, message.trace)
        if message.key is None or not command.takes_key:
            return do(None)
        if self.answers is None:
            raise Invalid("No Idempotency-Key means anything here; leave it out.")
        # What was answered before is for somebody who may still speak.
        with suppress(Misconfigured):
            Seeing(Acting(self.deployment, caller)).person()
        once = Once(self.answers, self.clock)
        return once(
            caller.person,
            command.name,
            message.key,
            taken.model_dump(mode="json"),
            message.trace,
            do,
            None if command.made is None else partial(self._made, command.made, caller),
        )

    def _made(
        self, made: Callable[[Doing], Answer | None], caller: Caller, begun: Begun
    ) -> Answer | None:
        acting = Acting(self.deployment, caller)
        return made(
            Doing(acting=acting, now=self.clock(), id_=request_id(begun), since=begun.since)
        )

    def _do(
        self,
        command: Command[Any],
        caller: Caller,
        taken: BaseModel,
        trace: str,
        begun: Begun | None,
    ) -> Answer:
        again = begun is not None and begun.number > 1
        doing = Doing(
            acting=Acting(self.deployment, caller),
            now=self.clock(),
            id_=None if begun is None else request_id(begun),
            since=begun.since if begun is not None and again else None,
        )
        try:
            return command.run(doing, taken)
        except JitError as exc:
            return problems.of(exc, trace)
