"""What the functions of a fleet are told by whoever deploys them: variables, and nothing secret."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from jitcloud.clock import utc_now
from jitcloud.errors import Misconfigured
from jitcloud.queues.sqs import said

T = TypeVar("T")

_CONFIG = Config(connect_timeout=1.5, read_timeout=5, retries={"total_max_attempts": 3})

_VARIABLE = re.compile(r"(?!AWS_|JITCLOUD_|PYTHON|LD_|PATH$)[A-Z_][A-Z0-9_]{0,63}")
"""Variables that a secret may set: none that makes this function another one."""


class Context(Protocol):
    """What the platform says of one call.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Say how long it is until the platform ends this call."""
        ...


def variable(name: str) -> str:
    """Return what a variable says. Raises ``Misconfigured`` where it says nothing."""
    said = os.environ.get(name, "")
    if not said:
        raise Misconfigured(f"Set {name}, as infra/template.yaml does for this function.")
    return said


def folder() -> Path:
    """Return where the deployment's configuration is. Raises ``Misconfigured``."""
    return Path(variable("JITCLOUD_CONFIG"))


def secrets() -> None:
    """Set the variables that hold secrets, as the secret says that JITCLOUD_SECRETS names.

    Nothing where it names none. Raises ``Misconfigured``, and quotes nothing of what it read.
    """
    arn = os.environ.get("JITCLOUD_SECRETS", "")
    if not arn:
        return
    client: Any = get_session().create_client(
        "secretsmanager", region_name=arn.split(":")[3], config=_CONFIG
    )
    try:
        text = client.get_secret_value(SecretId=arn)["SecretString"]
    except (ClientError, BotoCoreError, KeyError) as exc:
        raise Misconfigured(
            f"The secret that JITCLOUD_SECRETS names cannot be read ({said(exc)}): see that it is"
            " there, holds text, and that this function's role may read it."
        ) from None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(
        _VARIABLE.fullmatch(name) and isinstance(held, str) and _can_be_held(held)
        for name, held in found.items()
    ):
        raise Misconfigured(
            "The secret that JITCLOUD_SECRETS names is not understood: write JSON there, names of"
            ' variables in capitals and what each holds, such as {"JIRA_TOKEN": "…"}.'
        )
    os.environ.update(found)


def _can_be_held(text: str) -> bool:
    """Whether a variable can hold it: no NUL, and no half of a character."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def give_up(context: Context, spare: timedelta) -> datetime:
    """Return when a call must be done with: so long before the platform ends it."""
    left = timedelta(milliseconds=context.get_remaining_time_in_millis())
    return utc_now() + max(left - spare, timedelta(0))


class Kept(Generic[T]):
    """Makes something when it is first needed, and keeps it for as long as the process lives.

    What is not ``good`` is made anew the next time: what was broken may be mended by then.
    """

    def __init__(self, make: Callable[[], T], good: Callable[[T], bool] = lambda _: True) -> None:
        self._make = make
        self._good = good
        self._made: T | None = None

    def __call__(self) -> T:
        """Return it. Raises what making it raises."""
        if self._made is None or not self._good(self._made):
            self._made = self._make()
        return self._made
