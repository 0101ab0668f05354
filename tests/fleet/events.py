"""Events as nobody should send them: anything at all, and what is nearly an event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

Json = Any
Path = tuple[Any, ...]
"""Keys and positions that lead to a part of an event."""

_BY_HAND: list[Json] = [
    "\ud800",
    "\x00",
    "9" * 5000,
    "x" * 300_000,
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "1970-01-01T00:00:00+00:00",
    10**40,
    -1,
    1e308,
    {"N": []},
    {"S": {"S": []}},
    {"L": [1, {"M": 2}, {"M": {"text": {"S": "{}"}}}]},
]
"""What has broken readers before."""


def deep(levels: int = 400) -> Json:
    """Nested as deep as most readers take, and deeper than any event is."""
    found: Json = 0
    for _ in range(levels):
        found = {"a": [found]}
    return found


def junk() -> st.SearchStrategy[Json]:
    """Any JSON."""
    leaf = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=40)
        | st.sampled_from(_BY_HAND)
    )
    many = st.recursive(
        leaf,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        ),
        max_leaves=12,
    )
    return many | st.builds(deep)


@st.composite
def nearly(draw: st.DrawFn, events: list[Json]) -> Json:
    """One of these, with a few of its parts taken out, doubled, or replaced by anything."""
    event = deepcopy(draw(st.sampled_from(events)))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(event))
        if places:
            _change(draw, event, draw(st.sampled_from(places)))
    return event


def _change(draw: st.DrawFn, event: Json, place: Path) -> None:
    *way, last = place
    held: Any = event
    for step in way:
        held = held[step]
    how = draw(st.sampled_from(["replaced", "taken out", "in itself", "doubled"]))
    if how == "replaced":
        held[last] = deepcopy(draw(junk()))  # it may be changed next, and is drawn again
    elif how == "taken out":
        del held[last]
    elif how == "in itself":
        held[last] = {"S": json.dumps(held[last])}
    elif isinstance(held, list):
        held.append(deepcopy(held[last]))
    else:
        held[f"{last} "] = deepcopy(held[last])


def _places(event: Json, way: Path = ()) -> Iterator[Path]:
    inside: Any = ()
    if isinstance(event, dict):
        inside = event.items()
    elif isinstance(event, list):
        inside = enumerate(event)
    for name, part in inside:
        yield (*way, name)
        yield from _places(part, (*way, name))
