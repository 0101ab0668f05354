"""Commands that use an active grant: the only ones that ever show or hand on a credential."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from types import FrameType
from typing import Annotated

import typer

from jitcloud import shapes
from jitcloud.cli import environment, say
from jitcloud.cli.acting import Acting
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.options import RequestArgument
from jitcloud.cli.program import Program, program_of
from jitcloud.errors import Invalid
from jitcloud.model import Credentials, RequestId
from jitcloud.text import parse_request_id, printable

_REGION = frozenset({"AWS_REGION", "AWS_DEFAULT_REGION"})

_PASSED_ON = (signal.SIGTERM, signal.SIGHUP)


class Format(StrEnum):
    """In which form to write a set of credentials."""

    PROCESS = "process"
    JSON = "json"
    ENV = "env"


def credentials(
    context: typer.Context,
    request: RequestArgument,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="process: as AWS wants it of a credential_process (as if left out). json: as"
            " jitcloud writes it (as with --json). env: lines for a shell, as `jitcloud env`.",
            show_default=False,
        ),
    ] = None,
    no_cache: Annotated[
        bool,
        typer.Option(
            "--no-cache",
            help="Issue a new set, and leave the system's keyring alone.",
        ),
    ] = False,
) -> int:
    """Write a set of credentials for your own active grant, for other programs to use."""
    program = program_of(context)
    wanted = format_ or (Format.JSON if program.json else Format.PROCESS)
    name = parse_request_id(request)
    _warn_whoever_looks()
    with program.acting() as acting:
        if wanted is Format.PROCESS:
            found = _issued(acting, name) if no_cache else _kept_or_new(acting, name)
            say.as_json(shapes.of_process(found))
        elif wanted is Format.JSON:
            say.as_json(shapes.of_credentials(name, _issued(acting, name)))
        else:
            _write_lines(_variables(program, acting, _issued(acting, name)))
    return ExitCode.OK


def env(context: typer.Context, request: RequestArgument) -> int:
    """Write lines that give a shell the access: eval "$(jitcloud env REQUEST)"."""
    program = program_of(context)
    with program.acting() as acting:
        variables = _variables(program, acting, _issued(acting, parse_request_id(request)))
    _warn_whoever_looks()
    if program.json:
        say.as_json(variables)
    else:
        _write_lines(variables)
    return ExitCode.OK


def exec_(
    context: typer.Context,
    request: RequestArgument,
    command: Annotated[
        list[str],
        typer.Argument(metavar="-- COMMAND...", help="What to run.", show_default=False),
    ],
    give_back: Annotated[
        bool, typer.Option("--give-back", help="Give the access back once the command has ended.")
    ] = False,
) -> int:
    """Run a command that has the access, in its environment alone; end as it ends."""
    program = program_of(context)
    if "--" not in program.args:
        # Else an option of the command that jitcloud has too would be taken from it.
        raise Invalid("Put -- before the command: jitcloud exec REQUEST -- COMMAND.")
    name = parse_request_id(request)
    with program.acting() as acting:
        variables = _variables(program, acting, _issued(acting, name))
        code = _run(program, command, environment.child(program.environment, variables))
        if give_back:
            acting.kept.forget(name)
            acting.give_back(name, "")
    return code


def _warn_whoever_looks() -> None:
    if sys.stdout.isatty():
        say.aside(
            "What follows is secret, and is on your screen. It is meant for another program,"
            ' such as a shell: eval "$(jitcloud env …)".'
        )


def _issued(acting: Acting, name: RequestId) -> Credentials:
    acting.ready(name)
    return acting.credentials(name)


def _kept_or_new(acting: Acting, name: RequestId) -> Credentials:
    """Return the set in the keyring, if the record still says yes to it; else a new one."""
    grant = acting.holder(acting.ready(name))
    found = None if grant is None else acting.kept.take(grant, acting.now())
    if found is not None:
        return found
    made = acting.credentials(name)
    acting.kept.keep(name, made)
    return made


def _variables(program: Program, acting: Acting, made: Credentials) -> dict[str, str]:
    told = acting.places_of_use()
    if _REGION & set(program.environment):
        told = {name: value for name, value in told.items() if name not in _REGION}
    return environment.variables(made, told)


def _write_lines(variables: Mapping[str, str]) -> None:
    for text in environment.shell_lines(variables):
        say.verbatim(text)


def _run(program: Program, command: list[str], variables: Mapping[str, str]) -> int:
    """Run a command to its end; return its exit code, or 128 and the signal that ended it."""
    try:
        # The whole point is to run what the person typed; no shell reads it.
        with subprocess.Popen(command, env=variables) as child, _passing_on(child):  # noqa: S603 - what the person typed, run by no shell
            code = child.wait()
    except FileNotFoundError:
        said = f"There is no command {printable(command[0])}."
        say.error("NotFound", said, for_program=program.json)
        return ExitCode.NO_COMMAND
    except (OSError, ValueError) as exc:
        said = f"{printable(command[0])} cannot be run: {exc}."
        say.error("Invalid", said, for_program=program.json)
        return ExitCode.NOT_EXECUTABLE
    return code if code >= 0 else 128 - code


@contextmanager
def _passing_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let the child decide what a signal means. Ctrl-C reaches it from the terminal by itself."""

    def pass_on(number: int, _: FrameType | None) -> None:
        child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
