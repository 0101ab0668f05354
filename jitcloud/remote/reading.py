"""What an API may answer, as it is read: each member checked, and what is not known passed over.

A key more may come with any version (``shapes``), so it changes nothing; a member that is missing
or of another kind than it has to be, or a word that this version does not know, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from jitcloud.errors import Misconfigured
from jitcloud.finite import is_finite
from jitcloud.model import (
    Cause,
    Cloud,
    Evidence,
    Guarantee,
    Privilege,
    Reach,
    State,
)
from jitcloud.text import printable

R = TypeVar("R", bound="Read")
E = TypeVar("E", bound=Enum)

LONGEST = timedelta(days=366 * 10)


class Read(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, hide_input_in_errors=True)


def read(model: type[R], table: Mapping[str, object], who: str) -> R:
    """Read an answer; ``who`` names the API. Raises ``Misconfigured``, and quotes no value."""
    if not is_finite(table):
        raise _unreadable(who, "a number that is none")
    try:
        return model.model_validate(table)
    except ValidationError as exc:
        where = ".".join(printable(str(part))[:64] for part in exc.errors()[0]["loc"])
        raise _unreadable(who, where or "its beginning") from None


def _unreadable(who: str, where: str) -> Misconfigured:
    return Misconfigured(
        f"{who} answered in a way that this jitcloud cannot read (at {where}); bring this jitcloud"
        " up to date, and check the address if that does not help."
    )


def _instant(value: object) -> object:
    if not isinstance(value, str) or len(value) > _LONGEST_INSTANT:
        return value
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError("an instant without its zone")
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise ValueError("an instant beyond all calendars") from None


_LONGEST_INSTANT = 40


def _lasting(value: object) -> object:
    if type(value) is not int or not 0 <= value <= LONGEST.total_seconds():
        raise ValueError("no number of seconds")
    return timedelta(seconds=value)


def _one_of(kind: type[Enum]) -> BeforeValidator:
    return BeforeValidator(lambda value: kind(value) if isinstance(value, str) else value)


Id = Annotated[str, Field(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
Handle = Annotated[str, Field(min_length=1, max_length=400)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Lasting = Annotated[timedelta, BeforeValidator(_lasting)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Few = Field(max_length=1000)
AState = Annotated[State, _one_of(State)]
AGuarantee = Annotated[Guarantee, _one_of(Guarantee)]


class Entitlement(Read):
    """``shapes.of_entitlement``."""

    id: Handle
    title: str
    cloud: Annotated[Cloud, _one_of(Cloud)]
    mechanism: str
    privilege: Annotated[Privilege, _one_of(Privilege)]
    environment: str
    owner: str
    labels: Annotated[list[str], Few]


class Approver(Read):
    """Somebody who may be asked."""

    kind: Literal["group", "rotation", "person"]
    id: Handle


class Escalation(Read):
    """Who joins after a while."""

    after: Lasting
    to: Approver


class Need(Read):
    """So many yeses from any of these."""

    count: Count
    approvers: Annotated[list[Approver], Few]
    escalation: Escalation | None


class Review(Read):
    """Who looks afterwards."""

    within: Lasting
    by: Annotated[list[Need], Few]


class Decision(Read):
    """``shapes.of_decision``."""

    kind: Literal["activate", "needs-approval", "break-glass", "denied"]
    rules: Annotated[list[str], Few]
    approval: Annotated[list[list[Need]], Few] = []
    review: Review | None = None
    notify: Annotated[list[Approver], Few] = []
    skipped: Annotated[list[list[Need]] | None, Few] = None
    because: Annotated[list[str], Few] = []


class Vote(Read):
    """A yes, or a review."""

    by: Handle
    stage: Count
    at: Instant
    reason: str


class Escalated(Read):
    """Who joined which stage."""

    stage: Count
    to: Approver


class Window(Read):
    """From when to when."""

    start: Instant
    deadline: Instant


class Plan(Read):
    """What granting would mean."""

    guarantee: AGuarantee
    early_end: str
    residual: Annotated[list[str], Few]
    notes: Annotated[list[str], Few]
    problems: Annotated[list[str], Few]


class Waiting(Read):
    """Whose yes would help now."""

    stage: Count
    needs: Annotated[list[Need], Few]


class Request(Read):
    """``shapes.of_request``, and what the API tells beside it."""

    id: Id
    state: AState
    reason: str
    person: Handle
    entitlement: Entitlement
    part: str | None
    duration: Lasting
    justification: str
    ticket: str | None
    incident: str | None
    break_glass: bool
    extends: Id | None
    together: Annotated[list[Id], Few]
    asked_at: Instant
    start: Instant | None
    updated_at: Instant
    lapses_at: Instant | None
    decision: Decision | None
    policy_sha256: Annotated[str | None, Field(pattern="^[0-9a-f]{64}$")]
    policy_number: Count | None
    votes: Annotated[list[Vote], Few]
    escalated: Annotated[list[Escalated], Few]
    extended_by: Annotated[list[Id], Few]
    review_by: Instant | None
    review_missed: bool
    reviews: Annotated[list[Vote], Few]
    window: Window | None
    plan: Plan | None
    guarantee: AGuarantee | None
    residual: Annotated[list[str], Few]
    issued: Count
    cause: Annotated[Cause | None, _one_of(Cause)]
    evidence: Annotated[Evidence | None, _one_of(Evidence)]
    removed_at: Instant | None
    names: Annotated[dict[str, str], Few] = {}
    waits_for: Waiting | None = None
    stopped: str | None = None


class Trouble(Read):
    """What a cloud said last of a place."""

    what: str
    message: str
    attempts: Count


class Shown(Request):
    """A request on its own page."""

    troubles: Annotated[list[Trouble], Few]
    ask: dict[str, Any] | None = None


class Requests(Read):
    """What was asked for at once."""

    requests: Annotated[list[Request], Field(min_length=1, max_length=1000)]


class Page(Read):
    """Requests, and where the next ones are."""

    requests: Annotated[list[Request], Few]
    next: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_-]{1,200}$")]


class Some(Read):
    """The first of a list."""

    requests: Annotated[list[Request], Few]
    more: bool


class Revoked(Read):
    """All that is told to somebody who may not see what they have revoked."""

    id: Id
    state: AState


class Person(Read):
    """Somebody, by name."""

    id: Handle
    name: str


class Asked(Read):
    """A need, and who could meet it."""

    stage: Count
    need: str
    people: Annotated[list[Person], Field(max_length=100_000)]
    joining_after: Lasting | None
    joining: Annotated[list[Person], Field(max_length=100_000)]
    escalates_to: str | None = None


class Hearing(Read):
    """Who hears of a broken glass."""

    who: str
    people: Annotated[list[Person], Field(max_length=100_000)]


class Offer(Read):
    """A duration that could be had, and how."""

    duration: Lasting
    kind: Literal["activate", "needs-approval", "break-glass", "denied"]


class Advice(Read):
    """``shapes_of_advice.of_advice``."""

    decision: Decision
    asked: Annotated[list[Asked], Few]
    reviewers: Annotated[list[Asked], Few]
    hearing: Annotated[list[Hearing], Few]
    hints: Annotated[list[str], Few]
    offers: Annotated[list[Offer], Few]


class Outlook(Advice, Entitlement):
    """What would be said to an ask."""


class Judged(Entitlement):
    """Something in the catalog, and what would be said to an ask for it."""

    decision: Decision | None = None


class Catalog(Read):
    """A page of it."""

    entitlements: Annotated[list[Judged], Few]
    next: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_-]{1,200}$")]


class Credentials(Read):
    """A set of credentials; nothing of it is in the repr."""

    request: Id
    access_key_id: Annotated[str, Field(repr=False, min_length=1, max_length=4096)]
    secret_access_key: Annotated[str, Field(repr=False, min_length=1, max_length=4096)]
    session_token: Annotated[str, Field(repr=False, min_length=1, max_length=65536)]
    expires_at: Instant


class Me(Read):
    """Who speaks, as the directory has them."""

    id: Handle
    name: str
    emails: Annotated[list[str], Few]
    groups: Annotated[list[str], Few]
    rotations: Annotated[list[str], Few]
    token: str
    signed_in_at: Instant | None


class Brake(Read):
    """A brake that is on."""

    reach: Annotated[Reach, _one_of(Reach)]
    id: Annotated[str, Field(max_length=400)]
    by: Handle
    at: Instant
    reason: str


class Policy(Read):
    """Which policy text judges."""

    number: Count
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Brakes(Read):
    """``shapes.of_controls``."""

    policy: Policy | None
    stops: Annotated[list[Brake], Few]
    endings: Annotated[list[Brake], Few]
    restored_at: Instant | None
    reconciled_at: Instant | None
    names: Annotated[dict[str, str], Few] = {}


class Ended(Brakes):
    """The same, after everything of a scope has begun to end."""

    requests: Count | None


class Signature(Read):
    """A signature, and by which key."""

    key: str
    value: str


class Events(Read):
    """A page of a trail; each event is read by itself."""

    id: Id
    events: Annotated[list[dict[str, Any]], Few]
    next: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_-]{1,200}$")]
