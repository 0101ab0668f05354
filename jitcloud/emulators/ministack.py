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
from collections.abc import Callable, Mapping
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

_PROMPT = "prompt"
"""Tells the child to look for work more often than ministack does by itself."""

_LOOKS_EVERY, _TICKS_EVERY = 0.02, 1
"""Seconds between looks into queues and streams, and between those at schedules."""


class Ministack:
    """One emulated AWS. Every twelve digits are an account: its root's key id, with any secret.

    ``with Ministack() as aws:`` starts it; ``aws.endpoint_url`` is where to point an SDK.
    """

    def __init__(
        self,
        account: str = "111122223333",
        port: int | None = None,
        *,
        prompt: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Remember which account is the default, and the port (a free one, if none is given).

        With ``prompt`` what is queued or scheduled is looked for every 20 ms and every second,
        instead of now and then. ``environment`` reaches every function that runs there besides
        its own variables: where other emulators are. Starts nothing yet.
        """
        self._port = port
        self._prompt = prompt
        self._passed_on = dict(environment or {})
        self.account = account
        self.region = "us-east-1"
        self.access_key_id = account
        self.secret_access_key = "test"  # noqa: S105 - ministack gives it to every root
        self.endpoint_url = ""
        self._folder = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._tether: int | None = None
        """It lives as long as this is open; known first, so that none is left half started."""

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
        tether, self._tether = self._tether, None
        if tether is not None:
            os.close(tether)
        folder, self._folder = self._folder, ""
        if folder:
            _remove(Path(folder))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """Its process, whose children run functions; None while it does not run."""
        return None if self._process is None else self._process.pid

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
        end, self._tether = os.pipe()
        with os.fdopen(end, "rb") as tethered, (Path(self._folder) / "log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and text
                [sys.executable, "-c", _SERVE, *([_PROMPT] if self._prompt else [])],
                cwd=self._folder,
                env=self._child_environment(port),
                stdin=tethered,  # whose other end the system closes when we die: see _serve
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
            **self._passed_on,
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


def _remove(folder: Path) -> None:
    """Remove it all, though something that is just ending may still be writing there."""
    deadline = time.monotonic() + _STOPS_WITHIN
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            time.sleep(0.02)


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
    is_prompt = _PROMPT in sys.argv
    sys.argv = ["ministack"]
    app = importlib.import_module("ministack.app")
    _ask_for_the_right_of_one()
    _judge_groups_as_groups()
    _judge_writes_by_their_conditions()
    _count_in_numbers()
    if is_prompt:
        _look_often()
    # Whoever was faster may have the port by now, and would answer for us.
    with socket.socket() as mine:
        mine.bind(("127.0.0.1", int(os.environ["GATEWAY_PORT"])))
    (Path(os.environ["TMPDIR"]) / _OURS).touch()
    app.main()


def _ask_for_the_right_of_one() -> None:
    """Let a batch of SQS take the right that one message takes, as at AWS.

    ministack asks for ``sqs:SendMessageBatch`` and the like, which AWS does not know.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
    """
    actions = importlib.import_module("ministack.core.iam_actions")
    found: Callable[[dict[str, str]], str | None] = vars(actions)["_action_from_target"]

    def of_one(headers: dict[str, str]) -> str | None:
        action = found(headers)
        of_sqs = headers.get("x-amz-target", "").startswith("AmazonSQS.")
        return action.removesuffix("Batch") if action is not None and of_sqs else action

    vars(actions)["_action_from_target"] = of_one


def _judge_groups_as_groups() -> None:
    """Judge who may change a group by the group, as AWS does, where ministack goes by the user.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
    """
    actions = importlib.import_module("ministack.core.iam_actions")
    found: Callable[..., str] = vars(actions)["extract_resource_arn"]

    def judged(  # noqa: PLR0913, PLR0917 - as it is called there
        service: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        params: dict[str, object],
        *more: str,
    ) -> str:
        action = params.get("Action")
        name = action[0] if isinstance(action, list) else action
        if service == "iam" and name in {"AddUserToGroup", "RemoveUserFromGroup"}:
            params = {key: value for key, value in params.items() if key != "UserName"}
        return found(service, method, path, headers, body, params, *more)

    vars(actions)["extract_resource_arn"] = judged


def _judge_writes_by_their_conditions() -> None:
    """Judge who may write an object by the condition it is written on, and its lock, as AWS does.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html (Permissions)
    """
    actions = importlib.import_module("ministack.core.iam_actions")
    known: Callable[..., dict[str, object]] = vars(actions)["s3_service_context"]
    asked: Callable[..., list[tuple[str, str]]] = vars(actions)["s3_additional_checks"]

    def told(
        action: str,
        params: dict[str, object] | None,
        path: str = "",
        headers: dict[str, str] | None = None,
    ) -> dict[str, object]:
        context = known(action, params, path, headers)
        if action == "s3:PutObject" and headers is not None and "if-none-match" in headers:
            context["s3:if-none-match"] = headers["if-none-match"]
        return context

    def checked(
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        params: dict[str, object],
    ) -> list[tuple[str, str]]:
        checks = asked(method, path, headers, body, params)
        if method == "PUT" and not params and "x-amz-object-lock-mode" in headers:
            checks.append(("s3:PutObjectRetention", f"arn:aws:s3:::{path.lstrip('/')}"))
        return checks

    vars(actions)["s3_service_context"] = told
    vars(actions)["s3_additional_checks"] = checked


def _count_in_numbers() -> None:
    """Read how many batches of a queue may be in hand as the number that it is.

    Where a template takes it from a parameter, ministack keeps its text, and then polls no queue.
    """
    functions = importlib.import_module("ministack.services.lambda_svc")
    found: Callable[..., int] = vars(functions)["_sqs_esm_concurrency"]

    def counted(mapping: dict[str, dict[str, int | str]], *more: object) -> int:
        scaling = mapping.get("ScalingConfig") or {}
        if "MaximumConcurrency" in scaling:
            scaling["MaximumConcurrency"] = int(scaling["MaximumConcurrency"])
        return found(mapping, *more)

    vars(functions)["_sqs_esm_concurrency"] = counted


def _look_often() -> None:
    eventbridge, functions, scheduler = (
        importlib.import_module(f"ministack.services.{name}")
        for name in ("eventbridge", "lambda_svc", "scheduler")
    )
    # It has no settings for these.
    vars(eventbridge)["_SCHEDULER_TICK_INTERVAL"] = _TICKS_EVERY
    vars(scheduler)["_SCHEDULE_TICK_INTERVAL"] = _TICKS_EVERY
    vars(functions)["_ESM_IDLE_WAKE_GAP_SECONDS"] = 0
    wake: threading.Event = vars(functions)["_esm_wake"]

    def look() -> None:
        while True:
            time.sleep(_LOOKS_EVERY)
            wake.set()

    threading.Thread(target=look, daemon=True).start()


def _die_with_parent() -> None:
    # The descriptor itself: whatever waits in a buffered reader's lock would delay an exit.
    while os.read(0, 4096):
        pass
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os._exit(0)
