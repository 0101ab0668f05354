"""Who takes which place, so that as many as possible are taken: a bipartite matching."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence


def most_filled(places: Sequence[Iterable[Hashable]]) -> int:
    """Count the places that different people can fill; ``places`` holds who could take each.

    For each place an augmenting path is looked for, breadth first (not by recursion: many rules
    can add up to many places): whoever is free takes the place, or whoever holds another place
    leaves it to somebody who is.
    """
    place_of: dict[Hashable, int] = {}
    holder_of: dict[int, Hashable] = {}
    for start, _ in enumerate(places):
        reached_from: dict[Hashable, int] = {}
        queue = deque([start])
        while queue and start not in holder_of:
            place = queue.popleft()
            for person in places[place]:
                if person in reached_from:
                    continue
                reached_from[person] = place
                if person in place_of:
                    queue.append(place_of[person])
                    continue
                _reseat(person, reached_from, place_of, holder_of)
                break
    return len(holder_of)


def _reseat(
    person: Hashable,
    reached_from: Mapping[Hashable, int],
    place_of: dict[Hashable, int],
    holder_of: dict[int, Hashable],
) -> None:
    """Walk the path back: each one on it takes the place through which it was reached."""
    taker: Hashable | None = person
    while taker is not None:
        place = reached_from[taker]
        leaving = holder_of.get(place)
        holder_of[place], place_of[taker] = taker, place
        taker = leaving  # None once the place was free: that is where the path began
