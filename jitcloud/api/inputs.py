"""What people may write into a body, a path or a query: the one definition, for both sides.

Whoever faces the network checks it to answer quickly; the judge checks it again, because what
invokes it may have been taken over. Nothing is converted from another type.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from jitcloud.durations import parse_duration
from jitcloud.instants import parse_start

MOST_LISTED = 200
"""No page is longer."""

LONGEST_TEXT = 1000

LONGEST_CURSOR = 200


class Strict(BaseModel):
    """Takes exactly these keys, each of exactly its type."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _duration(text: str) -> str:
    parse_duration(text)
    return text


def _start(text: str) -> str:
    parse_start(text)
    return text


def _digits(value: object) -> object:
    """Refuse what pydantic would read as a number too: ``1_0``, ``+1``, `` 1``."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}", value) is None:
        raise ValueError("Write a whole number, in digits alone")
    return int(value) if isinstance(value, str) else value


RequestName = Annotated[
    str,
    Field(
        pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$",
        description="The id of a request: 26 characters, a ULID.",
        examples=["01JD8Z6N3V5E6X7Y8Z9ABCDEFG"],
    ),
]
EntitlementName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$",
        description="The id of an entitlement, as `GET /v1/entitlements` lists it.",
        examples=["prod-logs-read"],
    ),
]
Duration = Annotated[
    str,
    Field(
        min_length=2,
        max_length=32,
        pattern=r"^([0-9]{1,7}d)?([0-9]{1,7}h)?([0-9]{1,7}m)?([0-9]{1,7}s)?$",
        description="Days, hours, minutes and seconds in that order: from 1s to 30d.",
        examples=["1h30m"],
    ),
    AfterValidator(_duration),
]
Instant = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        description="RFC 3339 with its offset, or a local time with its zone in brackets"
        " (RFC 9557).",
        examples=["2026-12-01T09:00:00Z", "2026-12-01T09:00:00[Europe/Berlin]"],
    ),
    AfterValidator(_start),
]
Text = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_TEXT,
        description="One line, kept as it was written.",
        examples=["Look into INC-7"],
    ),
]
Limit = Annotated[int, Ge(1), Le(MOST_LISTED), BeforeValidator(_digits)]
"""How many at the most."""
Cursor = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_CURSOR,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="What the page before gave as `next`.",
    ),
]
Of = Literal["me", "everybody"]
ReachName = Literal["everything", "cloud", "entitlement", "person"]
StateName = Literal[
    "pending",
    "scheduled",
    "activating",
    "active",
    "ending",
    "denied",
    "lapsed",
    "withdrawn",
    "failed",
    "ended",
    "extended",
]


class AskBody(Strict):
    """What is asked for, for how long and why. Who asks is whoever the token names."""

    entitlements: Annotated[
        list[EntitlementName],
        Field(
            min_length=1,
            max_length=20,
            description="What to have; several are asked for together, and decided apart.",
            json_schema_extra={"uniqueItems": True},
        ),
    ]
    duration: Duration
    justification: Text
    start: Instant | None = None
    ticket: Text | None = None
    incident: Text | None = None
    break_glass: Annotated[
        bool, Field(description="Ask to be let in at once, and to be reviewed afterwards.")
    ] = False


class ExtendBody(Strict):
    """How much longer, and why."""

    duration: Duration
    justification: Text
    ticket: Text | None = None
    incident: Text | None = None
    break_glass: bool = False


class ReasonBody(Strict):
    """Why; others read it."""

    reason: Text


class OptionalReasonBody(Strict):
    """Why, if that is worth saying."""

    reason: Text | None = None


class ReviewBody(Strict):
    """What was found of a broken glass."""

    note: Text
    fine: Annotated[bool, Field(description="Whether it was broken rightly.")] = True


class BrakeBody(Strict):
    """What a brake is to act on, and why it is used."""

    reach: ReachName
    id: Annotated[
        str,
        Field(
            max_length=200,
            description="Which cloud, entitlement or person; left out for everything. A person"
            " may be named by an e-mail address too: it says whose access, never who speaks.",
        ),
    ] = ""
    reason: Text
