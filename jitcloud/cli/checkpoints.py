"""Checkpoints on the command line: one is written, and those that are kept are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from jitcloud.cli import say
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.program import Program, program_of
from jitcloud.errors import Invalid
from jitcloud.instants import iso
from jitcloud.text import printable

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.anchoring import Anchored
    from jitcloud.audit.log import Log
    from jitcloud.audit.public_keys import PublicKey
    from jitcloud.ports import Anchors


def checkpoint(context: typer.Context) -> int:
    """Write a checkpoint of the record to where [anchors] keeps them; sweeps do so by themselves.

    Where much is new there may be several. What was met on the way that should be looked at is
    told, and the exit code is 1.
    """
    program = program_of(context)
    with program.opened() as jitcloud:
        written = jitcloud.deployment.checkpoint()
    if program.json:
        say.as_json({"checkpoints": [_shape(each) for each in written]})
    else:
        for each in written:
            reading = each.checkpoint.reading
            say.line(
                f"leaf {each.checkpoint.after.size}, {len(each.checkpoint.heads)} trails added, as"
                f" of {iso(reading.at)}"
            )
            for doubt in each.doubts:
                say.line(doubt)
    return ExitCode.TROUBLES if any(each.doubts for each in written) else ExitCode.OK


def _shape(written: Anchored) -> dict[str, object]:
    made = written.checkpoint
    return {
        "at": iso(made.reading.at),
        "checkpoint": made.note,
        "added": len(made.heads),
        "size": made.after.size,
        "doubts": list(written.doubts),
    }


@contextmanager
def configured_log(program: Program, path: Path | None) -> Iterator[Log | None]:
    """Read the checkpoints of the deployment: those kept there, or copies; None where none are.

    Raises ``Misconfigured``, and ``Invalid`` where there are no copies.
    """
    from jitcloud.config import open_anchors  # noqa: PLC0415 - see __init__

    anchors, keys = open_anchors(program.file)
    if path is not None:
        anchors = _at(path)
    if anchors is None:
        yield None
        return
    with _read(anchors, keys) as log:
        yield log


@contextmanager
def copied_log(path: Path | None, keys: Iterable[PublicKey]) -> Iterator[Log | None]:
    """Read copies of checkpoints, far from the deployment; None where no place is named."""
    if path is None:
        yield None
        return
    with _read(_at(path), keys) as log:
        yield log


def _at(path: Path) -> Anchors:
    from jitcloud.adapters import anchors_at  # noqa: PLC0415 - see __init__

    if not path.exists():
        raise Invalid(
            f"There are no checkpoints at {printable(str(path))}; name their file, or the folder"
            " that they were copied to."
        )
    return anchors_at(path)


@contextmanager
def _read(anchors: Anchors, keys: Iterable[PublicKey]) -> Iterator[Log]:
    from jitcloud.audit.log import Log  # noqa: PLC0415 - see __init__

    log = Log.read(anchors.name, anchors.lines(), keys)
    try:
        yield log
    finally:
        log.close()
