"""``metrics``: figures for whoever watches a deployment."""

from __future__ import annotations

import typer

from jitcloud import shapes
from jitcloud.cli import say
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.program import program_of


def metrics(context: typer.Context) -> int:
    """Write what is unfinished, overdue or in trouble, as Prometheus reads it (text, 0.0.4).

    It reads the record alone, and goes on while the configuration is broken.
    """
    from jitcloud.metrics import exposition  # noqa: PLC0415 - loaded only when it is needed

    program = program_of(context)
    with program.opened_to_end() as jitcloud:
        found = jitcloud.metrics()
    if program.json:
        say.as_json(shapes.of_metrics(found))
    else:
        say.verbatim(exposition(found).removesuffix("\n"))
    return ExitCode.OK
