"""Commands that ask, decide, and take back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from jitcloud import shapes
from jitcloud.cli import advice, say, words
from jitcloud.cli.acting import Acting, Revoked
from jitcloud.cli.completing import entitlements
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.options import (
    BreakGlass,
    OptionalReason,
    OwnId,
    Reason,
    RequestArgument,
    Wait,
)
from jitcloud.cli.program import Program, program_of
from jitcloud.cli.waiting import until_decided
from jitcloud.errors import JitError
from jitcloud.instants import parse_start
from jitcloud.model import Denied, Request, State
from jitcloud.shapes_of_advice import of_advice

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.cli.advice import Advice


def request(  # noqa: PLR0913, PLR0917 - each one an option
    context: typer.Context,
    entitlement: Annotated[
        list[str],
        typer.Argument(
            metavar="ENTITLEMENT...",
            help="What `jitcloud catalog` lists; several at once are decided apart.",
            autocompletion=entitlements,
            show_default=False,
        ),
    ],
    duration: Annotated[
        str,
        typer.Option("--for", metavar="TIME", help="Such as 30m or 1h30m.", show_default=False),
    ],
    because: Annotated[
        str,
        typer.Option("--because", metavar="TEXT", help="Approvers read it.", show_default=False),
    ],
    start: Annotated[
        str | None,
        typer.Option(
            metavar="INSTANT",
            help="When to begin, such as 2026-12-01T09:00:00Z or, by the clocks of a place,"
            " 2026-12-01T09:00:00[Europe/Berlin]; else as soon as it is allowed.",
            show_default=False,
        ),
    ] = None,
    ticket: Annotated[
        str | None, typer.Option(metavar="ID", help="The ticket it is for.", show_default=False)
    ] = None,
    incident: Annotated[
        str | None, typer.Option(metavar="ID", help="The incident it is for.", show_default=False)
    ] = None,
    break_glass: BreakGlass = False,
    id_: OwnId = None,
    wait: Wait = False,
) -> int:
    """Ask for an entitlement, for a while, with a reason."""
    program = program_of(context)
    begin = None if start is None else parse_start(start)
    with program.acting() as acting:
        asked = acting.request_all(
            entitlement,
            duration,
            because,
            start=begin,
            ticket=ticket,
            incident=incident,
            break_glass=break_glass,
            id_=id_,
        )
        if wait:
            asked = tuple(until_decided(acting, each, program) for each in asked)
        return _tell_all(program, acting, asked)


def extend(  # noqa: PLR0913, PLR0917 - each one an option
    context: typer.Context,
    request: RequestArgument,
    duration: Annotated[
        str,
        typer.Option(
            "--for", metavar="TIME", help="So much longer, such as 30m.", show_default=False
        ),
    ],
    because: Annotated[
        str,
        typer.Option("--because", metavar="TEXT", help="Approvers read it.", show_default=False),
    ],
    ticket: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Another ticket than before.", show_default=False),
    ] = None,
    incident: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Another incident than before.", show_default=False),
    ] = None,
    break_glass: BreakGlass = False,
    id_: OwnId = None,
    wait: Wait = False,
) -> int:
    """Ask for your own active access to last longer: a request of its own, judged for all of it."""
    program = program_of(context)
    with program.acting() as acting:
        asked = acting.extend(
            request,
            duration,
            because,
            ticket=ticket,
            incident=incident,
            break_glass=break_glass,
            id_=id_,
        )
        if wait:
            asked = until_decided(acting, asked, program)
        return _tell_all(program, acting, (asked,))


def review(
    context: typer.Context,
    request: RequestArgument,
    because: Annotated[
        str,
        typer.Option("--because", metavar="TEXT", help="What you found.", show_default=False),
    ],
    wrong: Annotated[
        bool, typer.Option("--wrong", help="The glass should not have been broken.")
    ] = False,
) -> int:
    """Record that you have looked at what was done with a broken glass."""
    return _do(context, lambda acting: acting.review(request, because, fine=not wrong))


def approve(context: typer.Context, request: RequestArgument, because: OptionalReason = "") -> int:
    """Say yes to somebody's request. It is judged again with the last yes.

    Where a yes counts only with a sign-in for this very vote, your browser opens for it.
    """
    program = program_of(context)

    def show(what: Request) -> None:
        for label, text in words.of_ask(what, acting.now()):
            say.aside(f"{label + ':':<12} {text}")
        say.aside("Sign in to say yes to this, and to nothing else.")

    with program.acting() as acting:
        return _tell_all(program, acting, (acting.approve(request, because, show),))


def deny(context: typer.Context, request: RequestArgument, because: Reason) -> int:
    """Say no to somebody's request. One no is enough; the requester reads why."""
    # Denied is what was wanted here, and no failure.
    return _do(context, lambda acting: acting.deny(request, because))


