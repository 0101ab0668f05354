"""Brakes: stop what would be activated, end what is, and see what holds for everything."""

from __future__ import annotations

from typing import Annotated

import typer

from jitcloud import shapes
from jitcloud.cli import say, words
from jitcloud.cli.acting import Acting, EndedAll
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.options import Reason
from jitcloud.cli.program import Program, program_of
from jitcloud.cli.times import away
from jitcloud.controls import said
from jitcloud.errors import Invalid
from jitcloud.model import Brake, Cloud, Reach, Scope

Everything = Annotated[bool, typer.Option("--everything", help="Everything there is.")]
OfCloud = Annotated[
    str | None, typer.Option("--cloud", metavar="CLOUD", help=f"All of {', '.join(Cloud)}.")
]
OfEntitlement = Annotated[
    str | None, typer.Option("--entitlement", metavar="ID", help="All of one entitlement.")
]
OfPerson = Annotated[
    str | None, typer.Option("--person", metavar="HANDLE", help="All of one person.")
]


def commands(context_settings: dict[str, list[str]]) -> typer.Typer:
    """Return the group of these commands."""
    group = typer.Typer(
        no_args_is_help=True, help="Stop what would be activated; end what is. Each is recorded."
    )
    for name, command in (("show", show), ("stop", stop), ("resume", resume), ("end", end)):
        group.command(name, context_settings=context_settings)(command)
    return group


def show(context: typer.Context) -> int:
    """Show which policy text judges, and which brakes are on."""
    program = program_of(context)
    with program.acting(to_end=True) as acting:
        known = acting.controls()
        if program.json:
            say.as_json(shapes.of_controls(known))
            return ExitCode.OK
        policy = None if known is None else known.policy
        judging = "none yet" if policy is None else f"number {policy.number}, {policy.sha256[:12]}"
        stops = () if known is None else known.stops
        endings = () if known is None else known.endings
        say.facts([("policy", judging)])
        say.facts(("stopped", _told(brake, acting)) for brake in stops)
        if not stops:
            say.facts([("stopped", "nothing")])
        say.facts(words.restored(known, acting.now()))
        say.facts(("ending", _told(brake, acting)) for brake in endings)
    return ExitCode.OK


def stop(  # noqa: PLR0913, PLR0917 - each one an option
    context: typer.Context,
    because: Reason,
    everything: Everything = False,
    cloud: OfCloud = None,
    entitlement: OfEntitlement = None,
    person: OfPerson = None,
) -> int:
    """Let nothing be activated from now on. What is active goes on, and ends in its time."""
    program = program_of(context)
    with program.acting() as acting:
        scope = acting.stop(_scope(everything, cloud, entitlement, person), because)
        _done(program, scope, f"Activations are stopped for {said(scope)}.")
        say.hint("What is active goes on; jitcloud brake end ends it.")
    return ExitCode.OK


def resume(  # noqa: PLR0913, PLR0917 - as above
    context: typer.Context,
    because: Reason,
    everything: Everything = False,
    cloud: OfCloud = None,
    entitlement: OfEntitlement = None,
    person: OfPerson = None,
) -> int:
    """Let what was stopped be activated again."""
    program = program_of(context)
    with program.acting() as acting:
        scope = acting.resume(_scope(everything, cloud, entitlement, person), because)
        _done(program, scope, f"Activations go on for {said(scope)}.")
    return ExitCode.OK


def end(  # noqa: PLR0913, PLR0917 - as above
    context: typer.Context,
    because: Reason,
    everything: Everything = False,
    cloud: OfCloud = None,
    entitlement: OfEntitlement = None,
    person: OfPerson = None,
) -> int:
    """End everything that was asked for until now: what is active, and what still waits."""
    program = program_of(context)
    with program.acting(to_end=True) as acting:
        done = acting.end_all(_scope(everything, cloud, entitlement, person), because)
        told = [{"what": what, "message": why} for what, why in done.troubles]
        _done(program, done.scope, _ending(done), requests=done.begun, troubles=told)
        if not program.json:
            for what, why in done.troubles:
                say.aside(f"jitcloud: {what}: {why}")
        say.hint("Who asks again may get in again; jitcloud brake stop keeps them out.")
    return ExitCode.TROUBLES if done.troubles else ExitCode.OK


def _ending(done: EndedAll) -> str:
    scope, begun = done.scope, done.begun
    if begun is None:
        return f"Ending {said(scope)}."
    if begun:
        return f"Ending {said(scope)}: {begun} request{'' if begun == 1 else 's'}."
    of = "" if scope.reach is Reach.EVERYTHING else f" of {said(scope)}"
    return f"Nothing{of} was active or waiting."


def _scope(
    everything: bool, cloud: str | None, entitlement: str | None, person: str | None
) -> Scope:
    """Read what a brake is to act on: exactly one of these. Raises ``Invalid``."""
    named = [
        Scope(reach=reach, id=name)
        for reach, name in (
            (Reach.EVERYTHING, "" if everything else None),
            (Reach.CLOUD, cloud),
            (Reach.ENTITLEMENT, entitlement),
            (Reach.PERSON, person),
        )
        if name is not None
    ]
    if len(named) != 1:
        raise Invalid("Say one of --everything, --cloud, --entitlement and --person.")
    return named[0]


def _told(brake: Brake, acting: Acting) -> str:
    who = acting.named(brake.by)
    return f"{said(brake.scope)}, by {who} {away(brake.at, acting.now())}: {brake.reason}"


def _done(program: Program, scope: Scope, sentence: str, **more: object) -> None:
    if program.json:
        say.as_json({"done": sentence, "reach": scope.reach, "id": scope.id, **more})
    else:
        say.line(sentence)
