"""Whether a policy lets anybody have anything: one that lets nobody is seldom what was meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice, product

from jitcloud.errors import NotFound, Refused
from jitcloud.model import Denied, Entitlement, GroupId, Person, PersonId, RotationId
from jitcloud.policy.advice import Decide
from jitcloud.policy.everybody import ANYBODY
from jitcloud.policy.known import named
from jitcloud.policy.matrix import what_if
from jitcloud.policy.source import Rule
from jitcloud.ports import Directory

_Ask = tuple[Person, Entitlement, str, datetime, bool]

_VERBS = frozenset({"activate", "request", "breakGlass"})
_SHORT = timedelta(minutes=15)
_HAVING = ("ticket+incident", "")
_TIMES = (
    datetime(2030, 1, 8, 12),  # noqa: DTZ001 - a Tuesday, local to the entitlement
    datetime(2030, 1, 12, 3),  # noqa: DTZ001 - in the night of a weekend
)
_PEOPLE = 5
_MOST = 3000
"""So many asks are tried at most: seconds, for a policy of a thousand rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a first look at a policy shows: asks are tried that its permits seem made for."""

    tried: int
    allowed: bool


def reach(
    rules: Iterable[Rule], directory: Directory, catalog: Sequence[Entitlement], decide: Decide
) -> Reach:
    """Try each permit in turn, until one lets somebody in."""
    tried = 0
    asks = [_asks(rule, directory, catalog) for rule in rules if _is_permit(rule)]
    for person, thing, having, at, break_glass in islice(_by_turns(asks), _MOST):
        tried += 1
        ask, world = what_if(person, thing, _SHORT, having, at)
        ask = replace(ask, break_glass=break_glass)
        if not isinstance(decide(ask, world), Denied):
            return Reach(tried=tried, allowed=True)
    return Reach(tried=tried, allowed=False)


def _is_permit(rule: Rule) -> bool:
    return rule.cedar.effect == "permit" and rule.verb in _VERBS


def _asks(rule: Rule, directory: Directory, catalog: Iterable[Entitlement]) -> Iterator[_Ask]:
    """Yield asks by those, and about that, which the rule names."""
    people = list(_people(rule, directory))
    # One of each kind will do: a rule that tells them apart by their ids names them.
    things = {
        (thing.cloud, thing.privilege, thing.environment, thing.labels): thing
        for thing in _things(rule, catalog)
    }
    for at, having, thing in product(_TIMES, _HAVING, things.values()):
        owners = _some(directory, directory.members(thing.owner))
        for person in (*people, *owners, ANYBODY):
            yield person, thing, having, at, rule.verb == "breakGlass"


def _people(rule: Rule, directory: Directory) -> Iterator[Person]:
    yield from _some(directory, map(PersonId, named([rule], "User")))
    for group in sorted(named([rule], "Group")):
        yield from _some(directory, directory.members(GroupId(group)))
    for rotation in sorted(named([rule], "Rotation")):
        yield from _some(directory, directory.on_call(RotationId(rotation)))


def _some(directory: Directory, ids: Iterable[PersonId] | None) -> Iterator[Person]:
    for person in islice(sorted(ids or ()), _PEOPLE):
        with suppress(NotFound, Refused):
            yield directory.person(person)


def _things(rule: Rule, catalog: Iterable[Entitlement]) -> Iterator[Entitlement]:
    wanted = {kind: named([rule], kind) for kind in ("Environment", "Label", "Entitlement")}
    for thing in catalog:
        if not any(wanted.values()) or (
            thing.environment in wanted["Environment"]
            or thing.id in wanted["Entitlement"]
            or not wanted["Label"].isdisjoint(thing.labels)
        ):
            yield thing


def _by_turns(asks: Iterable[Iterator[_Ask]]) -> Iterator[_Ask]:
    """Yield the first of each, then the second of each, and so on."""
    waiting = list(asks)
    while waiting:
        left = []
        for each in waiting:
            found = next(each, None)
            if found is not None:
                yield found
                left.append(each)
        waiting = left
