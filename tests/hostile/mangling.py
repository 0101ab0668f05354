"""Makes what is nearly right: documents that a parser reads, with a few things wrong in them.

Everything is drawn in few choices, so that an example costs a fraction of a millisecond and
Hypothesis can make it smaller.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from typing import Any

from hypothesis import strategies as st

Json = Any
Path = tuple[Any, ...]
"""Keys and positions that lead to a part of a document."""

NASTY = (
    *("\0", "\n", "\r\n", "\x1b[31m", "\x7f", "\x85", "\u202e", "\u2066", "\u200b", "\u2028"),
    *("\ud800", "\udfff", "\ufeff", "\U0001f511", "e\u0301", "\u0130", "ß", "٣", "\uff11", "\xa0"),
    *("9" * 30, "9" * 5000, "x" * 3000, "-", "+", " ", "", ".", "/", "..", "%00", "%ff", "\\"),
    *("NaN", "1e999", "null", "true", "{}", "[]", '"', "'", "[" * 3000, "0", "T24:00", "Z"),
)
"""What is put into a text in place of something, or between."""

WAYS = ("put in", "put in place", "left out", "cut off", "said again", "cases changed")

_EDIT = st.tuples(st.sampled_from(WAYS), st.integers(0, 4000), st.sampled_from(NASTY))
_EDITS = st.lists(_EDIT, min_size=1, max_size=3)


@dataclass(frozen=True, kw_only=True, eq=False)
class Mangled:
    """A form in which something comes."""

    near: Callable[[Sequence[Any]], st.SearchStrategy[Any]]
    """Draws what is nearly one of these."""
    unharmed: Callable[[Any], Any] = lambda valid: valid
    """One of these in that form, with nothing wrong."""
    always: tuple[Any, ...] = ()
    """What every reader of that form meets: nothing, too much, too deep."""
    edges: Callable[[Any], Iterable[Any]] = lambda _: ()
    """One of these, at the edge of what may be: each made of it, and always the same."""


# ── Text ─────────────────────────────────────────────────────────────────────────────────────


@st.composite
def _text(draw: st.DrawFn, valid: Sequence[str]) -> str:
    """A text with a few characters wrong, or any."""
    if draw(st.integers(0, 7)) == 0:
        return draw(st.text(max_size=40))
    return _edited(draw(st.sampled_from(valid)), draw(_EDITS))


def _edited(found: str, edits: Sequence[tuple[str, int, str]]) -> str:
    for way, where, what in edits:
        at = where % (len(found) + 1)
        before, after = found[:at], found[at:]
        match way:
            case "put in":
                found = before + what + after
            case "put in place":
                found = before + what + after[1:]
            case "left out":
                found = before + after[1 + where % 3 :]
            case "cut off":
                found = before
            case "said again":
                found = before + after[:20] + after
            case _:
                found = before + after.swapcase()
    return found


@st.composite
def _octets(draw: st.DrawFn, valid: Sequence[bytes]) -> bytes:
    """Bytes with a few of them wrong, or any."""
    if draw(st.integers(0, 7)) == 0:
        return draw(st.binary(max_size=60))
    found = draw(st.sampled_from(valid))
    for way, where, what in draw(_EDITS):
        at = where % (len(found) + 1)
        put = b"\xff\xfe" if way == "cases changed" else what.encode(errors="surrogatepass")
        end = at if way == "put in" else len(found) if way == "cut off" else at + 1
        found = found[:at] + (b"" if way in {"left out", "cut off"} else put) + found[end:]
    return found


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────


def deep(levels: int) -> Json:
    found: Json = 0
    for _ in range(levels):
        found = {"a": [found]}
    return found


_LEAVES: tuple[Json, ...] = (
    *(None, True, False, 0, 1, -1, 2**53, 10**40, -(10**40), 0.5, 1e308, 253402300800),
    *([], {}, [[]], {"": ""}, ["x"] * 50, "", "x", " ", "x" * 3000, "9" * 5000, *NASTY[:20]),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-12-01T09:00:00"),
    *("2026-12-01T09:00:00Z", "PT1H", "P999999999D", "-PT1H", "P1Y", "2026-13-45", "2026-12-01"),
)
_LEVELS = {"deep": 40, "deeper": 150}
_NO_JSON = (float("nan"), float("inf"), float("-inf"))
_RAW = (
    *("NaN", "-Infinity", "1e999", "9" * 5000, "-0", "0x1f", "1_000", "01", "'x'", "undefined"),
    *('"\\ud800"', '"\\u0000"', '"\\udc00\\ud800"', "[" * 1500 + "]" * 1500, '"\\x"', "[1,]"),
)
_CHANGES = ("another value", "left out", "renamed", "in a list", "doubled", "raw", "twice")
_CHANGE = st.tuples(
    st.sampled_from(_CHANGES),
    st.integers(0, 4000),
    st.sampled_from((*_LEAVES, *_NO_JSON, *_LEVELS)),
    st.integers(0, len(_RAW) - 1),
)
_ONE_TO_THREE = st.lists(_CHANGE, min_size=1, max_size=3)
# Of the private use area, so that nobody writes them: what is between them goes out as it is, and
# a key that ends with the third goes out without that.
_BEGIN, _END, _AGAIN = "\ue000", "\ue001", "\ue002"


@st.composite
def _table(draw: st.DrawFn, valid: Sequence[Json]) -> Json:
    """A value as a JSON reader returns it, with a few parts taken out, renamed or replaced."""
    changes = [c for c in draw(_ONE_TO_THREE) if c[0] != "raw"]
    return _changed(deepcopy(draw(st.sampled_from(valid))), changes)


@st.composite
def _json_text(draw: st.DrawFn, valid: Sequence[Json]) -> str:
    """The same as text; with keys that stand there twice, numbers without end, and no end."""
    found = _changed(deepcopy(draw(st.sampled_from(valid))), draw(_ONE_TO_THREE))
    how = draw(st.integers(0, 7))
    written = _written(found, ascii_alone=how % 2 == 0)
    return written if how > 1 else _edited(written, draw(_EDITS))


@st.composite
def _json_bytes(draw: st.DrawFn, valid: Sequence[Json]) -> bytes:
    """The same as bytes, which may be none of UTF-8."""
    written = draw(_json_text(valid))
    match draw(st.integers(0, 9)):
        case 0:
            return written.encode("utf-16", errors="surrogatepass")
        case 1:
            return b"\xef\xbb\xbf" + written.encode(errors="surrogatepass")
        case 2:
            return written.encode("latin-1", errors="replace")
        case _:
            return written.encode(errors="surrogatepass")


def _changed(found: Json, changes: Sequence[tuple[str, int, Json, int]]) -> Json:
    holder = [found]
    for how, where, leaf, raw in changes:
        places = list(islice(_places(holder), 500))
        *way, last = places[where % len(places)]
        held: Json = holder
        for step in way:
            held = held[step]
        match how:
            case "another value" if isinstance(leaf, str) and leaf in _LEVELS:
                held[last] = deep(_LEVELS[leaf])
            case "another value":
                held[last] = deepcopy(leaf)
            case "raw":
                held[last] = f"{_BEGIN}{raw}{_END}"
            case "left out" if way:
                del held[last]
            case "renamed" if isinstance(held, dict):
                held[_key(leaf, last)] = held.pop(last)
            case "doubled" if isinstance(held, dict):
                more = leaf[:200] if isinstance(leaf, str) else "x"
                held[f"{last}{more}"] = deepcopy(held[last])
            case "twice" if isinstance(held, dict):
                held[f"{last}{_AGAIN}"] = deepcopy(leaf)
            case _:
                held[last] = [deepcopy(held[last])]
    return holder[0]


_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)")
_EDGES = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-12-01T09:00:00")


def _edges(valid: Json) -> Iterator[Json]:
    """With instants that are none in UTC, or nowhere; and with a key that acts on a terminal."""
    if isinstance(valid, dict):
        yield {"\u202e\n\x1b[31m": 1, **valid}
        yield {"x" * 5000: 1, **valid}
    for way in list(_places(valid)):
        holder = deepcopy(valid)
        held: Json = holder
        for step in way[:-1]:
            held = held[step]
        if isinstance(held[way[-1]], str) and _INSTANT.fullmatch(held[way[-1]]):
            for edge in _EDGES:
                held[way[-1]] = edge
                yield deepcopy(holder)


def _key(leaf: Json, last: str) -> str:
    return leaf[:5000] if isinstance(leaf, str) else f"{last}\n"


def _places(found: Json, way: Path = ()) -> Iterator[Path]:
    if len(way) > 40:
        return
    inside: Iterable[tuple[Any, Json]] = found.items() if isinstance(found, dict) else ()
    if isinstance(found, list):
        inside = enumerate(found)
    for name, part in inside:
        yield (*way, name)
        yield from _places(part, (*way, name))


def _written(found: Json, *, ascii_alone: bool) -> str:
    written = json.dumps(found, ensure_ascii=ascii_alone)
    for mark in (_BEGIN, _END, _AGAIN):
        written = written.replace(f"\\u{ord(mark):04x}", mark)
    for number, raw in enumerate(_RAW):
        written = written.replace(f'"{_BEGIN}{number}{_END}"', raw)
    return written.replace(_AGAIN, "")


# ── TOML ─────────────────────────────────────────────────────────────────────────────────────

_VALUES = (
    *("nan", "inf", "-inf", "0", "-1", "1e400", "9" * 5000, "0x" + "f" * 5000, '""', '"x"', "[]"),
    *("{}", "true", "[[]]", '"\\u0000"', '"\\u202e"', '"\\u001b[31m"', '"a\\nb"', '"\\U0001f511"'),
    *("2026-12-01", "09:00:00", "2026-12-01T09:00:00", "0001-01-01T00:00:00+14:00"),
    *("9999-12-31T23:59:59-14:00", "[" * 400 + "]" * 400, "[" * 9000, '"x', "'", '"""', "31d"),
    *('"' + "x" * 4000 + '"', '"1h\\n"', '"forever"', '"0s"', '"٣h"', "{a = 1, b.c = []}", "{a"),
    *('"3650000d"', '"P1D"', '"http://[x"', '"(a+)+$"', '["x", 1]', '["x", "x"]', '[""]'),
)
_LINES = (
    *("[a.b]", "[[a]]", '"\\u202e" = 1', '"" = 1', "x", "= 1", "a.b.c = 1", "\0", "\x1b[31m"),
    *(f"{'a.' * 300}b = 1", '"a\\nb" = 1', f"{'y' * 3000} = 1", "[", "\ufeff", "# \x01"),
)
_TOML_EDIT = st.tuples(
    st.sampled_from(("value", "line", "left out", "doubled", "renamed", "characters")),
    st.integers(0, 2000),
    st.sampled_from(_VALUES),
    st.sampled_from(_LINES),
)
_TOML_EDITS = st.lists(_TOML_EDIT, min_size=1, max_size=3)