def withdraw(context: typer.Context, request: RequestArgument, because: OptionalReason = "") -> int:
    """Take your own request back before it gives access."""
    return _do(context, lambda acting: acting.withdraw(request, because), to_end=True)


def give_back(
    context: typer.Context, request: RequestArgument, because: OptionalReason = ""
) -> int:
    """End your own access early: what was handed out stops working."""
    return _do(context, lambda acting: acting.give_back(request, because), to_end=True)


def revoke(context: typer.Context, request: RequestArgument, because: Reason) -> int:
    """End somebody's access, or a request that might yet give some."""
    return _do(context, lambda acting: acting.revoke(request, because), to_end=True)


def _do(
    context: typer.Context, what: Callable[[Acting], Request | Revoked], *, to_end: bool = False
) -> int:
    program = program_of(context)
    with program.acting(to_end=to_end) as acting:
        done = what(acting)
        if isinstance(done, Revoked):
            _show_briefly(program, done)
            return ExitCode.OK
        if done.cause is not None or done.state.is_finished:
            acting.kept.forget(done.id)
        _show(program, acting, done)
    return ExitCode.OK


def _show_briefly(program: Program, done: Revoked) -> None:
    if program.json:
        say.as_json({"id": done.id, "state": done.state})
    else:
        say.facts([("request", done.id), ("state", done.state)])


def _tell_all(program: Program, acting: Acting, asked: Sequence[Request]) -> int:
    """Show what became of each ask; what came to nothing is an error too."""
    if program.json:
        told = [{**shapes.of_request(each), **_table(_advised(acting, each))} for each in asked]
        say.as_json(told[0] if len(told) == 1 else {"requests": told})
    for number, each in enumerate(asked):
        if program.json:
            continue
        if number:
            say.line()
        _show(program, acting, each)
    refused = [each for each in asked if each.state.is_finished and each.state not in DONE]
    for each in refused:
        reason = each.reason or "it is over"
        say.error(
            "Refused", f"Request {each.id} is {each.state}: {reason}", for_program=program.json
        )
    return ExitCode.REFUSED if refused else ExitCode.OK


def _table(found: Advice | None) -> Mapping[str, object]:
    return of_advice(None) if found is None else found.table


DONE = frozenset({State.ENDED, State.EXTENDED})
"""Finished, and as it was asked for."""


def _show(program: Program, acting: Acting, request: Request) -> None:
    if program.json:
        say.as_json(shapes.of_request(request))
        return
    now = acting.now()
    say.facts(words.of_request(request, acting, now))
    found = _advised(acting, request)
    if found is not None:
        given = (*request.votes, *request.reviews)
        say.facts(advice.lines(found, stage=_stage(acting, request), given=given))
    for hint in words.next_steps(request):
        say.hint(hint)


def _stage(acting: Acting, request: Request) -> int:
    """In which stage a request waits for yeses, from 0."""
    waits = acting.waits(request, acting.now()) if request.state is State.PENDING else None
    return 0 if waits is None else waits.stage


def _advised(acting: Acting, request: Request) -> Advice | None:
    """Explain what was said to an ask, where that tells whoever reads it what to do."""
    # A no of a person is one: that others would have said yes helps nobody.
    refused = request.state is State.DENIED and isinstance(request.decision, Denied)
    if request.state is not State.PENDING and not refused and request.review_by is None:
        return None
    try:
        return acting.advice(request)
    except JitError:
        return None  # what was asked is on record, whatever else cannot be looked up just now
