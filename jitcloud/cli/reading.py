"""Commands that only read: what can be asked for, and what was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer

from jitcloud import shapes
from jitcloud.cli import advice, say, words
from jitcloud.cli.acting import Acting
from jitcloud.cli.completing import entitlements
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.options import RequestArgument
from jitcloud.cli.program import Program, program_of
from jitcloud.controls import UNRECONCILED
from jitcloud.durations import format_duration, parse_duration
from jitcloud.errors import Invalid, JitError
from jitcloud.model import Decision, Denied, Entitlement, Request, State
from jitcloud.text import did_you_mean, quoted

MOST = 1000
"""No page of the record is longer."""


def catalog(
    context: typer.Context,
    entitlement: Annotated[
        str | None,
        typer.Argument(
            metavar="[ENTITLEMENT]",
            help="Only this one, with how long you could have it and who could say yes.",
            autocompletion=entitlements,
            show_default=False,
        ),
    ] = None,
    duration: Annotated[
        str, typer.Option("--for", metavar="TIME", help="Judge an ask for so long.")
    ] = "1h",
) -> int:
    """List what can be asked for; and, if you say who you are, what policy would say to you now."""
    program = program_of(context)
    length = parse_duration(duration)
    if entitlement is not None:
        return _outlook(program, entitlement, length)
    things: Sequence[tuple[Entitlement, Decision | None]]
    if program.is_nobody:
        with program.opened() as jitcloud:
            things = [(thing, None) for thing in jitcloud.deployment.judge.catalog]
    else:
        with program.acting() as acting:
            things = acting.catalog(length)
    if program.json:
        entries = [
            {**shapes.of_entitlement(thing), "decision": said and shapes.of_decision(said)}
            for thing, said in things
        ]
        say.as_json({"entitlements": entries})
        return ExitCode.OK
    headings = ["entitlement", "title", "where", "privilege", f"you, for {duration}"]
    rows = [
        [t.id, t.title, f"{t.cloud}/{t.environment}", t.privilege, said and words.decision(said)]
        for t, said in things
    ]
    width = len(headings) - program.is_nobody
    say.table(headings[:width], [[cell or "" for cell in row[:width]] for row in rows])
    return ExitCode.OK


def _outlook(program: Program, entitlement: str, duration: timedelta) -> int:
    with program.acting() as acting:
        found = acting.outlook(entitlement, duration)
    thing = found.entitlement
    if program.json:
        said = {"decision": shapes.of_decision(found.decision), **found.advice.table}
        say.as_json({**shapes.of_entitlement(thing), **said})
        return ExitCode.OK
    say.facts(
        [
            ("entitlement", thing.id),
            ("what", f"{thing.title} ({thing.privilege} in {thing.environment})"),
            (f"for {format_duration(duration)}", words.decision(found.decision)),
        ]
    )
    say.facts(advice.lines(found.advice))
    if not isinstance(found.decision, Denied):
        say.facts([("offered", advice.offers(found.advice))])
    return ExitCode.OK


def list_(  # noqa: PLR0913, PLR0917 - each one an option
    context: typer.Context,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Everybody's that wait for your yes.")
    ] = False,
    to_review: Annotated[
        bool, typer.Option("--to-review", help="Everybody's broken glass that you are to review.")
    ] = False,
    unreviewed: Annotated[
        bool,
        typer.Option("--unreviewed", help="Everybody's broken glass that awaits anybody's review."),
    ] = False,
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help=f"Everybody's in this state: {', '.join(State)}."),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", help="At most so many.")] = 50,
    after: Annotated[
        str | None,
        typer.Option(metavar="REQUEST", help="Go on after what the page before said."),
    ] = None,
) -> int:
    """List your requests, newest first; or those that wait for you, or are in a state."""
    program = program_of(context)
    if not 1 <= limit <= MOST:
        raise Invalid(f"--limit must be from 1 to {MOST}.")
    if waiting + to_review + unreviewed + (state is not None or after is not None) > 1:
        raise Invalid(
            "--waiting, --to-review, --unreviewed and --state (with --after) go one at a time."
        )
    chosen = None if state is None else _state(state)
    with program.acting() as acting:
        if waiting:
            page = acting.waiting(limit)
        elif to_review:
            page = acting.to_review(limit)
        elif unreviewed:
            page = acting.unreviewed(limit)
        elif chosen is None:
            page = acting.mine(limit, after)
        else:
            page = acting.in_state(chosen, limit, after)
        following, now = page.after, acting.now()
        if program.json:
            requests = [{**shapes.of_request(r), **shapes.of_age(r, now)} for r in page.requests]
            say.as_json({"requests": requests, "after": following})
            return ExitCode.OK
        until = words.review_due if to_review or unreviewed else words.until
        rows = [_row(request, acting, until(request, now)) for request in page.requests]
        if rows:
            say.table(["request", "state", "when", "who", "what", "because"], rows)
        if following is not None:
            say.aside(f"There are more: --after {following}")
        _say_what_holds(acting)
    return ExitCode.OK


def _say_what_holds(acting: Acting) -> None:
    """Say why everything that is scheduled waits, if it does."""
    try:
        known = acting.controls()
    except JitError:
        return  # whoever lets somebody in will say so
    if known is not None and known.restored_at is not None:
        say.aside(UNRECONCILED)


def show(context: typer.Context, request: RequestArgument) -> int:
    """Show one request as it stands."""
    program = program_of(context)
    with program.acting() as acting:
        found = acting.show(request)
        now, troubles = acting.now(), acting.troubles(found)
        if program.json:
            told = {**shapes.of_request(found), **shapes.of_age(found, now)}
            say.as_json({**told, "troubles": troubles})
        else:
            say.facts(words.of_request(found, acting, now))
            say.facts(words.troubles(troubles))
    return ExitCode.OK


def _row(request: Request, acting: Acting, until: str) -> list[str]:
    who = acting.named(request.person)
    thing, because = request.what, request.ask.justification
    return [request.id, request.state, until, who, thing, because]


def _state(text: str) -> State:
    try:
        return State(text)
    except ValueError as exc:
        message = f"{quoted(text)} is not a state; use one of {', '.join(State)}."
        raise Invalid(f"{message}{did_you_mean(text, State)}") from exc
