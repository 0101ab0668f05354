"""What the broker may do at AWS, as IAM policies: what a catalog needs, and nothing else.

A permissions boundary on the broker's own role does not limit what the broker hands out. What it
may touch does, so each right names its thing. Which kinds of things and which condition keys an
action takes is in AWS's Service Authorization Reference,
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

BROKER = "broker"
"""Whose a right is that belongs to the broker's own identity; any other is a role's, by its ARN."""

MOST_CHARACTERS = 6144
"""What IAM takes in one managed policy, white space left out (IAM User Guide, "IAM and AWS STS
quotas")."""

MOST_POLICIES = 10
"""How many managed policies IAM attaches to one role or user, unless that quota is raised."""

Document = dict[str, object]
"""An IAM policy."""

Statement = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """That one action may be done to one thing."""

    whose: str
    """``BROKER``, or the ARN of the role through which the broker reaches an account."""
    action: str
    resource: str
    """As IAM reads it, so that ``*`` is anything: the ARN of one thing goes through ``literal``."""
    boundary: str | None = None
    """The role or user must have this permissions boundary at that moment."""
    ends: bool = False
    """Whether ending needs it: whoever only ends has no other."""


def literal(arn: str) -> str:
    """The pattern that only this ARN fits, though the path in it may hold what IAM expands.

    ``${*}``, ``${?}`` and ``${$}`` are fixed values (IAM User Guide, "IAM policy elements:
    Variables and tags").
    """
    return re.sub(r"[$*?]", lambda found: f"${{{found[0]}}}", arn)


def reached(through: str | None, *, ends: bool) -> Iterator[Right]:
    """Yield the right to assume the role that an account is reached through, if it is by one."""
    if through is not None:
        yield Right(whose=BROKER, action="sts:AssumeRole", resource=literal(through), ends=ends)


def documents(rights: Iterable[Right]) -> dict[str, list[Document]]:
    """Write the policies of each whose right it is: one, or several where one cannot hold all.

    The same rights give the same texts, in whatever order they come.
    """
    of: defaultdict[str, set[Right]] = defaultdict(set)
    for right in rights:
        of[right.whose].add(right)
    everybody = sorted(of, key=lambda whose: (whose != BROKER, whose))
    return {whose: _documents(_statements(_needed(of[whose]))) for whose in everybody}


def size(document: Document) -> int:
    """How many characters IAM counts."""
    return len(json.dumps(document, separators=(",", ":"), ensure_ascii=False))


def _needed(rights: Iterable[Right]) -> Iterator[Right]:
    """Yield the rights that no other of them includes."""
    alike: defaultdict[tuple[str, str | None], set[Right]] = defaultdict(set)
    for right in rights:
        alike[right.action, right.boundary].add(right)
    for group in alike.values():
        wide = {right.resource for right in group if "*" in _outside_variables(right.resource)}
        for right in group:
            if not any(_covers(pattern, right.resource) for pattern in wide):
                yield right


def _covers(pattern: str, resource: str) -> bool:
    if pattern == resource:
        return False
    parts = re.split(r"\*(?!\})", pattern)
    return re.fullmatch(".*".join(map(re.escape, parts)), resource) is not None


def _outside_variables(resource: str) -> str:
    return resource.replace("${*}", "")


def _statements(rights: Iterable[Right]) -> list[Statement]:
    """Put together what may be done to the same things."""
    actions: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for right in rights:
        actions[right.boundary or "", right.resource].add(right.action)
    things: defaultdict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (boundary, resource), done in actions.items():
        things[boundary, tuple(sorted(done))].append(resource)
    ordered = sorted(things.items(), key=lambda item: (item[0][1], item[0][0]))
    return [_statement(done, sorted(on), boundary) for (boundary, done), on in ordered]


def _statement(actions: Sequence[str], resources: Sequence[str], boundary: str) -> Statement:
    made: Statement = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    if boundary:
        # The reference lists this key for putting and deleting inline policies, of roles and of
        # users; IAM compares it with what is attached to them now.
        named = boundary.replace("$", "${$}")
        made["Condition"] = {"StringEquals": {"iam:PermissionsBoundary": named}}
    return made


def _documents(statements: Iterable[Statement]) -> list[Document]:
    written: list[list[Statement]] = [[]]
    for statement in (part for each in statements for part in _fitting(each)):
        if written[-1] and size(_document([*written[-1], statement])) > MOST_CHARACTERS:
            written.append([])
        written[-1].append(statement)
    return [_document(part) for part in written]


def _fitting(statement: Statement) -> Iterator[Statement]:
    """Yield the statement, or its halves where it is too long for a policy of its own."""
    resources = statement["Resource"]
    if not isinstance(resources, list) or size(_document([statement])) <= MOST_CHARACTERS:
        yield statement
        return
    middle = len(resources) // 2
    for half in (resources[:middle], resources[middle:]):
        yield from _fitting({**statement, "Resource": half})


def _document(statements: Sequence[Mapping[str, object]]) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}
