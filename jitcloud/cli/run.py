"""Runs one command, and turns whatever it raises into one sentence and an exit code."""

from __future__ import annotations

import io
import sys
import traceback
from collections.abc import Sequence

import typer

from jitcloud.cli import say
from jitcloud.cli.app import command
from jitcloud.cli.exits import ExitCode, code_of
from jitcloud.cli.program import Program
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
    except JitError as exc:
        return _failed(program, type(exc).__name__, str(exc), code_of(exc), exc)
    except typer.TyperException as exc:
        return _misused(program, exc)
    except (KeyboardInterrupt, typer.Abort) as exc:
        said = str(exc) or "Interrupted."
        return _failed(program, "Interrupted", said, ExitCode.INTERRUPTED, exc)
    except BrokenPipeError:
        raise
    except Exception as exc:  # noqa: BLE001 - the last resort: a sentence in place of a traceback
        said = (
            f"This is a defect in jitcloud ({type(exc).__name__}); "
            "run it again with --debug, and report what that shows."
        )
        return _failed(program, "Defect", said, ExitCode.DEFECT, exc)
    return int(code or 0)


def _misused(program: Program, exc: typer.TyperException) -> int:
    """Say what was typed wrong; or show the help, for who typed nothing."""
    context = getattr(exc, "ctx", None)
    said = exc.format_message()
    if type(exc).__name__ == "NoArgsIsHelpError":
        say.verbatim(said)
        return ExitCode.INVALID
    if context is not None:
        said = f"{said.rstrip('.')}. See `{context.command_path} --help`."
    return _failed(program, "Invalid", " ".join(said.split()), ExitCode.INVALID, exc)


def _failed(
    program: Program, kind: str, message: str, code: ExitCode, exc: BaseException
) -> ExitCode:
    if program.debug:
        # Without the values of variables: one of them could be a credential.
        traceback.print_exception(exc)
    # What was typed may have been wrong before --json was read.
    for_program = program.json or "--json" in _before_dashes(program.args)
    say.error(kind, message, for_program=for_program)
    return code


def _before_dashes(args: Sequence[str]) -> Sequence[str]:
    return args[: args.index("--")] if "--" in args else args
