"""``doctor``: what is wrong in the clouds themselves, what each finding costs, and what to do.

``check`` reads the configuration and says what is wrong with that; this reads what is there.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from jitcloud.cli import say
from jitcloud.cli.completing import entitlements
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.program import program_of

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.doctor import Examined, Finding


def commands(context_settings: dict[str, list[str]]) -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(
        no_args_is_help=True,
        help="What is wrong in a cloud with all that jitcloud needs there. Changes nothing.",
    )
    group.command("aws", context_settings=context_settings)(aws)
    # One command alone would become the group itself.
    group.callback()(lambda: None)
    return group


def aws(
    context: typer.Context,
    entitlement: Annotated[
        list[str] | None,
        typer.Option(
            "--entitlement",
            metavar="ENTITLEMENT",
            help="Look only at what this one needs; may be given again.",
            autocompletion=entitlements,
            show_default=False,
        ),
    ] = None,
) -> int:
    """Look at AWS: rights, set-up, boundaries, clock, quotas, and who is there without a grant.

    What is in files, and what one grant would mean, is for `check`. Nothing is changed; that a
    role asks for the external id is found out by trying without it, which CloudTrail shows.
    """
    from jitcloud import adapters  # noqa: PLC0415 - loaded only when it is needed

    program = program_of(context)
    with program.opened() as jitcloud:
        deployment = jitcloud.deployment
        catalog = deployment.judge.catalog
        wanted = [catalog.get(each) for each in entitlement] if entitlement else list(catalog)
        doctor = adapters.aws_doctor(deployment.settings, deployment.ledger.store, deployment.clock)
        examined = doctor.examine(wanted)
    if program.json:
        say.as_json(_shape(examined))
    else:
        _tell(examined)
    return ExitCode.OK if examined.is_well else ExitCode.TROUBLES


def _shape(examined: Examined) -> say.Json:
    return {
        "ok": examined.is_well,
        "findings": [asdict(finding) for finding in examined.findings],
        "entitlements": examined.entitlements,
        "calls": examined.calls,
    }


def _tell(examined: Examined) -> None:
    for finding in examined.findings:
        for line in _lines(finding):
            say.line(line)
    said = "Nothing is wrong" if examined.is_well else "There is something to do"
    things = "entitlement" if examined.entitlements == 1 else "entitlements"
    say.line(f"{said}: {examined.entitlements} {things} looked at, in {examined.calls} calls.")


def _lines(finding: Finding) -> tuple[str, ...]:
    return (
        f"{finding.grade}: {finding.about}: {finding.what}",
        f"  costs: {finding.costs}",
        f"  do: {finding.remedy}",
    )
