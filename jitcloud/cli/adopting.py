"""``policy adopt``: go back, on purpose, to a policy text that was replaced."""

from __future__ import annotations

from typing import Annotated

import typer

from jitcloud.cli import say
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.options import Reason
from jitcloud.cli.program import program_of


def adopt(
    context: typer.Context,
    because: Reason,
    vouched: Annotated[
        bool,
        typer.Option(
            "--vouch",
            help="Answer for all that `jitcloud audit show controls` says, though the key that"
            " signed it is trusted no longer.",
        ),
    ] = False,
) -> int:
    """Let the rules in the policy folder judge from now on, though they were replaced before.

    Rules that never judged yet need no such thing: they count from the next decision on.
    """
    program = program_of(context)
    with program.operating() as acting:
        deployment = acting.deployment
        policy = deployment.broker.adopt(
            acting.caller, deployment.clock(), because, vouched=vouched
        )
    if program.json:
        say.as_json({"number": policy.number, "sha256": policy.sha256})
    else:
        say.line(f"Policy {policy.number} ({policy.sha256[:12]}) judges.")
    return ExitCode.OK
