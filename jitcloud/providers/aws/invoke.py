"""Invokes a Lambda function and waits for its answer: how one function asks another.

Whoever may invoke is IAM's to say, function by function.
https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from jitcloud.errors import Unavailable
from jitcloud.text import printable

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

MOST = 6 * 1024 * 1024
"""How many bytes a synchronous invocation answers at the most (Lambda quotas)."""


class Invoker:
    """Asks one function. Safe for several threads; makes its client when it is first asked.

    ``within`` is how long it waits for an answer, in seconds. It asks once: what was asked may have
    been done though no answer came, and whoever asked must decide whether to ask again.
    """

    def __init__(self, function: str, within: float) -> None:
        self._function = function
        self._within = within
        self._lock = threading.Lock()
        self._client: LambdaClient | None = None

    def __call__(self, asked: Mapping[str, object]) -> Mapping[str, object]:
        """Ask, and return what is answered. Raises ``Unavailable``; its message quotes neither."""
        body: bytes
        try:
            answer = self._made().invoke(
                FunctionName=self._function,
                InvocationType="RequestResponse",
                Payload=json.dumps(asked).encode(),
            )
            body = answer["Payload"].read(MOST + 1)
        except ClientError as exc:
            code = printable(str(exc.response["Error"].get("Code", "")))
            raise Unavailable(f"{self._name} cannot be asked just now ({code}).") from exc
        except BotoCoreError as exc:
            why = type(exc).__name__
            raise Unavailable(f"{self._name} did not answer in time ({why}).") from exc
        # What a failed function says may quote what it was asked, and so a token.
        if answer.get("FunctionError") is not None or len(body) > MOST:
            raise Unavailable(f"{self._name} failed; its own log says why.")
        return _read(body, self._name)

    @property
    def _name(self) -> str:
        return f"The function {printable(self._function.rpartition(':')[2])}"

    def _made(self) -> LambdaClient:
        with self._lock:
            if self._client is None:
                config = Config(
                    connect_timeout=1.5,
                    read_timeout=self._within,
                    retries={"total_max_attempts": 1},
                    max_pool_connections=32,
                    user_agent="jitcloud",
                )
                self._client = boto3.client("lambda", config=config)
            return self._client


def _read(body: bytes, name: str) -> Mapping[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise Unavailable(f"{name} answered what cannot be read.") from exc
    if isinstance(found, dict):
        return found
    raise Unavailable(f"{name} answered what cannot be read.")
