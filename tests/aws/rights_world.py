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


def statements(allowed: Iterable[Allowed]) -> Iterator[dict[str, Any]]:
    """A statement for each; without its condition on the boundary, which the emulator ignores."""
    for one in allowed:
        yield {"Effect": "Allow", "Action": one.action, "Resource": [one.resource]}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
