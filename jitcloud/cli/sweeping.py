"""``sweep``: what cron runs. Silent while nothing is wrong."""

from __future__ import annotations

import signal
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from jitcloud import shapes
from jitcloud.cli import say
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.program import Program, program_of
from jitcloud.cli.stopping import Stopping, stopping
from jitcloud.durations import parse_duration
from jitcloud.errors import Invalid, JitError

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.sweep import Swept

ROUNDS = 1000
"""How many batches one sweep takes on: a bound, not a plan."""

ANEW = timedelta(minutes=1)
"""After so long the configuration is opened anew, for catalog and settings as of now."""

AGAIN = timedelta(seconds=5)
"""After so long it is opened again, where it could not be."""


def sweep(
    context: typer.Context,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Sweep again and again, with so long in between, such as 30s; else once.",
            show_default=False,
        ),
    ] = None,
    times: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="With --every: stop after so many sweeps.", show_default=False
        ),
    ] = None,
    for_: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="TIME",
            help="Go on for so long, such as 1m: wait for the next wake-up, a second at the most,"
            " and do what is due to the second.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Do whatever is due: lapses, starts, deadlines, retries. Run it every minute, or oftener.

    Any number of sweeps may run at once. It says nothing unless something could not be done,
    which stays due.
    """
    program = program_of(context)
    if for_ is not None:
        if every is not None or times is not None:
            raise Invalid("--for goes without --every and --times.")
        return _for(program, parse_duration(for_))
    if every is None:
        if times is not None:
            raise Invalid("--times goes with --every.")
        return _all_of_it(program)
    pause = parse_duration(every).total_seconds()
    if times is not None and times < 1:
        raise Invalid("--times must be at least 1.")
    code = ExitCode.OK
    done = 0
    while True:
        try:
            code = max(code, _all_of_it(program))
        except JitError as exc:
            # A locked record or a broken file is mended while we wait; ends must not be missed.
            say.error(type(exc).__name__, str(exc), for_program=program.json)
            code = ExitCode.TROUBLES
        done += 1
        if times is not None and done >= times:
            return code
        program.sleep(pause)


def _for(program: Program, length: timedelta) -> int:
    """Sweep whenever something is due, for so long; whoever asks it to stop is heeded at once."""
    code = ExitCode.OK
    left = length
    with stopping() as asked:
        while left > timedelta(0) and not asked():
            turn = min(left, ANEW)
            try:
                code = max(code, _turn(program, turn, asked))
            except JitError as exc:
                # As above: it is mended while we wait.
                say.error(type(exc).__name__, str(exc), for_program=program.json)
                code, turn = ExitCode.TROUBLES, min(left, AGAIN)
                asked.pause(program.sleep, turn.total_seconds())
            left -= turn
    return ExitCode.INTERRUPTED if asked.by == signal.SIGINT else code


def _turn(program: Program, length: timedelta, asked: Stopping) -> ExitCode:
    with program.opened_to_end() as jitcloud:
        swept = jitcloud.sweep_for(
            length,
            pause=partial(asked.pause, program.sleep),
            stopped=asked,
            tell=None if program.json else partial(_tell, program),
        )
        if program.json:
            _tell(program, swept)
        broken = jitcloud.deployment.broken
    return ExitCode.TROUBLES if broken or swept.troubles else ExitCode.OK


def _all_of_it(program: Program) -> ExitCode:
    """Sweep until nothing more is due; opened anew each time, for policy and people as of now."""
    code = ExitCode.OK
    with program.opened_to_end() as jitcloud:
        if jitcloud.deployment.broken:
            code = ExitCode.TROUBLES
        for _ in range(ROUNDS):
            swept = jitcloud.sweep()
            _tell(program, swept)
            if swept.troubles:
                code = ExitCode.TROUBLES
            if not swept.more or len(swept.troubles) == swept.woken:
                break
    return code


def _tell(program: Program, swept: Swept) -> None:
    if program.json:
        say.as_json(shapes.of_swept(swept))
        return
    for what, why in swept.troubles:
        say.aside(f"jitcloud: {what}: {why}")
