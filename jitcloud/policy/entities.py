"""What Cedar is told about one ask: entities and context, no more than the ask needs.

Cedar's schema checks all of it, so a field that is missing or of the wrong kind is an error and
never a test that is silently false.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from json.encoder import encode_basestring_ascii as _text
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """All that Cedar needs but the verb. Groups, labels and the manager are known by id alone."""

    principal: PersonId
    resource: tuple[str, str]
    """Its type and id."""
    context: str
    about: str
    """The resource and all that it names, as a JSON list; often the same."""
    people: str

    def requests(self, verbs: Iterable[str]) -> list[dict[str, object]]:
        """Ask it about each verb."""
        # The form with type and id takes any id, quotes and line ends included.
        kind, name = self.resource
        principal = {"type": "User", "id": self.principal}
        resource = {"type": kind, "id": name}
        return [
            {
                "principal": principal,
                "action": {"type": "Action", "id": verb},
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
        context=_context(ask, world, window),
        about=_array([_entitlement(thing)]),
        people=_array([_user(person, named, thing.owner)]),
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
    attrs = {
        "requester": _uid("User", requester.id),
        "approverGroups": _of_kind(approvers, "group", "Group"),
        "approverRotations": _of_kind(approvers, "rotation", "Rotation"),
        "approverUsers": _of_kind(approvers, "person", "User"),
    }
    asked = [who.id for who in approvers]
    return Question(
        principal=voter.id,
        resource=_REQUEST,
        context=_object(_sign_in(mfa_age)),
        about=_array([_entity(*_REQUEST, attrs)]),
        people=_array(_users((voter, requester), named, *asked)),
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
    attrs = {"everything": _bool(scope.reach is Reach.EVERYTHING)}
    people, things = [person], []
    if scope.reach is Reach.CLOUD:
        attrs["cloud"] = _uid("Cloud", scope.id)
    if scope.reach is Reach.ENTITLEMENT and entitlement is not None:
        attrs["entitlement"] = _uid("Entitlement", entitlement.id)
        things.append(entitlement)
    if scope.reach is Reach.PERSON and about is not None:
        attrs["person"] = _uid("User", about.id)
        people.append(about)
    owners = [thing.owner for thing in things]
    return Question(
        principal=person.id,
        resource=_BRAKE,
        context=_object(_sign_in(mfa_age)),
        about=_array([*map(_entitlement, things), _entity(*_BRAKE, attrs)]),
        people=_array(_users(people, named, *owners)),
    )


def _entitlement(thing: Entitlement) -> str:
    attrs = {
        "cloud": _uid("Cloud", thing.cloud),
        "privilege": _uid("Privilege", thing.privilege),
        "owner": _uid("Group", thing.owner),
    }
    labels = [_uid("Label", label) for label in thing.labels]
    environment = _uid("Environment", thing.environment)
    return _entity("Entitlement", thing.id, attrs, [environment, *labels])


def _users(people: Iterable[Person], named: frozenset[str], *more: str) -> list[str]:
    # Somebody may be there twice: who brakes themselves, or votes on their own.
    once = {person.id: person for person in people}
    return [_user(person, named, *more) for person in once.values()]


def _user(person: Person, named: frozenset[str], *more: str) -> str:
    """Write a person with those of their groups that count; nested ones are resolved already.

    People are in hundreds of groups and rules name a few: leaving out the rest halves the time.
    """
    attrs = {} if person.manager is None else {"manager": _uid("User", person.manager)}
    within = {*(person.groups & named), *(person.groups.intersection(more))}
    groups = [_uid("Group", group) for group in within]
    rotations = [_uid("Rotation", rotation) for rotation in person.rotations]
    return _entity("User", person.id, attrs, [*groups, *rotations])


def _context(ask: Ask, world: World, window: Window) -> str:
    zone = _zone(ask.entitlement.zone)
    context = {
        "duration": _duration(ask.duration),
        "start": _local(window.start, zone),
        # The deadline is the first instant without access. A window to 18:00 sharp ends in the
        # hour before, so that `context.end.hour < 18` lets it be, as its author would expect.
        "end": _local(window.deadline - _MICROSECOND, zone),
        "freeze": _bool(world.freeze),
        **_sign_in(ask.mfa_age),
    }
    # As typed by the requester; a rule may only lean on what somebody has looked up.
    if ask.ticket is not None and world.ticket_verified:
        context["ticket"] = _text(ask.ticket)
    if ask.incident is not None and world.incident_verified:
        context["incident"] = _text(ask.incident)
    return _object(context)


def _sign_in(age: timedelta | None) -> dict[str, str]:
    # Clocks differ a little. A sign-in from further in the future is not one to rely on.
    if age is None or age < -SKEW:
        return {}
    return {"mfaAge": _duration(max(age, timedelta()))}


def _duration(duration: timedelta) -> str:
    # Rounded up: a limit of 15 minutes is over after 15 minutes and a microsecond.
    return f'"{-(-duration // _MILLISECOND)}ms"'


def _local(instant: datetime, zone: tzinfo) -> str:
    local = instant.astimezone(zone)
    return f'{{"hour":{local.hour},"weekday":{local.isoweekday()}}}'


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # needs no time-zone data, which slim images lack
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as exc:
        # The catalog was checked when it was loaded, perhaps on another machine.
        message = f"The time zone {quoted(name)} is not known to this machine."
        raise ValueError(message) from exc


# ── JSON, put together from what is JSON already: in a quarter of the time that dicts take ───


def _entity(kind: str, name: str, attrs: Mapping[str, str], parents: Iterable[str] = ()) -> str:
    return f'{{"uid":{_uid(kind, name)},"attrs":{_object(attrs)},"parents":{_array(parents)}}}'


def _uid(kind: str, name: str) -> str:
    return f'{{"type":"{kind}","id":{_text(name)}}}'


def _of_kind(approvers: Iterable[Approver], kind: str, cedar: str) -> str:
    return _array(_uid(cedar, who.id) for who in approvers if who.kind == kind)


def _object(pairs: Mapping[str, str]) -> str:
    return "{" + ",".join([f'"{key}":{value}' for key, value in pairs.items()]) + "}"


def _array(parts: Iterable[str]) -> str:
    return f"[{','.join(parts)}]"


def _bool(value: bool) -> str:  # noqa: FBT001 - it is all there is
    return "true" if value else "false"
