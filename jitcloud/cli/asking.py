"""Commands that ask, decide, and take back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from jitcloud.cli import say, shapes, words
from jitcloud.cli.completing import entitlements
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.options import OptionalReason, Reason, RequestArgument
from jitcloud.cli.program import Program, program_of
from jitcloud.cli.times import parse_start
from jitcloud.cli.waiting import until_decided
from jitcloud.model import Request, State

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.library import Acting


def request(  # noqa: PLR0913, PLR0917 - each one an option
    context: typer.Context,
    entitlement: Annotated[
        str,
        typer.Argument(
            metavar="ENTITLEMENT",
            help="What `jitcloud catalog` lists.",
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
            help="When to begin, such as 2026-12-01T09:00:00Z; else as soon as it is allowed.",
            show_default=False,
        ),
    ] = None,
    ticket: Annotated[
        str | None, typer.Option(metavar="ID", help="The ticket it is for.", show_default=False)
    ] = None,
    incident: Annotated[
        str | None, typer.Option(metavar="ID", help="The incident it is for.", show_default=False)
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="ULID",
            help="Name the request yourself: the same id asks only once, however often it is sent.",
            show_default=False,
        ),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="Stay until it is active or denied. Ctrl-C leaves it as it is."
        ),
    ] = False,
) -> int:
    """Ask for an entitlement, for a while, with a reason."""
    program = program_of(context)
    begin = None if start is None else parse_start(start)
    with program.acting() as acting:
        asked = acting.request(
            entitlement,
            duration,
            because,
            start=begin,
            ticket=ticket,
            incident=incident,
            id_=id_,
        )
        if wait:
            asked = until_decided(acting, asked, program)
        return _tell(program, acting, asked)


def approve(context: typer.Context, request: RequestArgument, because: OptionalReason = "") -> int:
    """Say yes to somebody's request. It is judged again with the last yes."""
    program = program_of(context)
    with program.acting() as acting:
        return _tell(program, acting, acting.approve(request, because))


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


def _do(context: typer.Context, what: Callable[[Acting], Request], *, to_end: bool = False) -> int:
    program = program_of(context)
    with program.acting(to_end=to_end) as acting:
        done = what(acting)
        if done.cause is not None or done.state.is_finished:
            program.kept(acting.deployment).forget(done.id)
        _show(program, acting, done)
    return ExitCode.OK


def _tell(program: Program, acting: Acting, asked: Request) -> int:
    """Show what became of an ask; what came to nothing is an error too."""
    _show(program, acting, asked)
    if not asked.state.is_finished or asked.state is State.ENDED:
        return ExitCode.OK
    reason = asked.reason or "it is over"
    say.error("Refused", f"Request {asked.id} is {asked.state}: {reason}", for_program=program.json)
    return ExitCode.REFUSED


def _show(program: Program, acting: Acting, request: Request) -> None:
    if program.json:
        say.as_json(shapes.of_request(request))
    else:
        deployment = acting.deployment
        say.facts(words.of_request(request, deployment.judge, deployment.clock()))
        for hint in words.next_steps(request):
            say.hint(hint)
