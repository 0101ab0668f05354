"""``policy matrix``: who could get what, as a table for review, and what a change changes in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jitcloud.cli import say
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.program import Program, program_of
from jitcloud.cli.progress import progress
from jitcloud.durations import format_duration, parse_duration
from jitcloud.errors import Invalid
from jitcloud.text import printable

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.cli.rulebook import Rulebook
    from jitcloud.policy.golden import Difference
    from jitcloud.policy.matrix import Row


def matrix(
    context: typer.Context,
    durations: Annotated[
        list[str] | None,
        typer.Option(
            "--for", metavar="TIME", help="For how long; may stand several times. Else 1h, 4h, 8h."
        ),
    ] = None,
    golden: Annotated[
        Path | None,
        typer.Option(
            "--check",
            metavar="FILE",
            help="Compare with this file, and say who gains or loses what.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Write as CSV who could get what: by themselves, with a ticket, with an incident.

    Asked just after a sign-in, at noon on a Tuesday, with no change freeze on. With an incident,
    what could be had by breaking the glass is there too, with those who review it. What is not
    there is denied; with a ticket or an incident, what is not there is as without.
    """
    from jitcloud.cli.rulebook import open_rulebook  # noqa: PLC0415 - see TYPE_CHECKING
    from jitcloud.policy import golden as files  # noqa: PLC0415 - loaded only when it is needed
    from jitcloud.policy.matrix import DURATIONS  # noqa: PLC0415 - loaded only when it is needed

    program = program_of(context)
    if golden is not None and durations:
        raise Invalid("--check asks for the durations of its file; leave --for out.")
    before = None if golden is None else files.read(golden)
    asked = dict.fromkeys(map(parse_duration, durations or ())) or DURATIONS
    lasting = tuple(asked) if before is None else before.durations
    rows = _rows(open_rulebook(program.file), lasting, program)
    if golden is not None and before is not None:
        return _compare(program, golden, list(files.differences(before, rows)), len(rows))
    if program.json:
        say.as_json(_matrix_shape(lasting, rows))
        return ExitCode.OK
    for line in files.lines(lasting, rows):
        say.verbatim(line)
    return ExitCode.OK


def _rows(book: Rulebook, durations: tuple[timedelta, ...], program: Program) -> list[Row]:
    from jitcloud.policy.everybody import Named  # noqa: PLC0415 - see TYPE_CHECKING
    from jitcloud.policy.matrix import Matrix  # noqa: PLC0415 - loaded only when it is needed

    book = book.with_anybody()
    named = Named.by(book.policy.rules, book.catalog)
    people = named.everybody(book.directory)
    judged = Matrix(book.policy.rules, book.about, named, durations)
    with progress(len(people) * len(book.catalog), quiet=program.json) as advance:
        return list(judged.rows(people, book.catalog, advance))


def _compare(program: Program, file: Path, found: list[Difference], rows: int) -> int:
    code = ExitCode.TROUBLES if found else ExitCode.OK
    if program.json:
        say.as_json({"same": not found, "differences": [_difference_shape(each) for each in found]})
        return code
    if not found:
        say.line(f"{file} still says who could get what, in {counted(rows, 'row')}.")
        return code
    for each in found:
        having = f" with {each.having.replace('+', ' and ')}" if each.having else ""
        lasting = ", ".join(map(format_duration, each.durations))
        say.line(
            f"{each.kind:<7}  {each.name} ({each.person}): {each.entitlement}{having}, for"
            f" {lasting}: {each.now or 'nothing'}, before {each.before or 'nothing'}"
        )
    shown = printable(str(file))
    say.aside(f"jitcloud: if that is meant, run `jitcloud policy matrix > {shown}`.")
    return code


def _matrix_shape(durations: Iterable[timedelta], rows: Iterable[Row]) -> dict[str, object]:
    seconds = list(_seconds(durations))
    return {
        "durations": seconds,
        "rows": [
            {
                "person": row.person,
                "entitlement": row.entitlement,
                "with": row.having,
                "outcomes": list(row.outcomes),
            }
            for row in rows
        ],
    }


def _difference_shape(difference: Difference) -> dict[str, object]:
    return {
        "kind": difference.kind,
        "person": difference.person,
        "entitlement": difference.entitlement,
        "with": difference.having,
        "durations": list(_seconds(difference.durations)),
        "before": difference.before,
        "now": difference.now,
    }


def _seconds(durations: Iterable[timedelta]) -> Iterator[int]:
    return (duration // timedelta(seconds=1) for duration in durations)


def counted(number: int, what: str) -> str:
    """Write how many there are of something."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
