"""Opens policy, catalog and people alone: what would be said needs no key, store or cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from jitcloud.adapters import directory_of, freezes_of
from jitcloud.catalog import Catalog
from jitcloud.errors import Misconfigured
from jitcloud.facts import as_if
from jitcloud.freezes import Freezes
from jitcloud.judge import Judge
from jitcloud.model import Ask, Decision, Person
from jitcloud.policy import Policy, World
from jitcloud.policy.advice import Decide
from jitcloud.policy.everybody import WithAnybody
from jitcloud.policy.known import Known
from jitcloud.policy.slices import cut
from jitcloud.policy.source import parse, read_folder
from jitcloud.ports import Directory
from jitcloud.settings import FILE, Settings, read_settings
from jitcloud.text import quoted

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """What decides, and nothing that grants."""

    texts: Mapping[str, str]
    policy: Policy
    catalog: Catalog
    directory: Directory
    freezes: Freezes

    def decide(self, ask: Ask, world: World) -> Decision:
        """Judge an ask as the broker does when it is made; only the cloud is not asked."""
        judge = Judge(self.policy, self.catalog, self.directory, {}, as_if(world))
        return judge.first(ask, None, ask.asked_at)

    def about(self, person: Person) -> Decide:
        """Return what judges asks of one person's the same, and faster if there are many."""
        return replace(self, policy=cut(self.policy, person)).decide

    def with_anybody(self) -> Rulebook:
        """Return the same with somebody in it who is in no group."""
        return replace(self, directory=WithAnybody(self.directory))


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where the configuration says that things are."""

    settings: Settings
    folder: Path

    @classmethod
    def of(cls, file: Path) -> Files:
        """Read ``jitcloud.toml`` alone, by its name or that of its folder."""
        file = file / FILE if file.is_dir() else file
        return cls(settings=read_settings(file), folder=file.parent)

    @property
    def policy(self) -> Path:
        """The folder of the rules."""
        return self.folder / self.settings.policy.folder

    def texts(self) -> dict[str, str]:
        """Read the rules."""
        return read_folder(self.policy)

    def catalog(self) -> Catalog:
        """Read the catalog. Its targets are for `jitcloud check`, which knows the clouds."""
        return Catalog.load(self.folder / self.settings.catalog)

    def directory(self) -> Directory:
        """Read who is who."""
        return directory_of(self.settings, self.folder)

    def freezes(self) -> Freezes:
        """Read the calendar of change freezes."""
        return freezes_of(self.settings)


def open_rulebook(file: Path) -> Rulebook:
    """Read all that decides. Raises ``Misconfigured`` with all that is wrong, a line each."""
    wrong: list[str] = []
    found = read(Files.of(file), wrong)
    if found is None:
        raise Misconfigured("\n".join(wrong))
    return found


def read(files: Files, wrong: list[str]) -> Rulebook | None:
    """Read all that decides, or add to ``wrong`` what keeps it from that, in every file."""
    texts = _read(files.texts, wrong)
    catalog = _read(files.catalog, wrong)
    directory = _read(files.directory, wrong)
    freezes = _read(files.freezes, wrong)
    if texts is None or catalog is None or directory is None or freezes is None:
        # What the rules name cannot be looked up; whether they are rules at all can.
        wrong += [
            str(finding) for name, text in (texts or {}).items() for finding in parse(name, text)[1]
        ]
        return None
    wrong += _owners(catalog, directory)
    policy = _read(lambda: Policy.from_texts(texts, catalog=catalog, directory=directory), wrong)
    if policy is None or wrong:
        return None
    return Rulebook(
        texts=texts, policy=policy, catalog=catalog, directory=directory, freezes=freezes
    )


def _read(what: Callable[[], T], wrong: list[str]) -> T | None:
    try:
        return what()
    except Misconfigured as exc:
        wrong += str(exc).splitlines()
        return None


def _owners(catalog: Catalog, directory: Directory) -> Iterator[str]:
    known = Known.ask(directory, catalog)
    for thing in catalog:
        complaint = known.group(thing.owner)
        if complaint is not None:
            yield f"catalog: entitlement {quoted(thing.id)}: owner: {complaint}"
