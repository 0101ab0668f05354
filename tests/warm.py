"""Commands that start warm: each a process of its own, forked from one that has loaded them.

A command gets the arguments, environment, folder, umask and streams that it is started with, and
gives its own exit code; the script that runs is the installed one. All that it is spared is to
load its modules and AWS's descriptions of its services, and to take all that apart in the end,
which takes longer than what most commands do. README.md and what tests/e2e is about start cold.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent

# One process for each command: the AWS CLI puts a botocore of its own in the other's place.
LOADS = {
    "jitcloud": (
        "jitcloud.cli.run",
        "jitcloud.library",
        "jitcloud.providers.aws.iam_group",
        "jitcloud.providers.aws.iam_policy",
        "jitcloud.providers.aws.identity_center_access",
        "jitcloud.providers.aws.sts_session",
        "jitcloud.stores.sqlite",
    ),
    "aws": ("awscli.clidriver", "awscli.customizations.s3.s3", "awscli.handlers"),
}

_DESCRIBED = {"jitcloud": ("iam", "sts"), "aws": ("s3",)}
"""The services of AWS that each speaks to."""

# It has to start fast itself, so it loads next to nothing.
_CLIENT = """\
#!{python} -ISE
import _socket, os, sys

if {{"emulator", "serve"}} & set(sys.argv):  # they stay, and are told to end by a signal
    os.execv({command!r}, sys.argv)
umask = os.umask(0)
variables = [name + b"=" + value for name, value in os.environb.items()]
args = list(map(os.fsencode, sys.argv[1:]))
parts = [b"%d %d" % (umask, len(args)), os.getcwdb(), *args, *variables]
told = b"\\0".join(parts)
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
server = _socket.socket(_socket.AF_UNIX)
server.connect({socket!r})
length = len(told).to_bytes(4, "big")
server.sendmsg([length], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
server.sendall(told)
answer = server.recv(1)
sys.exit(answer[0] if answer else "The warm process has died.")
"""


@contextmanager
def warm(folder: Path) -> Iterator[Path]:
    """Yield a folder for the ``PATH`` in which these commands start warm."""
    with ExitStack() as stack:
        for name in LOADS:
            stack.enter_context(_started(name, folder))
        yield folder


@contextmanager
def _started(name: str, folder: Path) -> Iterator[None]:
    at = str(folder / f"{name}.socket")
    script = folder / name
    script.write_text(
        _CLIENT.format(python=sys.executable, command=str(BIN / name), socket=at), "utf-8"
    )
    script.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(at)
        listener.listen()
        process = subprocess.Popen(  # noqa: S603 - this module
            [sys.executable, "-m", __name__, name, str(listener.fileno())],
            cwd=Path(__file__).parents[1],
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _serve(name: str, listener: socket.socket) -> None:
    """Fork for each connection; return in the process of a command, which is ready to begin."""
    atexit.register(_leave)  # the first that is, so it is the last that runs
    for module in LOADS[name]:
        importlib.import_module(module)
    {"jitcloud": _describe_to_jitcloud, "aws": _describe_to_aws}[name](*_DESCRIBED[name])
    gc.freeze()
    while True:
        connection, _ = listener.accept()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if os.fork() == 0:
            listener.close()
            _begin(name, connection)
            return
        connection.close()


def _describe_to_jitcloud(*services: str) -> None:
    """Read what the SDK has of these services, by what keeps it for the whole process."""
    session = importlib.import_module("botocore.session").Session()
    sdk_data = importlib.import_module("jitcloud.providers.aws.sdk_data")
    _make_clients(sdk_data.boto3_session(session).client, services)


def _describe_to_aws(*services: str) -> None:
    """The same; the AWS CLI keeps it for a session, of which each command has one."""
    of_sessions = vars(importlib.import_module("awscli.botocore.session"))
    of_sessions["create_loader"] = cache(of_sessions["create_loader"])
    driver = vars(sys.modules["awscli.clidriver"])["create_clidriver"]()
    driver.session.get_data("cli")
    _make_clients(driver.session.create_client, services)


def _make_clients(make: Any, services: tuple[str, ...]) -> None:
    for service in services:
        make(service, "us-east-1", aws_access_key_id="none", aws_secret_access_key="none")  # noqa: S106 - nobody's


def _begin(name: str, connection: socket.socket) -> None:
    """Fork once more: one process is the command, and the other says how that has ended."""
    head, streams, _, _ = socket.recv_fds(connection, 4, 3)
    with connection.makefile("rb") as told:
        numbers, folder, *rest = told.read(int.from_bytes(head, "big")).split(b"\0")
    umask, count = map(int, numbers.split())
    args, variables = rest[:count], rest[count:]
    command = os.fork()
    if command:
        for stream in streams:
            os.close(stream)
        code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
        connection.sendall(bytes([code if code >= 0 else 128 - code]))
        os._exit(0)
    connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    _open_streams()
    os.chdir(folder)
    os.umask(umask)
    os.environ.clear()
    for variable in variables:
        key, _, value = variable.partition(b"=")
        os.environb[key] = value
    if name == "aws":
        importlib.reload(sys.modules["awscli"])  # it says in the environment where its data is
    sys.path[0] = str(BIN)
    sys.argv[:] = [str(BIN / name), *map(os.fsdecode, args)]


def _open_streams() -> None:
    """Open what stands at 0, 1 and 2 as an interpreter does that finds it there."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, name)
        opened = open(  # noqa: SIM115 - it stays open, and is no path
            number,
            before.mode,
            buffering=1 if name == "stderr" or os.isatty(number) else -1,
            encoding=before.encoding,
            errors=before.errors,
            closefd=False,
        )
        setattr(sys, name, opened)
        setattr(sys, f"__{name}__", opened)


_code: int | None = None
"""What a command has ended with; None before, and where the interpreter is to say it."""


def _leave() -> None:
    """End at once where nothing is left to do, and spare the system the copies of all pages."""
    if _code is not None:
        with contextlib.suppress(OSError, ValueError):  # the interpreter has words for it
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(_code)


if __name__ == "__main__":
    _serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            _code = (ended.code or 0) & 0xFF
        raise
