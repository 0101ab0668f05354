"""Each permission of each role is needed: without it, what its function is there for fails.

What the emulator cannot tell is listed with the reason, and held to the text by ``tests/infra``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from jitcloud.emulators.surroundings import apart
from tests.contract.notifiers.mailbox import serving
from tests.fleet.permissions import Permission, permissions, without
from tests.fleet.tasks import TASKS, Tasks

EMULATOR_CANNOT_TELL: Mapping[str, Mapping[tuple[str, str], str]] = {}


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tasks]:
    """A fleet with all there is, which has done each task once."""
    folder = tmp_path_factory.mktemp("permissions")
    with apart(), serving() as mailbox, Outfitted(folder, mailbox) as fleet:
        ready = Tasks(fleet)
        for function in TASKS:
            ready.do(function)
        yield ready


def is_remembered(permission: Permission) -> bool:
    """Whether a function may not ask again what this lets it ask."""
    return permission.action.partition(":")[0] in {"iam", "kms"}


@pytest.mark.long
@pytest.mark.parametrize("function", TASKS)
def test_without_any_one_permission_a_function_fails(tasks: Tasks, function: str) -> None:
    survives = set()
    for permission in permissions(tasks.fleet, function):
        with without(tasks.fleet, permission):
            try:
                tasks.do(function, afresh=is_remembered(permission))
            except (AssertionError, TimeoutError):
                continue
            survives.add(permission.name)
    tasks.do(function)
    assert survives == set(EMULATOR_CANNOT_TELL.get(function, {}))
