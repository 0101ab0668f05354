"""What a brake is to act on, from what somebody named: clouds by name, people by their one id."""

from __future__ import annotations

from dataclasses import replace

from jitcloud.catalog import Catalog
from jitcloud.errors import Invalid, Misconfigured, NotFound
from jitcloud.model import Cloud, PersonId, Reach, Scope, State
from jitcloud.ports import Directory, Store
from jitcloud.text import one_line, quoted

PAGE = 200
"""How many requests are looked at in one read."""

LONGEST_ID = 200
"""Characters of an id that is taken as it was typed."""


def meant(
    scope: Scope,
    directory: Directory,
    store: Store,
    *,
    catalog: Catalog | None = None,
    recorded: bool = False,
) -> Scope:
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
            name = one_line(scope.id, "id", limit=LONGEST_ID)
            if catalog is not None:
                _entitlement(name, catalog, store, recorded=recorded)
            return replace(scope, id=name)
        case Reach.PERSON:
            return replace(scope, id=_person(scope.id, directory, store, recorded=recorded))


def _entitlement(name: str, catalog: Catalog, store: Store, *, recorded: bool) -> None:
    """Raise ``NotFound`` for what neither the catalog knows nor, if that counts, the record."""
    try:
        catalog.get(name)
    except NotFound:
        scope = Scope(reach=Reach.ENTITLEMENT, id=name)
        if not recorded or not (_is_braked(scope, store) or _is_held(name, store)):
            raise


def _is_braked(scope: Scope, store: Store) -> bool:
    known = store.controls()
    brakes = () if known is None else (*known.stops, *known.endings)
    return any(brake.scope == scope for brake in brakes)


def _is_held(name: str, store: Store) -> bool:
    """Whether anything unfinished is of this entitlement."""
    for state in State:
        after = None
        while not state.is_finished:
            page = store.by_state(state, PAGE, after)
            if any(request.entitlement.id == name for request in page.requests):
                return True
            after = page.after
            if after is None:
                break
    return False


def _is_on_record(person: PersonId, store: Store) -> bool:
    scope = Scope(reach=Reach.PERSON, id=person)
    return bool(store.by_person(person, 1).requests) or _is_braked(scope, store)


def _person(handle: str, directory: Directory, store: Store, *, recorded: bool) -> PersonId:
    try:
        return directory.person(handle).id
    except (Misconfigured, NotFound) as exc:
        if not recorded:
            raise
        if len(handle) <= LONGEST_ID and _is_on_record(PersonId(handle), store):
            return PersonId(handle)
        if isinstance(exc, NotFound):
            raise
        raise NotFound(
            f"Nobody with the id {quoted(handle)} has asked for anything; while the directory"
            " cannot be read, people are known by their ids alone."
        ) from exc
