"""Runs one command, and turns whatever it raises into one sentence and an exit code."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence

import typer

from jitcloud.cli import say
from jitcloud.cli.app import command
from jitcloud.cli.exits import ExitCode, code_of
from jitcloud.cli.program import Program
from jitcloud.cli.waiting import Interrupted
from jitcloud.errors import JitError

NAME = "jitcloud"


def run(args: Sequence[str], program: Program | None = None) -> int:
    """Run one command; return its exit code."""
    program = program or Program()
    program.args = tuple(args)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # An old terminal that cannot show a letter must not turn a result into a traceback.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = command().main(list(args), prog_name=NAME, standalone_mode=False, obj=program)
        sys.stdout.flush()  # while what goes wrong with it can still be said
    except BrokenPipeError:
        return ExitCode.TROUBLES  # whoever read has read enough
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the last resort: nobody reads a traceback
        return _failed(program, exc)
    finally:
        _let_go_of_output()
    return int(code or 0)


def _let_go_of_output() -> None:
    """See that nothing is left to write: the interpreter would complain about it at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(program: Program, exc: BaseException) -> ExitCode:
    kind, message, code = _told(exc)
    if program.debug:
        # Without the values of variables: one of them could be a credential.
        traceback.print_exception(exc)
    if message:
        # What was typed may have been wrong before --json was read.
        for_program = program.json or "--json" in _before_dashes(program.args)
        say.error(kind, message, for_program=for_program)
    return code


def _told(exc: BaseException) -> tuple[str, str, ExitCode]:
    """Say of what kind an error is, what happened in a sentence, and the exit code."""
    match exc:
        case JitError():
            return _kind(exc), str(exc), code_of(exc)
        case typer.TyperException():
            return "Invalid", _misused(exc), ExitCode.INVALID
        case Interrupted():
            return "Interrupted", str(exc), ExitCode.INTERRUPTED
        case KeyboardInterrupt() | typer.Abort():
            return "Interrupted", "", ExitCode.INTERRUPTED
        case OSError():
            said = f"The system does not let this happen: {exc.strerror or exc}."
            return "Misconfigured", said, ExitCode.MISCONFIGURED
        case _:
            said = (
                f"This is a defect in jitcloud ({type(exc).__name__}); "
                "run it again with --debug, and report what that shows."
            )
            return "Defect", said, ExitCode.DEFECT


def _kind(error: JitError) -> str:
    """Name the kind of an error as ``jitcloud.errors`` has it: modules have finer ones."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == _ERRORS)


_ERRORS = JitError.__module__


def _misused(exc: typer.TyperException) -> str:
    """Say what was typed wrong, and where to read what is right."""
    said = " ".join(exc.format_message().split())
    context = getattr(exc, "ctx", None)
    if not said or context is None:
        return said  # nothing was typed, and the help has been shown
    end = "" if said.endswith((".", "?")) else "."
    return f"{said}{end} See `{context.command_path} --help`."


def _before_dashes(args: Sequence[str]) -> Sequence[str]:
    return args[: args.index("--")] if "--" in args else args
