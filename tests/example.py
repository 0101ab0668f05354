"""The example organisation: its policy, catalog and people, and asks to judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jitcloud.catalog import Catalog
from jitcloud.directories.static import StaticDirectory
from jitcloud.durations import parse_duration
from jitcloud.model import Ask, Decision, Person, PersonId, Window
from jitcloud.policy import Policy, World
from jitcloud.ports import Directory

FOLDER = Path(__file__).parent / "fixtures" / "example-policy"
TUESDAY = datetime(2030, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    directory: Directory = field(
        default_factory=lambda: StaticDirectory(FOLDER / "people.toml"),
    )
    catalog: Catalog = field(default_factory=lambda: Catalog.load(FOLDER / "catalog.toml"))

    def texts(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in FOLDER.glob("*.cedar")}

    def policy(self, texts: Mapping[str, str] | None = None) -> Policy:
        return Policy.from_texts(
            self.texts() if texts is None else texts,
            catalog=self.catalog,
            directory=self.directory,
        )

    def person(self, name: str) -> Person:
        return self.directory.person(f"u-{name}")

    def ask(  # noqa: PLR0913 - every fact of an ask can matter
        self,
        who: str,
        what: str,
        duration: str = "1h",
        *,
        mfa: str | None = "5m",
        ticket: str | None = None,
        incident: str | None = None,
        at: datetime = TUESDAY,
    ) -> Ask:
        return Ask(
            person=PersonId(f"u-{who}"),
            entitlement=self.catalog.get(what),
            duration=parse_duration(duration),
            justification="To see what happens",
            asked_at=at,
            mfa_age=None if mfa is None else parse_duration(mfa),
            ticket=ticket,
            incident=incident,
        )

    def judge(
        self,
        policy: Policy,
        ask: Ask,
        world: World | None = None,
        person: Person | None = None,
    ) -> Decision:
        return policy.judge(
            ask,
            person or self.directory.person(ask.person),
            world or World(),
            Window(start=ask.asked_at, deadline=ask.asked_at + ask.duration),
        )


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)
