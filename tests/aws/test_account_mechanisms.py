"""What ``infra/aws/account.yaml`` gives is what ``jitcloud infra rights`` says is needed."""

from __future__ import annotations

from collections.abc import Iterator

from jitcloud.emulators.ministack import Ministack
from jitcloud.model import Entitlement
from jitcloud.providers.aws import iam_group, iam_policy, rights_of_catalog
from jitcloud.providers.aws.rights import BROKER
from tests.aws import iam_world
from tests.aws.conftest import Aws, an_entitlement, denied, named
from tests.aws.rights_world import Allowed, flat
from tests.aws.test_account_template import (
    ADMINISTRATOR,
    ANYTHING,
    HOME,
    NOBODY,
    Account,
    deployed,
)
from tests.aws.test_account_text import END

GROUP = "arn:aws:iam::{}:group/support"
USERS = ("arn:aws:iam::{}:user/ana", "arn:aws:iam::{}:user/team/ben")
ROLES = ("arn:aws:iam::{}:role/build", "arn:aws:iam::{}:role/team/release")
RIGHTS = ("IssuePolicyArn", "GrantPolicyArn", "EndPolicyArn")


def prepared(ministack: Ministack, account: str, broker: str) -> Account:
    """An account that the template has prepared for every mechanism there is."""
    aws = Aws(ministack, account, broker=NOBODY)
    lists = {
        "GroupArns": [GROUP],
        "GroupUserArns": USERS,
        "PolicyRoleArns": ROLES,
        "PolicyUserArns": USERS,
    }
    given = {key: ",".join(arn.format(account) for arn in arns) for key, arns in lists.items()}
    return Account(aws, deployed(aws, broker, BoundaryAllows="s3:*,logs:*", **given), NOBODY)


def everything(account: Account) -> Iterator[Entitlement]:
    """A catalog of all that the template has prepared."""
    made, number = account.made, account.aws.account
    for role in ("ReadRoleArn", "WriteRoleArn"):
        yield an_entitlement(**account.handing_out(role))
    through = {"account_role": made["AccountRoleArn"]} if "AccountRoleArn" in made else {}
    users = dict(zip(("ana", "ben"), (user.format(number) for user in USERS), strict=True))
    yield iam_world.an_entitlement(
        iam_group.KIND, group_arn=GROUP.format(number), users=users, **through
    )
    whose: list[dict[str, object]] = [{"role_arn": role.format(number)} for role in ROLES]
    whose.append({"users": users})
    for each in whose:
        yield iam_world.an_entitlement(
            iam_policy.KIND,
            policy=iam_world.rights(iam_world.reading("bucket")),
            permissions_boundary=made["BoundaryArn"],
            **each,
            **through,
        )


LOOK = "iam:GetRole"
"""The one right that EndPolicy has and ending does not need: plans do."""


def test_what_it_gives_to_a_broker_here_is_what_the_catalog_needs(ministack: Ministack) -> None:
    account = prepared(ministack, "444455556666", "arn:aws:iam::444455556666:user/broker")
    catalog = list(everything(account))
    needed = rights_of_catalog.policies(catalog, to_end=False)
    assert needed.keys() == {BROKER}
    assert flat(account.in_effect(each) for each in RIGHTS) == flat(needed[BROKER])
    to_end = rights_of_catalog.policies(catalog, to_end=True)
    ends = {one for one in flat([account.in_effect("EndPolicyArn")]) if one.action != LOOK}
    assert ends == flat(to_end[BROKER])


def test_what_it_gives_to_a_broker_elsewhere_is_what_that_needs(
    ministack: Ministack,
) -> None:
    account = prepared(ministack, "555566667777", f"arn:aws:iam::{HOME}:user/broker")
    role = account.made["AccountRoleArn"]
    catalog = list(everything(account))
    needed = rights_of_catalog.policies(catalog, to_end=False)
    assert needed.keys() == {BROKER, role}
    attached = account.aws.iam().list_attached_role_policies(RoleName=named(role))
    arns = {each["PolicyArn"] for each in attached["AttachedPolicies"]}
    assert arns == {account.made[each] for each in ("GrantPolicyArn", "EndPolicyArn")}
    assert flat(account.in_effect(each) for each in RIGHTS[1:]) == flat(needed[role])
    to_end = rights_of_catalog.policies(catalog, to_end=True)
    ends = {one for one in flat([account.in_effect("EndPolicyArn")]) if one.action != LOOK}
    assert ends == flat(to_end[role])
    assert flat(to_end[BROKER]) == {Allowed("sts:AssumeRole", role)}


def test_an_account_for_identity_center_alone_gets_nothing_else(ministack: Ministack) -> None:
    aws = Aws(ministack, "666677778888", broker=NOBODY)
    made = deployed(
        aws,
        f"arn:aws:iam::{HOME}:user/broker",
        ReadPolicyArn="",
        WritePolicyArn="",
        EndsPermissionSets="yes",
    )
    assert made.keys() == {"DenyDocumentArn", "EndPolicyArn", "AccountRoleArn"}
    assert flat([Account(aws, made, NOBODY).in_effect("EndPolicyArn")]) == {
        *(Allowed(action, made["DenyDocumentArn"]) for action in END),
        Allowed("iam:ListRoles", "*"),
    }


def test_whoever_the_boundary_binds_can_do_what_it_allows_and_not_lift_it(
    ministack: Ministack,
) -> None:
    aws = Aws(ministack, "777788889999", broker=NOBODY)
    made = deployed(aws, f"arn:aws:iam::{HOME}:user/broker", BoundaryAllows="s3:*,iam:*")
    role = aws.role(boundary=made["BoundaryArn"])
    bound = aws.role_session(role, by=aws.user())
    assert aws.can_read(bound, aws.bucket())
    assert denied(lambda: aws.client("sqs", bound).list_queues())
    iam = aws.iam(bound)
    assert not denied(iam.list_roles)
    lifting = (
        lambda: iam.delete_role_permissions_boundary(RoleName=named(role)),
        lambda: iam.put_role_permissions_boundary(
            RoleName=named(role), PermissionsBoundary=ADMINISTRATOR
        ),
        lambda: iam.create_policy_version(
            PolicyArn=made["BoundaryArn"], PolicyDocument=ANYTHING, SetAsDefault=True
        ),
        lambda: iam.set_default_policy_version(PolicyArn=made["BoundaryArn"], VersionId="v1"),
    )
    assert [number for number, call in enumerate(lifting) if not denied(call)] == []
