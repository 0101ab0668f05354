"""One call, on its way to whoever answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jitcloud.emulators.identity_center.faults import Planned

Answer = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What was asked, and as of when it is done."""

    operation: str
    params: Mapping[str, Any]
    now: datetime
    fault: Planned | None = None
    """What is to become of the operation that this starts, where that has been decided."""


Handler = Callable[[Call], Answer]


def after(
    check: Callable[[str], None], parameter: str, handlers: Mapping[str, Handler]
) -> Mapping[str, Handler]:
    """The same handlers, which look at one parameter first, where it is given."""

    def checked(handler: Handler) -> Handler:
        def answer(call: Call) -> Answer:
            if parameter in call.params:
                check(call.params[parameter])
            return handler(call)

        return answer

    return {operation: checked(handler) for operation, handler in handlers.items()}
