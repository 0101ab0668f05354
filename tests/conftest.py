"""What every test may use."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import botocore.session
import pytest
from hypothesis import settings

from tests import workers
from tests.scratch import keep_in_memory
from tests.warm import warm
from tests.world import World

# A failing assertion in a contract suite shows its values, as in a test module. Said here, before
# any test imports one.
for port in (
    "answers",
    "anchors",
    "directories",
    "journals",
    "notifiers",
    "publishers",
    "signers",
    "slot_kinds",
    "stores",
    "tickets",
):
    pytest.register_assert_rewrite(f"tests.contract.{port}")

# Whoever starts the tests in the background has them ignore Ctrl-C, and so would all that they
# start and end that way.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

keep_in_memory()

# How long an example takes is the machine's business: what is timed is timed in `make bench`.
settings.register_profile("jitcloud", deadline=None)
settings.load_profile("jitcloud")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A small organisation over memory."""
    return World(tmp_path)


@pytest.fixture(scope="session", autouse=True)
def _models_read_once() -> Iterator[None]:
    """Have sessions share what they read of AWS's models: half of what making a client costs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session")
def warm_commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the ``PATH``, in which ``jitcloud`` and ``aws`` start fast."""
    with warm(tmp_path_factory.mktemp("warm")) as folder:
        yield folder


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(workers)


# While all tests are loaded nothing becomes garbage, and nothing of that does afterwards.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
