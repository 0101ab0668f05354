"""What many people's requests share, a role or a group: defects there are found by some world."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jitcloud.model import Entitlement, Person, Places, Slot, SlotKey
from jitcloud.providers.aws import inline_policies, timed_policy
from jitcloud.providers.aws.iam_policy import IamPolicy
from jitcloud.providers.aws.identity_center import AccountAssignment
from jitcloud.providers.aws.identity_center_access import IdentityCenterAccess
from tests.simulation.clouds.center import TEAM
from tests.simulation.clouds.policies import DUTY
from tests.simulation.running import run
from tests.simulation.shrink import Failure

pytestmark = pytest.mark.long

MOST = 60
"""In how many worlds a defect is looked for; the first dozen find each of them as a rule."""

Patch = pytest.MonkeyPatch


def role_keeps_its_policies(patch: Patch) -> None:
    delete = inline_policies.delete

    def spares_roles(iam: Any, of: Any, name: str) -> None:
        if of.kind != "role":
            delete(iam, of, name)

    patch.setattr(inline_policies, "delete", spares_roles)


def role_loses_all_of_ours(patch: Patch) -> None:
    delete = inline_policies.delete

    def takes_more(iam: Any, of: Any, name: str) -> None:
        known = (inline_policies.names(iam, of) or ()) if of.kind == "role" else (name,)
        for each in known:
            if timed_policy.is_ours(each):
                delete(iam, of, each)

    patch.setattr(inline_policies, "delete", takes_more)


def role_policy_has_no_deadline(patch: Patch) -> None:
    put = inline_policies.put

    def forgets(iam: Any, of: Any, name: str, text: str) -> None:
        said = json.loads(text)
        for statement in said["Statement"] if of.kind == "role" else ():
            del statement["Condition"]
        put(iam, of, name, json.dumps(said))

    patch.setattr(inline_policies, "put", forgets)


def group_keeps_its_assignment(patch: Patch) -> None:
    remove = AccountAssignment.remove

    def spares_groups(kind: AccountAssignment, slot: Slot) -> str | None:
        return None if slot.where["principal_type"] == "GROUP" else remove(kind, slot)

    patch.setattr(AccountAssignment, "remove", spares_groups)


def _apart(patch: Patch, of: Any, mark: str) -> None:
    """Have each person's request be at a place of its own: the first end is everybody's."""
    places = of.places

    def own(self: Any, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:
        found: Places = places(self, entitlement, person, part=part)
        if found.grant is None or mark not in str(found.grant.where):
            return found
        return replace(
            found, grant=replace(found.grant, key=SlotKey(f"{found.grant.key}/{person.id}"))
        )

    patch.setattr(of, "places", own)


def role_is_each_persons_own(patch: Patch) -> None:
    _apart(patch, IamPolicy, ":role/duty")


def group_is_each_persons_own(patch: Patch) -> None:
    _apart(patch, IdentityCenterAccess, "GROUP")


@pytest.mark.parametrize(
    ("defect", "promises", "whose"),
    [
        (role_keeps_its_policies, "P3 P4", None),
        (role_loses_all_of_ours, "P7", DUTY),
        (role_policy_has_no_deadline, "P3", DUTY),
        (group_keeps_its_assignment, "P3 P4", None),
        (role_is_each_persons_own, "P7", DUTY),
        (group_is_each_persons_own, "P7", TEAM),
    ],
)
def test_a_defect_in_what_many_share_is_found(
    monkeypatch: Patch, defect: Callable[[Patch], None], promises: str, whose: str | None
) -> None:
    defect(monkeypatch)
    found = next(failure for seed in range(1, MOST) if isinstance(failure := run(seed)[0], Failure))
    assert found.why[:2] in promises.split(), found.why
    assert whose is None or whose in found.why
