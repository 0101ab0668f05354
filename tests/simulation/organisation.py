"""The organisation of the simulation: its people, its rules, and what may be asked for.

Whatever is read from text is read once a process, however many worlds there are.
"""

from __future__ import annotations

import hashlib
import hmac
import tempfile
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jitcloud.audit.keys import Ed25519Signer
from jitcloud.catalog import Catalog
from jitcloud.directories.static import StaticDirectory
from jitcloud.errors import NotFound, Tampered, Unavailable
from jitcloud.model import Entitlement, GroupId, Person, PersonId, RotationId, Signature
from jitcloud.policy import Policy, evaluate
from jitcloud.ports import Mechanism, Signer, Verifier
from jitcloud.text import quoted
from tests.simulation.chaos import Injector
from tests.simulation.stage import PEOPLE

LEADS = ("ben", "caro", "dee")
DIRECTORY = "".join(
    f'[[person]]\nid = "{name}"\nname = "{name.capitalize()}"\nemails = ["{name}@example.com"]\n'
    for name in PEOPLE
) + "\n".join(
    f"[groups.{group}]\nmembers = {list(members)}".replace("'", '"')
    for group, members in (("developers", PEOPLE), ("leads", LEADS))
)

RULES = """
@id("dev-self-serve")
permit (principal in Group::"developers", action == Action::"activate",
        resource in Environment::"dev")
when { context.duration <= duration("8h") };

@id("prod")
@approval("1 of resource.owner")
permit (principal in Group::"developers", action == Action::"request",
        resource in Environment::"prod")
when { resource.privilege != Privilege::"admin" && context.duration <= duration("4h") };

@id("prod-admin")
@approval("2 of leads")
@escalate("after 5m to developers")
permit (principal in Group::"developers", action == Action::"request",
        resource in Environment::"prod")
when { resource.privilege == Privilege::"admin" && context.duration <= duration("1h") };

@id("glass")
@review("within 1h by leads")
permit (principal in Group::"developers", action == Action::"breakGlass",
        resource in Environment::"prod")
when { context.duration <= duration("30m") };

@id("may-stop")
permit (principal in Group::"leads", action == Action::"stop", resource);

@id("may-end")
permit (principal in Group::"leads", action == Action::"end", resource);
"""

TIGHT = """
@id("no-admin")
@because("Nobody administers anything this week.")
forbid (principal, action in [Action::"request", Action::"activate", Action::"breakGlass"],
        resource)
when { resource.privilege == Privilege::"admin" };
"""
"""Rules that are added for a while: what waits for its start is then not let in."""


@dataclass(frozen=True)
class People:
    """Who is who, as a file of people said once."""

    persons: Mapping[str, Person]
    of_group: Mapping[str, frozenset[PersonId]]

    def person(self, handle: str) -> Person:
        """Find somebody by id. Raises ``NotFound``."""
        if handle not in self.persons:
            raise NotFound(f"Nobody here is called {quoted(handle)}.")
        return self.persons[handle]

    def members(self, group: GroupId) -> frozenset[PersonId] | None:
        """Who is in a group."""
        return self.of_group.get(group)

    def on_call(self, rotation: RotationId) -> frozenset[PersonId] | None:  # noqa: ARG002 - there is none
        """Nobody: there are no rotations."""
        return None

    def groups(self) -> frozenset[GroupId]:
        """Every group."""
        return frozenset(GroupId(name) for name in self.of_group)

    def rotations(self) -> frozenset[RotationId]:
        """None of them."""
        return frozenset()


@cache
def people() -> People:
    """Read who is who, once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.toml"
        path.write_text(DIRECTORY)
        read = StaticDirectory(path)
        return People(
            {name: read.person(name) for name in PEOPLE},
            {group: read.members(group) or frozenset() for group in read.groups()},
        )


_entitlements: dict[str, tuple[Entitlement, ...]] = {}


def entitlements(text: str, mechanisms: Mapping[str, Mechanism]) -> tuple[Entitlement, ...]:
    """Read a stage's part of the catalog, once; its own mechanisms check it."""
    if text not in _entitlements:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "catalog.toml"
            path.write_text(text)
            _entitlements[text] = tuple(Catalog.load(path, mechanisms))
    return _entitlements[text]


_policies: dict[str, Policy] = {}

# The same people ask for the same things in every world, and Cedar answers the same: a process
# asks it but once. A deployment remembers less.
evaluate.ANSWERS = 16_384


def policy(text: str) -> Policy:
    """Read a policy text, once; whichever of the catalogs a world has, it means the same."""
    if text not in _policies:
        known = tuple(each for every in _entitlements.values() for each in every)
        named = {each.environment for each in known}
        stand_ins = () if {"dev", "prod"} <= named else _stand_ins(known)
        _policies[text] = Policy.from_texts(
            {"rules.cedar": text}, catalog=(*known, *stand_ins), directory=people()
        )
    return _policies[text]


def _stand_ins(known: Iterable[Entitlement]) -> Iterable[Entitlement]:
    """What has the environments that the rules name, where a world has none of one."""
    first = next(iter(known))
    return (replace(first, environment="dev"), replace(first, environment="prod"))


@dataclass
class Directory:
    """Who is who, with faults, and with people who come and go."""

    chaos: Injector
    gone: set[str] = field(default_factory=set)
    """Who is disabled just now."""

    def person(self, handle: str) -> Person:
        self._asked()
        found = people().person(handle)
        return replace(found, disabled=True) if found.id in self.gone else found

    def members(self, group: GroupId) -> frozenset[PersonId] | None:
        self._asked()
        return people().members(group)

    def on_call(self, rotation: RotationId) -> frozenset[PersonId] | None:
        self._asked()
        return people().on_call(rotation)

    def groups(self) -> frozenset[GroupId] | None:
        return people().groups()

    def rotations(self) -> frozenset[RotationId] | None:
        return people().rotations()

    def _asked(self) -> None:
        if self.chaos.strikes("directory", "unavailable", 0.003):
            raise Unavailable("The simulated directory cannot be asked just now.")


@dataclass(frozen=True)
class QuickSigner:
    """Signs by a shared secret: as hard to forge here as a key pair, and far cheaper."""

    key: str = "simulated"
    secret: bytes = field(default=b"k" * 32, repr=False)

    def sign(self, message: bytes) -> Signature:
        return Signature(key=self.key, value=self._value(message))

    def verify(self, message: bytes, signature: Signature) -> None:
        if signature.key != self.key or signature.value != self._value(message):
            raise Tampered("The signature does not hold.")

    def _value(self, message: bytes) -> str:
        return b64encode(hmac.digest(self.secret, message, hashlib.sha256)).decode()


def quick_signer() -> tuple[Signer, Verifier]:
    """A signer of most worlds, and who believes it."""
    signer = QuickSigner()
    return signer, signer


def true_signer() -> tuple[Signer, Verifier]:
    """The signer of one machine, and who believes it."""
    signer = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"k" * 32))
    return signer, signer.verifier()


@dataclass(frozen=True)
class FlakySigner:
    """A signer that is unavailable at times, as one that a KMS keeps."""

    signer: Signer
    chaos: Injector

    @property
    def key(self) -> str:
        return self.signer.key

    def sign(self, message: bytes) -> Signature:
        if self.chaos.strikes("signer", "unavailable", 0.01):
            raise Unavailable("The simulated key cannot sign just now.")
        return self.signer.sign(message)
