"""``check``: loads everything, and says all that is wrong or risky before anybody relies on it."""

from __future__ import annotations

import platform
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jitcloud.cli import say
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.program import FILE, Program, program_of
from jitcloud.clock import utc_now
from jitcloud.durations import parse_duration
from jitcloud.errors import JitError, Misconfigured
from jitcloud.text import printable

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.config import Deployment

TRIED = ((3, 11), (3, 13))
"""The Pythons this version is tried with, first and last."""


@dataclass(slots=True)
class Checked:
    """What a check found."""

    findings: list[str] = field(default_factory=list)
    """What keeps jitcloud from running."""
    risks: list[str] = field(default_factory=list)
    """What it runs with, and should be thought about."""
    summary: str = ""


def check(
    context: typer.Context,
    clouds: Annotated[
        bool,
        typer.Option(
            "--clouds", help="Also ask the clouds what granting each entitlement would mean."
        ),
    ] = False,
    duration: Annotated[
        str, typer.Option("--for", metavar="TIME", help="With --clouds: for how long.")
    ] = "1h",
) -> int:
    """Load the whole configuration and say all that is wrong with it. Calls no cloud by itself.

    With --clouds: what granting each entitlement would mean to whoever asks. Whether the clouds
    are set up for it, and still as they were, is for `doctor`.
    """
    program = program_of(context)
    length = parse_duration(duration)
    checked = Checked(risks=list(_about_this_machine()))
    checked.findings += _in_single_files(program.file)
    try:
        with program.opened() as jitcloud:
            checked.risks += _about(jitcloud.deployment)
            checked.summary = _summary(jitcloud.deployment)
            if clouds:
                _ask_clouds(jitcloud.deployment, length, checked)
    except Misconfigured as exc:
        checked.findings += [line for line in _lines(exc) if line not in checked.findings]
    _tell(program, checked)
    return ExitCode.TROUBLES if checked.findings else ExitCode.OK


def _in_single_files(file: Path) -> Iterator[str]:
    """Yield what is wrong with files that can be read by themselves.

    Opening the deployment stops at the first file that is wrong: one would hide the next.
    """
    from jitcloud import adapters  # noqa: PLC0415 - they load pydantic
    from jitcloud import settings as files  # noqa: PLC0415 - loaded only when it is needed
    from jitcloud.catalog import Catalog  # noqa: PLC0415 - loaded only when it is needed

    folder = file if file.is_dir() else file.parent
    try:
        settings = files.read_settings(file / FILE if file.is_dir() else file)
        mechanisms, _ = adapters.clouds(settings, utc_now)
    except Misconfigured as exc:
        yield from _lines(exc)
        return
    for read in (
        lambda: adapters.signer_of(settings, folder, utc_now),
        lambda: Catalog.load(folder / settings.catalog, mechanisms),
        lambda: adapters.freezes_of(settings),
        lambda: [
            adapters.tickets_of(each, folder)
            for each in (settings.tickets, settings.incidents)
            if each is not None
        ],
    ):
        try:
            read()
        except Misconfigured as exc:
            yield from _lines(exc)


def _lines(error: Misconfigured) -> list[str]:
    return str(error).splitlines()


def _tell(program: Program, checked: Checked) -> None:
    if program.json:
        say.as_json(
            {
                "ok": not checked.findings,
                "findings": checked.findings,
                "risks": checked.risks,
                "summary": checked.summary,
            }
        )
        return
    for finding in checked.findings:
        say.line(finding)
    for risk in checked.risks:
        say.line(f"risk: {risk}")
    if checked.findings:
        count = len(checked.findings)
        say.aside(f"jitcloud: {count} {'things' if count > 1 else 'thing'} to fix.")
    if checked.summary:
        say.line(checked.summary)


def _summary(deployment: Deployment) -> str:
    judge = deployment.judge
    rules = len(judge.policy.rules)
    return (
        f"{len(judge.catalog)} entitlements, {rules} rules with those that come with jitcloud"
        f" (policy {judge.ref.sha256[:12]}), granted by {', '.join(sorted(judge.mechanisms))}."
    )


