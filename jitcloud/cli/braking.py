"""Brakes: stop what would be activated, end what is, and see what holds for everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jitcloud.cli import say, shapes, words
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.options import Reason
from jitcloud.cli.program import Program, program_of
from jitcloud.cli.times import away
from jitcloud.controls import said
from jitcloud.errors import Invalid
from jitcloud.model import Brake, Cloud, Reach, Scope
from jitcloud.text import quoted

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
    with program.acting() as acting:
        deployment = acting.deployment
        known = deployment.broker.brakes()
        if program.json:
            say.as_json(shapes.of_controls(known))
            return ExitCode.OK
        policy = None if known is None else known.policy
        judging = "none yet" if policy is None else f"number {policy.number}, {policy.sha256[:12]}"
        say.facts([("policy", judging)])
        for label, brakes in (
            ("stopped", () if known is None else known.stops),
            ("ending", () if known is None else known.endings),
        ):
            say.facts((label, _told(brake, acting)) for brake in brakes)
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
        _done(program, f"Activations are stopped for {said(scope)}.")
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
        scope = _scope(acting, everything, cloud, entitlement, person)
        acting.resume(scope, because)
        _done(program, f"Activations go on for {said(scope)}.")
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
        scope = _scope(acting, everything, cloud, entitlement, person)
        swept = acting.end_all(scope, because)
        _done(program, f"{said(scope)[0].upper()}{said(scope)[1:]} is ending.")
        for what, why in swept.troubles:
            say.aside(f"jitcloud: {what}: {why}")
    return ExitCode.TROUBLES if swept.troubles else ExitCode.OK


def _scope(
    acting: Acting,
    everything: bool,
    cloud: str | None,
    entitlement: str | None,
    person: str | None,
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
    scope = named[0]
    if scope.reach is Reach.CLOUD and scope.id not in set(Cloud):
        raise Invalid(f"{quoted(scope.id)} is not a cloud; use one of {', '.join(Cloud)}.")
    if scope.reach is Reach.PERSON and not acting.deployment.broken:
        return Scope(reach=scope.reach, id=acting.deployment.judge.directory.person(scope.id).id)
    return scope


def _told(brake: Brake, acting: Acting) -> str:
    deployment = acting.deployment
    who = words.named(brake.by, deployment.judge.directory)
    return f"{said(brake.scope)}, by {who} {away(brake.at, deployment.clock())}: {brake.reason}"


def _done(program: Program, sentence: str) -> None:
    if program.json:
        say.as_json({"done": sentence})
    else:
        say.line(sentence)
