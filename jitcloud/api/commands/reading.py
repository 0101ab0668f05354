"""Looking at requests, their trails, and at who one is. Nothing is recorded."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jitcloud import binding, shapes
from jitcloud.api.commands.command import Command, Doing, Nothing, OfRequest, places, shape
from jitcloud.api.inputs import (
    Cursor,
    Limit,
    Of,
    StateName,
    Strict,
)
from jitcloud.api.message import Answer
from jitcloud.errors import Invalid
from jitcloud.instants import iso
from jitcloud.model import Request, RequestId, Sealed, State
from jitcloud.ports import Page
from jitcloud.shapes_of_advice import of_advice

PAGE, PAGES = 200, 5
"""How many requests, in how many pages of the record, are looked through for one of ours."""


class OfPage(Strict):
    """Which part of a list."""

    limit: Limit = 50
    after: Cursor | None = None


class OfRequests(OfPage):
    """Which requests."""

    state: StateName | None = None
    of: Of = "me"


class OfTrail(OfPage, OfRequest):
    """Which part of a trail."""


class Some(Strict):
    """The first of a list."""

    limit: Limit = 50


class OfReviews(Some):
    """The first of the reviews that are outstanding."""

    of: Of = "me"


def me(doing: Doing, _: Nothing) -> Answer:
    """Say who speaks, as the directory has them now."""
    person, caller = doing.seeing.person(), doing.acting.caller
    at = caller.signed_in_at
    return Answer(
        status=200,
        body={
            "id": person.id,
            "name": person.name,
            "emails": list(person.emails),
            "groups": sorted(person.groups),
            "rotations": sorted(person.rotations),
            "token": caller.token.kind,
            "signed_in_at": None if at is None else iso(at),
        },
    )


def show(doing: Doing, what: OfRequest) -> Answer:
    """Show one request as it stands, with what clouds said of its places."""
    found = doing.seeing.request(RequestId(what.request))
    bound = found.entitlement.bound_votes
    return Answer(
        status=200,
        body={
            **shape(doing, found),
            "troubles": shapes.of_troubles(places(doing, found)),
            # What a yes is bound to, for whoever has to compute that: see ``binding``.
            "ask": binding.plain(found.ask) if bound else None,
        },
    )


def explain(doing: Doing, what: OfRequest) -> Answer:
    """Say who could say yes, what would help, and what could be had instead."""
    found = doing.seeing.request(RequestId(what.request))
    advice = doing.acting.advise(found)
    decision = shapes.of_decision(advice.decision)
    return Answer(status=200, body={"id": found.id, "decision": decision, **of_advice(advice)})


def trail(doing: Doing, what: OfTrail) -> Answer:
    """Return the events of a request as they were sealed, the first ones first.

    RFC 8785 gives each one's text again, and with it its hash.
    """
    found = doing.seeing.request(RequestId(what.request))
    after = _number(what.after)
    lines = doing.acting.deployment.ledger.store.events(found.id)
    later = [line for line in lines if line.event.seq > after]
    page = later[: what.limit]
    following = page[-1].event.seq if len(later) > len(page) else None
    return Answer(
        status=200,
        body={
            "id": found.id,
            "events": [_event(line) for line in page],
            "next": None if following is None else cursor(str(following)),
        },
    )


def mine_or_everybodys(doing: Doing, what: OfRequests) -> Answer:
    """List one's own requests, or everybody's in a state that one may see; the newest first."""
    state = None if what.state is None else State(what.state)
    begun = _Passed() if what.after is None else _passed_in(what.after)
    found: list[Request] = []
    here, following = _Passed(), None
    for page in _pages(doing, what, state, begun.before):
        for request in page.requests:
            here = here.and_then(request.id)
            if here.instant == begun.instant and here.count <= begun.count:
                continue
            if what.of == "me":
                fits = state is None or request.state is state
            else:
                fits = doing.seeing.may_see(request)
            if fits:
                found.append(request)
                if len(found) == what.limit:
                    # Perhaps there is nothing behind it: then the next page is empty.
                    return _list(doing, found, here)
        following = None if page.after is None else here
    return _list(doing, found, following)


@dataclass(frozen=True, slots=True)
class _Passed:
    """How far a list has come, without an id: what is hidden must not be named by a cursor.

    A ULID begins with its instant, and several may share one.
    """

    instant: str = ""
    count: int = 0
    """How many of that instant were passed, seen or hidden."""

    @property
    def before(self) -> RequestId | None:
        """After which id to look again: the last that there could be of that instant."""
        return RequestId(f"{self.instant}{'Z' * 16}") if self.instant else None

    def and_then(self, name: RequestId) -> _Passed:
        instant = name[:10]
        return _Passed(instant, self.count + 1 if instant == self.instant else 1)


def _pages(
    doing: Doing, what: OfRequests, state: State | None, after: RequestId | None
) -> Iterator[Page]:
    broker, caller = doing.acting.deployment.broker, doing.acting.caller
    store = doing.acting.deployment.ledger.store
    if what.of == "everybody":
        doing.seeing.person()
    for _ in range(PAGES):
        if what.of == "me":
            page = broker.mine(caller, PAGE, after)
        elif state is None:
            raise Invalid("Name the state of everybody's requests to list, such as state=active.")
        else:
            page = store.by_state(state, PAGE, after)
        yield page
        after = page.after
        if after is None:
            return


def approvals(doing: Doing, what: Some) -> Answer:
    """List the newest requests that wait for one's own yes."""
    acting = doing.acting
    # One more than asked for shows whether there are more.
    found = acting.deployment.broker.waiting_for(acting.caller, doing.now, what.limit + 1)
    return _some(doing, found, what.limit)


