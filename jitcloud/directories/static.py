"""A directory in one file, ``people.toml``: for a trial, a small team, and tests."""

from __future__ import annotations

import graphlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from jitcloud.errors import Invalid, Misconfigured, NotFound
from jitcloud.files import MIB, parse_table, read_toml, unknown_key
from jitcloud.model import GroupId, Person, PersonId, RotationId
from jitcloud.text import did_you_mean, one_line, printable, quoted


def _line(text: str) -> str:
    return one_line(text, "text", limit=200)


_Line = Annotated[str, AfterValidator(_line)]

# What AWS says of a caller: see identities/aws_principals.py. A role's path is not part of that.
_AWS = re.compile(
    r"arn:[a-z-]+:iam::[0-9]{12}:(?:user/[!-~]{1,576}|role/[\w+=,.@-]{1,64})|A(?:ID|RO)A[A-Z0-9]{12,124}",
    re.ASCII,
)


def _aws(text: str) -> str:
    if _AWS.fullmatch(text) is None:
        message = (
            f"{quoted(text)} is neither the ARN of an IAM user or role nor the id of one; leave a"
            " role's path out."
        )
        raise ValueError(message)
    return text


_KEYS = ("person", "groups", "rotations")

T = TypeVar("T", bound=BaseModel)


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Person(_Table):
    id: _Line
    name: _Line
    emails: list[_Line] = []
    aws: list[Annotated[str, AfterValidator(_aws)]] = []
    manager: _Line | None = None
    disabled: bool = False


class _Group(_Table):
    members: list[_Line] = []
    groups: list[_Line] = []


class _Rotation(_Table):
    on_call: list[_Line] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class _People:
    """The file as read, nesting resolved."""

    by_id: Mapping[str, Person]
    by_email: Mapping[str, Person]
    """By case-folded e-mail."""
    by_aws: Mapping[str, Person]
    """By what AWS calls them, to the letter."""
    members: Mapping[GroupId, frozenset[PersonId]]
    on_call: Mapping[RotationId, frozenset[PersonId]]


