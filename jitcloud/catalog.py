"""The catalog: everything that can be asked for, read from ``catalog.toml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import rfc8785
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from jitcloud.errors import Misconfigured, NotFound
from jitcloud.files import parse_table, read_toml, unknown_key
from jitcloud.local_time import zone_named
from jitcloud.model import Cloud, Entitlement, EntitlementId, GroupId, Privilege
from jitcloud.ports import Mechanisms
from jitcloud.text import NAME, NAME_RULE, did_you_mean, one_line, printable, quoted


def _name(text: str) -> str:
    if NAME.fullmatch(text) is None:
        message = f"{quoted(text)} is not a name; use {NAME_RULE}."
        raise ValueError(message)
    return text


def _title(text: str) -> str:
    return one_line(text, "title", limit=200)


def _group(text: str) -> str:
    return one_line(text, "group", limit=200)


def _zone(text: str) -> str:
    zone_named(text)
    return text


def _different(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        message = "a label stands here twice; keep one."
        raise ValueError(message)
    return names


def _project(text: str) -> str:
    return one_line(text, "project", limit=255)


def _different_projects(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        message = "a project stands here twice; keep one."
        raise ValueError(message)
    return names


def _plain(target: dict[str, object]) -> dict[str, object]:
    # The record keeps targets as canonical JSON, which has no dates, no NaN and no big integers.
    try:
        # Any: whether this is JSON is what the call finds out.
        rfc8785.dumps(cast(Any, target))
    except (rfc8785.CanonicalizationError, RecursionError) as exc:
        message = "keep to text, true or false, finite numbers, lists and tables of these."
        raise ValueError(message) from exc
    return target


_Name = Annotated[str, AfterValidator(_name)]
_Project = Annotated[str, AfterValidator(_project)]


class _Entry(BaseModel):
    """One ``[[entitlement]]`` table. Strict: nothing is converted, nothing unknown is skipped."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    id: _Name
    title: Annotated[str, AfterValidator(_title)]
    cloud: Cloud = Field(strict=False)  # strict would want the enum itself, not its text
    mechanism: str
    privilege: Privilege = Field(strict=False)
    environment: _Name
    owner: Annotated[str, AfterValidator(_group)]
    target: Annotated[dict[str, object], AfterValidator(_plain)] = {}
    labels: Annotated[list[_Name], AfterValidator(_different)] = []
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    ticket_projects: Annotated[list[_Project], AfterValidator(_different_projects)] = []
    unchecked_tickets: bool = False
    bound_votes: bool = False

    def entitlement(self) -> Entitlement:
        return Entitlement(
            id=EntitlementId(self.id),
            title=self.title,
            cloud=self.cloud,
            mechanism=self.mechanism,
            target=self.target,
            privilege=self.privilege,
            environment=self.environment,
            owner=GroupId(self.owner),
            labels=tuple(self.labels),
            zone=self.zone,
            ticket_projects=tuple(self.ticket_projects),
            unchecked_tickets=self.unchecked_tickets,
            bound_votes=self.bound_votes,
        )


@dataclass(frozen=True, slots=True)
class Catalog:
    """What can be asked for, in the order of the file."""

    _by_id: Mapping[EntitlementId, Entitlement]

    @classmethod
    def load(cls, path: Path, mechanisms: Mechanisms | None = None) -> Catalog:
        """Read the file and let the mechanisms check their targets.

        Raises ``Misconfigured`` with all that is wrong, a line each.
        """
        tables = read_toml(path)
        by_id: dict[EntitlementId, Entitlement] = {}
        wrong = [unknown_key(key, ["entitlement"]) for key in tables if key != "entitlement"]
        entries = tables.get("entitlement", [])
        if not isinstance(entries, list) or not entries:
            wrong.append("it lists nothing; begin an entitlement with the line [[entitlement]].")
            entries = []
        for number, table in enumerate(entries, start=1):
            where = f"entitlement {_shown_id(table) or f'number {number}'}"
            entry = parse_table(_Entry, table, where, wrong)
            if entry is None:
                continue
            entitlement = entry.entitlement()
            if entitlement.id in by_id:
                wrong.append(f"{where}: id: another entitlement has it too; rename one of them.")
            by_id[entitlement.id] = entitlement
            if mechanisms is not None:
                wrong += [f"{where}: {line}" for line in _checked(entitlement, mechanisms)]
        if wrong:
            raise Misconfigured("\n".join(f"{printable(path.name)}: {line}" for line in wrong))
        return cls(by_id)

    def get(self, entitlement: str) -> Entitlement:
        """Return one entitlement. Raises ``NotFound``."""
        found = self._by_id.get(EntitlementId(entitlement))
        if found is None:
            message = (
                f"The catalog has no {quoted(entitlement)}; list it to see what can be asked for."
                f"{did_you_mean(entitlement, self._by_id)}"
            )
            raise NotFound(message)
        return found

    def __iter__(self) -> Iterator[Entitlement]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)


def _shown_id(table: object) -> str:
    match table:
        case {"id": str(name)} if name:
            return quoted(name)
        case _:
            return ""


def _checked(entitlement: Entitlement, mechanisms: Mechanisms) -> list[str]:
    mechanism = mechanisms.get(entitlement.mechanism)
    if mechanism is None:
        known = sorted(mechanisms)
        message = (
            f"mechanism: {quoted(entitlement.mechanism)} is not known here;"
            f" use one of {', '.join(known)}.{did_you_mean(entitlement.mechanism, known)}"
        )
        return [message]
    family = entitlement.mechanism.partition(".")[0]
    wrong = [f"target: {line}" for line in mechanism.check(entitlement)]
    if family in set(Cloud) and family != entitlement.cloud:
        # Policy judges by the cloud that the catalog names; it must be the one that is changed.
        wrong.append(f"cloud: {entitlement.mechanism} grants in {family}; write that.")
    return wrong
