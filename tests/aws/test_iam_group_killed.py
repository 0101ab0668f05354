"""Wherever the broker dies in a lifetime, nobody stays in the group past their deadline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.iam_group import KIND, GroupMembership, IamGroup
from tests.aws.conftest import now
from tests.aws.iam_killed import ACCOUNT, Target, die_everywhere, in_process
from tests.aws.iam_world import PEOPLE, catalog
from tests.core.test_crash_points import approved_and_given_back, overlapping_and_run_out
from tests.world import World


@pytest.mark.parametrize("lifetime", [approved_and_given_back, overlapping_and_run_out])
def test_dying_anywhere_leaves_nobody_in_the_group_past_the_deadline(
    tmp_path: Path, lifetime: Callable[[World], None]
) -> None:
    with in_process() as iam:
        reach = Clients(clock=now)
        users = {person: f"{ACCOUNT}:user/{person}" for person in PEOPLE}
        for person in PEOPLE:
            iam.create_user(UserName=person)

        def target(number: int) -> Target:
            name = f"group-{number}"
            iam.create_group(GroupName=name)
            table = {"group_arn": f"{ACCOUNT}:group/{name}", "users": users}

            def members() -> list[str]:
                return [user["UserName"] for user in iam.get_group(GroupName=name)["Users"]]

            text = catalog(KIND, dev_read=table, prod_write=table)
            return Target(text, IamGroup(reach), GroupMembership(reach), members)

        assert die_everywhere(tmp_path, lifetime, target) >= 10
