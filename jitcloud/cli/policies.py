"""``policy``: checks rules, lays them out, tries them, and shows who could get what.

None of it needs a key or a cloud, and only ``replay`` needs the record: whoever reviews a change
to the rules has none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jitcloud.cli import adopting, explaining, matrices, replaying, say
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.program import program_of
from jitcloud.cli.progress import progress
from jitcloud.durations import format_duration
from jitcloud.errors import Misconfigured

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.cli.rulebook import Rulebook
    from jitcloud.policy.cases import BrakeCase, Case
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
        ("matrix", matrices.matrix),
        ("explain", explaining.explain),
        ("adopt", adopting.adopt),
        ("replay", replaying.replay),
    ):
        group.command(name, context_settings=context_settings)(command)
    return group


def check(context: typer.Context) -> int:
    """Parse, validate and lint the rules, a line for each mistake: file:line:rule: message."""
    from jitcloud.cli.rulebook import Files, read  # noqa: PLC0415 - see TYPE_CHECKING
    from jitcloud.policy.reach import reach  # noqa: PLC0415 - loaded only when it is needed

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
            findings.append(
                "nobody could have anything: no rule permits activate, request or breakGlass."
            )
        elif not found.allowed:
            risks.append(_NOBODY.format(tried=found.tried))
    if program.json:
        told = {"ok": not findings, "findings": findings, "risks": risks, "summary": summary}
        say.as_json(told)
    else:
        for line in (*findings, *(f"risk: {risk}" for risk in risks)):
            say.line(line)
        if findings:
            say.aside(f"jitcloud: {matrices.counted(len(findings), 'thing')} to fix.")
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
    from jitcloud.policy.fmt import formatted, replace_text  # noqa: PLC0415 - loaded only when it is needed

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
    from jitcloud.policy.cases import read  # noqa: PLC0415 - loaded only when it is needed
    from jitcloud.policy.trial import Trial, never_matched  # noqa: PLC0415 - loaded only when it is needed

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
    held = matrices.counted(len(tried), "case")
    say.line(f"{held}, {len(failed)} not as written." if failed else f"{held}, all as written.")
    return ExitCode.TROUBLES if failed else ExitCode.OK


def _summary(book: Rulebook) -> str:
    rules = len(book.policy.rules)
    files = matrices.counted(len(book.texts), "file")
    things = matrices.counted(len(book.catalog), "entitlement")
    return (
        f"{rules} rules with those that come with jitcloud, in {files},"
        f" about {things} (policy {book.policy.digest[:12]})."
    )


def _tell_failed(tried: Tried) -> None:
    case = tried.case
    say.line(f"{tried.number}. {case.says}")
    say.line(f"    {_asks(case)}{_facts(case)}")
    for key, expected, said in tried.differences:
        say.line(f"    {key} should be  {expected}")
        say.line(f"    {' ' * len(key)} and is     {said}")
    say.line()


def _asks(case: Case | BrakeCase) -> str:
    from jitcloud.policy.cases import BrakeCase  # noqa: PLC0415 - see TYPE_CHECKING

    if isinstance(case, BrakeCase):
        return f"{case.who} {case.verb}s {case.stops or case.ends}"
    asks = case.who if case.approves is None else f"{case.who} approves {case.approves}"
    broken = " by breaking the glass" if case.break_glass else ""
    return f"{asks}: {case.what} for {format_duration(case.duration)}{broken}"


def _facts(case: Case | BrakeCase) -> str:
    from jitcloud.policy.cases import Case  # noqa: PLC0415 - see TYPE_CHECKING

    facts = [] if case.mfa is None else [f"mfa {format_duration(case.mfa)}"]
    if isinstance(case, Case):
        facts = [*(n for n in ("ticket", "incident", "freeze") if getattr(case, n)), *facts]
        facts += [] if case.start is None else [f"start {case.start}"]
        facts += [] if not case.votes else [f"votes {', '.join(case.votes)}"]
        facts += [] if case.after is None else [f"after {format_duration(case.after)}"]
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
