"""Which worker runs which tests, and in which order: see `make test`.

A worker gets whole files, so that what a file shares is made once and not by each worker; it gets
several at once where they share a deployment.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import (  # type: ignore[import-untyped] # it has no types
    LoadScopeScheduling,
    Scheduling,
)

TOGETHER = {
    "tests/fleet/test_deployed.py": "the fleet",
    "tests/fleet/test_permissions.py": "the fleet",
    "tests/fleet/test_restored.py": "the fleet",
    "tests/fleet/test_storm.py": "the fleet",
    "tests/stores_dynamodb/": "an emulated table",
    "tests/model/": "what was explored",
}
"""Files and folders whose tests share what takes long to start, and what that is."""

APART = ("tests/docs/test_docs.py", "tests/e2e/", "tests/core/test_crash_points.py")
"""Whose tests share nothing, and take long."""

LONG = (
    "tests/fleet/test_deployed.py",
    "tests/fleet/test_permissions.py",
    "tests/fleet/test_restored.py",
    "tests/fleet/test_storm.py",
    "tests/fleet/",
    "tests/docs/test_docs.py",
    "tests/e2e/",
    "tests/serving/",
    "tests/remote/",
    "tests/stores_dynamodb/",
    "tests/model/",
    "tests/unit/test_policy_properties.py",
    "tests/simulation/",
    "tests/core/test_crash_points.py",
    "tests/contract/test_stores.py",
    "tests/aws/",
    "tests/api/",
)
"""What is begun with, so that no worker is left alone with it in the end."""

WAITING = (
    "tests/crashes/test_killed.py",
    "tests/e2e/test_credential_process.py",
    "tests/e2e/test_demo.py::test_everything_is_shown",
)
"""What mostly waits for a deadline: never all at once, for others can use the processor then."""


class ByFile(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    def _split_scope(self, nodeid: str) -> str:
        return _shared(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling | None:
    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False  # ours is the order that is wanted
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    waiting = [item for item in items if item.nodeid.startswith(WAITING)]
    items[:] = sorted(
        (item for item in items if not item.nodeid.startswith(WAITING)),
        key=lambda item: _rank(item.nodeid),
    )
    step = len(items) // (2 * len(waiting) + 1) + 1
    for number, item in enumerate(waiting):
        _insert(items, number * step, item)


def _rank(nodeid: str) -> int:
    return next((rank for rank, name in enumerate(LONG) if nodeid.startswith(name)), len(LONG))


def _insert(items: list[pytest.Item], at: int, item: pytest.Item) -> None:
    """Put it there, or behind the tests that are to stay together with the one there."""
    while 0 < at < len(items) and _shared(items[at].nodeid) == _shared(items[at - 1].nodeid):
        at += 1
    items.insert(at, item)


def _shared(nodeid: str) -> str:
    """Name what a test shares: tests of the same name are run by one worker, one after another."""
    if nodeid.startswith((*APART, *WAITING)):
        return nodeid
    of = next((what for name, what in TOGETHER.items() if nodeid.startswith(name)), None)
    return of or nodeid.partition("::")[0]
