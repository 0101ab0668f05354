"""P13: whatever a parser is handed, it reads that or says no: in our words, short, and harmless.

Nothing is raised but what ``jitcloud/errors.py`` has, no message holds what could act on a
terminal, nothing lasts forever, and what is read is written as it was.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, seed, settings

from tests.hostile.parser import Parser
from tests.hostile.parsers import PARSERS

EACH = 15
"""How many examples of each parser `make test` takes."""

ROUNDS = 40
"""How many times as many a thorough look takes, each time from another seed."""

HOW = settings(
    max_examples=EACH,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")  # they are large

each = pytest.mark.parametrize(
    "parser", [parser for parser in PARSERS if not parser.handed_over], ids=lambda each: each.name
)
not_mended = pytest.mark.parametrize(
    ("parser", "found"),
    [
        pytest.param(
            parser, found, marks=pytest.mark.xfail(strict=True, reason=parser.handed_over), id=why
        )
        for parser in PARSERS
        if parser.handed_over
        for found, why in parser.found
    ],
)


def fuzzed(parser: Parser, from_: int) -> None:
    @seed(from_)
    @HOW
    @given(parser.near)
    def hostile(given: Any) -> None:
        parser.holds(given)

    edges = (edge for valid in parser.valid[:3] for edge in parser.mangled.edges(valid))
    for known in (*parser.mangled.always, *edges, *(found for found, _ in parser.found)):
        hostile = example(known)(hostile)
    hostile()


@pytest.mark.parametrize("parser", PARSERS, ids=lambda each: each.name)
def test_what_is_right_is_read(parser: Parser) -> None:
    for valid in parser.valid:
        given = parser.mangled.unharmed(valid)
        parser.read(given)  # raises nothing
        parser.holds(given)


@each
def test_whatever_is_nearly_right_is_read_or_refused(parser: Parser) -> None:
    fuzzed(parser, 0)


@pytest.mark.long
@each
def test_so_are_thousands_of_others(parser: Parser) -> None:
    for round_ in range(1, ROUNDS + 1):
        fuzzed(parser, round_)


@not_mended
def test_what_is_not_mended_yet(parser: Parser, found: Any) -> None:
    parser.holds(found)
