"""``policy``: checks rules, lays them out, tries them, and shows who could get what.

None of it needs a key, the record or a cloud: whoever reviews a change to the rules has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jitcloud.cli import explaining, say
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.program import Program, program_of
from jitcloud.cli.progress import progress
from jitcloud.durations import format_duration, parse_duration
from jitcloud.errors import Invalid, Misconfigured
from jitcloud.text import printable

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.cli.rulebook import Rulebook
    from jitcloud.policy.golden import Difference
    from jitcloud.policy.matrix import Row
    from jitcloud.policy.trial import Tried

CASES = Path("cases.toml")

_NOBODY = (
    "nobody could have anything: of {tried} asks that the rules seem made for, with a fresh sign-in"
    " and whatever else can be at hand, every one is denied."
)


def commands(context_settings: dict[str, list[str]]) -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(no_args_is_help=True, help="What the rules say, and whether it is meant.")
    for name, command in (
        ("check", check),
        ("fmt", fmt),
        ("test", try_),
        ("matrix", matrix),
        ("explain", explaining.explain),
    ):
        group.command(name, context_settings=context_settings)(command)
    return group


def check(context: typer.Context) -> int:
    """Parse, validate and lint the rules, a line for each mistake: file:line:rule: message."""
    from jitcloud.cli.rulebook import Files, read  # noqa: PLC0415 - see TYPE_CHECKING
    from jitcloud.policy.reach import reach  # noqa: PLC0415

    program = program_of(context)
    findings: list[str] = []
    risks: list[str] = []
    summary = ""
    book = None
    try:
        book = read(Files.of(program.file), findings)
    except Misconfigured as exc:
        findings += str(exc).splitlines()
    if book is not None:
        summary = _summary(book)
        within = book.with_anybody()
        found = reach(book.policy.rules, within.directory, list(book.catalog), within.decide)
        if not found.tried:
            findings.append("nobody could have anything: no rule permits activate or request.")
        elif not found.allowed:
            risks.append(_NOBODY.format(tried=found.tried))
    if program.json:
        told = {"ok": not findings, "findings": findings, "risks": risks, "summary": summary}
        say.as_json(told)
    else:
        for line in (*findings, *(f"risk: {risk}" for risk in risks)):
            say.line(line)
        if findings:
            say.aside(f"jitcloud: {_count(len(findings), 'thing')} to fix.")
        else:
            say.line(summary)
    return ExitCode.TROUBLES if findings else ExitCode.OK


def fmt(
    context: typer.Context,
    check_only: Annotated[
        bool, typer.Option("--check", help="Change nothing; say what is not laid out so.")
    ] = False,
) -> int:
    """Lay out the rules in the one way there is. No comment and no meaning is ever lost."""
    from jitcloud.cli.rulebook import Files  # noqa: PLC0415 - see TYPE_CHECKING
    from jitcloud.policy.fmt import formatted, replace_text  # noqa: PLC0415

    program = program_of(context)
    files = Files.of(program.file)
    changed: list[str] = []
    findings: list[str] = []
    for name, text in files.texts().items():
        try:
            new = formatted(name, text)
        except Misconfigured as exc:
            findings += str(exc).splitlines()
            continue
        if new != text:
            changed.append(name)
            if not check_only:
                replace_text(files.policy / name, new)
    if program.json:
        say.as_json({"ok": not findings, "changed": changed, "findings": findings})
    else:
        for finding in findings:
            say.line(finding)
        for name in changed:
            say.line(f"{name} is not laid out" if check_only else f"laid out {name}")
        if changed and check_only:
            say.aside("jitcloud: `jitcloud policy fmt` lays the rules out.")
    return ExitCode.TROUBLES if findings or (check_only and changed) else ExitCode.OK


def try_(
    context: typer.Context,
    cases: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CASES]",
            help="The table; else cases.toml beside the configuration.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Try a decision table, and show each row to which the policy says something else."""
    from jitcloud.cli.rulebook import Files, open_rulebook  # noqa: PLC0415 - see TYPE_CHECKING
    from jitcloud.policy.cases import read  # noqa: PLC0415
    from jitcloud.policy.trial import Trial, never_matched  # noqa: PLC0415

    program = program_of(context)
    table = read(cases or Files.of(program.file).folder / CASES)
    book = open_rulebook(program.file)
    trial = Trial(
        policy=book.policy, catalog=book.catalog, directory=book.directory, decide=book.decide
    )
    with progress(len(table.cases), quiet=program.json) as advance:
        tried = []
        for number, case in enumerate(table.cases, start=1):
            tried.append(trial.tried(number, case))
            advance(1)
    failed = [each for each in tried if not each.holds]
    unmatched = never_matched(book.policy.rules, tried)
    if program.json:
        rows = [_failed_shape(each) for each in failed]
        say.as_json({"cases": len(tried), "failed": rows, "unmatched_rules": unmatched})
        return ExitCode.TROUBLES if failed else ExitCode.OK
    for each in failed:
        _tell_failed(each)
    if unmatched:
        say.line(f"No case is decided by: {', '.join(unmatched)}.")
    held = _count(len(tried), "case")
    say.line(f"{held}, {len(failed)} not as written." if failed else f"{held}, all as written.")
    return ExitCode.TROUBLES if failed else ExitCode.OK


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

    Asked just after a sign-in, at noon on a Tuesday, with no change freeze on. What is not there
    is denied; with a ticket or an incident, what is not there is as without.
    """
    from jitcloud.cli.rulebook import open_rulebook  # noqa: PLC0415 - see TYPE_CHECKING
    from jitcloud.policy import golden as files  # noqa: PLC0415
    from jitcloud.policy.matrix import DURATIONS  # noqa: PLC0415

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
    from jitcloud.policy.matrix import Matrix  # noqa: PLC0415

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
        say.line(f"{file} still says who could get what, in {_count(rows, 'row')}.")
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


def _summary(book: Rulebook) -> str:
    rules = len(book.policy.rules)
    return (
        f"{rules} rules with those that come with jitcloud, in {_count(len(book.texts), 'file')},"
        f" about {_count(len(book.catalog), 'entitlement')} (policy {book.policy.digest[:12]})."
    )


def _tell_failed(tried: Tried) -> None:
    case = tried.case
    asks = case.who if case.approves is None else f"{case.who} approves {case.approves}"
    say.line(f"{tried.number}. {case.says}")
    say.line(f"    {asks}: {case.what} for {format_duration(case.duration)}{_facts(tried)}")
    for key, expected, said in tried.differences:
        say.line(f"    {key} should be  {expected}")
        say.line(f"    {' ' * len(key)} and is     {said}")
    say.line()


def _facts(tried: Tried) -> str:
    case = tried.case
    facts = [name for name in ("ticket", "incident", "freeze") if getattr(case, name)]
    facts += [] if case.mfa is None else [f"mfa {format_duration(case.mfa)}"]
    facts += [] if case.start is None else [f"start {case.start}"]
    facts += [] if not case.votes else [f"votes {', '.join(case.votes)}"]
    return f", with {', '.join(facts)}" if facts else ""


def _failed_shape(tried: Tried) -> dict[str, object]:
    return {
        "case": tried.number,
        "says": tried.case.says,
        "differences": [
            {"key": key, "expected": expected, "said": said}
            for key, expected, said in tried.differences
        ],
    }


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


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
