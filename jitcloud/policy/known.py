"""The ids a rule may name: those of the directory and of the catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cedarpy import pst

from jitcloud.errors import NotFound, Refused
from jitcloud.model import Approver, Entitlement, GroupId, RotationId
from jitcloud.policy.source import Rule
from jitcloud.ports import Directory
from jitcloud.text import did_you_mean, quoted


@dataclass(frozen=True, slots=True)
class Known:
    """Answers whether an id that Cedar cannot check means anything here."""

    directory: Directory
    groups: frozenset[str] | None
    rotations: frozenset[str] | None
    environments: frozenset[str]
    labels: frozenset[str]
    entitlements: frozenset[str]

    @classmethod
    def ask(cls, directory: Directory, catalog: Iterable[Entitlement]) -> Known:
        catalog = list(catalog)
        return cls(
            directory=directory,
            groups=directory.groups(),
            rotations=directory.rotations(),
            environments=frozenset(entry.environment for entry in catalog),
            labels=frozenset(label for entry in catalog for label in entry.labels),
            entitlements=frozenset(entry.id for entry in catalog),
        )

    def complaint(self, uid: pst.EntityUid) -> str | None:
        """Return what is wrong with an entity that a rule names, if anything is."""
        # Cloud, Privilege and Action are closed in the schema: Cedar's validator checks them.
        checks: dict[str, Callable[[str], str | None]] = {
            "Group": self.group,
            "Rotation": self.rotation,
            "Environment": lambda id_: _listed(id_, self.environments, "environment", "catalog"),
            "Label": lambda id_: _listed(id_, self.labels, "label", "catalog"),
            "Entitlement": lambda id_: _listed(id_, self.entitlements, "entitlement", "catalog"),
            "User": self._person,
            "Request": lambda _: "a rule cannot name one request; say what is true of it instead.",
            "Brake": lambda _: "a rule cannot name one brake; say what is true of it instead.",
        }
        check = checks.get(str(uid.type))
        return None if check is None else check(uid.id)

    def approver(self, who: Approver) -> str | None:
        """Return what is wrong with somebody an annotation names, if anything is."""
        return self.rotation(who.id) if who.kind == "rotation" else self.group(who.id)

    def group(self, name: str) -> str | None:
        if self.groups is None:
            return _asked(name, lambda: self.directory.members(GroupId(name)), "group")
        return _listed(name, self.groups, "group", "directory")

    def rotation(self, name: str) -> str | None:
        if self.rotations is None:
            return _asked(name, lambda: self.directory.on_call(RotationId(name)), "rotation")
        return _listed(name, self.rotations, "rotation", "directory")

    def _person(self, handle: str) -> str | None:
        try:
            person = self.directory.person(handle)
        except (NotFound, Refused):
            return f"the directory knows nobody with the id {quoted(handle)}; take it out."
        if person.id != handle:
            return f"{quoted(handle)} is an alias; write the id {quoted(person.id)} instead."
        return None


def named(rules: Iterable[Rule], kind: str) -> frozenset[str]:
    """Return the ids of every entity of a kind that a rule names."""
    return frozenset(found.id for rule in rules for found in rule.names if str(found.type) == kind)


def _listed(name: str, known: Iterable[str], what: str, where: str) -> str | None:
    if name in known:
        return None
    return (
        f"the {where} has no {what} {quoted(name)}; correct it or add it there."
        f"{did_you_mean(name, sorted(known))}"
    )


def _asked(name: str, find: Callable[[], object], what: str) -> str | None:
    if find() is not None:
        return None
    return f"the directory has no {what} {quoted(name)}; correct it or add it there."
