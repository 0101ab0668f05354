"""What a replay found, for people, for review, and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from jitcloud import shapes
from jitcloud.cli import say, words
from jitcloud.cli.matrices import counted
from jitcloud.cli.rejudging import Replayed
from jitcloud.durations import format_duration
from jitcloud.instants import iso
from jitcloud.model import Digest
from jitcloud.policy.changes import Change, Kind
from jitcloud.policy.golden import _line as csv_line  # its name is not public yet
from jitcloud.policy.replay import Skip
from jitcloud.policy.usage import FEWEST, Fate, Usage, usages

FIRST = 50
"""So many lines of a kind are shown to people, unless they ask for all."""

PEOPLE_OF_NOW = (
    "Who was in which group, on call, or whose manager then: no record keeps that, so everybody"
    " is judged as the directory has them now."
)

SETS_TO_THEIR_END = (
    "Whether credentials were used: a set that was fetched counts as used until it expired."
)
WITHOUT_FACTS = (
    "recorded without the facts of then, and judged with no change freeze, and with no ticket or"
    " incident looked up."
)
MOVED = "for what the catalog has otherwise by now, and judged by that."
RETIRED = "for what the catalog no longer has, and judged by what it had then."

_WORDS = {
    Kind.REFUSED: "would be refused, and were not",
    Kind.LET_IN: "would be let in, and were refused",
    Kind.NEEDS_YES: "would take a yes, and were let in at once",
    Kind.AT_ONCE: "would be let in at once, and took a yes",
    Kind.HEAVIER: "would take more yeses, or a stricter review",
    Kind.LIGHTER: "would take fewer yeses, or a milder review",
    Kind.OTHERS: "would take the yes of other people",
    Kind.UNCHANGED: "would be answered as they were",
}

_SKIPPED = {
    Skip.GONE: "of people whom the directory no longer has.",
    Skip.DISABLED: "of people whom the directory has disabled.",
    Skip.NOT_BY_RULES: "refused before any rule was asked, as while a brake was on.",
    Skip.UNDECIDED: "to which nothing was ever said.",
}

_COLUMNS = (
    *("kind", "person", "name", "entitlement", "times", "first", "last", "shortest", "longest"),
    *("then", "now", "rules", "already", "last request"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a replay found, and what was asked of it."""

    found: Replayed
    digest: Digest
    folder: Path | None
    """Of the proposed rules; None for those of the configuration."""
    since: datetime | None
    cut: float

    def text(self, most: int | None) -> None:
        """Write it for people; no more than so many lines of a kind."""
        say.line(self._headline())
        for kind in Kind:
            count = self.found.changes.counts[kind]
            if count:
                say.line(f"{count:>9,}  {_WORDS[kind]}")
        changes = [_change_line(each) for each in self.found.changes.told()]
        _part("", changes, most)
        used = sorted(self._usages(), key=lambda each: each.proposed is None)
        _part("How long access was used:", [_usage_line(each, self.cut) for each in used], most)
        _part("Not judged again:", list(self._left_out()), most)
        _part("What this cannot see:", list(self._unseen()), None)

    def csv(self) -> None:
        """Write the changes as CSV, and on stderr what is not among them."""
        say.verbatim(csv_line(_COLUMNS))
        for change in self.found.changes.told():
            say.verbatim(csv_line(_cells(change)))
        for line in self._left_out():
            say.aside(f"jitcloud: not judged again: {line}")

    def shape(self) -> shapes.Table:
        """Return all of it."""
        found = self.found
        return {
            "policy_sha256": self.digest,
            "since": None if self.since is None else iso(self.since),
            "judged": found.judged,
            "counts": {str(kind): found.changes.counts[kind] for kind in Kind},
            "changes": [_change_shape(change) for change in found.changes.told()],
            "cut": self.cut,
            "usage": [_usage_shape(usage) for usage in self._usages()],
            "skipped": {
                "tampered": [
                    {"request": name, "message": message} for name, message in found.tampered
                ],
                **{str(skip): found.skipped[skip] for skip in Skip},
                "people": [
                    {"person": person, "requests": count}
                    for person, count in sorted(found.missing.items())
                ],
                "left_out": found.left_out,
            },
            "assumed": {
                "without_facts": found.without_facts,
                "retired": found.retired,
                "moved": found.moved,
            },
            "unseen": list(self._unseen()),
        }

    def _usages(self) -> tuple[Usage, ...]:
        return usages(self.found.sessions, self.cut)

    def _headline(self) -> str:
        since = "" if self.since is None else f" asked since {iso(self.since)}"
        rules = "of the configuration" if self.folder is None else f"in {self.folder}"
        if not self.found.judged:
            return f"The record holds no request{since} that could be judged again."
        return (
            f"{counted(self.found.judged, 'request')}{since}, judged again by the rules {rules}"
            f" (policy {self.digest[:12]}):"
        )

    def _left_out(self) -> Iterator[str]:
        found = self.found
        for name, message in found.tampered:
            yield message if name in message else f"{name}: {message}"
        for skip, text in _SKIPPED.items():
            if found.skipped[skip]:
                yield f"{counted(found.skipped[skip], 'request')} {text}"
        if found.missing:
            people = (f"{person} ({count:,})" for person, count in sorted(found.missing.items()))
            yield f"Gone or disabled: {', '.join(people)}."
        if found.left_out:
            yield f"{counted(found.left_out, 'older request')}."

    def _unseen(self) -> Iterator[str]:
        found = self.found
        yield PEOPLE_OF_NOW
        if found.sessions:
            yield SETS_TO_THEIR_END
        for count, text in (
            (found.without_facts, WITHOUT_FACTS),
            (found.moved, MOVED),
            (found.retired, RETIRED),
        ):
            if count:
                yield f"{counted(count, 'request')}: {text}"


