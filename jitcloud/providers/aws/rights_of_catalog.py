"""The rights that a whole catalog needs at AWS: what each mechanism says, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from jitcloud.errors import Misconfigured
from jitcloud.model import Entitlement
from jitcloud.providers.aws import (
    iam_group,
    iam_policy,
    identity_center_places,
    rights_iam_group,
    rights_iam_policy,
    rights_identity_center,
    rights_sts_session,
)
from jitcloud.providers.aws.rights import (
    BROKER,
    MOST_CHARACTERS,
    MOST_POLICIES,
    Document,
    Right,
    documents,
)
from jitcloud.providers.aws.sts_session import StsSession
from jitcloud.text import printable

OF: Mapping[str, Callable[[Entitlement], Iterator[Right]]] = {
    StsSession.name: rights_sts_session.rights,
    iam_group.KIND: rights_iam_group.rights,
    iam_policy.KIND: rights_iam_policy.rights,
    identity_center_places.KIND: rights_identity_center.rights,
}
"""Mechanism -> what one of its entitlements needs."""


def policies(catalog: Iterable[Entitlement], *, to_end: bool) -> dict[str, list[Document]]:
    """Write the policies of the broker's own identity, and of each role it reaches accounts by.

    ``to_end`` leaves out whatever ending does not need. Raises ``Misconfigured`` with all that
    keeps a policy from being written, a line each.
    """
    rights: list[Right] = []
    wrong: list[str] = []
    for thing in catalog:
        if thing.mechanism not in OF:
            continue
        needed = [right for right in OF[thing.mechanism](thing) if right.ends or not to_end]
        if any(rights_iam_policy.is_boundless(right) for right in needed):
            wrong.append(
                f"{thing.id} names no permissions_boundary: without one the broker could give"
                " whoever its target names any right there is; attach one there, and name it."
            )
        rights += needed
    if wrong:
        raise Misconfigured("\n".join(wrong))
    return documents(rights)


def notes(written: Mapping[str, Sequence[Document]]) -> Iterator[str]:
    """Yield what to know before these policies are attached."""
    for whose, parts in written.items():
        called = "the broker itself" if whose == BROKER else printable(whose)
        if "::*:" in whose:
            yield f"{called} is a role in each account; attach what stands there in all of them."
        if len(parts) > 1:
            yield (
                f"The rights of {called} are {len(parts)} policies, because IAM takes"
                f" {MOST_CHARACTERS:,} characters in one; attach them all."
            )
        if len(parts) > MOST_POLICIES:
            yield (
                f"IAM attaches {MOST_POLICIES} policies to a role or user unless that quota is"
                f" raised, so the rights of {called} do not fit; raise it, or spread the catalog"
                " over several brokers."
            )
