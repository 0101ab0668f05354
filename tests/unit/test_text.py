from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from jitcloud.errors import Invalid
from jitcloud.text import did_you_mean, one_line, parse_request_id, printable, quoted

A_REQUEST_ID = "01JD8Z6N3V5E6X7Y8Z9ABCDEFG"


@pytest.mark.parametrize(
    "text",
    ["INC-7", "  as typed, spaces and all  ", "größer: 10 µs", "日本語", "שלום", "🙂", "a:b;c\\n"],
)
def test_a_line_is_kept_byte_for_byte(text: str) -> None:
    assert one_line(text, "reason") == text


@pytest.mark.parametrize("text", ["", " ", "\t", "\n", "\u00a0", "\u200b", "\u202e"])
def test_a_line_that_shows_nothing_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="The reason is empty"):
        one_line(text, "reason")


@pytest.mark.parametrize(
    ("char", "name"),
    [
        ("\n", r"U\+000A"),
        ("\r", r"U\+000D"),
        ("\0", r"U\+0000"),
        ("\x1b", r"U\+001B"),
        ("\x7f", r"U\+007F"),
        ("\x85", r"U\+0085"),
        ("\u061c", r"U\+061C"),
        ("\u200e", r"U\+200E"),
        ("\u200f", r"U\+200F"),
        ("\u2028", r"U\+2028"),
        ("\u2029", r"U\+2029"),
        *((chr(code), rf"U\+{code:04X}") for code in range(0x202A, 0x202F)),
        *((chr(code), rf"U\+{code:04X}") for code in range(0x2066, 0x206A)),
        ("\ud800", r"U\+D800"),
    ],
    ids=lambda value: value[-4:] if len(value) > 1 else None,
)
def test_a_character_that_acts_on_what_is_shown_is_refused_by_name(char: str, name: str) -> None:
    with pytest.raises(Invalid, match=name) as caught:
        one_line(f"a{char}b", "reason")
    assert char not in str(caught.value)


def test_a_line_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert one_line("x" * 1000, "reason")
    with pytest.raises(Invalid, match=r"1001 characters; shorten it to 1000"):
        one_line("x" * 1001, "reason")
    with pytest.raises(Invalid, match="shorten it to 3"):
        one_line("four", "reason", limit=3)


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_is_shown_can_neither_end_a_line_nor_steer_a_terminal(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert quoted(text).isprintable()


def test_foreign_text_is_shown_escaped_and_quoted_short() -> None:
    assert printable("plain é") == "plain é"
    assert printable("a\x1b[2Jb\n\u202e\ud800") == r"a\x1b[2Jb\n\u202e\ud800"
    assert quoted("short") == '"short"'
    assert quoted("x" * 61) == f'"{"x" * 60}…"'


def test_a_typo_gets_the_nearest_known_word() -> None:
    assert did_you_mean("onwer", ["owner", "zone"]) == ' Did you mean "owner"?'
    assert not did_you_mean("xyz", ["owner", "zone"])


def test_a_request_id_is_read_as_it_is() -> None:
    assert parse_request_id(A_REQUEST_ID) == A_REQUEST_ID


@pytest.mark.parametrize(
    "text",
    [
        "",
        A_REQUEST_ID.lower(),
        A_REQUEST_ID[:-1],
        A_REQUEST_ID + "0",
        A_REQUEST_ID + "\n",
        f" {A_REQUEST_ID}",
        A_REQUEST_ID.replace("8", "I"),
        A_REQUEST_ID.replace("8", "L"),
        A_REQUEST_ID.replace("8", "O"),
        A_REQUEST_ID.replace("8", "U"),
        A_REQUEST_ID.replace("8", "\u0668"),
        "8" + A_REQUEST_ID[1:],
        "../../../../../etc/passwd0",
    ],
)
def test_anything_else_is_no_request_id(text: str) -> None:
    with pytest.raises(Invalid, match="is not a request id"):
        parse_request_id(text)


@given(st.integers(min_value=0, max_value=2**128 - 1))
def test_every_ulid_in_capitals_is_a_request_id(number: int) -> None:
    text = str(ULID.from_int(number))
    assert parse_request_id(text) == text


@given(st.text(st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"), min_size=26, max_size=26))
def test_what_is_a_request_id_is_a_ulid_and_nothing_else_is(text: str) -> None:
    try:
        known = str(ULID.from_str(text)) == text
    except ValueError:
        known = False
    try:
        parsed = parse_request_id(text) == text
    except Invalid:
        parsed = False
    assert parsed == known
