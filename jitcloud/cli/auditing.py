"""Commands for whoever checks: what happened, and whether the record proves it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jitcloud import shapes
from jitcloud.cli import checkpoints, say, story, trails
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.options import RequestArgument
from jitcloud.cli.program import Program, program_of
from jitcloud.cli.trails import Trail
from jitcloud.clock import utc_now
from jitcloud.errors import Invalid, Misconfigured, NotFound, Tampered
from jitcloud.model import CONTROLS, Prolonged, RequestId
from jitcloud.text import parse_request_id, printable

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.audit.public_keys import TrustedKeys
    from jitcloud.audit.verify import Report
    from jitcloud.ports import Store

OptionalRequest = Annotated[
    str | None,
    typer.Argument(metavar="[REQUEST]", help="One request; else all.", show_default=False),
]

SHOW_PROGRESS_EVERY = 1000


def show(context: typer.Context, request: RequestArgument) -> int:
    """Tell one request's story, event by event, and whether it is proven.

    What was asked to extend it stands where it happened. With `controls` for a request: which
    policy texts judged, and which brakes were put on.
    """
    program = program_of(context)
    settings, name = program.remote, _name(request)
    if settings is not None and name != CONTROLS:
        trail, extensions = program.there(settings).trail(name)
        held = "order and hashes; whose the signatures are `audit verify` says, where its keys are."
    else:
        with program.record() as (store, verifier):
            trail = trails.read(store, verifier, name)
            extensions = tuple(trails.extensions(store, verifier, trail))
        held = "every hash, every signature, and what they add up to."
    if program.json:
        told = [_shape(each) for each in extensions]
        say.as_json({**_shape(trail), "extensions": told})
    else:
        for text in story.of(trail, extensions):
            say.line(text)
    troubles = [each.trouble for each in (trail, *extensions) if each.trouble]
    if troubles:
        raise Tampered("\n".join(troubles))
    say.hint(f"The trail holds: {held}")
    return ExitCode.OK


def _shape(trail: Trail) -> dict[str, object]:
    events = shapes.of_events((line, story.what(line.event.what), h) for line, h in trail.lines)
    return {
        "request": trail.name,
        "holds": not trail.trouble,
        "trouble": trail.trouble,
        "events": events,
    }


def verify(  # noqa: PLR0913, PLR0917 - the options of a command
    context: typer.Context,
    request: OptionalRequest = None,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="EXPORT",
            help="Verify an export instead of the record; - is standard input. Needs --keys.",
            show_default=False,
        ),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Believe the public keys (*.pub.pem) in this folder.",
            show_default=False,
        ),
    ] = None,
    anchors: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Hold it to the checkpoints in this file or folder; else to those of [anchors].",
            show_default=False,
        ),
    ] = None,
    part: Annotated[
        bool, typer.Option("--part", help="The export is of some requests alone: miss no others.")
    ] = False,
) -> int:
    """Check hashes, signatures, order and rules; say what was found and what cannot be seen.

    With checkpoints also that all is there still that was there at each of them.
    """
    program = program_of(context)
    if file is None and keys is None and not part:
        report = _verified(program, request, anchors)
    elif file is None or keys is None or request is not None:
        raise Invalid("Verify an export with both --file and --keys, and without a request.")
    else:
        report = _verified_file(file, keys, anchors, is_whole=not part)
    if program.json:
        say.as_json(shapes.of_report(report))
    else:
        _tell(report)
    return ExitCode.TROUBLES if report.findings else ExitCode.OK


def export(context: typer.Context, request: OptionalRequest = None) -> int:
    """Write trails as JSON Lines, for a SIEM, an archive or `audit verify --file`."""
    from jitcloud.audit.export import export as lines_of  # noqa: PLC0415 - see __init__

    with program_of(context).record() as (store, _):
        for text in lines_of(store, _ids(store, request)):
            say.verbatim(text)
    return ExitCode.OK


def public_key(
    context: typer.Context,
    save: Annotated[
        bool, typer.Option("--save", help="Keep it where verifying finds it as well.")
    ] = False,
) -> int:
    """Write the public half of the key that signs now, for whoever verifies elsewhere, or later.

    One that KMS keeps is asked of KMS; to verify what it signed takes no more than this.
    """
    from jitcloud import config  # noqa: PLC0415 - see __init__
    from jitcloud.audit import public_keys  # noqa: PLC0415 - the same

    program = program_of(context)
    key, folder = config.public_key(program.file, utc_now)
    name, text = public_keys.key_name(key), public_keys.pem(key)
    kept = public_keys.save(key, folder) if save else None
    if program.json:
        say.as_json({"key": name, "pem": text, "file": None if kept is None else str(kept)})
        return ExitCode.OK
    say.verbatim(text.rstrip())
    if kept is not None:
        say.aside(f"wrote {printable(str(kept))}")
    return ExitCode.OK


def _ids(store: Store, request: str | None) -> Iterator[RequestId]:
    from jitcloud.audit.verify import all_ids  # noqa: PLC0415 - see __init__

    if request is None:
        yield CONTROLS
        yield from all_ids(store)
        return
    name = _name(request)
    if name == CONTROLS:
        yield CONTROLS
        return
    trail = store.events(name)
    if not trail:
        raise NotFound(f"There is no request {name} in this record.")
    yield name
    # What proves a later deadline is the trail of the extension.
    yield from (line.event.what.by for line in trail if isinstance(line.event.what, Prolonged))


def _name(text: str) -> RequestId:
    return CONTROLS if text == CONTROLS else parse_request_id(text)


def _verified(program: Program, request: str | None, anchors: Path | None) -> Report:
    from jitcloud.audit.verify import verify_all, verify_these  # noqa: PLC0415 - see __init__

    with (
        program.record() as (store, verifier),
        checkpoints.configured_log(program, anchors) as log,
        _progress() as progress,
    ):
        if request is None:
            return verify_all(store, verifier, utc_now(), progress, log)
        return verify_these(store, _ids(store, request), verifier, utc_now(), progress, log)


def _verified_file(file: Path, folder: Path, anchors: Path | None, *, is_whole: bool) -> Report:
    from jitcloud.audit.export import bounded_lines, verify_export  # noqa: PLC0415 - see __init__

    trusted = _believed(folder)
    with checkpoints.copied_log(anchors, trusted.known) as log:
        if str(file) == "-":
            lines = bounded_lines(sys.stdin.buffer)
            return verify_export(lines, trusted, log, is_whole=is_whole)
        try:
            with file.open("rb") as opened:
                return verify_export(bounded_lines(opened), trusted, log, is_whole=is_whole)
        except OSError as exc:
            raise Invalid(f"{printable(str(file))} cannot be read: {exc.strerror}.") from exc


def _believed(folder: Path) -> TrustedKeys:
    from jitcloud.audit.public_keys import TrustedKeys, public_keys  # noqa: PLC0415 - see __init__

    found = public_keys(folder)
    if not found:
        shown = printable(str(folder))
        raise Misconfigured(f"There is no public key (*.pub.pem) in {shown}; copy it there.")
    return TrustedKeys(found)


def _tell(report: Report) -> None:
    for finding in report.findings:
        said = finding.message
        # Most name their request themselves.
        say.line(said if finding.where in said else f"{finding.where}: {said}")
    found = len(report.findings)
    result = "all of it holds" if not found else f"{found} finding{'s' if found > 1 else ''}"
    say.line(
        f"{report.requests} requests with {report.events} events were read and {report.signed}"
        f" signatures checked: {result}."
    )
    say.line("What this cannot see:")
    for text in report.unseen:
        say.line(f"- {text}")


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """Count on a terminal, and nowhere else."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - only for a terminal

    with Console(stderr=True).status("reading the record …") as status:

        def show_progress(count: int) -> None:
            if count % SHOW_PROGRESS_EVERY == 0:
                status.update(f"{count} requests read …")

        yield show_progress
