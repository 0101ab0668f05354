"""What a plan for a permission set says beforehand, and what it costs to know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.model import OperationModel

from jitcloud.emulators.identity_center import Behaviour, Fault
from jitcloud.errors import OutcomeUnknown, Throttled
from jitcloud.model import Guarantee, Plan
from jitcloud.providers.aws import identity_center_outlook as outlook
from jitcloud.providers.aws.identity_center_access import IdentityCenterAccess
from jitcloud.providers.aws.identity_center_pace import Pace
from tests.aws.center_world import (
    ANA,
    DOCUMENT,
    MANAGEMENT,
    NOON,
    PROD,
    Here,
    Reach,
    reaching,
    somebody,
)
from tests.aws.fake_aws import GOOD, WHO, FakeAws, faking, says

STRANGER = "1234567890-00000000-0000-4000-8000-000000000000"
DENY: dict[str, Any] = {"deny_document": DOCUMENT, "deny_role": "jitcloud-account"}
PAYMENTS = {"key": "team", "value": "payments"}


@pytest.fixture(scope="module")
def reach() -> Iterator[Reach]:
    with reaching() as reach:
        yield reach


@pytest.fixture
def here(reach: Reach) -> Here:
    return Here(reach)


@pytest.fixture
def sts() -> Iterator[FakeAws]:
    with faking() as fake:
        yield fake


# ── What is left over ────────────────────────────────────────────────────────────────────────


def test_a_plan_says_how_long_sessions_live_on_where_nothing_ends_them(here: Here) -> None:
    because = "for up to 2h, because the catalog names no deny document for it."
    assert here.plan(ANA) == Plan(
        guarantee=Guarantee.BROKER,
        early_end=(
            "Giving back or revoking deletes the assignment, so that nobody gets a new session by "
            f"it; running sessions work on {because}"
        ),
        residual=(
            f"{outlook.OPEN} work on {because}",
            outlook.BROKER_ENDS,
            outlook.MADE_MEANWHILE,
            outlook.BACKGROUND,
        ),
        notes=(outlook.TAKES_TURNS,),
    )


def test_a_deny_document_in_force_ends_them_within_seconds(here: Here) -> None:
    assert here.plan(ANA, **DENY) == Plan(
        guarantee=Guarantee.BROKER,
        early_end=(
            "Giving back or revoking deletes the assignment, so that nobody gets a new session by "
            "it, and the account's deny document denies running sessions everything within seconds."
        ),
        residual=(outlook.BROKER_ENDS, outlook.MADE_MEANWHILE, outlook.BACKGROUND),
        notes=(outlook.TAKES_TURNS, outlook.WHERE_PROVISIONED),
    )


@pytest.mark.parametrize(
    ("policy", "path"),
    [(None, "/"), ("another", "/"), (DOCUMENT, "/team/"), (DOCUMENT.upper(), "/")],
)
def test_a_document_that_is_not_the_boundary_ends_nothing(
    here: Here, policy: str | None, path: str
) -> None:
    here.boundary(policy, path)
    plan = here.plan(ANA, **DENY)
    said = "for up to 2h, because the deny document is not the permission set's permissions bound"
    assert said in plan.early_end
    assert said in plan.residual[0]
    assert outlook.WHERE_PROVISIONED not in plan.notes


def test_an_aws_policy_as_boundary_is_nobody_s_deny_document(here: Here) -> None:
    arn = f"arn:aws:iam::aws:policy/{DOCUMENT}"
    here.admins = here.center.permission_sets.add("Others", boundary={"ManagedPolicyArn": arn})
    assert "is not the permission set's permissions boundary" in here.plan(ANA, **DENY).early_end


def test_a_boundary_that_cannot_be_read_ends_nothing(here: Here) -> None:
    here.center.faults.append(Fault.DENIED, on="GetPermissionsBoundaryForPermissionSet")
    plan = here.plan(ANA, **DENY)
    assert "because the broker cannot read whether the deny document is the" in plan.residual[0]
    assert "AWS refused sso:GetPermissionsBoundaryForPermissionSet" in plan.residual[0]
    assert here.plan(ANA, **DENY).early_end == outlook.DENIED_WITHIN  # a no is not remembered


def test_a_permission_set_that_cannot_be_read_is_the_worst_case(here: Here) -> None:
    here.center.faults.append(Fault.DENIED, on="DescribePermissionSet")
    plan = here.plan(ANA, **DENY)
    assert plan.problems == ()
    assert "work on for up to 12h, because the broker cannot read the perm" in plan.residual[0]
    (note, *_) = plan.notes
    assert note.startswith("The broker could not look at the permission set: AWS refused sso:Des")


def test_a_group_has_no_deny_document_and_everybody_in_it_has_access(here: Here) -> None:
    team = here.store.add_group("On call")
    plan = here.plan(ANA, group_id=team)
    assert "because the assignment goes to a group, and a deny document names" in plan.residual[0]
    assert plan.notes[0] == (
        "The assignment goes to the group On call: whoever is in it has the access meanwhile."
    )
    assert here.calls == {"DescribePermissionSet": 1, "DescribeAccount": 1, "DescribeGroup": 1}


def test_a_session_as_long_as_the_permission_set_says(reach: Reach) -> None:
    for session, words in ((timedelta(hours=1), "1h,"), (timedelta(hours=8, minutes=30), "8h30m,")):
        here = Here(reach, session=session)
        assert f"for up to {words}" in here.plan(ANA).residual[0]


# ── Problems ─────────────────────────────────────────────────────────────────────────────────


def test_an_account_outside_of_the_organization(here: Here) -> None:
    assert here.plan(ANA, account="999999999999").problems == (
        "The account 999999999999 is not in the organization; correct the catalog.",
    )


@pytest.mark.parametrize(
    ("state", "words"), [("SUSPENDED", "suspended"), ("PENDING_CLOSURE", "being closed")]
)
def test_an_account_that_is_not_in_use(here: Here, state: Any, words: str) -> None:
    here.organization.set_state(PROD, state)
    (problem,) = here.plan(ANA).problems
    assert problem == (
        f"The account {PROD} is {words}, so nothing can be given there; have it put in order, or "
        "take it out of the catalog."
    )


def test_an_account_that_is_suspended_between_approval_and_activation(here: Here) -> None:
    assert here.plan(ANA).problems == ()
    here.organization.set_state(PROD, "SUSPENDED")
    here.clock.forward(seconds=300)
    assert len(here.plan(ANA).problems) == 1


def test_a_permission_set_that_was_deleted(here: Here) -> None:
    del here.center.permission_sets.all[here.admins]
    plan = here.plan(ANA, **DENY)
    assert plan.problems == (
        f"The permission set {here.admins} does not exist; create it, or correct the catalog.",
    )
    assert "GetPermissionsBoundaryForPermissionSet" not in here.calls


def test_an_instance_that_is_not_in_the_region(here: Here, reach: Reach) -> None:
    there = here.target()
    instance = str(there["instance_arn"])
    other = Here(reach, Behaviour(empty_pages=1), seed="another region")
    (problem,) = other.plan(
        instance_arn=instance, permission_set_arn=there["permission_set_arn"]
    ).problems
    name = instance.rpartition("/")[2]
    assert problem == (
        f"There is no Identity Center instance {name} in eu-central-1; correct instance_arn or "
        "region in the catalog."
    )


def test_where_instances_may_not_be_listed_it_is_the_permission_set_that_is_missing(
    here: Here,
) -> None:
    del here.center.permission_sets.all[here.admins]
    here.center.faults.append(Fault.DENIED, on="ListInstances")
    (problem,) = here.plan().problems
    assert problem.endswith("does not exist; create it, or correct the catalog.")


def test_two_instances_in_two_regions_are_asked_each_in_its_own(here: Here, reach: Reach) -> None:
    access, asked = here.access, list[str]()
    clients = [
        service(region)
        for region in ("eu-central-1", "us-west-2")
        for service in (reach.clients.sso_admin, reach.clients.identity_store)
    ]

    def note(model: OperationModel, context: dict[str, Any], **_: object) -> None:
        asked.append(f"{model.name} in {context['client_region']}")

    for client in clients:
        client.meta.events.register("before-call", note)
    access.plan(here.entitlement(), timedelta(hours=1), NOON, person=ANA)
    other = Here(reach, session=timedelta(hours=9), seed="another region")
    there = other.entitlement(region="us-west-2")
    plan = access.plan(there, timedelta(hours=1), NOON, person=ANA)
    for client in clients:
        client.meta.events.unregister("before-call", note)
    assert "for up to 9h" in plan.residual[0]
    of_each = ("DescribePermissionSet", "GetUserId", "DescribeUser")
    assert asked == [
        *(f"{name} in eu-central-1" for name in of_each),
        *(f"{name} in us-west-2" for name in of_each),
    ]


def test_somebody_without_a_user_or_with_two_or_a_disabled_one(here: Here) -> None:
    (nobody,) = here.plan(somebody("ben")).problems
    assert nobody.startswith('Identity Center has no user named "ben"; have yours made there, or')
    here.store.add_user("ana.lima")
    (two,) = here.plan(somebody("ana", "ana.lima")).problems
    assert two.startswith("Identity Center has more than one user that could be yours")
    here.store.disable(here.ana)
    assert here.plan(ANA).problems == (
        "Your user in Identity Center is disabled; have it enabled, and ask again.",
    )


def test_a_group_that_was_deleted(here: Here) -> None:
    (problem,) = here.plan(ANA, group_id=STRANGER).problems
    assert problem == (
        f"The group {STRANGER} is not in the identity store; create one, or correct group_id in "
        "the catalog."
    )


def test_all_that_is_wrong_is_told_at_once(here: Here) -> None:
    del here.center.permission_sets.all[here.admins]
    assert len(here.plan(somebody("ben"), account="999999999999").problems) == 3


# ── The management account ───────────────────────────────────────────────────────────────────


def test_the_management_account_takes_nothing_from_elsewhere(sts: FakeAws) -> None:
    elsewhere = "arn:aws:iam::555566667777:role/jitcloud"
    with reaching(sts.url) as reach:
        here = Here(reach)
        sts.answers = [WHO]
        assert here.plan(account=MANAGEMENT).problems == ()  # the broker is in that very account
        sts.answers = [says(200, GOOD)]
        (problem,) = here.plan(account=MANAGEMENT, account_role=elsewhere).problems
    assert problem == (
        f"The account {MANAGEMENT} is the organization's management account, where AWS takes "
        "assignments from that account alone; name an account_role in it, or another account."
    )


def test_a_role_in_the_management_account_may_assign_there(sts: FakeAws) -> None:
    role = f"arn:aws:iam::{MANAGEMENT}:role/jitcloud"
    with reaching(sts.url) as reach:
        sts.answers = [says(200, GOOD)]
        assert Here(reach).plan(ANA, account=MANAGEMENT, account_role=role).problems == ()


def test_a_deny_document_in_an_account_that_the_broker_does_not_reach(sts: FakeAws) -> None:
    with reaching(sts.url) as reach:
        sts.answers = [WHO]
        here = Here(reach)
        said = "because the broker is in another account, and the catalog names no deny_role there"
        assert said in here.plan(deny_document=DOCUMENT).early_end
        here.organization.add_account(MANAGEMENT, "the broker's")
        plan = here.plan(deny_document=DOCUMENT, account=MANAGEMENT)
    assert plan.early_end == outlook.DENIED_WITHIN


# ── Several accounts ─────────────────────────────────────────────────────────────────────────


def test_a_plan_for_several_says_who_is_left_out(here: Here) -> None:
    unit = here.organization.add_unit("dev")
    for number in range(1, 9):
        here.organization.add_account(f"{number:012d}", "dev", parent=unit)
    here.organization.add_account(MANAGEMENT, "management", parent=unit)
    for number in range(2, 9):
        here.organization.set_state(f"{number:012d}", "SUSPENDED")
    suspended = (
        "Accounts that are suspended, closed or not in use yet are left out: 000000000002, "
        "000000000003, 000000000004, 000000000005, 000000000006 and 2 more."
    )
    left_out = (suspended, outlook.MANAGEMENT_LEFT_OUT)
    assert here.plan(accounts_in=unit).notes[:2] == left_out
    assert here.plan(ANA, part="000000000001", accounts_in=unit).notes[:2] == left_out
    assert here.calls["ListAccountsForParent"] == 1
    fresh = here.another().plan(
        here.entitlement(accounts_in=unit), timedelta(hours=1), NOON, part="000000000001"
    )
    assert left_out[1] not in fresh.notes  # one account's plan does not look at all the others
    assert here.calls["ListAccountsForParent"] == 1


def test_a_plan_for_several_that_come_to_none_says_so(here: Here) -> None:
    unit = here.organization.add_unit("empty")
    (problem,) = here.plan(accounts_in=unit).problems
    assert problem.startswith(f"There are no accounts in {unit} that are in use; ask whoever")


@pytest.mark.parametrize("nested", [False, True])
def test_an_account_that_was_moved_out_of_the_unit_meanwhile(here: Here, nested: bool) -> None:  # noqa: FBT001 - a parameter
    outer = here.organization.add_unit("dev")
    inner = here.organization.add_unit("team", parent=outer)
    here.organization.add_account(PROD, "prod", parent=inner if nested else outer)
    said: dict[str, Any] = {"accounts_in": outer, "nested": nested}
    assert here.parts(**said) == (PROD,)
    assert here.plan(ANA, part=PROD, **said).problems == ()
    here.organization.add_account(PROD, "prod", parent=None if nested else inner)
    here.clock.forward(seconds=300)
    (problem,) = here.plan(ANA, part=PROD, **said).problems
    assert problem.startswith(f"The account {PROD} is none of the accounts in {outer}")
    assert problem.endswith("any more; ask again for those that are.")


def test_an_account_that_lost_its_tag_meanwhile(here: Here) -> None:
    here.organization.tag(PROD, {"team": "payments"})
    assert here.parts(accounts_tagged=PAYMENTS) == (PROD,)
    here.organization.tag(PROD, {"team": "search"})
    here.clock.forward(seconds=300)
    (problem,) = here.plan(ANA, part=PROD, accounts_tagged=PAYMENTS).problems
    assert "none of the accounts tagged " in problem


# ── What it costs ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "calls"),
    [
        pytest.param({}, 0, id="without a deny document"),
        pytest.param(DENY, 1, id="with one"),
    ],
)
def test_an_ask_and_its_activation_cost_four_calls_from_cold(
    here: Here, said: dict[str, Any], calls: int
) -> None:
    here.plan(ANA, **said)
    here.clock.forward(seconds=2)
    here.plan(ANA, **said)
    here.places(ANA, **said)
    of_boundary = {"GetPermissionsBoundaryForPermissionSet": 1} if calls else {}
    assert here.calls == {
        "DescribePermissionSet": 1,
        "DescribeAccount": 1,
        "GetUserId": 1,
        "DescribeUser": 1,
        **of_boundary,
    }


def test_whom_the_catalog_names_costs_three(here: Here) -> None:
    named: dict[str, Any] = {"users": {"ana": here.ana}}
    here.plan(ANA, **named)
    here.places(ANA, **named)
    assert here.calls == {"DescribePermissionSet": 1, "DescribeAccount": 1, "DescribeUser": 1}


def test_of_a_warm_broker_an_ask_and_its_activation_cost_two(here: Here) -> None:
    here.plan(ANA)
    here.clock.forward(seconds=60)
    here.center.calls.clear()
    here.plan(ANA)
    here.places(ANA)
    assert here.calls == {"GetUserId": 1, "DescribeUser": 1}


def test_200_accounts_cost_no_more_than_their_list(here: Here) -> None:
    unit = here.organization.add_unit("many")
    for number in range(200):
        here.organization.add_account(f"{number:012d}", "many", parent=unit)
    for part in here.parts(accounts_in=unit):
        assert here.plan(ANA, part=part, accounts_in=unit, **DENY).problems == ()
    assert here.calls == {
        "ListAccountsForParent": 10,
        "DescribePermissionSet": 1,
        "GetPermissionsBoundaryForPermissionSet": 1,
        "GetUserId": 1,
        "DescribeUser": 1,
    }


def test_facts_are_asked_for_again_after_five_minutes(here: Here) -> None:
    for _ in range(2):
        here.plan(ANA, **DENY)
        here.clock.forward(seconds=300)
    assert set(here.calls.values()) == {2}


def test_calls_of_the_limited_api_count_into_the_pace(here: Here) -> None:
    counted: list[str] = []

    class Counting(Pace):
        def call(self, now: Any) -> None:
            counted.append("call")
            super().call(now)

        def throttled(self, now: Any, *, begins: bool, place: Any = None) -> None:
            counted.append("throttled")
            super().throttled(now, begins=begins, place=place)

    access = IdentityCenterAccess(here.reach.clients, pace=Counting())
    access.plan(here.entitlement(**DENY), timedelta(hours=1), NOON, person=ANA)
    assert counted == ["call", "call"]
    counted.clear()
    del here.center.permission_sets.all[here.admins]
    here.center.faults.append(Fault.THROTTLED, on="ListInstances")
    access = IdentityCenterAccess(here.reach.clients, pace=Counting())
    with pytest.raises(Throttled):
        access.plan(here.entitlement(), timedelta(hours=1), NOON)
    assert counted == ["call", "call", "throttled"]


# ── What cannot be looked at ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("operation", "what"),
    [
        ("DescribePermissionSet", "the permission set: AWS refused sso:DescribePermissionSet"),
        ("DescribeAccount", "the account: AWS refused organizations:DescribeAccount"),
        ("GetUserId", "your user: AWS refused identitystore:GetUserId"),
        ("DescribeUser", "whether your user is disabled: AWS refused identitystore:DescribeUser"),
    ],
)
def test_what_the_broker_may_not_look_at_is_a_note_and_no_problem(
    here: Here, operation: str, what: str
) -> None:
    here.center.faults.append(Fault.DENIED, on=operation)
    plan = here.plan(ANA)
    assert plan.problems == ()
    (note, _) = plan.notes
    assert note.startswith(f"The broker could not look at {what}")
    assert note.endswith(".")


def test_a_group_that_the_broker_may_not_look_at_is_told_by_its_id(here: Here) -> None:
    team = here.store.add_group("team")
    here.center.faults.append(Fault.DENIED, on="DescribeGroup")
    plan = here.plan(ANA, group_id=team)
    assert plan.problems == ()
    assert plan.notes[0].startswith("The broker could not look at the group: AWS refused ident")
    assert f"goes to the group {team}: " in plan.notes[1]


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (Fault.THROTTLED, Throttled),
        (Fault.INTERNAL, OutcomeUnknown),
        (Fault.HANG_UP, OutcomeUnknown),
    ],
)
@pytest.mark.parametrize(
    "operation",
    [
        "DescribePermissionSet",
        "GetPermissionsBoundaryForPermissionSet",
        "DescribeAccount",
        "GetUserId",
        "DescribeUser",
    ],
)
def test_where_aws_does_not_answer_there_is_no_plan(
    here: Here, operation: str, fault: Fault, raised: type[Exception]
) -> None:
    here.center.faults.append(fault, on=operation)
    with pytest.raises(raised):
        here.plan(ANA, **DENY)
    assert here.plan(ANA, **DENY).problems == ()
