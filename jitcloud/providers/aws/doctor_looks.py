"""How the doctor asks AWS: each thing once in a run, patiently, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from jitcloud.errors import CloudError, Throttled
from jitcloud.providers.aws.clients import CALL, Clients, translated
from jitcloud.providers.aws.principals import iam_of, principal, written

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import RoleTypeDef

T = TypeVar("T")

Key = tuple[object, ...]
"""What was asked."""

WITHIN = timedelta(minutes=5)
"""How long one run begins anything new."""

SPACING = 0.2
"""How long to wait before each call of Identity Center, in seconds: of the 20 a second that it
takes from everybody together, ends need the rest."""

PAUSES = (1.0, 2.0)
"""How long to wait after having been throttled, in seconds, before it is tried again."""


@dataclass(slots=True)
class Looks:
    """Asks, and remembers each answer, refusals too, for as long as one run lasts."""

    clients: Clients
    pause: Callable[[float], object] = time.sleep
    """Waits for so many seconds."""
    _until: datetime = field(init=False)
    _known: dict[Key, tuple[object, CloudError | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Look until then, and no longer."""
        self._until = self.clients.clock() + WITHIN

    @property
    def is_over(self) -> bool:
        """Whether nothing new is to begin."""
        return self.clients.clock() > self._until - CALL

    def once(self, key: Key, ask: Callable[[], T]) -> T:
        """Ask, unless that was asked before in this run. Raises ``CloudError``."""
        if key not in self._known:
            if self.is_over:
                raise Throttled("There was no time left to look at it.")
            try:
                self._known[key] = self._patiently(ask), None
            except CloudError as exc:
                self._known[key] = None, exc
        answer, trouble = self._known[key]
        if trouble is not None:
            raise trouble
        return answer  # type: ignore[return-value] # each key has one kind of answer

    def spaced(self, key: Key, ask: Callable[[], T]) -> T:
        """Ask an API whose rate a whole organization shares. Raises ``CloudError``."""
        if key not in self._known:
            self.rest()
        return self.once(key, ask)

    def rest(self) -> None:
        """Leave others their share of such an API."""
        self.pause(SPACING)

    def role(self, role_arn: str, through: str | None) -> RoleTypeDef | None:
        """What IAM says about a role; None when it knows no such role. Raises ``CloudError``."""
        return self.once(("role", role_arn, through), lambda: self._role(role_arn, through))

    def _role(self, role_arn: str, through: str | None) -> RoleTypeDef | None:
        arn = principal(role_arn)
        iam = iam_of(self.clients, arn, through)
        with translated(f"iam:GetRole on {written(arn)}"):
            try:
                role = iam.get_role(RoleName=arn.name)["Role"]
            except iam.exceptions.NoSuchEntityException:
                return None
        # Names are unique in an account, so another path means another role was meant.
        return role if role["Arn"] == role_arn else None

    def _patiently(self, ask: Callable[[], T]) -> T:
        # Nothing is at stake but the answer: a look is simply made again.
        for seconds in PAUSES:
            try:
                return ask()
            except Throttled:
                if self.is_over:
                    raise
                self.pause(seconds)
        return ask()
