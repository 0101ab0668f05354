"""Wherever the broker dies in a lifetime, the role keeps no policy of ours past its deadline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.iam_policy import KIND, IamPolicy, InlinePolicy
from tests.aws.conftest import now
from tests.aws.iam_killed import ACCOUNT, Target, die_everywhere, in_process
from tests.aws.iam_world import catalog, reading, rights
from tests.core.test_crash_points import extended_twice_and_run_out, overlapping_and_run_out
from tests.world import World


@pytest.mark.parametrize("lifetime", [extended_twice_and_run_out, overlapping_and_run_out])
def test_dying_anywhere_leaves_no_policy_past_the_deadline(
    tmp_path: Path, lifetime: Callable[[World], None]
) -> None:
    with in_process() as iam:
        reach = Clients(clock=now)

        def target(number: int) -> Target:
            name = f"role-{number}"
            iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
            table = {
                "role_arn": f"{ACCOUNT}:role/{name}",
                "policy": rights(reading("bucket")),
            }

            def policies() -> list[str]:
                return iam.list_role_policies(RoleName=name)["PolicyNames"]

            text = catalog(KIND, dev_read=table, prod_write=table)
            return Target(text, IamPolicy(reach), InlinePolicy(reach), policies)

        assert die_everywhere(tmp_path, lifetime, target) >= 10
