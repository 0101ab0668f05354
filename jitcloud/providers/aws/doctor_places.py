"""Who is where jitcloud gives access, and whether that can be told from what others give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from jitcloud import slots, verdicts
from jitcloud.doctor import Finding, Grade
from jitcloud.errors import JitError
from jitcloud.model import Area, EntitlementId, Hold
from jitcloud.providers.aws import identity_center_places
from jitcloud.providers.aws.doctor_examination import Examination, further, gathered, unseen
from jitcloud.verdicts import Verdict

MOST_AREAS = 100
"""How many groups, permission sets in an account, roles or users one run lists."""

MOST_PAGES = 10
"""How many pages of each."""


@dataclass(slots=True)
class _Named:
    """An area, and which entitlements say what of it."""

    area: Area
    exclusive: list[EntitlementId] = field(default_factory=list)
    shared: list[EntitlementId] = field(default_factory=list)


def places(examination: Examination) -> Iterator[Finding]:
    """Look at each area in which something is granted."""
    found: dict[str, _Named] = {}
    for one in examination.entitlements:
        try:
            areas = examination.areas(one)
        except JitError as exc:
            yield unseen(f"entitlement {one.id}", str(exc))
            continue
        for area in areas:
            named = found.setdefault(area.key, _Named(area))
            is_shared = area.where.get("exclusive") is False
            (named.shared if is_shared else named.exclusive).append(one.id)
    listed = [
        (id_, key, key) for key, named in found.items() for id_ in (*named.exclusive, *named.shared)
    ]

    def look(about: str, key: str) -> Iterator[Finding]:
        yield from _area(examination, about, found[key])

    everything = gathered("place", listed)
    yield from examination.each(everything[:MOST_AREAS], look)
    if len(everything) > MOST_AREAS:
        yield further(len(everything), MOST_AREAS, "places")


def _area(examination: Examination, about: str, named: _Named) -> Iterator[Finding]:
    if named.exclusive and named.shared:
        yield Finding(
            grade=Grade.HARM,
            about=about,
            what=f"{', '.join(named.exclusive)} leaves it to jitcloud alone (exclusive), and"
            f" {', '.join(named.shared)} does not.",
            costs="A reconcile may end what others have given there, or leave what jitcloud has.",
            remedy="Say the same of it, exclusive or not, in all entitlements that give it.",
        )
    elif named.shared:
        if not examination.keeps_journal:
            yield _no_journal(about)
    else:
        yield from _strangers(examination, about, named.area)


def _no_journal(about: str) -> Finding:
    return Finding(
        grade=Grade.FAILURE,
        about=about,
        what="Others give access there too (exclusive = false), and no journal is kept.",
        costs="Grants of it fail: were the record lost, nothing would tell what was granted there"
        " from what others have given.",
        remedy="Name a file under [journal], on another disk than the record; or leave the place"
        " to jitcloud alone.",
    )


def _strangers(examination: Examination, about: str, area: Area) -> Iterator[Finding]:
    """Count who is there without a grant. Raises ``CloudError``."""
    kind, now = examination.kinds[area.kind], examination.now
    leaked, after = 0, None
    for _ in range(MOST_PAGES):
        looks = examination.looks
        ask = looks.spaced if area.kind == identity_center_places.KIND else looks.once
        page = ask(("ours", area.key, after), partial(kind.ours, area, after, now))
        known = {slot.key: slot for slot in examination.store.slots([p.key for p in page.found])}
        for place in page.found:
            hold = kind.hold(slots.at(place))
            verdict = verdicts.of_filled(known.get(place.key), hold, None, kind.settle, now)
            leaked += hold is not Hold.SHARED and verdict in {Verdict.LEAKED, Verdict.HELD}
        after = page.after
        if after is None:
            break
    if leaked:
        more = " at least" if after is not None else ""
        yield Finding(
            grade=Grade.HARM,
            about=about,
            what=f"{leaked} are there{more} without a grant that the record knows.",
            costs="They have access that nobody allowed here, and no end of it is known.",
            remedy="See who they are with `jitcloud reconcile --dry-run`, and end it with"
            " --end-leaked; or, if others may give access there, say exclusive = false.",
        )
    elif after is not None:
        yield Finding(
            grade=Grade.NOTICE,
            about=about,
            what=f"Its first {MOST_PAGES} pages were read, and there are more.",
            costs="Who is there without a grant beyond these stays unseen.",
            remedy="Run `jitcloud reconcile`, which reads all of it.",
        )
