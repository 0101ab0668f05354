"""A policy of a thousand rules for thousands of people: read, checked, and drawn as a matrix."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import timedelta
from itertools import islice
from pathlib import Path
from statistics import median

from jitcloud.cli.rulebook import Rulebook, open_rulebook
from jitcloud.policy.everybody import Named
from jitcloud.policy.matrix import Matrix
from tests.bench.figures import Figure
from tests.bench.timing import Say, seconds_of

RULES, PEOPLE, GROUPS, THINGS = 1000, 5000, 500, 2000

LIMIT = 3.0

SOME = 20
"""So many people are looked at, of each of whom a matrix takes as long."""


def measure(folder: Path, say: Say) -> Iterable[Figure]:
    _write(folder)
    say("loading")
    times = [seconds_of(lambda: open_rulebook(folder)) for _ in range(5)]
    yield Figure(
        name="large-policy",
        what=f"read, validate and lint {RULES} rules, {PEOPLE} people in {GROUPS} nested groups"
        f" and {THINGS} entitlements",
        value=median(times),
        unit="s",
        limit=LIMIT,
        parts={"fastest (s)": min(times), "slowest (s)": max(times)},
    )
    say("matrix")
    book = open_rulebook(folder).with_anybody()
    seconds = seconds_of(lambda: _matrix(book))
    yield Figure(
        name="matrix",
        what="persons x entitlements judged a second, each with and without ticket and incident",
        value=SOME * THINGS / seconds,
        unit="pairs/s",
        notes=("No two people and hardly two entitlements here are alike: the slowest case.",),
    )


def _matrix(book: Rulebook) -> None:
    named = Named.by(book.policy.rules, book.catalog)
    people = islice(named.everybody(book.directory), SOME)
    matrix = Matrix(book.policy.rules, book.about, named, (timedelta(hours=1),))
    for _ in matrix.rows(people, book.catalog):
        pass


def _write(folder: Path) -> None:
    drawn = random.Random(1)  # noqa: S311 - it has to be the same each time
    (folder / "policy").mkdir()
    (folder / "jitcloud.toml").touch()
    (folder / "people.toml").write_text("\n".join(_people(drawn)))
    (folder / "catalog.toml").write_text("\n".join(_things(drawn)))
    rules = list(_rules(drawn))
    for number in range(10):
        (folder / "policy" / f"{number}.cedar").write_text("\n".join(rules[number::10]))


def _people(drawn: random.Random) -> Iterable[str]:
    for number in range(PEOPLE):
        yield f'[[person]]\nid = "u-{number}"\nname = "Person {number}"'
        yield f'emails = ["p{number}@example.org"]\nmanager = "u-{number // 10}"'
    for number in range(GROUPS):
        members = [f"u-{person}" for person in drawn.sample(range(PEOPLE), 20)]
        inner = [f"g-{each}" for each in (2 * number + 1, 2 * number + 2) if each < GROUPS]
        yield f"[groups.g-{number}]\nmembers = {members}\ngroups = {inner}"


def _things(drawn: random.Random) -> Iterable[str]:
    for number in range(THINGS):
        yield f'[[entitlement]]\nid = "e-{number}"\ntitle = "Thing {number}"\ncloud = "aws"'
        yield f'mechanism = "aws.sts-session"\nowner = "g-{drawn.randrange(GROUPS)}"'
        yield f'privilege = "{drawn.choice(("read", "write", "admin"))}"'
        yield f'environment = "{drawn.choice(("dev", "test", "prod"))}"'
        yield f'labels = ["l-{number % 20}"]\nzone = "Europe/Berlin"'


def _rules(drawn: random.Random) -> Iterable[str]:
    kinds = (
        ('@approval("1 of GROUP")', "permit", "== REQUEST", 'context.duration <= duration("4h")'),
        ('@approval("1 of resource.owner")', "permit", "== REQUEST", "context has ticket"),
        ("", "permit", "== ACTIVATE", 'resource.privilege == Privilege::"read"'),
        ("", "permit", "== ACTIVATE", 'context.duration <= duration("8h")'),
        ('@because("No.")', "forbid", "in ACCESS", "!(context has mfaAge)"),
    )
    for number in range(RULES):
        note, effect, verb, condition = kinds[number % len(kinds)]
        group, asked = (f"g-{drawn.randrange(GROUPS)}" for _ in range(2))
        label = f'resource in Label::"l-{drawn.randrange(20)}"'
        for name in ("request", "activate", "access"):
            verb = verb.replace(name.upper(), f'Action::"{name}"')
        yield (
            f'@id("r-{number}") {note.replace("GROUP", asked)}'
            f' {effect} (principal in Group::"{group}", action {verb}, {label})'
            f" when {{ {condition} }};"
        )
