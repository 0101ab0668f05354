"""Trails as they are told: each with what proves it, and a grant's with those of its extensions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jitcloud.errors import NotFound, Tampered
from jitcloud.model import CONTROLS, Asked, PersonId, RequestId, Sealed

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.ports import Store, Verifier

PAGE, PAGES = 100, 100
"""How many of a person's later requests are looked through for what extends an earlier one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """One trail, and whether it holds."""

    name: RequestId
    lines: tuple[tuple[Sealed, bool | None], ...]
    """Each event, and whether its signature holds; None where none is needed, nor there."""
    trouble: str
    """Why it does not hold, if it does not."""

    @property
    def person(self) -> PersonId | None:
        """Who asked; None of the deployment's own trail."""
        first = self.lines[0][0].event.what if self.lines else None
        return first.ask.person if isinstance(first, Asked) else None


def read(store: Store, verifier: Verifier, name: RequestId) -> Trail:
    """Read a trail and verify it. Raises ``NotFound``."""
    lines = store.control_events() if name == CONTROLS else store.events(name)
    if not lines and name != CONTROLS:
        raise NotFound(f"There is no request {name} in this record.")
    return Trail(
        name=name,
        lines=tuple((line, _holds(line, verifier)) for line in lines),
        trouble=_trouble(store, verifier, name, lines),
    )


def _holds(line: Sealed, verifier: Verifier) -> bool | None:
    from jitcloud.audit.chain import must_be_signed  # noqa: PLC0415 - see TYPE_CHECKING
    from jitcloud.audit.verify import signature_holds  # noqa: PLC0415 - loaded only when it is needed

    holds = signature_holds(line, verifier)
    return False if holds is None and must_be_signed(line.event.what) else holds


def extensions(store: Store, verifier: Verifier, parent: Trail) -> Iterator[Trail]:
    """Read what was asked to extend a grant, granted or not, the oldest first."""
    if parent.person is None:
        return
    found: list[RequestId] = []
    after: RequestId | None = None
    for _ in range(PAGES):
        page = store.by_person(parent.person, PAGE, after)
        # Ids sort by time: nothing extends what was asked for later.
        later = [request for request in page.requests if request.id > parent.name]
        found += (request.id for request in later if request.ask.extends == parent.name)
        after = page.after
        if after is None or len(later) < len(page.requests):
            break
    for name in sorted(found):
        yield read(store, verifier, name)


def _trouble(store: Store, verifier: Verifier, name: RequestId, lines: tuple[Sealed, ...]) -> str:
    from jitcloud.audit.chain import verify_controls  # noqa: PLC0415 - see TYPE_CHECKING
    from jitcloud.audit.verify import verified  # noqa: PLC0415 - loaded only when it is needed

    try:
        if name == CONTROLS:
            verify_controls(store.controls(), lines, verifier)
        else:
            verified(store, name, verifier)
    except (NotFound, Tampered) as exc:
        return str(exc)
    return ""
