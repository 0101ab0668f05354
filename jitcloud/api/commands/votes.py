"""What people say to each other's requests: yes, no, well done, and that it is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jitcloud.api.commands.command import Command, Doing, OfRequest, told
from jitcloud.api.commands.requests import PerhapsWithReason, WithReason
from jitcloud.api.inputs import ReviewBody
from jitcloud.api.message import Answer
from jitcloud.errors import NotFound, Refused
from jitcloud.model import Attested, Request, RequestId, Reviewed, Voted


class Review(ReviewBody, OfRequest):
    """What ``review`` takes."""


def approve(doing: Doing, what: PerhapsWithReason) -> Answer:
    """Say yes to somebody's request."""
    name = RequestId(what.request)
    if doing.did(name, Voted, yes=True):
        return told(doing, doing.acting.show(name))
    return _said(doing, name, lambda: doing.acting.approve(name, what.reason or ""))


def deny(doing: Doing, what: WithReason) -> Answer:
    """Say no to somebody's request."""
    name = RequestId(what.request)
    if doing.did(name, Voted, yes=False):
        return told(doing, doing.acting.show(name))
    return _said(doing, name, lambda: doing.acting.deny(name, what.reason))


def review(doing: Doing, what: Review) -> Answer:
    """Record what was found of a broken glass."""
    name = RequestId(what.request)
    if doing.did(name, Reviewed, fine=what.fine, note=what.note):
        return told(doing, doing.acting.show(name))
    return _said(doing, name, lambda: doing.acting.review(name, what.note, fine=what.fine))


def attest(doing: Doing, what: WithReason) -> Answer:
    """Answer for an end that nothing can see any more."""
    name = RequestId(what.request)
    if doing.did(name, Attested):
        return told(doing, doing.acting.show(name))
    return _said(doing, name, lambda: doing.acting.attest(name, what.reason))


def _said(doing: Doing, name: RequestId, say: Callable[[], Request]) -> Answer:
    """Do it; whoever may not, and has nothing to do with the request, learns nothing of it.

    Not looked at before: by a newer policy others may be asked than the record says.
    """
    try:
        return told(doing, say())
    except (Refused, NotFound):
        doing.seeing.request(name)
        raise


COMMANDS: tuple[Command[Any], ...] = (
    Command(name="approve", takes=PerhapsWithReason, run=approve, takes_key=True),
    Command(name="deny", takes=WithReason, run=deny, takes_key=True),
    Command(name="review", takes=Review, run=review, takes_key=True),
    Command(name="attest", takes=WithReason, run=attest, takes_key=True),
)
