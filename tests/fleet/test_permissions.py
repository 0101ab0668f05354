"""Each permission of each role is needed: without it, what its function is there for fails.

What the emulator cannot tell is listed with the reason, and held to the text by ``tests/infra``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from jitcloud.emulators.fleet import Fleet
from jitcloud.emulators.surroundings import apart
from tests.contract.notifiers.mailbox import serving
from tests.fleet.outfitted import Outfitted
from tests.fleet.permissions import Permission, permissions, without
from tests.fleet.tasks import TASKS, Tasks

Name = tuple[str, str]
"""The statement, and the action."""

_LOG: Mapping[Name, str] = dict.fromkeys(
    [("Log", "logs:CreateLogStream"), ("Log", "logs:PutLogEvents")],
    "the emulator writes what functions print by itself; at AWS the function's role does",
)
_STREAM: Mapping[Name, str] = {
    ("ReadStream", "dynamodb:DescribeStream"): "the emulator reads streams by itself",
    ("ReadStream", "dynamodb:GetRecords"): "the emulator reads streams by itself",
    ("ReadStream", "dynamodb:GetShardIterator"): "the emulator reads streams by itself",
    ("FindStream", "dynamodb:ListStreams"): "the emulator reads streams by itself",
    ("TellOfUndelivered", "sqs:SendMessage"): "the emulator tells of what it gave up by itself",
}
EMULATOR_CANNOT_TELL: Mapping[str, Mapping[Name, str]] = {
    **dict.fromkeys(TASKS, _LOG),
    "advance-aws": {
        **_LOG,
        **_STREAM,
        ("TakeWakeUps", "sqs:ReceiveMessage"): "the emulator takes messages out by itself",
        ("TakeWakeUps", "sqs:DeleteMessage"): "the emulator takes messages out by itself",
        ("TakeWakeUps", "sqs:GetQueueAttributes"): "the emulator looks how full it is by itself",
        ("TakeWakeUps", "sqs:ChangeMessageVisibility"): "the emulator gives them back by itself",
    },
    "publish": {**_LOG, **_STREAM},
}
"""Function -> what it can do without here, and not at AWS."""

FAILS_WITHIN, GOES_WITHIN = 10.0, 90.0
"""Seconds for which one thing is waited for that should not come, and that should."""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tasks]:
    """A fleet with all there is, which has done each task once."""
    folder = tmp_path_factory.mktemp("permissions")
    with apart(), serving() as mailbox, Outfitted(folder, mailbox) as fleet:
        ready = Tasks(fleet, within=GOES_WITHIN)
        for function in TASKS:
            ready.do(function)
        yield ready


def is_remembered(permission: Permission) -> bool:
    """Whether a function that runs already may not ask again what this lets it ask."""
    return permission.action.partition(":")[0] in {"iam", "kms", "secretsmanager"}


@pytest.mark.long
@pytest.mark.parametrize("function", TASKS)
def test_without_any_one_permission_a_function_fails(tasks: Tasks, function: str) -> None:
    untold = EMULATOR_CANNOT_TELL[function]
    found = list(permissions(tasks.fleet, function))
    assert set(untold) <= {each.name for each in found}
    survives = set()
    # What should go on comes first: what fails leaves work behind, and that takes its time.
    for permission in sorted(found, key=lambda each: each.name not in untold):
        tasks.within = GOES_WITHIN if permission.name in untold else FAILS_WITHIN
        with without(tasks.fleet, permission):
            try:
                tasks.do(function, afresh=is_remembered(permission))
            except (AssertionError, TimeoutError):
                continue
            survives.add(permission.name)
    tasks.within = GOES_WITHIN
    tasks.do(function)
    assert survives == set(untold)


def test_without_its_only_permission_nothing_can_be_asked(fleet: Fleet) -> None:
    for function, path in (("request", "me"), ("approve", "approvals")):
        (ask,) = (each for each in permissions(fleet, function) if each.statement == "AskJudge")
        with without(fleet, ask):
            assert fleet.call("ben", "GET", f"/v1/{path}").status == 503
        assert fleet.call("ben", "GET", f"/v1/{path}").status == 200