def _part(heading: str, lines: Sequence[str], most: int | None) -> None:
    if not lines:
        return
    say.line()
    if heading:
        say.line(heading)
    mark = "- " if heading else ""
    shown = lines[:most]
    for line in shown:
        say.line(f"{mark}{line}")
    if len(shown) < len(lines):
        say.line(f"… and {counted(len(lines) - len(shown), 'more line')}; --all shows them.")


def _change_line(change: Change) -> str:
    what = change.what
    times = "once" if len(change.requests) == 1 else f"{len(change.requests):,} times, last"
    then = words.decision(what.then).rstrip(".")
    already = " (and by the rules in force)" if what.already else ""
    return (
        f"{what.kind:<9}  {what.name} ({what.person}): {what.entitlement} for {_lasting(change)},"
        f" {times} on {change.last:%Y-%m-%d}: {then}; now{already} {words.decision(what.now)}"
    )


def _lasting(change: Change) -> str:
    shortest, longest = format_duration(change.shortest), format_duration(change.longest)
    return shortest if shortest == longest else f"{shortest} to {longest}"


def _cells(change: Change) -> Iterator[str]:
    what = change.what
    yield from (what.kind, what.person, what.name, what.entitlement, str(len(change.requests)))
    yield from (iso(change.first), iso(change.last))
    yield from map(format_duration, (change.shortest, change.longest))
    yield from map(words.decision, (what.then, replace(what.now, rules=())))
    yield ", ".join(what.now.rules)
    yield "" if what.already is None else ("yes" if what.already else "no")
    yield change.requests[-1]


def _change_shape(change: Change) -> shapes.Table:
    what = change.what
    return {
        "kind": str(what.kind),
        "person": what.person,
        "name": what.name,
        "entitlement": what.entitlement,
        "requests": list(change.requests),
        "first": iso(change.first),
        "last": iso(change.last),
        "shortest": _seconds(change.shortest),
        "longest": _seconds(change.longest),
        "then": shapes.of_decision(what.then),
        "now": shapes.of_decision(what.now),
        "already": what.already,
    }


def _usage_line(usage: Usage, cut: float) -> str:
    whose = usage.id if usage.of == "entitlement" else f"by rule {usage.id}"
    parts = [f"{format_duration(usage.longest)} allowed, {_proposal(usage, cut)}"]
    if usage.median is not None and usage.most is not None:
        median, most = format_duration(usage.median), format_duration(usage.most)
        parts.append(f"median {median}, 95 of 100 within {most}")
    for fate, text in ((Fate.NEVER_USED, "never used"), (Fate.RUNNING, "not over yet")):
        if usage.fates[fate]:
            parts.append(f"{usage.fates[fate]:,} {text}")
    return f"{whose}: {'; '.join(parts)}."


def _proposal(usage: Usage, cut: float) -> str:
    count = usage.sessions
    if usage.proposed is not None:
        step = usage.proposed
        window, share = format_duration(step.window), _percent(step.share)
        return f"{window} would have cut {step.cut:,} of {count:,} ({share})"
    if count < FEWEST:
        return f"used {counted(count, 'time')}: too seldom to propose less"
    if not usage.steps:
        return "the shortest there is"
    return f"and anything less would have cut more than {_percent(cut)} of {count:,}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _usage_shape(usage: Usage) -> shapes.Table:
    return {
        "of": usage.of,
        "id": usage.id,
        "sessions": usage.sessions,
        "never_used": usage.fates[Fate.NEVER_USED],
        "running": usage.fates[Fate.RUNNING],
        "asked": [{"duration": _seconds(asked), "times": times} for asked, times in usage.asked],
        "longest": _seconds(usage.longest),
        "median": None if usage.median is None else _seconds(usage.median),
        "most": None if usage.most is None else _seconds(usage.most),
        "steps": [
            {"window": _seconds(step.window), "cut": step.cut, "share": step.share}
            for step in usage.steps
        ],
        "proposed": None if usage.proposed is None else _seconds(usage.proposed.window),
    }


def _seconds(duration: timedelta) -> int:
    return duration // timedelta(seconds=1)
