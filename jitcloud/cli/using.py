"""Commands that use an active grant: the only ones that ever show or hand on a credential."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from jitcloud import shapes
from jitcloud.cli import environment, say
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.options import RequestArgument
from jitcloud.cli.program import Program, program_of
from jitcloud.errors import Invalid, Refused
from jitcloud.model import Credentials, Request, RequestId, State
from jitcloud.text import parse_request_id, printable

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.library import Acting

TOO_SOON = frozenset({State.SCHEDULED, State.ACTIVATING})

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
            found = _issued(acting, name) if no_cache else _kept_or_new(program, acting, name)
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
            program.kept(acting.deployment).forget(name)
            acting.give_back(name)
    return code


def _warn_whoever_looks() -> None:
    if sys.stdout.isatty():
        say.aside(
            "What follows is secret, and is on your screen. It is meant for another program,"
            ' such as a shell: eval "$(jitcloud env …)".'
        )


def _issued(acting: Acting, name: RequestId) -> Credentials:
    _hasten(acting, name)
    return acting.credentials(name)


def _hasten(acting: Acting, name: RequestId) -> Request:
    """Do now what the sweep would do soon: a start may have come since it last ran."""
    request = acting.show(name)
    if request.ask.extends is not None and request.person == acting.caller.person:
        raise Refused(
            f"Request {name} has no access of its own: it asks to extend request"
            f" {request.ask.extends}, so use that one."
        )
    return acting.deployment.advance.wake(name) if request.state in TOO_SOON else request


def _kept_or_new(program: Program, acting: Acting, name: RequestId) -> Credentials:
    """Return the set in the keyring, if the record still says yes to it; else a new one."""
    deployment, kept = acting.deployment, program.kept(acting.deployment)
    request, now = _hasten(acting, name), deployment.clock()
    if request.state is State.ACTIVE:
        request = deployment.ledger.verified(name, now)
    person = deployment.judge.directory.person(acting.caller.person)
    found = None if person.disabled else kept.take(request, person.id, now)
    if found is not None:
        return found
    made = acting.credentials(name)
    kept.keep(name, made)
    return made


def _variables(program: Program, acting: Acting, made: Credentials) -> dict[str, str]:
    settings = acting.deployment.settings.aws
    told: dict[str, str] = {}
    if settings is not None:
        if not {"AWS_REGION", "AWS_DEFAULT_REGION"} & set(program.environment):
            told |= {"AWS_REGION": settings.region, "AWS_DEFAULT_REGION": settings.region}
        if settings.endpoint_url is not None:
            told["AWS_ENDPOINT_URL"] = settings.endpoint_url  # an emulator, which made them
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
