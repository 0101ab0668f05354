"""What one commit writes to the table, item by item, each behind its fence. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from jitcloud.model import GENESIS, Controls, Mark, Request, Sealed
from jitcloud.ports import Change, Control, Move
from jitcloud.stores import rules
from jitcloud.stores.dynamodb import items, keys, limits
from jitcloud.stores.dynamodb.expressions import ABSENT, Action, check, put, update
from jitcloud.stores.dynamodb.keys import Item, number, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One item that a commit writes, or only looks at."""

    what: Literal["request", "control", "control-seq", "slot", "mark", "added"]
    """What a failed condition speaks of; ``added`` has none."""
    name: str = ""
    action: Action
    mark: Mark | None = None
    """Of a mark: what is left where none is stored."""

    @property
    def key(self) -> Item:
        """Which item it is."""
        (asked,) = self.action.values()
        found: Item = asked.get("Key") or asked["Item"]
        return {"pk": found["pk"], "sk": found["sk"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that one commit writes."""

    commit: str
    """Stands in each item that is written: nobody else's commit is called that."""
    writes: tuple[Write, ...]

    @property
    def evidence(self) -> Item | None:
        """The item that shows whether it was written; None where nothing is.

        Events are never written over, so they show it for good.
        """
        written = [w for w in self.writes if "ConditionCheck" not in w.action]
        written.sort(key=lambda write: write.what != "added")
        return written[0].key if written else None


def plan(change: Change, table: str, commit: str) -> Plan:
    """Say what to write. Raises ``Refused`` for what DynamoDB does not take at once."""
    planned = Plan(commit=commit, writes=tuple(_writes(change, table, commit)))
    limits.check(change, [write.action for write in planned.writes])
    return planned


def _writes(change: Change, table: str, commit: str) -> Iterator[Write]:
    for move in change.moves:
        yield from _move(move, table, commit)
    if change.control is not None:
        yield from _control(change.control, change.control_seq, table, commit)
    elif change.control_seq is not None:
        yield _control_stands(change, change.control_seq, table)
    for slot in change.slots:
        condition, expected = _at_version(slot.version - 1)
        action = put(table, items.slot(slot, commit), condition, **expected)
        yield Write(what="slot", name=slot.key, action=action)
    for key, version in change.unmoved:
        condition, expected = _at_version(version)
        action = check(table, keys.key(keys.slot(key)), condition, **expected)
        yield Write(what="slot", name=key, action=action)
    for mark in rules.marks_due(change):
        yield Write(what="mark", action=kept(mark, table, commit), mark=mark)


def _move(move: Move, table: str, commit: str) -> Iterator[Write]:
    name = move.request.id
    condition, expected = _at_head(head_before(move.request, move.events))
    if move.events:
        action = put(table, items.snapshot(move, commit), condition, **expected)
    else:
        # Nothing has happened to it, so nothing of its snapshot may change either.
        action = _put_off(move, table, commit, condition, expected)
    yield Write(what="request", name=name, action=action)
    yield from _added(keys.request(name), move.events, table, commit)


def _put_off(move: Move, table: str, commit: str, condition: str, expected: Item) -> Action:
    key = keys.key(keys.request(move.request.id))
    expected = expected | {"commit": text(commit)}
    if move.wake_at is None:
        change = "SET #commit = :commit REMOVE #due, #wake"
        return update(table, key, change, condition, **expected)
    change = "SET #commit = :commit, #due = :due, #wake = :wake"
    wakes = items.waking(move.request, move.wake_at)
    return update(table, key, change, condition, **expected, **wakes)


def _control(control: Control, control_seq: int | None, table: str, commit: str) -> Iterator[Write]:
    after = control.controls
    condition, expected = _at_head(head_before(after, control.events))
    if control_seq == 0:
        condition = f"{condition} AND {ABSENT}"
    elif control_seq is not None:
        condition, expected = (
            f"{condition} AND #seq = :rests",
            expected | {"rests": number(control_seq)},
        )
    action = put(table, items.controls(after, commit), condition, **expected)
    yield Write(what="control", action=action)
    yield from _added(keys.CONTROLS, control.events, table, commit)
    for copy in range(keys.FENCES):
        stands = keys.key(keys.fence(copy)) | {"seq": number(after.seq), "commit": text(commit)}
        yield Write(what="added", action=put(table, stands))


def _control_stands(change: Change, seq: int, table: str) -> Write:
    names = (*(move.request.id for move in change.moves), *(slot.key for slot in change.slots), "")
    condition, expected = (ABSENT, {}) if seq == 0 else ("#seq = :seq", {"seq": number(seq)})
    action = check(table, keys.key(keys.fence_of(names[0])), condition, **expected)
    return Write(what="control-seq", action=action)


def _added(partition: str, events: Sequence[Sealed], table: str, commit: str) -> Iterator[Write]:
    # It is fenced by the snapshot alone. Whatever a stranger put there before keeps its own name,
    # so it neither stops this commit, which may be an end, nor is it written over.
    if events:
        yield Write(what="added", action=put(table, items.events(partition, events, commit)))


# ── Fences ───────────────────────────────────────────────────────────────────────────────────


def head_before(after: Request | Controls, events: Sequence[Sealed]) -> rules.Head:
    """Return where a trail must stand for these events to follow."""
    return after.seq - len(events), events[0].event.prev if events else after.head


def _at_head(head: rules.Head) -> tuple[str, Item]:
    seq, digest = head
    if seq == 0 and digest == GENESIS:
        return ABSENT, {}
    return "#seq = :before AND #head = :head", {"before": number(seq), "head": text(digest)}


def _at_version(version: int) -> tuple[str, Item]:
    if version == 0:
        return ABSENT, {}
    return "#version = :version", {"version": number(version)}


# ── Marks ────────────────────────────────────────────────────────────────────────────────────

_MADE_DUE = (
    "SET #version = if_not_exists(#version, :none) + :one, #body = if_not_exists(#body, :body),"
    " #due = :due, #commit = :commit, #wake = "
)
"""What any form of making a mark due does. None of them reads its body: whoever spoils a mark must
not thereby keep a grant from ending."""


_COUNTABLE = "(attribute_not_exists(#version) OR attribute_type(#version, :number))"
_IF = {
    comparison: f"(attribute_not_exists(#wake) OR #wake {comparison} :wake)"
    for comparison in ("<=", ">=")
}


def kept(mark: Mark, table: str, commit: str) -> Action:
    """Make a mark due that has no ``wake_at``, or one that is not later."""
    change = f"{_MADE_DUE}if_not_exists(#wake, :wake)"
    return _made_due(mark, table, commit, change, "<=")


def brought_forward(mark: Mark, table: str, commit: str) -> Action:
    """Make a mark due that has no ``wake_at``, or a later one."""
    return _made_due(mark, table, commit, f"{_MADE_DUE}:wake", ">=")


def made_due(mark: Mark, table: str, commit: str) -> Action:
    """Make a mark due, whatever it waits for."""
    return _made_due(mark, table, commit, f"{_MADE_DUE}:wake", None)


def made_anew(mark: Mark, table: str, commit: str) -> Action:
    """Write a mark over one that cannot be counted on: all is passed on once more."""
    return put(table, items.mark(mark, commit))


def _made_due(
    mark: Mark, table: str, commit: str, change: str, comparison: Literal["<=", ">="] | None
) -> Action:
    assert mark.wake_at is not None  # noqa: S101 - see rules.marks_due
    condition = _COUNTABLE if comparison is None else f"{_IF[comparison]} AND {_COUNTABLE}"
    return update(
        table,
        keys.key(keys.mark(mark.channel, mark.request)),
        change,
        condition,
        number=text("N"),
        none=number(0),
        one=number(1),
        body=items.mark(mark, commit)["body"],
        due=text(items.mark_shard(mark)),
        wake=keys.instant(mark.wake_at),
        commit=text(commit),
    )


def mark_at(mark: Mark, table: str, commit: str) -> Action:
    """Write a mark that is stored at one version less."""
    item = items.mark(mark, commit)
    if mark.version == 1:
        return put(table, item, ABSENT)
    return put(table, item, "#version = :before", before=number(mark.version - 1))
