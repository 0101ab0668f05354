"""``policy explain``: why a decision comes out as it does, and what would change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from jitcloud.cli import say, shapes, words
from jitcloud.cli.completing import entitlements
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.program import program_of
from jitcloud.cli.times import iso, parse_start, short
from jitcloud.clock import utc_now
from jitcloud.durations import format_duration, parse_duration
from jitcloud.errors import Invalid
from jitcloud.model import Ask, Person, RuleId

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.policy.explain import Asked, Explanation, Matched
    from jitcloud.policy.source import Rule

MOST_NAMES = 12
"""So many people of a need are named; of a large group the others are counted."""


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
            help="Asked at this instant, such as 2026-12-01T09:00:00Z; else now.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Say what policy says to an ask, by which rules, who could say yes, and what would help."""
    from jitcloud.cli.rulebook import open_rulebook  # noqa: PLC0415 - see TYPE_CHECKING
    from jitcloud.lifecycle import window_from  # noqa: PLC0415
    from jitcloud.policy import World  # noqa: PLC0415
    from jitcloud.policy.explain import Explainer, texts_of  # noqa: PLC0415

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
    )
    world = World(
        freeze=book.freeze if freeze is None else freeze,
        ticket_verified=ticket,
        incident_verified=incident,
    )
    explainer = Explainer(policy=book.policy, directory=book.directory, decide=book.decide)
    found = explainer.explain(ask, world, window_from(begins, ask.duration))
    texts = texts_of(book.policy.rules, book.texts)
    if program.json:
        say.as_json(_shape(found, texts, freeze=world.freeze))
        return ExitCode.OK
    say.facts(_facts(found, book.directory.person(ask.person), freeze=world.freeze))
    for rule in found.rules:
        say.line()
        say.line(f"{rule.file}:{rule.line}: {rule.id} {_did(rule, found)}")
        for line in texts[rule.id].splitlines():
            say.line(f"    {line}")
    return ExitCode.OK


def _facts(found: Explanation, person: Person, *, freeze: bool) -> Iterator[tuple[str, str]]:
    ask = found.ask
    thing = ask.entitlement
    yield "who", f"{person.name} ({person.id})"
    yield "what", f"{thing.id}: {thing.title} ({thing.privilege} in {thing.environment})"
    yield "for", format_duration(ask.duration)
    yield "from", f"{short(ask.asked_at)}, {_local(ask)}"
    yield "with", ", ".join(_at_hand(ask, freeze=freeze))
    yield "policy", words.decision(found.decision)
    for asked in found.asked:
        yield f"stage {asked.stage + 1}", f"{_need(asked)}: {_names(asked)}"
    for hint in found.hints:
        yield "hint", hint.sentence
    yield "offered", _offers(found)


def _local(ask: Ask) -> str:
    local = ask.asked_at.astimezone(ZoneInfo(ask.entitlement.zone))
    return f"{local:%A %H:%M} in {ask.entitlement.zone}"


def _at_hand(ask: Ask, *, freeze: bool) -> Iterator[str]:
    age = ask.mfa_age
    yield "a sign-in of unknown age" if age is None else f"a sign-in {format_duration(age)} ago"
    yield "no ticket" if ask.ticket is None else "an open ticket"
    yield "no incident" if ask.incident is None else "an open incident"
    if freeze:
        yield "a change freeze"


def _need(asked: Asked) -> str:
    from jitcloud.policy import wording  # noqa: PLC0415 - see TYPE_CHECKING

    return wording.need(asked.need)


def _names(asked: Asked) -> str:
    names = [person.name for person in asked.people[:MOST_NAMES]]
    more = len(asked.people) - len(names)
    return ", ".join([*names, *([f"and {more:,} more"] if more else [])]) or "nobody"


def _offers(found: Explanation) -> str:
    said = [
        f"{format_duration(offer.duration)}"
        f"{'' if offer.decision.kind == 'activate' else ' after approval'}"
        for offer in found.offers
    ]
    return ", ".join(said) or "nothing"


def _did(rule: Rule, found: Explanation) -> str:
    verbs = [each.verb for each in found.matched if rule in (*each.permits, *each.forbids)]
    return f"{rule.cedar.effect}s {' and '.join(verbs)}"


def _shape(found: Explanation, texts: Mapping[RuleId, str], *, freeze: bool) -> dict[str, object]:
    ask = found.ask
    return {
        "person": ask.person,
        "entitlement": shapes.of_entitlement(ask.entitlement),
        "duration": _seconds(ask.duration),
        "start": iso(ask.asked_at),
        "mfa_age": None if ask.mfa_age is None else _seconds(ask.mfa_age),
        "ticket": ask.ticket is not None,
        "incident": ask.incident is not None,
        "freeze": freeze,
        "decision": shapes.of_decision(found.decision),
        "asked": [
            {
                "stage": asked.stage,
                "need": _need(asked),
                "people": [{"id": person.id, "name": person.name} for person in asked.people],
            }
            for asked in found.asked
        ],
        "hints": [hint.sentence for hint in found.hints],
        "offers": [
            {"duration": _seconds(offer.duration), "decision": shapes.of_decision(offer.decision)}
            for offer in found.offers
        ],
        "verbs": [_verb_shape(each) for each in found.matched],
        "rules": [
            {
                "id": rule.id,
                "file": rule.file,
                "line": rule.line,
                "effect": rule.cedar.effect,
                "annotations": dict(rule.annotations),
                "text": texts[rule.id],
            }
            for rule in found.rules
        ],
    }


def _verb_shape(matched: Matched) -> dict[str, object]:
    return {
        "verb": matched.verb,
        "allowed": matched.is_allowed,
        "permits": [rule.id for rule in matched.permits],
        "forbids": [rule.id for rule in matched.forbids],
    }


def _seconds(duration: timedelta) -> int:
    return duration // timedelta(seconds=1)