@st.composite
def _toml(draw: st.DrawFn, valid: Sequence[str]) -> bytes:
    """A file of settings with a few lines wrong."""
    lines = draw(st.sampled_from(valid)).split("\n")
    for how, where, value, line in draw(_TOML_EDITS):
        at = where % len(lines)
        key, equals, _ = lines[at].partition(" = ")
        match how:
            case "value" if equals:
                lines[at] = f"{key} = {value}"
            case "renamed" if equals:
                lines[at] = lines[at].replace(key, f"{key}x" if where % 2 else key.upper(), 1)
            case "left out" if len(lines) > 1:
                del lines[at]
            case "doubled":
                lines.insert(at, lines[at])
            case "characters":
                lines[at] = _edited(lines[at], draw(_EDITS))
            case _:
                lines.insert(at, line)
    found = "\n".join(lines)
    return found.encode("utf-16" if draw(st.integers(0, 29)) == 0 else "utf-8", "surrogatepass")


_MUCH = 50_000
_TEXTS = ("", "\0", "\ud800", "x" * _MUCH, "9" * _MUCH, "\u202e" * 40, "(" * _MUCH, "a." * _MUCH)
_JSON = (
    *("", "null", "[]", "{}", '"\\ud800"', '{"\\ud800": "\\udfff", "é": 1.5}', "9" * _MUCH),
    *("[" * _MUCH, '{"a":' * _MUCH, '{"a":' * 900 + "1" + "}" * 900, "NaN", '{"a": 1e999}'),
    *('{"a": NaN}', "[" * 3000, '{"a":' * 1500, '{"a": 1, "a": 2}'),
)
_TABLES: tuple[Any, ...] = (
    None,
    [],
    {},
    "",
    "\ud800",
    {"\ud800": "\udfff"},
    10**5000,
    deep(150),
    [float("nan")],
)