def reviews(doing: Doing, what: OfReviews) -> Answer:
    """List what awaits one's own review, or anybody's as far as one may see it, by urgency."""
    if what.of == "me":
        return _some(doing, doing.acting.unreviewed(), what.limit)
    doing.seeing.person()
    everybodys = doing.acting.deployment.broker.unreviewed()
    return _some(doing, tuple(filter(doing.seeing.may_see, everybodys)), what.limit)


def _some(doing: Doing, found: tuple[Request, ...], limit: int) -> Answer:
    body = {
        "requests": [shape(doing, request) for request in found[:limit]],
        "more": len(found) > limit,
    }
    return Answer(status=200, body=body)


def _list(doing: Doing, found: list[Request], after: _Passed | None) -> Answer:
    body = {
        "requests": [shape(doing, request) for request in found],
        "next": None if after is None else cursor(f"{after.instant}.{after.count}"),
    }
    return Answer(status=200, body=body)


def _event(line: Sealed) -> dict[str, object]:
    signature = line.signature
    return {
        **json.loads(line.text),
        "hash": line.hash,
        "signature": signature and {"key": signature.key, "value": signature.value},
    }


def cursor(text: str) -> str:
    """Return where a page ended, in a form that nobody takes for something to be made up."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def uncovered(text: str) -> str:
    """Return what a cursor holds. Raises ``Invalid`` for what is none."""
    try:
        padded = text + "=" * (-len(text) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise Invalid(NO_CURSOR) from None


NO_CURSOR = "This `after` is none that a page gave as its `next`; begin without one."


def _passed_in(text: str) -> _Passed:
    held = _PASSED.fullmatch(uncovered(text))
    if held is None:
        raise Invalid(NO_CURSOR)
    return _Passed(held[1], int(held[2]))


_PASSED = re.compile(r"([0-7][0-9A-HJKMNP-TV-Z]{9})\.([0-9]{1,6})")


def _number(text: str | None) -> int:
    found = "0" if text is None else uncovered(text)
    if not (found.isdecimal() and len(found) <= MOST_DIGITS):
        raise Invalid(NO_CURSOR)
    return int(found)


MOST_DIGITS = 9

COMMANDS: tuple[Command[Any], ...] = (
    Command(name="me", takes=Nothing, run=me),
    Command(name="list", takes=OfRequests, run=mine_or_everybodys),
    Command(name="show", takes=OfRequest, run=show),
    Command(name="explain", takes=OfRequest, run=explain),
    Command(name="trail", takes=OfTrail, run=trail),
    Command(name="approvals", takes=Some, run=approvals),
    Command(name="reviews", takes=OfReviews, run=reviews),
)
