"""What every message is made of: facts in a table, what granting means, what to type next.

Whatever anybody typed is shown so that it stays on its line. Nothing here knows a token or a
credential.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from jitcloud.durations import format_duration
from jitcloud.model import Approver, Guarantee, Plan, Request, Stage
from jitcloud.text import printable

LONGEST_SUBJECT = 150

Name = Callable[[str], str]
"""Writes a person's name with their id, printable; the id alone where nobody knows the name."""

HELD_BY = {
    Guarantee.CLOUD: "the cloud itself, even if jitcloud is dead",
    Guarantee.BROKER: "jitcloud, which tries until it is gone",
}


@dataclass(frozen=True, slots=True)
class Letter:
    """What one message says, whoever receives it."""

    subject: str
    body: str


def letter(subject: str, *paragraphs: str) -> Letter:
    """Put a message together; empty paragraphs are left out."""
    line = printable(subject)
    if len(line) > LONGEST_SUBJECT:
        line = f"{line[: LONGEST_SUBJECT - 1]}…"
    return Letter(line, "\n\n".join(each for each in paragraphs if each) + "\n")


def facts(request: Request, name: Name) -> str:
    """Write what was asked for, by whom, and why."""
    return _table(_facts(request, name))


def meaning(plan: Plan | None) -> str:
    """Write what granting means: who ends it, what an early end does, what would be left."""
    return _table(_meaning(plan))


def end(request: Request) -> str:
    """Write who ends a grant, and what is left after it."""
    held = [] if request.guarantee is None else [("ended by", HELD_BY[request.guarantee])]
    return _table([*held, *(("leaves", text) for text in request.residual)])


def commands(*lines: str) -> str:
    """Write what can be typed next."""
    return "\n".join(("What you can type next:", *(f"    {line}" for line in lines)))


def because(reason: str) -> str:
    """Quote somebody's reason, to stand after what they did; nothing where there is none."""
    return f": “{printable(reason)}”" if reason else ""


def instant(at: datetime) -> str:
    """Write an instant in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def deadline(request: Request) -> str:
    """Write when a grant ends."""
    return "its deadline" if request.window is None else instant(request.window.deadline)


def stage(what: Stage) -> str:
    """Write who is asked, such as ``1 of sre-leads or sre-primary, on call``."""
    needs = (f"{need.count} of {_any_of(need.approvers)}" for need in what.needs)
    return printable(" and ".join(needs))


def _any_of(approvers: Iterable[Approver]) -> str:
    return " or ".join(
        f"{who.id}, on call" if who.kind == "rotation" else who.id for who in approvers
    )


def _facts(request: Request, name: Name) -> Iterator[tuple[str, str]]:
    ask, thing = request.ask, request.entitlement
    yield "request", request.id
    yield "who", name(request.person)
    yield "what", f"{request.what}: {thing.title}"
    yield "that is", f"{thing.privilege} in {thing.environment}, {thing.cloud}"
    if ask.extends is None:
        yield "for", format_duration(ask.duration)
    else:
        yield "for", f"{format_duration(ask.duration)} in all: more time for {ask.extends}"
    if ask.start is not None:
        yield "from", instant(ask.start)
    yield "because", f"“{ask.justification}”"
    for label, value in (("ticket", ask.ticket), ("incident", ask.incident)):
        if value is not None:
            yield label, f"“{value}”"
    others = [id_ for id_ in ask.together if id_ != request.id]
    if others:
        yield "together", f"asked at once with {', '.join(others)}"
    if request.decision is not None and request.decision.rules:
        yield "rules", ", ".join(request.decision.rules)


def _meaning(plan: Plan | None) -> Iterator[tuple[str, str]]:
    if plan is None:
        yield "ended by", "not known: this deployment could not look"
        return
    yield "ended by", HELD_BY[plan.guarantee]
    yield "early end", plan.early_end
    yield from (("leaves", text) for text in plan.residual)
    yield from (("note", text) for text in plan.notes)
    yield from (("problem", text) for text in plan.problems)


def _table(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"{label:<10}{printable(value)}" for label, value in rows)