TEXT = Mangled(near=_text, always=_TEXTS)
OCTETS = Mangled(near=_octets, always=(b"", b"\0", b"\xff\xfe", b"x" * _MUCH, b"<a>" * _MUCH))
TABLE = Mangled(near=_table, unharmed=deepcopy, always=_TABLES, edges=_edges)
JSON_TEXT = Mangled(
    near=_json_text,
    unharmed=json.dumps,
    always=_JSON,
    edges=lambda valid: map(json.dumps, _edges(valid)),
)
JSON_BYTES = Mangled(
    near=_json_bytes,
    unharmed=lambda valid: json.dumps(valid).encode(),
    edges=lambda valid: (json.dumps(each).encode() for each in _edges(valid)),
    always=(*(each.encode() for each in _JSON), b"\xff\xfe{}", b"\xef\xbb\xbf{}", b'{"a":"\xff"}'),
)
TOML = Mangled(
    near=_toml,
    unharmed=str.encode,
    always=(
        *(b"", b"\xff\xfe", b"\0", b"a = " + b"[" * _MUCH, b"a = " + b"9" * _MUCH, b"x" * _MUCH),
        *(b"a." * 400 + b"b = 1", b"[" + b"a." * 400 + b"b]", b'"\\ud800" = 1'),
    ),
)

# ── Too large ────────────────────────────────────────────────────────────────────────────────

Large = Callable[[int], str]

LARGE: tuple[Large, ...] = (
    lambda size: "x" * size,
    lambda size: "9" * size,
    lambda size: "-" * size,
    lambda size: " " * size,
    lambda size: "[" * size,
    lambda size: '{"a":' * (size // 5),
    lambda size: "[" * (size // 2) + "]" * (size // 2),
    lambda size: '"' + "\\u0000" * (size // 6) + '"',
    lambda size: "a." * (size // 2),
    lambda size: "\n" * size,
    lambda size: "a=&" * (size // 3),
    lambda size: "%41" * (size // 3),
    lambda size: "\u202e" * (size // 3),
    lambda size: "then 1 of a or b " * (size // 17),
)
"""Makes texts of so many characters, over which readers have stumbled."""
