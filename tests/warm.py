"""Commands that start warm: each a process of its own, forked from one that has loaded them.

A command gets the arguments, environment, folder, umask and streams that it is started with, and
gives its own exit code; the script that runs is the installed one. All that it is spared is to
load its modules, which takes longer than what most commands do. README.md and what tests/e2e is
about start cold.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

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

# It has to start fast itself, so it loads nothing of ours.
_CLIENT = """\
#!{python} -ISE
import json, os, socket, sys

if {{"emulator", "serve"}} & set(sys.argv):  # they stay, and are told to end by a signal
    os.execv({command!r}, sys.argv)
umask = os.umask(0)
told = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ), umask]).encode()
with socket.socket(socket.AF_UNIX) as server:
    server.connect({socket!r})
    socket.send_fds(server, [len(told).to_bytes(4, "big")], [0, 1, 2])
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
    for module in LOADS[name]:
        importlib.import_module(module)
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


def _begin(name: str, connection: socket.socket) -> None:
    """Fork once more: one process is the command, and the other says how that has ended."""
    head, streams, _, _ = socket.recv_fds(connection, 4, 3)
    with connection.makefile("rb") as told:
        args, folder, environment, umask = json.loads(told.read(int.from_bytes(head, "big")))
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
    os.environ.update(environment)
    if name == "aws":
        importlib.reload(sys.modules["awscli"])  # it says in the environment where its data is
    sys.path[0] = str(BIN)
    sys.argv[:] = [str(BIN / name), *args]


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


if __name__ == "__main__":
    _serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
    runpy.run_path(sys.argv[0], run_name="__main__")
