"""``policy explain``: why a decision comes out as it does, and what would change it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from jitcloud.cli import advice, say, words
from jitcloud.cli.completing import entitlements
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.program import program_of
from jitcloud.cli.times import short
from jitcloud.clock import utc_now
from jitcloud.durations import format_duration, parse_duration
from jitcloud.errors import Invalid
from jitcloud.instants import parse_start
from jitcloud.model import Ask, Person
from jitcloud.shapes_of_advice import first_need

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.policy.explain import Asked, Explanation
    from jitcloud.policy.source import Rule


def explain(  # noqa: PLR0913, PLR0917 - each one a fact of the ask
    context: typer.Context,
    person: Annotated[
        str, typer.Argument(metavar="PERSON", help="An id or e-mail.", show_default=False)
    ],
    entitlement: Annotated[
        str,
        typer.Argument(
            metavar="ENTITLEMENT",
            help="What the catalog has.",
            autocompletion=entitlements,
            show_default=False,
        ),
    ],
    duration: Annotated[
        str, typer.Argument(metavar="DURATION", help="Such as 1h30m.", show_default=False)
    ],
    mfa: Annotated[
        str | None,
        typer.Option(
            metavar="AGE",
            help="Signed in with a second factor so long ago; else that is not known.",
            show_default=False,
        ),
    ] = None,
    ticket: Annotated[bool, typer.Option("--ticket", help="With a ticket that is open.")] = False,
    incident: Annotated[
        bool, typer.Option("--incident", help="With an incident that is open.")
    ] = False,
    break_glass: Annotated[
        bool, typer.Option("--break-glass", help="At once, and reviewed afterwards.")
    ] = False,
    freeze: Annotated[
        bool | None,
        typer.Option(
            "--freeze/--no-freeze",
            help="Whether a change freeze is on; else as the configuration says.",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="INSTANT",
            help="Asked at this instant, such as 2026-12-01T09:00:00Z or"
            " 2026-12-01T09:00:00[Europe/Berlin]; else now.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Say what policy says to an ask, by which rules, who could say yes, and what would help."""
    from jitcloud.cli import explained  # noqa: PLC0415 - loaded only when it is needed
    from jitcloud.cli.rulebook import open_rulebook  # noqa: PLC0415 - see TYPE_CHECKING
    from jitcloud.lifecycle import window_from  # noqa: PLC0415 - loaded only when it is needed
    from jitcloud.policy import World  # noqa: PLC0415 - loaded only when it is needed
    from jitcloud.policy.explain import Explainer, texts_of  # noqa: PLC0415 - loaded only when it is needed

    program = program_of(context)
    book = open_rulebook(program.file)
    begins = utc_now() if start is None else parse_start(start)
    if begins.tzinfo is None:
        raise Invalid("The start names no time zone; add one, such as 2026-12-01T09:00:00Z.")
    ask = Ask(
        person=book.directory.person(person).id,
        entitlement=book.catalog.get(entitlement),
        duration=parse_duration(duration),
        justification="What if?",
        asked_at=begins,
        mfa_age=None if mfa is None else parse_duration(mfa),
        ticket="TICKET-1" if ticket else None,
        incident="INCIDENT-1" if incident else None,
        break_glass=break_glass,
    )
    window = window_from(begins, ask.duration)
    world = World(
        freeze=bool(book.freezes.during(ask.entitlement, window)) if freeze is None else freeze,
        ticket_verified=ticket,
        incident_verified=incident,
    )
    explainer = Explainer(policy=book.policy, directory=book.directory, decide=book.decide)
    found = explainer.explain(ask, world, window)
    texts = texts_of(book.policy.rules, book.texts)
    if program.json:
        say.as_json(explained.shape(found, texts, freeze=world.freeze))
        return ExitCode.OK
    say.facts(_facts(found, book.directory.person(ask.person), freeze=world.freeze))
    for rule in found.rules:
        say.line()
        say.line(f"{rule.file}:{rule.line}: {rule.id} {_did(rule, found)}")
        for line in texts[rule.id].splitlines():
            say.line(f"    {line}")
    return ExitCode.OK


def _facts(found: Explanation, person: Person, *, freeze: bool) -> Iterator[tuple[str, str]]:
    from jitcloud.policy import wording  # noqa: PLC0415 - loaded only when it is needed

    ask = found.ask
    thing = ask.entitlement
    yield "who", f"{person.name} ({person.id})"
    yield "what", f"{thing.id}: {thing.title} ({thing.privilege} in {thing.environment})"
    yield "for", format_duration(ask.duration)
    yield "from", f"{short(ask.asked_at)}, {_local(ask)}"
    yield "with", ", ".join(_at_hand(ask, freeze=freeze))
    yield "policy", words.decision(found.decision)
    for reviewer in found.reviewers:
        yield "review", f"{first_need(reviewer)}: {advice.names(reviewer.people)}"
    for heard in found.hearing:
        yield "hears", f"{wording.approver(heard.who)}: {advice.names(heard.people)}"
    for asked in found.asked:
        # Of a broken glass, nobody waits for these.
        stage = f"{'skipped' if found.reviewers else 'stage'} {asked.stage + 1}"
        yield stage, f"{first_need(asked)}: {advice.names(asked.people)}"
        if asked.joining:
            yield stage, f"{_joining(asked)}: {advice.names(asked.joining)}"
    for hint in found.hints:
        yield "hint", hint.sentence
    yield "offered", advice.offers(advice.Advice.of(found))


def _local(ask: Ask) -> str:
    local = ask.asked_at.astimezone(ZoneInfo(ask.entitlement.zone))
    return f"{local:%A %H:%M} in {ask.entitlement.zone}"


def _at_hand(ask: Ask, *, freeze: bool) -> Iterator[str]:
    age = ask.mfa_age
    yield "a sign-in of unknown age" if age is None else f"a sign-in {format_duration(age)} ago"
    yield "no ticket" if ask.ticket is None else "an open ticket"
    yield "no incident" if ask.incident is None else "an open incident"
    if ask.break_glass:
        yield "a broken glass"
    if freeze:
        yield "a change freeze"


def _joining(asked: Asked) -> str:
    from jitcloud.policy import wording  # noqa: PLC0415 - see TYPE_CHECKING

    escalation = asked.need.escalation
    if escalation is None:
        return ""
    return f"or {wording.approver(escalation.to)} after {format_duration(escalation.after)}"


def _did(rule: Rule, found: Explanation) -> str:
    verbs = [each.verb for each in found.matched if rule in (*each.permits, *each.forbids)]
    return f"{rule.cedar.effect}s {' and '.join(verbs)}"
