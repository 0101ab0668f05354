"""AWS on this machine: ministack with IAM enforced, on the loopback, gone when you are.

ministack (MIT) judges policies, session policies, boundaries and dates as AWS does, which is
what makes "who can do what now" a question one can ask here. What it does otherwise than AWS:
it enforces neither a role's maximum session duration nor the packed size of a session policy,
does not check ``iam:PassRole``, and keeps no ``SourceIdentity``, nor wants the right to set one.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Self

from jitcloud.errors import Misconfigured

_STARTS_WITHIN = 20.0
_STOPS_WITHIN = 5.0
_TRIES = 3
"""A port is found free before it is used: another process may take it in between."""

_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "SYSTEMROOT", "TZ")
"""What the child gets of our environment: nothing of the user's AWS, proxies or ministack."""

_SERVE = "from jitcloud.emulators.ministack import _serve; _serve()"


class Ministack:
    """One emulated AWS. Every twelve digits are an account: its root's key id, with any secret.

    ``with Ministack() as aws:`` starts it; ``aws.endpoint_url`` is where to point an SDK.
    """

    def __init__(self, account: str = "111122223333", port: int | None = None) -> None:
        """Remember which account is the default, and the port (a free one, if none is given).

        Starts nothing yet.
        """
        self._port = port
        self.account = account
        self.region = "us-east-1"
        self.access_key_id = account
        self.secret_access_key = "test"  # noqa: S105 - ministack gives it to every root
        self.endpoint_url = ""
        self._folder = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it and wait until it answers. Raises ``Misconfigured`` when it does not."""
        if importlib.util.find_spec("ministack") is None:
            raise Misconfigured(
                "ministack is not installed; run: pip install 'jitcloud[emulators]'"
            )
        said = ""
        for _ in range(_TRIES):
            if self._starts():
                return self
            said = self._last_words()
            self.stop()
        raise Misconfigured(f"ministack does not start: {said or 'it says nothing'}.")

    def stop(self) -> None:
        """End the process that was started here, and remove its files. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes any AWS SDK or CLI in a child process speak to this AWS, as its root."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _starts(self) -> bool:
        self._folder = tempfile.mkdtemp(prefix="jitcloud-ministack-")
        port = self._port or _free_port()
        self.endpoint_url = f"http://127.0.0.1:{port}"
        with (Path(self._folder) / "log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and text
                [sys.executable, "-c", _SERVE],
                cwd=self._folder,
                env=self._child_environment(port),
                stdin=subprocess.PIPE,  # closed by the system when we die: see _serve
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + _STARTS_WITHIN
        ours = Path(self._folder) / _OURS
        while self._process.poll() is None and time.monotonic() < deadline:
            if ours.exists() and _answers(port):
                return True
            time.sleep(0.02)
        return False

    def _child_environment(self, port: int) -> dict[str, str]:
        inside = Path(self._folder)
        return {
            **{key: os.environ[key] for key in _KEPT if key in os.environ},
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",  # its default is every interface
            "GATEWAY_PORT": str(port),
            "HOME": self._folder,
            "IOT_MTLS_ENABLED": "0",  # else it listens on 8883, for MQTT
            "LOG_LEVEL": "WARNING",
            "MINISTACK_ACCOUNT_ID": self.account,
            "MINISTACK_REGION": self.region,
            "S3_DATA_DIR": str(inside / "s3"),
            "STATE_DIR": str(inside / "state"),
            "TMPDIR": self._folder,
        }

    def _last_words(self) -> str:
        try:
            lines = (Path(self._folder) / "log").read_text(errors="replace").split("\n")
        except OSError:
            lines = []
        return next((line for line in reversed(lines) if line.strip()), "")


_OURS = "ours"
"""The file by which the child says that the port is its own."""


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/_ministack/health")
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return answer.status == 200  # noqa: PLR2004 - "OK"


def _serve() -> None:
    """Run in the child: serve until told to stop, or until the parent is gone, however it went."""
    # Our standard input is a pipe that only the parent holds. It ends when the parent does, by
    # SIGKILL too, which no handler of the parent's could have told us about.
    threading.Thread(target=_die_with_parent, daemon=True).start()
    sys.argv = ["ministack"]
    app = importlib.import_module("ministack.app")
    # Whoever was faster may have the port by now, and would answer for us.
    with socket.socket() as mine:
        mine.bind(("127.0.0.1", int(os.environ["GATEWAY_PORT"])))
    (Path(os.environ["TMPDIR"]) / _OURS).touch()
    app.main()


def _die_with_parent() -> None:
    # The descriptor itself: whatever waits in a buffered reader's lock would delay an exit.
    while os.read(0, 4096):
        pass
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os._exit(0)
