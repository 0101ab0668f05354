"""What answers look like: read by nothing but the OpenAPI document, and by tests that hold it true.

``shapes`` makes the answers; a key more may come with any version, so clients take what they know.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jitcloud.api.inputs import ReachName, RequestName, StateName

When = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="UTC.")]
Seconds = Annotated[int, Field(description="Whole seconds.")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Kind = Literal["activate", "needs-approval", "break-glass", "denied"]


class Output(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="forbid")


class Entitlement(Output):
    """Something that can be asked for."""

    id: str
    title: str
    cloud: Literal["aws", "azure", "gcp"]
    mechanism: str
    privilege: Literal["read", "write", "admin"]
    environment: str
    owner: str
    labels: list[str]


class Offer(Output):
    """A duration that could be had, and how."""

    duration: Seconds
    kind: Kind


class OfferedEntitlement(Entitlement):
    """The same, and for how long the caller could have it now."""

    offers: list[Offer]
    decision: Annotated[
        Decision | None, Field(description="What would be said to an ask for the given duration.")
    ] = None


class Entitlements(Output):
    """What the caller could ask for."""

    entitlements: list[OfferedEntitlement]
    next: str | None


class Approver(Output):
    """Somebody who may be asked."""

    kind: Literal["group", "rotation", "person"]
    id: str


class Escalation(Output):
    """Who joins after a while."""

    after: Seconds
    to: Approver


class Need(Output):
    """So many yeses from any of these."""

    count: int
    approvers: list[Approver]
    escalation: Escalation | None


class Review(Output):
    """Who looks afterwards."""

    within: Seconds
    by: list[Need]


class Decision(Output):
    """What policy said. Which members there are hangs on ``kind``."""

    kind: Kind
    rules: list[str]
    approval: Annotated[list[list[Need]], Field(description="Stages of needs.")] = []
    review: Review | None = None
    notify: list[Approver] = []
    skipped: list[list[Need]] | None = None
    because: list[str] = []


class Person(Output):
    """Somebody, by name."""

    id: str
    name: str


class Asked(Output):
    """A need, and the people who could meet it."""

    stage: int
    need: str
    people: list[Person]
    joining_after: Seconds | None
    joining: list[Person]
    escalates_to: Annotated[str | None, Field(description="Who joins then, as a rule names them.")]


class Hearing(Output):
    """Who hears of a broken glass."""

    who: str
    people: list[Person]


class Advice(Output):
    """Who could say yes, what would help, and what could be had instead."""

    decision: Decision
    asked: list[Asked]
    reviewers: list[Asked]
    hearing: list[Hearing]
    hints: list[str]
    offers: list[Offer]


class Explanation(Advice):
    """What was said to a request, and why."""

    id: RequestName


class Outlook(Advice, Entitlement):
    """What would be said to an ask for this."""


class Vote(Output):
    """A yes, or a review."""

    by: str
    stage: int
    at: When
    reason: str


class Escalated(Output):
    """Who joined which stage."""

    stage: int
    to: Approver


class Window(Output):
    """From when to when access lasts."""

    start: When
    deadline: When


class Plan(Output):
    """What granting would mean, told beforehand."""

    guarantee: Literal["cloud", "broker"]
    early_end: str
    residual: list[str]
    notes: list[str]
    problems: list[str]


class Waiting(Output):
    """Whose yes would help now: each count says how many more from just these would."""

    stage: int
    needs: list[Need]


class Request(Output):
    """A request as it stands."""

    id: RequestName
    state: StateName
    reason: str
    person: str
    entitlement: Entitlement
    part: str | None
    duration: Seconds
    justification: str
    ticket: str | None
    incident: str | None
    break_glass: bool
    extends: RequestName | None
    together: list[RequestName]
    asked_at: When
    start: When | None
    updated_at: When
    lapses_at: When | None
    decision: Decision | None
    policy_sha256: Sha256 | None
    policy_number: int | None
    votes: list[Vote]
    escalated: list[Escalated]
    extended_by: list[RequestName]
    review_by: When | None
    review_missed: bool
    reviews: list[Vote]
    window: Window | None
    plan: Plan | None
    guarantee: Literal["cloud", "broker"] | None
    residual: list[str]
    issued: int
    cause: Literal["deadline", "given-back", "revoked", "disabled", "failed"] | None
    evidence: (
        Literal[
            "seen-absent",
            "seen-denied",
            "others-hold",
            "nothing-issued",
            "attested",
            "cloud-deadline",
        ]
        | None
    )
    overdue_since: When | None
    overdue: Seconds | None
    activating_since: When | None
    removed_at: When | None
    names: Annotated[dict[str, str], Field(description="Of the people it names, by their ids.")]
    waits_for: Annotated[
        Waiting | None, Field(description="Whose yes it waits for; null where for none.")
    ]
    stopped: Annotated[str | None, Field(description="Which brake keeps it from being activated.")]


class Trouble(Output):
    """What a cloud said last of a place."""

    what: str
    message: str
    attempts: int


class ShownRequest(Request):
    """A request, with what only its own page shows."""

    troubles: list[Trouble]
    ask: Annotated[
        dict[str, Any] | None,
        Field(
            description="What a yes is bound to, where it counts only with a token that was asked"
            " for to say it; null where any does."
        ),
    ]


class Requests(Output):
    """What was asked for at once."""

    requests: list[Request]


class RequestPage(Output):
    """Requests, the newest first. A page may hold fewer than asked for, though ``next`` goes on."""

    requests: list[Request]
    next: str | None


class SomeRequests(Output):
    """The first requests of a list, and whether there are more."""

    requests: list[Request]
    more: bool


class Revoked(Output):
    """All that is told of a request to somebody who may not see it."""

    id: RequestName
    state: StateName


class Token(Output):
    """What an actor showed: named, never kept."""

    kind: str
    id: str
    sha256: Sha256 | None


class Actor(Output):
    """Who caused an event."""

    id: str
    token: Token | None


class What(BaseModel):
    """What happened; its other members hang on ``type``."""

    model_config = ConfigDict(extra="allow")

    type: str


class Signature(Output):
    """A signature over the canonical text, and by which key."""

    key: str
    value: str


class Event(Output):
    """One sealed line of a trail. Its hash is over the RFC 8785 form of the members but two."""

    request: str
    seq: int
    at: When
    actor: Actor
    what: What
    prev: Sha256
    hash: Sha256
    signature: Signature | None


class Trail(Output):
    """The events of a request, the first ones first."""

    id: RequestName
    events: list[Event]
    next: str | None


class Credentials(Output):
    """A set of credentials. A secret: keep it nowhere."""

    request: RequestName
    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: When


class Me(Output):
    """Who speaks, as the directory has them."""

    id: str
    name: str
    emails: list[str]
    groups: list[str]
    rotations: list[str]
    token: str
    signed_in_at: When | None


class Brake(Output):
    """A brake that is on."""

    reach: ReachName
    id: str
    by: str
    at: When
    reason: str


class Policy(Output):
    """Which policy text judges."""

    number: int
    sha256: Sha256


class Brakes(Output):
    """What holds for the whole deployment."""

    policy: Policy | None
    stops: list[Brake]
    endings: list[Brake]
    restored_at: When | None
    reconciled_at: When | None
    names: Annotated[dict[str, str], Field(description="Of whoever put brakes on, by their ids.")]


class NotEnded(Output):
    """What could not be ended yet, and why; it is tried again."""

    what: str
    message: str


class Ended(Brakes):
    """The same, after everything of a scope has begun to end."""

    requests: Annotated[int | None, Field(description="How many; null where that was done before.")]
    troubles: list[NotEnded]


class Health(Output):
    """That it runs."""

    status: Literal["ok"]


class Wrong(Output):
    """One mistake, and where it is."""

    at: str
    detail: str
    pointer: Annotated[str | None, Field(description="Into the body (RFC 6901).")] = None


class Problem(BaseModel):
    """What went wrong, and what to do (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    error: Annotated[str, Field(description="The kind of error, for programs.")]
    trace: Annotated[str, Field(description="Finds this call in the operator's log.")]
    errors: list[Wrong] = []
