"""Rights as they are printed: taken apart, taken away singly, and given to a broker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Allowed:
    """That one action may be done to one thing."""

    action: str
    resource: str
    boundary: str = ""


def flat(documents: Iterable[Document]) -> set[Allowed]:
    """Everything that policies allow; they hold nothing else."""
    return {
        Allowed(action, resource, _boundary(statement))
        for document in documents
        for statement in _listed(document["Statement"])
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    }


def _boundary(statement: Mapping[str, Any]) -> str:
    assert statement["Effect"] == "Allow"
    assert statement.keys() <= {"Effect", "Action", "Resource", "Condition"}
    match statement.get("Condition"):
        case None:
            return ""
        case {"StringEquals": {"iam:PermissionsBoundary": str(boundary), **others}, **more}:
            assert not others
            assert not more
            return boundary
        case other:
            raise AssertionError(other)


def statements(allowed: Iterable[Allowed], users: Iterable[str] = ()) -> Iterator[dict[str, Any]]:
    """A statement for each, as the emulator judges them.

    It knows no ``iam:PermissionsBoundary``, and judges a change of a group by the user, where AWS
    judges by the group: so ``users`` are those who may be put into groups and taken out.
    """
    for one in allowed:
        by_user = one.action in {"iam:AddUserToGroup", "iam:RemoveUserFromGroup"}
        on = [one.resource, *(users if by_user else ())]
        yield {"Effect": "Allow", "Action": one.action, "Resource": on}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
