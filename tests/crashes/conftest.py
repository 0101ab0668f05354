"""The clouds that lifetimes are killed in: an emulated AWS, and an Identity Center beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from jitcloud.clock import utc_now
from jitcloud.emulators.identity_center import Behaviour, IdentityCenter, IdentityCenterServer
from tests.aws.conftest import Aws, aws, ministack
from tests.crashes.registry import Surroundings

__all__ = ["aws", "ministack"]


@pytest.fixture(scope="session")
def surroundings(aws: Aws) -> Iterator[Surroundings]:
    at_once = Behaviour(takes=timedelta(0), rate=None)
    with IdentityCenterServer(IdentityCenter(utc_now, at_once, region="eu-central-1")) as center:
        yield Surroundings(aws, center)
