"""What each operation is for and what it answers: the words of the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import BaseModel

from jitcloud.api import outputs

EVERY = (400, 401, 403, 500, 503)
"""What any call that says who speaks may be answered."""

OF_REQUEST = (404,)
WRITING = (409, 413, 415, 422)
CHECKED = (422,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation."""

    summary: str
    description: str
    answers: type[BaseModel] | tuple[type[BaseModel], ...]
    status: int = 200
    problems: tuple[int, ...] = ()
    """Beside ``EVERY``."""
    keyed: bool = False
    """Whether it takes an ``Idempotency-Key``."""
    is_open: bool = False
    """Whether anybody may, without saying who they are."""


def _reading(summary: str, description: str, answers: type[BaseModel], *problems: int) -> Operation:
    return Operation(
        summary=summary, description=description, answers=answers, problems=(*CHECKED, *problems)
    )


def _writing(
    summary: str,
    description: str,
    answers: type[BaseModel] | tuple[type[BaseModel], ...] = outputs.Request,
    *problems: int,
    status: int = 200,
) -> Operation:
    return Operation(
        summary=summary,
        description=description,
        answers=answers,
        status=status,
        problems=(*WRITING, *OF_REQUEST, *problems),
        keyed=True,
    )


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "me": Operation(
            summary="Who am I",
            description="Who the token names, as the directory has them now.",
            answers=outputs.Me,
            problems=(404, 422),
        ),
        "entitlements": _reading(
            "What I can ask for",
            "The entitlements that policy would let you have now, and for how long of 15m, 30m,"
            " 1h, 2h, 4h, 8h and 12h. With `all=true` also those that it would not.",
            outputs.Entitlements,
            404,
        ),
        "entitlement": _reading(
            "What would be said to an ask",
            "What policy would say to you, asking for this now, with neither ticket nor incident;"
            " whose yes it would take, and what would help. Records nothing.",
            outputs.Outlook,
            404,
        ),
        "ask": _writing(
            "Ask for access",
            "Asks for one entitlement or several; each is a request of its own, and some come to"
            " one a place. What policy refuses is recorded too: it is answered 201 as well, as a"
            " request in state `denied` with its reason.",
            outputs.Requests,
            502,
            504,
            status=201,
        ),
        "list": _reading(
            "List requests",
            "Your own requests, the newest first; with `of=everybody` all those in a `state` that"
            " you may see.",
            outputs.RequestPage,
            404,
        ),
        "show": _reading("Show a request", "One request as it stands.", outputs.ShownRequest, 404),
        "explain": _reading(
            "Explain a decision",
            "Who could say yes to a request, what would help, and what could be had instead.",
            outputs.Explanation,
            404,
        ),
        "trail": _reading(
            "Read a trail",
            "The sealed events of a request. The RFC 8785 form of an event without `hash` and"
            " `signature` is its text, which the hash is over.",
            outputs.Trail,
            404,
        ),
        "extend": _writing(
            "Ask for more time",
            "Asks for your own active access to last longer, by so much. It is a request of its"
            " own, judged for the whole time.",
            outputs.Request,
            502,
            504,
            status=201,
        ),
        "withdraw": _writing(
            "Take a request back", "Takes your own request back before it gives access."
        ),
        "give-back": _writing("Give access back", "Ends your own access early.", outputs.Request),
        "revoke": _writing(
            "Revoke access",
            "Ends somebody's access, or a request that might yet give some. Anybody in the"
            " directory may; who may not see the request is told its id and state alone.",
            (outputs.Request, outputs.Revoked),
        ),
        "approvals": _reading(
            "What waits for my yes",
            "The newest requests that wait for you.",
            outputs.SomeRequests,
            404,
        ),
        "reviews": _reading(
            "What awaits my review",
            "What was done with a broken glass and awaits your review, the most urgent first; with"
            " `of=everybody` anybody's, as far as you may see it.",
            outputs.SomeRequests,
            404,
        ),
        "approve": _writing(
            "Say yes", "Approves somebody's request; with the last yes it is judged again."
        ),
        "deny": _writing("Say no", "Denies somebody's request. One no is enough."),
        "review": _writing("Review a broken glass", "Records what you found. It ends nothing."),
        "attest": _writing(
            "Attest an end",
            "Answers for it that access is gone whose place has vanished and refuses for ever.",
        ),
        "brakes": Operation(
            summary="Show the brakes",
            description="Which policy judges, and which brakes are on.",
            answers=outputs.Brakes,
            problems=(404, 422),
        ),
        "stop": _writing(
            "Stop activations",
            "Lets nothing of a scope be activated from now on. What is active goes on, and ends.",
            outputs.Brakes,
        ),
        "resume": _writing(
            "Let activations go on", "Takes such a brake off again.", outputs.Brakes
        ),
        "end": _writing(
            "End everything",
            "Begins to end all of a scope that was asked for until now.",
            outputs.Ended,
        ),
        "credentials": Operation(
            summary="Fetch credentials",
            description="Mints a set of credentials for your own active grant. Each call mints"
            " another set, and an answer is never given again: it takes no Idempotency-Key.",
            answers=outputs.Credentials,
            problems=(404, 409, 422, 502, 504),
        ),
        "healthz": Operation(
            summary="Is it there",
            description="Says that it runs, and asks nothing.",
            answers=outputs.Health,
            is_open=True,
        ),
    }
)
