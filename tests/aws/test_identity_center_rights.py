"""With the rights that are printed Identity Center can be used, and with one less it cannot.

The emulator judges nobody's rights. So each call is judged here, where it leaves boto3, by what
the Service Authorization Reference says that an action is judged by: all of these things have to
be allowed. https://docs.aws.amazon.com/service-authorization/latest/reference/list_iam-identity-center.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.model import OperationModel

from jitcloud import slots
from jitcloud.errors import CloudRefused, JitError
from jitcloud.model import Entitlement, Operation, Places, Progress, Slot
from jitcloud.providers.aws import rights_of_catalog
from jitcloud.providers.aws.identity_center import AccountAssignment
from jitcloud.providers.aws.identity_center_outlook import DENIED_WITHIN
from jitcloud.providers.aws.identity_center_places import KIND
from jitcloud.providers.aws.rights import BROKER
from tests.aws import iam_world
from tests.aws.center_world import ANA, DOCUMENT, Here, Reach, reaching
from tests.aws.conftest import HOUR
from tests.aws.rights_world import Allowed, flat

STORE = "arn:aws:identitystore::111122223333:identitystore/{IdentityStoreId}"
ACCOUNT = "arn:aws:organizations::111122223333:account/o-exampleorg/{AccountId}"
ASSIGNMENT = ("{InstanceArn}", "{PermissionSetArn}", "arn:aws:sso:::account/{TargetId}")
UNIT = ("arn:aws:organizations::111122223333:{kind}/o-exampleorg/{ParentId}",)

JUDGED_BY: Mapping[str, tuple[str, ...]] = {
    "sso:CreateAccountAssignment": ASSIGNMENT,
    "sso:DeleteAccountAssignment": ASSIGNMENT,
    "sso:DescribeAccountAssignmentCreationStatus": ("{InstanceArn}",),
    "sso:DescribeAccountAssignmentDeletionStatus": ("{InstanceArn}",),
    "sso:DescribePermissionSet": ("{InstanceArn}", "{PermissionSetArn}"),
    "sso:GetPermissionsBoundaryForPermissionSet": ("{InstanceArn}", "{PermissionSetArn}"),
    "sso:ListAccountAssignmentCreationStatus": ("{InstanceArn}",),
    "sso:ListAccountAssignmentDeletionStatus": ("{InstanceArn}",),
    "sso:ListAccountAssignments": (
        "{InstanceArn}",
        "{PermissionSetArn}",
        "arn:aws:sso:::account/{AccountId}",
    ),
    "sso:ListAccountAssignmentsForPrincipal": ("{InstanceArn}",),
    "sso:ListInstances": ("*",),
    # Which user that is shows only afterwards: it has to be allowed for all.
    "identitystore:GetUserId": (STORE, "arn:aws:identitystore:::user/*"),
    "identitystore:DescribeUser": (STORE, "arn:aws:identitystore:::user/{UserId}"),
    "identitystore:DescribeGroup": (STORE, "arn:aws:identitystore:::group/{GroupId}"),
    "organizations:DescribeAccount": (ACCOUNT,),
    "organizations:ListAccounts": ("*",),
    "organizations:ListAccountsForParent": UNIT,
    "organizations:ListOrganizationalUnitsForParent": UNIT,
    "organizations:ListTagsForResource": (ACCOUNT,),
}

FALLS_BACK = {"sso:ListAccountAssignmentsForPrincipal"}
"""What AWS allows the management account alone; others ask who has something in an account."""

DIAGNOSES = {"sso:ListInstances"}
"""What is asked only to tell what is missing."""

Judged = set[tuple[str, str]]
"""Actions, and the things that they were judged by."""


def resources(action: str, params: Mapping[str, Any]) -> Iterator[str]:
    named = {"AccountId": params.get("ResourceId", ""), **params}
    named["kind"] = "root" if str(params.get("ParentId", "")).startswith("r-") else "ou"
    for pattern in JUDGED_BY[action]:
        yield pattern.format_map(named)


def allows(allowed: Iterable[Allowed], action: str, resource: str) -> bool:
    return any(one.action == action and _fits(one.resource, resource) for one in allowed)


def _fits(pattern: str, resource: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), resource) is not None


@contextmanager
def judging(reach: Reach, allowed: set[Allowed]) -> Iterator[Judged]:
    """Judge each call as AWS would; yield what was judged."""
    judged: Judged = set()
    clients = {
        "sso": reach.clients.sso_admin("eu-central-1"),
        "identitystore": reach.clients.identity_store("eu-central-1"),
        "organizations": reach.clients.organizations("aws"),
    }

    def judge(model: OperationModel, params: Mapping[str, Any], **_: object) -> None:
        service = {"sso-admin": "sso"}.get(model.service_model.service_name)
        prefix = service or model.service_model.service_name
        action = f"{prefix}:{model.name}"
        for resource in resources(action, params):
            judged.add((action, resource))
            if not allows(allowed, action, resource):
                said = {"Code": "AccessDeniedException", "Message": f"no right to {action}"}
                error = clients[prefix].exceptions.from_code("AccessDeniedException")
                raise error({"Error": said}, model.name)

    for client in clients.values():
        client.meta.events.register("provide-client-params", judge)
    try:
        yield judged
    finally:
        for client in clients.values():
            client.meta.events.unregister("provide-client-params", judge)


# ── What is granted ──────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def reach() -> Iterator[Reach]:
    with reaching() as made:
        yield made


def one_account(_: Here) -> dict[str, object]:
    return {"deny_document": DOCUMENT, "deny_role": "jitcloud-account"}


def a_unit(here: Here) -> dict[str, object]:
    unit = here.organization.add_unit("prod")
    below = here.organization.add_unit("eu", parent=unit)
    here.organization.add_account("333344445555", "eu", parent=below)
    return {"accounts_in": unit, "nested": True}


def a_root(here: Here) -> dict[str, object]:
    here.organization.add_unit("prod")
    return {"accounts_in": here.organization.root, "nested": True}


def a_flat_unit(here: Here) -> dict[str, object]:
    unit = here.organization.add_unit("prod")
    here.organization.add_account("333344445555", "eu", parent=unit)
    return {"accounts_in": unit}


def a_tag(here: Here) -> dict[str, object]:
    here.organization.add_account("333344445555", "eu", tags={"team": "payments"})
    return {"accounts_tagged": {"key": "team", "value": "payments"}}


def a_group(here: Here) -> dict[str, object]:
    return {"group_id": here.store.add_group("team")}


SPANS = {"accounts_in", "accounts_tagged"}
KINDS = (one_account, a_unit, a_root, a_flat_unit, a_tag, a_group)


class Case:
    """An entitlement that Ana is granted, and a broker that is judged."""

    def __init__(self, reach: Reach, kind: Callable[[Here], dict[str, object]]) -> None:
        self.here = Here(reach)
        self.entitlement: Entitlement = self.here.entitlement(**kind(self.here))
        self.kind = AccountAssignment(reach.clients)
        self.reach = reach

    def rights(self, *, to_end: bool = False) -> set[Allowed]:
        printed = rights_of_catalog.policies([self.entitlement], to_end=to_end)
        allowed = flat(printed[BROKER])
        # What ends running sessions is judged in tests/aws/test_rights.py.
        return {one for one in allowed if one.action.split(":")[0] not in {"iam", "sts"}}

    def begun(self) -> tuple[Slot, str | None]:
        """Ask, and have it granted."""
        entitlement, now = self.entitlement, self.here.clock()
        part = "".join(self.here.another().parts(entitlement, now)[-1:])
        access = self.here.another()  # by the time that it is approved, all has been forgotten
        plan = access.plan(entitlement, HOUR, now, part=part, person=ANA)
        assert plan.problems == ()
        assert not any("could not look" in note for note in plan.notes)
        assert ("deny_document" in entitlement.target) == (plan.early_end == DENIED_WITHIN)
        places = access.places(entitlement, ANA, part=part)
        slot = self.slot(places)
        assert not self.kind.see(slot, now).present
        (area, *_) = access.areas(entitlement, now)
        self.kind.ours(area, None, now)
        return slot, self.kind.put(slot, (), now + HOUR)

    def ended(self, slot: Slot, name: str | None) -> None:
        """End what has just begun, as it is when nothing is missing."""
        self.done(slot, "put", name)
        assert self.kind.see(slot, self.here.clock()).present
        self.done(slot, "remove", self.kind.remove(slot))
        assert not self.kind.see(slot, self.here.clock()).present
        assert self.here.center.holders() == frozenset()

    def done(self, slot: Slot, verb: Any, name: str | None) -> None:
        """Follow it, by its id and without."""
        begun_at = self.here.clock()
        for id_ in ("", name or ""):
            operation = Operation(verb=verb, begun_at=begun_at, id=id_)
            found = self.kind.follow(slot, operation, self.here.clock())
            assert found.progress is Progress.RUNNING
            assert found.id == name
        self.here.clock.forward(seconds=60)
        assert name is not None
        operation = Operation(verb=verb, begun_at=begun_at, id=name)
        assert self.kind.follow(slot, operation, self.here.clock()).progress is Progress.DONE

    def slot(self, places: Places) -> Slot:
        assert places.grant is not None
        return slots.at(places.grant)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def made(request: pytest.FixtureRequest, reach: Reach) -> Callable[[], Case]:
    return lambda: Case(reach, request.param)


# ── Enough, and no more than enough ──────────────────────────────────────────────────────────


def test_with_these_rights_it_is_granted_and_ended_and_all_of_them_are_used(
    made: Callable[[], Case],
) -> None:
    case = made()
    rights = case.rights()
    with judging(case.reach, rights) as judged:
        case.ended(*case.begun())
    unused = {one for one in rights if not any(allows([one], *each) for each in judged)}
    assert {one.action for one in unused} <= DIAGNOSES


def test_with_any_one_of_them_less_it_is_not(made: Callable[[], Case]) -> None:
    needless = set()
    known = made()
    for one in sorted(known.rights()):
        if one.action.startswith("sso:") and known.entitlement.target.keys() & SPANS:
            continue  # the same as in one account
        case = made()
        with judging(case.reach, case.rights() - {one}):
            if succeeds(lambda case=case: case.ended(*case.begun())):  # type: ignore[misc] # a default binds it
                needless.add(one.action)
    assert needless <= FALLS_BACK | DIAGNOSES


@pytest.mark.parametrize("kind", [one_account, a_unit])
def test_with_the_rights_to_end_it_is_ended_and_not_granted(
    reach: Reach, kind: Callable[[Here], dict[str, object]]
) -> None:
    case = Case(reach, kind)
    slot, name = case.begun()
    with judging(case.reach, case.rights(to_end=True)):
        case.ended(slot, name)
        with pytest.raises(CloudRefused, match="sso:CreateAccountAssignment"):
            case.kind.put(slot, (), case.here.clock() + HOUR)


def test_with_any_one_of_the_rights_to_end_less_it_is_not(reach: Reach) -> None:
    def made() -> Case:
        return Case(reach, one_account)

    needless = {
        one.action
        for one in made().rights(to_end=True)
        if ends(made(), lambda right, one=one: right != one)  # type: ignore[misc] # a default binds it
    }
    either = {"sso:ListAccountAssignments", *FALLS_BACK}
    assert needless <= either
    assert not ends(made(), lambda right: right.action not in either)


def ends(case: Case, keeps: Callable[[Allowed], bool]) -> bool:
    """Whether what was granted is ended with those of the rights to end it that are kept."""
    begun = case.begun()
    with judging(case.reach, set(filter(keeps, case.rights(to_end=True)))):
        return succeeds(lambda: case.ended(*begun))


def test_a_permission_set_is_told_from_an_instance_that_is_elsewhere(reach: Reach) -> None:
    case = Case(reach, one_account)
    gone = {"instance_arn": "arn:aws:sso:::instance/ssoins-0000000000000000"}
    target = {**case.entitlement.target, **gone}
    target["permission_set_arn"] = f"arn:aws:sso:::permissionSet/ssoins-{'0' * 16}/ps-{'0' * 16}"
    case.entitlement = iam_world.an_entitlement(KIND, **target)
    with judging(reach, case.rights()):
        plan = case.here.another().plan(case.entitlement, HOUR, case.here.clock())
    assert "no Identity Center instance" in plan.problems[0]


def succeeds(what: Callable[[], object]) -> bool:
    try:
        what()
    except (AssertionError, JitError):
        return False
    return True
