"""Asking, and ending what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from jitcloud.api.commands.command import Command, Doing, OfRequest, shape, told
from jitcloud.api.inputs import AskBody, ExtendBody, OptionalReasonBody, ReasonBody
from jitcloud.api.message import Answer
from jitcloud.errors import JitError
from jitcloud.instants import parse_start
from jitcloud.model import Request, RequestId, Withdrawn


class Extend(ExtendBody, OfRequest):
    """What ``extend`` takes."""


class WithReason(ReasonBody, OfRequest):
    """What is done to a request for a reason."""


class PerhapsWithReason(OptionalReasonBody, OfRequest):
    """What is done to a request, and needs no reason."""


def ask(doing: Doing, wish: AskBody) -> Answer:
    """Ask for one thing or several; a refusal by policy is recorded, and an answer like any."""
    requests = doing.acting.request_all(
        wish.entitlements,
        wish.duration,
        wish.justification,
        start=None if wish.start is None else parse_start(wish.start),
        ticket=wish.ticket,
        incident=wish.incident,
        break_glass=wish.break_glass,
        id_=doing.id_,
        is_new=doing.since is None,
    )
    return _asked(doing, requests)


def asked(doing: Doing) -> Answer | None:
    """Answer an ask with what became of it; None where nothing was asked for."""
    store = doing.acting.deployment.ledger.store
    first = None if doing.id_ is None else store.request(doing.id_)
    if first is None:
        return None
    names = first.ask.together or (first.id,)
    found = {request.id: request for request in store.requests(names)}
    return _asked(doing, [found[name] for name in names])


def _asked(doing: Doing, requests: Sequence[Request]) -> Answer:
    return Answer(
        status=201,
        body={"requests": [shape(doing, request) for request in requests]},
        headers={"Location": f"/v1/requests/{requests[0].id}"},
    )


def extend(doing: Doing, wish: Extend) -> Answer:
    """Ask for one's own grant to last longer."""
    name = RequestId(wish.request)
    doing.seeing.request(name)
    asked = doing.acting.extend(
        name,
        wish.duration,
        wish.justification,
        ticket=wish.ticket,
        incident=wish.incident,
        break_glass=wish.break_glass,
        id_=doing.id_,
    )
    return _extension(doing, asked)


def extended(doing: Doing) -> Answer | None:
    """Answer an ask for more time with what became of it; None where there is none."""
    store = doing.acting.deployment.ledger.store
    found = None if doing.id_ is None else store.request(doing.id_)
    return None if found is None else _extension(doing, found)


def _extension(doing: Doing, request: Request) -> Answer:
    return Answer(
        status=201,
        body=shape(doing, request),
        headers={"Location": f"/v1/requests/{request.id}"},
    )


def withdraw(doing: Doing, what: PerhapsWithReason) -> Answer:
    """Take one's own request back."""
    name = RequestId(what.request)
    doing.seeing.request(name)
    return told(doing, doing.acting.withdraw(name, what.reason or ""))


def give_back(doing: Doing, what: PerhapsWithReason) -> Answer:
    """End one's own access early."""
    name = RequestId(what.request)
    doing.seeing.request(name)
    return told(doing, doing.acting.give_back(name, what.reason or ""))


def revoke(doing: Doing, what: WithReason) -> Answer:
    """End somebody's access. Anybody may, and is told no more of it than they may see."""
    name = RequestId(what.request)
    done = (
        doing.acting.show(name)
        if doing.did(name, Withdrawn)
        else doing.acting.revoke(name, what.reason)
    )
    with suppress(JitError):  # it is done, whoever else cannot be asked just now
        if doing.seeing.may_see(done):
            return told(doing, done)
    return Answer(status=200, body={"id": done.id, "state": done.state})


COMMANDS: tuple[Command[Any], ...] = (
    Command(name="ask", takes=AskBody, run=ask, takes_key=True, made=asked),
    Command(name="extend", takes=Extend, run=extend, takes_key=True, made=extended),
    Command(name="withdraw", takes=PerhapsWithReason, run=withdraw, takes_key=True),
    Command(name="give-back", takes=PerhapsWithReason, run=give_back, takes_key=True),
    Command(name="revoke", takes=WithReason, run=revoke, takes_key=True),
)
