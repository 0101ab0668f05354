"""``policy replay``: what proposed rules would have said to the requests of the past."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jitcloud.cli import say
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.program import program_of
from jitcloud.cli.progress import progress
from jitcloud.errors import Invalid, Misconfigured
from jitcloud.text import quoted

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.cli.rulebook import Files, Rulebook

MOST = 100_000
"""So many requests are judged again unless somebody asks for more; the newest ones."""


def replay(  # noqa: PLR0913, PLR0917 - each one an option
    context: typer.Context,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="The proposed rules (*.cedar); else those of the configuration.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Only what was asked from this day on (in UTC), such as 2026-06-01.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(metavar="N", help="At most so many requests, the newest ones.")
    ] = MOST,
    cut: Annotated[
        float,
        typer.Option(
            metavar="SHARE", help="Propose windows that would have cut no more of the sessions."
        ),
    ] = 0.05,
    every: Annotated[
        bool, typer.Option("--all", help="Show every line, not just the first.")
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Write whom it would change, as CSV for review.")
    ] = False,
) -> int:
    """Judge the recorded requests again by proposed rules, and say who would be told otherwise.

    Each is judged with the facts it was judged on then, by the people and the catalog of now.
    Also says how long access was really used, and which windows could therefore be shorter.
    """
    from jitcloud.cli.rejudging import Record, replayed  # noqa: PLC0415 - see TYPE_CHECKING
    from jitcloud.cli.replayed import FIRST, Told  # noqa: PLC0415 - loaded only when it is needed
    from jitcloud.cli.rulebook import Files  # noqa: PLC0415 - loaded only when it is needed

    program = program_of(context)
    if limit < 1:
        raise Invalid("--limit must be at least 1.")
    if not 0 <= cut <= 1:
        raise Invalid("--cut must be a share from 0 to 1, such as 0.05 for one of twenty.")
    if as_csv and program.json:
        raise Invalid("--csv goes with no --json; choose one.")
    begin = None if since is None else _day(since)
    files = Files.of(program.file)
    book = _opened(files if policy is None else _proposed(files, policy))
    in_force = None if policy is None else _in_force(files)
    with program.record() as (store, verifier):
        record = Record(store=store, verifier=verifier, since=begin, limit=limit)
        names = record.names()
        with progress(len(names), quiet=program.json) as advance:
            found = replayed(record, names, book, in_force, advance)
    told = Told(found=found, digest=book.policy.digest, folder=policy, since=begin, cut=cut)
    if program.json:
        say.as_json(told.shape())
    elif as_csv:
        told.csv()
    else:
        told.text(most=None if every else FIRST)
    return ExitCode.TAMPERED if found.tampered else ExitCode.OK


def _day(text: str) -> datetime:
    try:
        day = datetime.fromisoformat(text)
        return day.replace(tzinfo=UTC) if day.tzinfo is None else day.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise Invalid(f"{quoted(text)} is not a day; write one like 2026-06-01.") from exc


def _proposed(files: Files, folder: Path) -> Files:
    """Return the same files with other rules."""
    rules = files.settings.policy.model_copy(update={"folder": folder.absolute()})
    return replace(files, settings=files.settings.model_copy(update={"policy": rules}))


def _opened(files: Files) -> Rulebook:
    from jitcloud.cli.rulebook import read  # noqa: PLC0415 - see TYPE_CHECKING

    wrong: list[str] = []
    book = read(files, wrong)
    if book is None:
        raise Misconfigured("\n".join(wrong))
    return book


def _in_force(files: Files) -> Rulebook | None:
    """Open the rules of the configuration, to tell what is their doing already."""
    try:
        return _opened(files)
    except Misconfigured:
        say.aside(
            "jitcloud: the rules of the configuration are broken themselves, so what they would"
            " say is left out; `jitcloud policy check` says why."
        )
        return None
