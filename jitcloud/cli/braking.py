"""Brakes: stop what would be activated, end what is, and see what holds for everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jitcloud import shapes
from jitcloud.cli import say, words
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.options import Reason
from jitcloud.cli.program import Program, program_of
from jitcloud.cli.times import away
from jitcloud.controls import said
from jitcloud.errors import Invalid
from jitcloud.model import Brake, Cloud, Reach, Scope
from jitcloud.scopes import meant

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.library import Acting

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
        deployment = acting.deployment
        known = deployment.broker.brakes()
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
        say.facts(words.restored(known, deployment.clock()))
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
        scope = _scope(acting, everything, cloud, entitlement, person)
        acting.stop(scope, because)
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
        scope = _scope(acting, everything, cloud, entitlement, person, recorded=True)
        acting.resume(scope, because)
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
        scope = _scope(acting, everything, cloud, entitlement, person, recorded=True)
        deployment = acting.deployment
        begun, _ = deployment.broker.end_all(acting.caller, scope, deployment.clock(), because)
        # It is soon seen gone; and what could not be ended is tried again, as by every sweep.
        troubles = deployment.sweep().troubles
        requests = f"{begun} request{'' if begun == 1 else 's'}"
        sentence = f"Ending {said(scope)}: {requests}." if begun else _nothing(scope)
        told = [{"what": what, "message": why} for what, why in troubles]
        _done(program, scope, sentence, requests=begun, troubles=told)
        if not program.json:
            for what, why in troubles:
                say.aside(f"jitcloud: {what}: {why}")
        say.hint("Who asks again may get in again; jitcloud brake stop keeps them out.")
    return ExitCode.TROUBLES if troubles else ExitCode.OK


def _nothing(scope: Scope) -> str:
    of = "" if scope.reach is Reach.EVERYTHING else f" of {said(scope)}"
    return f"Nothing{of} was active or waiting."


def _scope(  # noqa: PLR0913 - one of these, and what for
    acting: Acting,
    everything: bool,
    cloud: str | None,
    entitlement: str | None,
    person: str | None,
    *,
    recorded: bool = False,
) -> Scope:
    """Read what a brake is to act on: exactly one of these. Raises ``Invalid``; see ``meant``."""
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
    deployment = acting.deployment
    store = deployment.ledger.store
    return meant(named[0], deployment.judge.directory, store, recorded=recorded)


def _told(brake: Brake, acting: Acting) -> str:
    deployment = acting.deployment
    who = words.named(brake.by, deployment.judge.directory)
    return f"{said(brake.scope)}, by {who} {away(brake.at, deployment.clock())}: {brake.reason}"


def _done(program: Program, scope: Scope, sentence: str, **more: object) -> None:
    if program.json:
        say.as_json({"done": sentence, "reach": scope.reach, "id": scope.id, **more})
    else:
        say.line(sentence)
