"""What the functions of a fleet are told by whoever deploys them: variables, and nothing secret."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from jitcloud.clock import utc_now
from jitcloud.errors import Misconfigured

T = TypeVar("T")


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
