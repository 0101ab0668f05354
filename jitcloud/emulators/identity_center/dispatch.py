"""Takes calls: throttles them, lets faults strike, and hands them to whoever answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, cast

from botocore.exceptions import ClientError, ConnectionClosedError

from jitcloud.emulators.identity_center.agenda import Agenda
from jitcloud.emulators.identity_center.behaviour import Behaviour
from jitcloud.emulators.identity_center.call import Answer, Call, Handler
from jitcloud.emulators.identity_center.description import (
    codes,
    exceptions,
    wrong_with_answer,
    wrong_with_request,
)
from jitcloud.emulators.identity_center.faults import OUTCOMES, Fault, Faults
from jitcloud.emulators.identity_center.refusal import Refusal, code_in, invalid, throttled
from jitcloud.emulators.identity_center.throttle import Bucket
from jitcloud.errors import Invalid
from jitcloud.text import quoted

_LIMITED = "sso-admin"
"""The quota is of "IAM Identity Center APIs"; that of the identity store is not documented."""

_AT_THEIR_SIDE = frozenset({"InternalServerException", "ServiceException"})


class Dispatch:
    """The way to all handlers of one Identity Center."""

    def __init__(self, agenda: Agenda, behaviour: Behaviour) -> None:
        """Begin without handlers."""
        self._agenda = agenda
        self._behaviour = behaviour
        self._bucket = Bucket()
        self._handlers: dict[str, dict[str, Handler]] = {}
        self.faults = Faults()
        self.calls: Counter[str] = Counter()

    def add(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Have these answer for a service."""
        self._handlers.setdefault(service, {}).update(handlers)

    def operations(self, service: str) -> Sequence[str]:
        """What is answered for a service."""
        return tuple(self._handlers.get(service, ()))

    def call(
        self, service: str, operation: str, params: Mapping[str, Any], *, check: bool
    ) -> Answer:
        """Answer a call; see ``IdentityCenter.call``."""
        handler = self._handlers.get(service, {}).get(operation)
        if handler is None:
            raise Invalid(f"{quoted(operation)} of {quoted(service)} is not emulated here.")
        with self._agenda.moment() as now:
            self.calls[operation] += 1
            call = Call(operation=operation, params=params, now=now)
            try:
                wrong = wrong_with_request(service, operation, params) if check else []
                if wrong:
                    raise invalid("; ".join(wrong))
                answer = self._answer(service, handler, call)
            except Refusal as refusal:
                raise _client_error(service, operation, refusal, check=check) from None
        wrong = wrong_with_answer(service, operation, answer) if check else []
        if wrong:
            raise Invalid(f"AWS does not answer {operation} like this: {'; '.join(wrong)}.")
        return answer

    def _answer(self, service: str, handler: Handler, call: Call) -> Answer:
        rate = self._behaviour.rate if service == _LIMITED else None
        if rate is not None and not self._bucket.take(call.now, rate):
            raise throttled("Rate exceeded")
        planned = self.faults.take(service, call.operation)
        if planned is None:
            return handler(call)
        if planned.fault in OUTCOMES:
            try:
                return handler(replace(call, fault=planned))
            except Refusal:
                self.faults.put_back(planned)
                raise
        if planned.refusal is not None:
            raise planned.refusal
        # What is left are those that get no answer.
        if planned.fault is Fault.HANG_UP_DONE:
            _land(handler, call, call.now)
        if planned.fault is Fault.LATE:
            self._agenda.plan(call.now + planned.after, partial(_land, handler, call))
        raise ConnectionClosedError(endpoint_url=f"https://{service}.amazonaws.com")


def _land(handler: Handler, call: Call, at: datetime) -> None:
    """Do what a call asks for, whose answer nobody gets."""
    with suppress(Refusal):
        handler(replace(call, now=at))


def _client_error(service: str, operation: str, refusal: Refusal, *, check: bool) -> ClientError:
    code = code_in(service, refusal.code)
    if check and code not in codes(service, operation):
        raise Invalid(f"AWS does not answer {operation} with {code}: {refusal.message}")
    told = {
        "Error": {"Code": code, "Message": refusal.message},
        "ResponseMetadata": {
            "HTTPStatusCode": 500 if code in _AT_THEIR_SIDE else 400,
            "RetryAttempts": 0,
        },
        **refusal.members,
    }
    made = cast(
        "Callable[[Mapping[str, object], str], ClientError]", exceptions(service).from_code(code)
    )
    return made(told, operation)
