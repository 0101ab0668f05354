"""What a brake is to act on, from what somebody named: clouds by name, people by their one id."""

from __future__ import annotations

from dataclasses import replace

from jitcloud.errors import Invalid, Misconfigured, NotFound
from jitcloud.model import Cloud, PersonId, Reach, Scope
from jitcloud.ports import Directory, Store
from jitcloud.text import one_line, quoted

LONGEST_ID = 200
"""Characters of an id that is taken as it was typed."""


def meant(scope: Scope, directory: Directory, store: Store, *, recorded: bool = False) -> Scope:
    """Return a scope as it is recorded. Raises ``Invalid``, ``NotFound`` and ``Misconfigured``.

    Somebody may be named by an e-mail. ``recorded`` takes an id that the record alone knows too:
    no file that is broken keeps access alive, nor does it that somebody has left.
    """
    match scope.reach:
        case Reach.EVERYTHING:
            return replace(scope, id="")
        case Reach.CLOUD if scope.id not in set(Cloud):
            raise Invalid(f"{quoted(scope.id)} is not a cloud; use one of {', '.join(Cloud)}.")
        case Reach.CLOUD:
            return scope
        case Reach.ENTITLEMENT:
            # The catalog would know it, but that may be what is broken.
            return replace(scope, id=one_line(scope.id, "id", limit=LONGEST_ID))
        case Reach.PERSON:
            return replace(scope, id=_person(scope.id, directory, store, recorded=recorded))


def _person(handle: str, directory: Directory, store: Store, *, recorded: bool) -> PersonId:
    try:
        return directory.person(handle).id
    except (Misconfigured, NotFound) as exc:
        if not recorded:
            raise
        if len(handle) <= LONGEST_ID and store.by_person(PersonId(handle), 1).requests:
            return PersonId(handle)
        if isinstance(exc, NotFound):
            raise
        raise NotFound(
            f"Nobody with the id {quoted(handle)} has asked for anything; while the directory"
            " cannot be read, people are known by their ids alone."
        ) from exc
