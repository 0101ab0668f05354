"""``reconcile`` compares the clouds with the record; ``restored`` says that it has to be done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jitcloud import shapes
from jitcloud.cli import say
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.options import Reason
from jitcloud.cli.program import program_of
from jitcloud.verdicts import Verdict

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.comparing import Finding
    from jitcloud.library import Jitcloud
    from jitcloud.reconcile import Compared

RUNS = 1000
"""Of how many minutes-long runs one command makes up a comparison: a bound, not a plan."""

TOLD = {
    Verdict.LEAKED: "nobody on record has it",
    Verdict.HELD: "it was there before whoever holds it now, and would stay after them",
    Verdict.MISSING: "somebody on record has it, and it is not there",
    Verdict.FOREIGN: "it is not ours, and is left alone",
}
ENDING = {
    Verdict.LEAKED: "nobody on record has it; the next sweep ends it",
    Verdict.HELD: "it was there before whoever holds it now, and goes with them",
}


def reconcile(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what is found; write nothing at all.")
    ] = False,
    end_leaked: Annotated[
        bool, typer.Option("--end-leaked", help="Let sweeps end what has leaked; else it is told.")
    ] = False,
    catalog: Annotated[
        list[Path] | None,
        typer.Option(
            "--catalog",
            metavar="OLD.toml",
            help="Look at what a former catalog named, too; may be given several times.",
            show_default=False,
        ),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(
            "--leave-out",
            metavar="WHAT",
            help="Do without what nobody can look at any more, by the name it is told by; it is"
            " recorded. May be given several times.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Compare the clouds with the record: what has leaked, what is missing, what is not ours.

    Interrupted, it goes on where it stopped, within the hour. Run it every day, and after a
    restore.
    """
    program = program_of(context)
    with program.opened() as jitcloud:
        runs = _runs(jitcloud, dry_run, end_leaked, catalog or (), leave_out or ())
    last = runs[-1]
    if program.json:
        say.as_json(shapes.of_compared(runs))
    else:
        _tell(runs, dry_run)
    stays = [found for run in runs for found in run.findings if _wants_somebody(found)]
    return ExitCode.OK if last.is_finished and not stays else ExitCode.TROUBLES


def restored(context: typer.Context, because: Reason) -> int:
    """Say that the record was restored: nothing is activated before `reconcile` has finished.

    Ends go on. Say it before anything else runs on the restored record.
    """
    program = program_of(context)
    with program.operating(to_end=True) as acting:
        deployment = acting.deployment
        deployment.broker.restored(acting.caller, deployment.clock(), because)
        sentence = "Nothing is activated until `jitcloud reconcile` has finished; ends go on."
        if program.json:
            say.as_json({"done": sentence})
        else:
            say.line(sentence)
    return ExitCode.OK


def _runs(
    jitcloud: Jitcloud,
    dry_run: bool,
    end_leaked: bool,
    catalogs: Sequence[Path],
    leave_out: Sequence[str],
) -> list[Compared]:
    """Compare to the end, in runs that each keep how far they have come."""
    runs: list[Compared] = []
    for _ in range(RUNS):
        run = jitcloud.reconcile(
            dry_run=dry_run, end_leaked=end_leaked, catalogs=catalogs, leave_out=leave_out
        )
        runs.append(run)
        if run.is_over:
            break
    return runs


def _tell(runs: Sequence[Compared], dry_run: bool) -> None:
    last = runs[-1]
    found = [finding for run in runs for finding in run.findings]
    if found:
        say.table(["found", "place", ""], map(_row, found))
    more = last.tally.leaked + last.tally.missing + last.tally.foreign - len(found)
    if more > 0:
        say.aside(f"There are {more} more, which are counted alone.")
    for what, why in dict(trouble for run in runs for trouble in run.troubles).items():
        say.aside(f"jitcloud: {what}: {why}")
    say.line(
        f"{_of(last.tally.leaked, 'place')} leaked, {last.tally.missing} missing,"
        f" {last.tally.foreign} foreign, in {_of(sum(run.areas for run in runs), 'area')}."
    )
    if dry_run:
        say.line("This was a dry run: nothing was written, and it does not count.")
    if not last.is_finished:
        say.aside(
            "jitcloud: This reconcile is not finished: see what is in its way, then run it again;"
            " after `jitcloud restored` nothing is activated before."
        )
    if any(each.verdict in ENDING and not each.is_ended for each in found):
        say.aside(
            "jitcloud: What has leaked is still there: `jitcloud reconcile --end-leaked` ends it."
        )


def _row(finding: Finding) -> tuple[str, str, str]:
    said = ENDING if finding.is_ended else TOLD
    return finding.verdict, finding.place, said[finding.verdict]


def _wants_somebody(finding: Finding) -> bool:
    return finding.verdict is not Verdict.FOREIGN and not finding.is_ended


def _of(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
