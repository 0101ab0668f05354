"""Tickets known by a pattern: which patterns may be used, and what their group says."""

from __future__ import annotations

import pytest

from jitcloud.errors import Misconfigured
from jitcloud.tickets.pattern import LONGEST, LONGEST_PATTERN, PatternTickets


def project(pattern: str, ticket: str) -> str:
    found = PatternTickets(pattern).look(ticket)
    assert found is not None
    return found.project


def test_nobody_knows_whether_it_is_open() -> None:
    found = PatternTickets("[A-Z]+-[0-9]+").look("OPS-1")
    assert found is not None
    assert found.is_open is None


@pytest.mark.parametrize(
    ("pattern", "ticket"),
    [
        pytest.param("[A-Z]+-[0-9]+", "xOPS-1", id="before"),
        pytest.param("[A-Z]+-[0-9]+", "OPS-1x", id="behind"),
        pytest.param("OPS-1|OPS-2", "OPS-12", id="alternatives"),
        pytest.param("(?m)OPS-1", "OPS-1\nOPS-2", id="a-line-of-several"),
        pytest.param("(?s).*", "OPS-1\n", id="line-end"),
        pytest.param(".*", "OPS 1", id="blank"),
        pytest.param(".*", "\u041ePS-1", id="not-ascii"),
        pytest.param(r"OPS-\d", "OPS-\u0661", id="digit-of-another-script"),
        pytest.param(".*", "O" * (LONGEST + 1), id="long"),
    ],
)
def test_a_pattern_matches_the_whole_of_what_can_be_a_ticket(pattern: str, ticket: str) -> None:
    assert PatternTickets(pattern).look(ticket) is None


def test_a_ticket_may_be_as_long_as_it_says() -> None:
    assert PatternTickets(".*").look("O" * LONGEST) is not None


@pytest.mark.parametrize(
    ("pattern", "ticket", "expected"),
    [
        ("[A-Z]+-[0-9]+", "OPS-1", "OPS"),
        ("[A-Z-]+-[0-9]+", "OPS-DB-1", "OPS-DB"),
        ("CHG[0-9]+", "CHG0030001", ""),
        ("(?P<project>[A-Z]+)[0-9]+", "CHG0030001", "CHG"),
        ("#(?P<project>[A-Z]+)/[0-9]+", "#OPS/1", "OPS"),
        ("(?P<project>OPS|NET)-[0-9]+", "NET-1", "NET"),
        ("(?P<project>[A-Z()]+)-[0-9]+", "(A)-1", "(A)"),
        (r"(?P<project>a\)b)-[0-9]+", "a)b-1", "a)b"),
        ("(?P<project>(?:[A-Z]{2}){1,2})-[0-9]+", "OPSX-1", "OPSX"),
        ("(?:inc|chg)-(?P<project>[a-z]+)-(?:[0-9]+|x)", "inc-net-x", "net"),
        ("[A-Z](?P<project>[A-Z]*)-1", "XOPS-1", "OPS"),
        ("(?P<project>.+)-.+", "a-b-c", "a-b"),
        ("(?P<project>[a|b]+)[|]1", "a|b|1", "a|b"),
        ("(?P<project>[A-Z]*)-1", "-1", ""),
        (r"(?P<project>[A-Z]+)\b-1", "OPS-1", ""),
        (r"#\b(?P<project>[A-Z]+)-1", "#OPS-1", ""),
    ],
)
def test_a_group_says_where_a_ticket_belongs(pattern: str, ticket: str, expected: str) -> None:
    assert project(pattern, ticket) == expected


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("[A-Z", "unclosed character class"),
        ("(OPS-1", "unclosed group"),
        ("a)|(?:b", "unopened group"),
        ("(?=OPS)OPS-1", "look-around"),
        (r"(a)\1", "backreferences are not supported"),
        ("(?:a{1000}){1000}", "size limit"),
        ("(?P<project>a)(?P<project>b)", "duplicate"),
        ("\x1b[31m(", "unclosed"),
    ],
)
def test_a_pattern_that_cannot_be_used_says_why(pattern: str, why: str) -> None:
    with pytest.raises(Misconfigured, match=why) as caught:
        PatternTickets(pattern)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "pattern",
    [
        "(?:(?P<project>[A-Z]+)-)?[0-9]+",
        "((?P<project>[A-Z]+))-[0-9]+",
        "(?P<project>[A-Z])+-[0-9]+",
        "(?P<project>[A-Z]+)?-[0-9]+",
        "(?P<project>[A-Z]+)-[0-9]+|INC[0-9]+",
        "INC[0-9]+|(?P<project>[A-Z]+)-[0-9]+",
        "(?i)(?P<project>[A-Z]+)-[0-9]+",
        r"\(?P<project>[A-Z]+",
    ],
)
def test_a_group_that_is_not_always_there_once_is_refused(pattern: str) -> None:
    with pytest.raises(Misconfigured, match=r"(keep it outside of these)\.$"):
        PatternTickets(pattern)


def test_a_long_pattern_is_refused() -> None:
    PatternTickets("a" * LONGEST_PATTERN)
    with pytest.raises(Misconfigured, match=f"shorten it to {LONGEST_PATTERN}"):
        PatternTickets("a" * (LONGEST_PATTERN + 1))


# Each of these keeps an engine that tries one way after the other busy for years.
@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",
        "(a|a)*b",
        "(?:a|aa)+b",
        "a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
        "(?P<project>(?:a|aa)+)(?:a+)+b",
    ],
)
def test_no_pattern_takes_its_time(pattern: str) -> None:
    assert PatternTickets(pattern).look("a" * LONGEST) is None


def test_no_group_takes_its_time() -> None:
    assert project("(?:a|aa)*(?P<project>(?:a|aa)+)(?:a|aa)+", "a" * LONGEST) == "a"