def _about_this_machine() -> Iterator[str]:
    import apsw  # noqa: PLC0415 - only to name its version

    first, last = TRIED
    if not first <= sys.version_info[:2] <= last:
        tried = " to ".join(".".join(map(str, version)) for version in TRIED)
        yield f"Python {platform.python_version()}: jitcloud is tried with {tried}."
    if apsw.apsw_version().rpartition(".")[0] != apsw.sqlite_lib_version():
        yield (
            f"apsw {apsw.apsw_version()} runs on SQLite {apsw.sqlite_lib_version()}, which it was"
            " not made for; install it from its wheel, which carries its own."
        )


def _about(deployment: Deployment) -> Iterator[str]:
    settings, folder = deployment.settings, deployment.folder
    if settings.trial.unsafe_act_as_anyone:
        yield (
            "unsafe_act_as_anyone is on: whoever can run jitcloud here may act as anybody."
            " For trials only."
        )
    if settings.aws is not None and settings.aws.endpoint_url is not None:
        yield f"endpoint_url is set: AWS is an emulator at {settings.aws.endpoint_url}."
    if settings.aws is not None and settings.aws.identity_center_url is not None:
        url = settings.aws.identity_center_url
        yield f"identity_center_url is set: Identity Center is an emulator at {url}."
    if settings.policy.freeze:
        yield "freeze is on: rules see a change freeze."
    if settings.mail is None and not settings.trial.unsafe_act_as_anyone:
        yield "nobody is told anything: say under [mail] where messages are given up."
    yield from _unseen(deployment)
    yield from _unnoted(deployment)
    files = (Path(FILE), settings.catalog, settings.people, settings.policy.folder)
    policies = sorted((folder / settings.policy.folder).glob("*.cedar"))
    for path in (*(folder / name for name in files), *policies):
        if _is_open(path):
            yield (
                f"{printable(str(path))} can be written by others, and whoever can write it can"
                " grant; run `chmod go-w` on it."
            )
    record = folder / settings.store.path
    if record.exists() and record.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield (
            f"{printable(str(record))}, the record, is open to others; run `chmod go-rwx` on it."
        )


def _unseen(deployment: Deployment) -> Iterator[str]:
    """Yield what rules or the catalog lean on that nobody looks up."""
    from jitcloud.policy.lint import reads  # noqa: PLC0415 - it loads cedarpy

    settings, judge = deployment.settings, deployment.judge
    for name, system in (("ticket", settings.tickets), ("incident", settings.incidents)):
        rules = [rule.id for rule in judge.policy.rules if reads(rule, name)]
        if system is None and rules:
            yield (
                f"nothing looks {name}s up, so {', '.join(rules)} never sees one: say under"
                f" [{name}s] how."
            )


def _unnoted(deployment: Deployment) -> Iterator[str]:
    """Yield what others give too, where nothing would tell theirs from ours."""
    shared = [t.id for t in deployment.judge.catalog if t.target.get("exclusive") is False]
    if shared and deployment.settings.journal is None:
        yield (
            f"{', '.join(shared)}: others give access there too (exclusive = false), and nothing"
            " notes what is ours, so nothing is given there: name a file in [journal]."
        )


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _about_key(deployment: Deployment) -> Iterator[str]:
    """Yield why the key that signs cannot be reached. Nothing is signed: that may be watched."""
    signer = deployment.ledger.signer
    if signer is None:
        return
    try:
        _ = signer.key  # KMS is asked for it
    except Misconfigured as exc:
        yield from _lines(exc)


def _ask_clouds(deployment: Deployment, duration: timedelta, checked: Checked) -> None:
    """Let each mechanism say what granting would mean: what would fail, and what it would leave.

    What would be so of several is said once.
    """
    judge = deployment.judge
    checked.findings += _about_key(deployment)
    alike: dict[str, list[str]] = {}
    for thing in judge.catalog:
        try:
            plan = judge.mechanism(thing.mechanism).plan(thing, duration, deployment.clock())
        except JitError as exc:
            checked.findings.append(f"{thing.id}: {exc}")
            continue
        checked.findings += [f"{thing.id}: {problem}" for problem in plan.problems]
        left = (f" would leave: {each}" for each in plan.residual)
        for risk in dict.fromkeys((*left, *(f": {note}" for note in plan.notes))):
            alike.setdefault(risk, []).append(thing.id)
    checked.risks += [f"{', '.join(names)}{risk}" for risk, names in alike.items()]
