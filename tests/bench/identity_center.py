"""The end of a shift, against AWS's limits; and how many calls a life takes, and a comparison."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from tests.aws.center_world import reaching
from tests.aws.identity_center_counts import a_comparison, calls_of_a_life
from tests.aws.identity_center_storm import LIMIT, OUTSTANDING, RATE, Storm, storm
from tests.bench.figures import Figure
from tests.bench.timing import Say

ENDS, WAITING = 600, 50

TAKES = (timedelta(seconds=1), timedelta(seconds=5))
"""How long Identity Center takes to delete one, which AWS does not say. Where it takes less than
three seconds for two, the calls are what limits most, and else what is under way at a time."""


OTHERS = (0, 500, 50_000)
MOST_CALLS = 10
"""Of a person with one name; each further one is looked up as well."""

ASSIGNMENTS = 10_000
MOST_OF_THE_PAGES = 1.1


def measure(folder: Path, say: Say) -> Iterable[Figure]:
    yield from _storms(folder, say)
    with reaching() as reach:
        for others in OTHERS:
            say(f"a life among {others:,} others")
            place = folder / f"among-{others}"
            place.mkdir()
            yield Figure(
                name=f"calls-among-{others}",
                what=f"calls to AWS from an ask to its end, among {others:,} other assignments",
                value=calls_of_a_life(reach, place, others),
                unit="calls",
                limit=MOST_CALLS,
            )
        say(f"a reconcile of {ASSIGNMENTS:,} assignments")
        place = folder / "compared"
        place.mkdir()
        found = a_comparison(reach, place, ASSIGNMENTS)
    if not found.compared.is_finished or found.compared.tally.leaked != ASSIGNMENTS:
        raise AssertionError(found.compared)
    yield Figure(
        name=f"reconcile-{ASSIGNMENTS}",
        what=f"calls of a reconcile of {ASSIGNMENTS:,} assignments / the pages they are on",
        value=found.calls / found.pages,
        unit="x",
        limit=MOST_OF_THE_PAGES,
        parts={"calls": found.calls, "pages": found.pages},
    )


def _storms(folder: Path, say: Say) -> Iterable[Figure]:
    for takes in TAKES:
        seconds = takes.total_seconds()
        say(f"{ENDS} ends at one instant, each of which takes {seconds:g} s")
        place = folder / f"{seconds:g}"
        place.mkdir()
        yield _figure(storm(place, ends=ENDS, waiting=WAITING, takes=takes), seconds)


def _figure(went: Storm, takes: float) -> Figure:
    if not went.removals_went_first:
        raise AssertionError("somebody was let in before all had been told to be taken out")
    stays = went.overstays
    return Figure(
        name=f"ends-at-once-{takes:g}s",
        what=(
            f"until {ENDS} grants that end at once are known to be gone / "
            f"what {RATE} calls a second and {OUTSTANDING} at a time allow"
        ),
        value=went.ratio,
        unit="x",
        limit=LIMIT,
        parts={
            "overstay p50 (s)": stays[len(stays) // 2].total_seconds(),
            "overstay p99 (s)": stays[len(stays) * 99 // 100].total_seconds(),
            "overstay max (s)": stays[-1].total_seconds(),
            "known to be gone (s)": went.over_after.total_seconds(),
            "the limits allow (s)": went.floor.total_seconds(),
            "calls until then": len(went.heard),
            "throttled by AWS": went.throttled,
            "put off (times a place)": went.pace.put_off.total() / (ENDS + WAITING),
        },
        notes=(
            "In emulated time, by a broker that has just started.",
            f"{WAITING} more wait to get in: not one is before AWS is told to take out the last.",
            f"Each deletion takes {takes:g} s. Gone is what a list shows ten seconds later.",
        ),
    )