class StaticDirectory:
    """Reads the file anew whenever it has changed, so that leaving a group counts at once.

    A change is seen by size, inode and times. While the file is broken every question raises
    ``Misconfigured``: what was true before it broke may not be true any more.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[tuple[int, ...], _People] | None = None
        self._people()

    def person(self, handle: str) -> Person:
        people = self._people()
        found = (
            people.by_id.get(handle)
            or people.by_email.get(handle.casefold())
            or people.by_aws.get(handle)
        )
        if found is None:
            message = f"Nobody in the directory has the id or e-mail {quoted(handle)}."
            raise NotFound(message)
        return found

    def members(self, group: GroupId) -> frozenset[PersonId] | None:
        return self._people().members.get(group)

    def on_call(self, rotation: RotationId) -> frozenset[PersonId] | None:
        return self._people().on_call.get(rotation)

    def groups(self) -> frozenset[GroupId]:
        return frozenset(self._people().members)

    def rotations(self) -> frozenset[RotationId]:
        return frozenset(self._people().on_call)

    def _people(self) -> _People:
        try:
            stat = self._path.stat()  # before reading: a change in between is read next time
        except OSError as exc:
            message = f"{printable(self._path.name)} cannot be read ({exc.strerror}); put it back."
            raise Misconfigured(message) from exc
        stamp = (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)
        read = self._read
        if read is None or read[0] != stamp:
            read = (stamp, _load(self._path))
            self._read = read
        return read[1]


def _load(path: Path) -> _People:
    """Read and check all of it. Raises ``Misconfigured`` with all that is wrong, a line each."""
    tables = read_toml(path, limit=8 * MIB)
    wrong: list[str] = []
    people, groups, rotations = _tables(tables, wrong)
    _check_handles(people, wrong)
    _check_references(people, groups, rotations, wrong)
    nested: dict[str, frozenset[str]] = {}
    if not wrong:
        nested = _closure(groups, wrong)
    if wrong:
        raise Misconfigured("\n".join(f"{printable(path.name)}: {line}" for line in wrong))
    return _resolved(people, nested, rotations)


def _tables(
    tables: Mapping[str, object], wrong: list[str]
) -> tuple[list[_Person], dict[str, _Group], dict[str, _Rotation]]:
    wrong += [unknown_key(key, _KEYS) for key in tables if key not in _KEYS]
    entries = tables.get("person", [])
    if not isinstance(entries, list):
        wrong.append("person: begin each person with the line [[person]].")
        entries = []
    people = [
        person
        for number, table in enumerate(entries, start=1)
        if (person := parse_table(_Person, table, f"person number {number}", wrong)) is not None
    ]
    groups = _named(tables, "groups", _Group, wrong)
    return people, groups, _named(tables, "rotations", _Rotation, wrong)


def _named(
    tables: Mapping[str, object], key: str, model: type[T], wrong: list[str]
) -> dict[str, T]:
    entries = tables.get(key, {})
    if not isinstance(entries, dict):
        wrong.append(f"{key}: this should be a table; begin it with the line [{key}].")
        entries = {}
    found: dict[str, T] = {}
    for name, table in entries.items():
        where = f"{key}.{printable(name[:200])}"
        try:
            one_line(name, "name", limit=200)
        except Invalid as exc:
            wrong.append(f"{where}: {exc}")
        entry = parse_table(model, table, where, wrong)
        if entry is not None:
            found[name] = entry
    return found


def _check_handles(people: Sequence[_Person], wrong: list[str]) -> None:
    """Refuse whatever would let one handle mean two people."""
    owner: dict[str, int] = {}
    for number, person in enumerate(people):
        for handle in (person.id, *person.emails, *person.aws):
            first = owner.setdefault(handle.casefold(), number)
            if first != number:
                wrong.append(
                    f"person {quoted(person.id)}: {quoted(handle)} is already an id, e-mail or"
                    f" AWS identity of person {quoted(people[first].id)}; give each their own."
                )


def _check_references(
    people: Iterable[_Person],
    groups: Mapping[str, _Group],
    rotations: Mapping[str, _Rotation],
    wrong: list[str],
) -> None:
    ids = {person.id for person in people}

    def check(where: str, names: Iterable[str], known: Iterable[str], what: str) -> None:
        known = set(known)
        wrong.extend(
            f"{where}: there is no {what} {quoted(name)}; add it or take it out."
            f"{did_you_mean(name, sorted(known))}"
            for name in names
            if name not in known
        )

    for person in people:
        if person.manager is not None:
            check(f"person {quoted(person.id)}: manager", [person.manager], ids, "person")
    for name, group in groups.items():
        check(f"groups.{printable(name)}: members", group.members, ids, "person")
        check(f"groups.{printable(name)}: groups", group.groups, groups, "group")
    for name, rotation in rotations.items():
        check(f"rotations.{printable(name)}: on_call", rotation.on_call, ids, "person")


def _closure(groups: Mapping[str, _Group], wrong: list[str]) -> dict[str, frozenset[str]]:
    """Return everybody in each group, those in nested groups included."""
    nesting = graphlib.TopologicalSorter({name: group.groups for name, group in groups.items()})
    try:
        inner_first = list(nesting.static_order())
    except graphlib.CycleError as exc:
        cycle = " in ".join(printable(str(name)) for name in exc.args[1])
        wrong.append(f"groups: a group cannot be in itself ({cycle}); take one link out.")
        return {}
    members: dict[str, frozenset[str]] = {}
    for name in inner_first:
        group = groups[name]
        members[name] = frozenset(group.members).union(*(members[inner] for inner in group.groups))
    return members


def _resolved(
    people: Sequence[_Person],
    members: Mapping[str, frozenset[str]],
    rotations: Mapping[str, _Rotation],
) -> _People:
    groups_of: dict[str, set[GroupId]] = defaultdict(set)
    for name, inside in members.items():
        for person in inside:
            groups_of[person].add(GroupId(name))
    rotations_of: dict[str, set[RotationId]] = defaultdict(set)
    for name, rotation in rotations.items():
        for person in rotation.on_call:
            rotations_of[person].add(RotationId(name))
    by_id = {
        entry.id: Person(
            id=PersonId(entry.id),
            name=entry.name,
            emails=tuple(entry.emails),
            groups=frozenset(groups_of[entry.id]),
            rotations=frozenset(rotations_of[entry.id]),
            manager=None if entry.manager is None else PersonId(entry.manager),
            disabled=entry.disabled,
        )
        for entry in people
    }
    return _People(
        by_id=by_id,
        by_email={email.casefold(): p for p in by_id.values() for email in p.emails},
        by_aws={name: by_id[entry.id] for entry in people for name in entry.aws},
        members={
            GroupId(name): frozenset(PersonId(person) for person in inside)
            for name, inside in members.items()
        },
        on_call={
            RotationId(name): frozenset(PersonId(person) for person in rotation.on_call)
            for name, rotation in rotations.items()
        },
    )
