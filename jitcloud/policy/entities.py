"""What Cedar is told about one ask: entities and context, no more than the ask needs.

Cedar's schema checks all of it, so a field that is missing or of the wrong kind is an error and
never a test that is silently false.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jitcloud.model import (
    SKEW,
    Approver,
    Ask,
    Entitlement,
    Person,
    PersonId,
    Reach,
    Scope,
    Stage,
    Window,
)
from jitcloud.text import quoted

Json = dict[str, object]

_MILLISECOND = timedelta(milliseconds=1)
_MICROSECOND = timedelta(microseconds=1)

# There is but one at a time, and no rule can name it.
_REQUEST = ("Request", "this")
_BRAKE = ("Brake", "this")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Facts of the world that the directory does not know, read anew at each judgement."""

    freeze: bool = False
    """A change freeze is on."""
    ticket_verified: bool = False
    """The ticket of the ask was found open: only then does policy see it."""
    incident_verified: bool = False
    """The incident of the ask was found open: only then does policy see it."""


def uid(kind: str, name: str) -> Json:
    # The form with type and id takes any id, quotes and line ends included.
    return {"type": kind, "id": name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """All that Cedar needs but the verb. Groups, labels and the manager are known by id alone."""

    principal: PersonId
    resource: tuple[str, str]
    """Its type and id."""
    context: str
    entities: str

    def requests(self, verbs: Iterable[str]) -> list[Json]:
        """Ask it about each verb."""
        principal, resource = uid("User", self.principal), uid(*self.resource)
        return [
            {
                "principal": principal,
                "action": uid("Action", verb),
                "resource": resource,
                "context": self.context,
            }
            for verb in verbs
        ]


def about_ask(
    ask: Ask, person: Person, world: World, window: Window, named: frozenset[str]
) -> Question:
    """Put an ask to Cedar. Raises ``ValueError`` where its time zone is not known here.

    ``named`` holds every group that a rule names. A rule can reach no other, save the owner.
    """
    thing = ask.entitlement
    return Question(
        principal=person.id,
        resource=("Entitlement", thing.id),
        context=json.dumps(_context(ask, world, window)),
        entities=json.dumps([_user(person, named | {thing.owner}), _entitlement(thing)]),
    )


def about_vote(
    voter: Person,
    mfa_age: timedelta | None,
    requester: Person,
    stages: Sequence[Stage],
    named: frozenset[str],
) -> Question:
    """Put a vote to Cedar, on a request of whose approval these stages are open."""
    approvers = {who for stage in stages for need in stage.needs for who in need.approvers}
    entity: Json = {
        "uid": uid(*_REQUEST),
        "attrs": {
            "requester": uid("User", requester.id),
            "approverGroups": _of_kind(approvers, "group", "Group"),
            "approverRotations": _of_kind(approvers, "rotation", "Rotation"),
            "approverUsers": _of_kind(approvers, "person", "User"),
        },
        "parents": [],
    }
    within = named | {who.id for who in approvers}
    return Question(
        principal=voter.id,
        resource=_REQUEST,
        context=json.dumps(_sign_in(mfa_age)),
        entities=json.dumps([*_users((voter, requester), within), entity]),
    )


def about_brake(  # noqa: PLR0913, PLR0917 - each one a fact of the brake
    person: Person,
    mfa_age: timedelta | None,
    scope: Scope,
    entitlement: Entitlement | None,
    about: Person | None,
    named: frozenset[str],
) -> Question:
    """Put a brake to Cedar. What it is about may be gone, and is then not there for rules."""
    attrs: Json = {"everything": scope.reach is Reach.EVERYTHING}
    people, entities, within = [person], [], named
    if scope.reach is Reach.CLOUD:
        attrs["cloud"] = uid("Cloud", scope.id)
    if scope.reach is Reach.ENTITLEMENT and entitlement is not None:
        attrs["entitlement"] = uid("Entitlement", entitlement.id)
        entities.append(_entitlement(entitlement))
        within |= {entitlement.owner}
    if scope.reach is Reach.PERSON and about is not None:
        attrs["person"] = uid("User", about.id)
        people.append(about)
    entities.append({"uid": uid(*_BRAKE), "attrs": attrs, "parents": []})
    return Question(
        principal=person.id,
        resource=_BRAKE,
        context=json.dumps(_sign_in(mfa_age)),
        entities=json.dumps([*_users(people, within), *entities]),
    )


def _entitlement(thing: Entitlement) -> Json:
    return {
        "uid": uid("Entitlement", thing.id),
        "attrs": {
            "cloud": uid("Cloud", thing.cloud),
            "privilege": uid("Privilege", thing.privilege),
            "owner": uid("Group", thing.owner),
        },
        "parents": [
            uid("Environment", thing.environment),
            *(uid("Label", label) for label in thing.labels),
        ],
    }


def _users(people: Iterable[Person], within: frozenset[str]) -> list[Json]:
    # Somebody may be there twice: who brakes themselves, or votes on their own.
    return [_user(person, within) for person in {each.id: each for each in people}.values()]


def _user(person: Person, within: frozenset[str]) -> Json:
    """Return a person with those of their groups that count; nested ones are resolved already.

    People are in hundreds of groups and rules name a few: leaving out the rest halves the time.
    """
    attrs = {} if person.manager is None else {"manager": uid("User", person.manager)}
    groups = [uid("Group", group) for group in person.groups & within]
    rotations = [uid("Rotation", rotation) for rotation in person.rotations]
    return {"uid": uid("User", person.id), "attrs": attrs, "parents": [*groups, *rotations]}


def _context(ask: Ask, world: World, window: Window) -> Json:
    zone = _zone(ask.entitlement.zone)
    context: Json = {
        "duration": _duration(ask.duration),
        "start": _local(window.start, zone),
        # The deadline is the first instant without access. A window to 18:00 sharp ends in the
        # hour before, so that `context.end.hour < 18` lets it be, as its author would expect.
        "end": _local(window.deadline - _MICROSECOND, zone),
        "freeze": world.freeze,
        **_sign_in(ask.mfa_age),
    }
    # As typed by the requester; a rule may only lean on what somebody has looked up.
    if ask.ticket is not None and world.ticket_verified:
        context["ticket"] = ask.ticket
    if ask.incident is not None and world.incident_verified:
        context["incident"] = ask.incident
    return context


def _of_kind(approvers: Iterable[Approver], kind: str, cedar: str) -> list[Json]:
    return [uid(cedar, who.id) for who in approvers if who.kind == kind]


def _sign_in(age: timedelta | None) -> Json:
    # Clocks differ a little. A sign-in from further in the future is not one to rely on.
    if age is None or age < -SKEW:
        return {}
    return {"mfaAge": _duration(max(age, timedelta()))}


def _duration(duration: timedelta) -> str:
    # Rounded up: a limit of 15 minutes is over after 15 minutes and a microsecond.
    return f"{-(-duration // _MILLISECOND)}ms"


def _local(instant: datetime, zone: tzinfo) -> Json:
    local = instant.astimezone(zone)
    return {"hour": local.hour, "weekday": local.isoweekday()}


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # needs no time-zone data, which slim images lack
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as exc:
        # The catalog was checked when it was loaded, perhaps on another machine.
        message = f"The time zone {quoted(name)} is not known to this machine."
        raise ValueError(message) from exc
