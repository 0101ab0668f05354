"""The state answers as AWS does: as moto and ministack do, in process and over HTTP alike.

What moto and ministack do otherwise is AWS's business as its API reference has it, and is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import boto3
import pytest
from moto import mock_aws

from jitcloud.emulators.ministack import Ministack
from jitcloud.errors import CloudError
from jitcloud.providers.aws.clients import translated
from jitcloud.providers.aws.deny_text import base_document
from tests.simulation.chaos import Injector
from tests.simulation.clock import Clock
from tests.simulation.clouds.aws import HOME, Aws
from tests.simulation.clouds.aws_stage import allowing
from tests.simulation.clouds.http import HttpWire
from tests.simulation.clouds.iam_calls import OPERATIONS
from tests.simulation.clouds.reach import SESSIONS, Client, Reach, Wire, operations
from tests.simulation.clouds.scenario import (
    GROUP,
    OTHER,
    PEOPLE,
    POLICY,
    ROLE,
    Call,
    calls,
    form,
    furnished,
    heard,
)
from tests.simulation.dice import Dice
from tests.simulation.stage import Driver, Trouble

Heard = Sequence[tuple[Call, object]]


def of_ours(wire: type[Wire]) -> Heard:
    clock = Clock()
    chaos = Injector(clock, Dice(1), on=False)
    aws = Aws(clock, chaos)
    account = aws.accounts[HOME]
    for name in PEOPLE:
        account.add_user(name)
    for name in (GROUP, OTHER):
        account.add_group(name, allowing("x:*"))
    arn = account.add_policy(POLICY, base_document(account.arn(f"policy/{POLICY}")))
    account.add_role(ROLE, allowing("*"), boundary=arn)
    reach = Reach(wire(aws), SESSIONS, Driver("one", clock))
    return list(heard({"iam": reach.iam("aws"), "sts": reach.sts("aws")}, HOME))


def of_another(account: str, **where: str) -> Heard:
    session: Any = boto3.Session("test", "test", region_name="us-east-1")
    clients = {service: session.client(service, **where) for service in ("iam", "sts")}
    furnished(clients["iam"], account)
    return list(heard(clients, account))


def without_metadata(said: object) -> object:
    if isinstance(said, Mapping):
        return {key: item for key, item in said.items() if key != "ResponseMetadata"}
    return said


@pytest.fixture(scope="module")
def ours() -> Heard:
    return of_ours(Wire)


def test_the_product_calls_nothing_that_is_not_compared() -> None:
    called = {operations(service)[method] for service, method, _ in calls(HOME)}
    assert called == set(OPERATIONS)


def test_an_answer_is_the_same_over_http(ours: Heard) -> None:
    theirs = of_ours(HttpWire)
    assert len(theirs) == len(ours)
    for (call, said), (_, other) in zip(ours, theirs, strict=True):
        assert without_metadata(said) == without_metadata(other), call


# ── Others ───────────────────────────────────────────────────────────────────────────────────

MISSING_IN_MOTO: Mapping[str, frozenset[str]] = {
    "get_group": frozenset({"IsTruncated"}),
    "get_policy": frozenset({"PermissionsBoundaryUsageCount"}),
    "list_policy_versions": frozenset({"IsTruncated"}),
    "assume_role": frozenset({"PackedPolicySize", "SourceIdentity"}),
}
"""What AWS tells (its API reference), and moto does not."""

MORE_IN_MOTO: Mapping[str, frozenset[str]] = {
    "get_role": frozenset({"RoleLastUsed"}),
    "assume_role": frozenset({"PackedPolicySize"}),
    "create_policy_version": frozenset({"Document"}),
    "list_policy_versions": frozenset({"Document"}),
}
"""What moto tells, and AWS does not, or where there is something to tell alone."""

NOT_IN_MOTO = frozenset({"list_entities_for_policy"})
"""It knows of no boundary that a policy is, nor whether there is such a policy."""

MISSING_IN_MINISTACK: Mapping[str, frozenset[str]] = {
    "assume_role": frozenset({"PackedPolicySize", "SourceIdentity"}),
    "get_policy": frozenset({"Tags"}),
}
MORE_IN_MINISTACK: Mapping[str, frozenset[str]] = {
    "get_role": frozenset({"Description"}),
    "list_roles": frozenset({"Description"}),
    "assume_role": frozenset({"PackedPolicySize"}),
}

NOT_LOOKED_AT = "DurationSeconds"
"""Neither holds a role to its longest session, and moto looks at no session policy or role."""


def compared(
    ours: Heard,
    theirs: Heard,
    missing: Mapping[str, frozenset[str]],
    more: Mapping[str, frozenset[str]],
) -> Iterator[str]:
    for (call, said), (_, other) in zip(ours, theirs, strict=True):
        one = _without(_form(said), missing.get(call[1], frozenset()))
        two = _without(_form(other), more.get(call[1], frozenset()))
        if one != two:
            yield f"{call}:\n  ours {one}\nothers {two}"


def _form(said: object) -> object:
    return form(said) if isinstance(said, Mapping) else said


def _without(said: object, names: frozenset[str]) -> object:
    if isinstance(said, dict):
        # What a document is made of, differs by what was there before.
        return {
            key: "a document" if key.endswith("Document") else _without(item, names)
            for key, item in said.items()
            if key not in names
        }
    return [_without(item, names) for item in said] if isinstance(said, list) else said


def _lenient(call: Call) -> bool:
    """Whether neither of the others looks at what AWS refuses here."""
    _, method, params = call
    return method == "assume_role" and params.get("DurationSeconds", 0) > 3600


def _lenient_in_moto(call: Call) -> bool:
    _, method, params = call
    policy = params.get("Policy", "{}")
    return method == "assume_role" and (
        params["RoleArn"].endswith("-too") or policy[:1] != "{" or len(policy) > 2048
    )


def test_moto_answers_alike(ours: Heard) -> None:
    with mock_aws():
        theirs = of_another("123456789012")
    differ = list(compared(ours, theirs, MISSING_IN_MOTO, MORE_IN_MOTO))
    lenient = [c for c, _ in ours if _lenient(c) or _lenient_in_moto(c) or c[1] in NOT_IN_MOTO]
    assert [d for d in differ if not any(d.startswith(f"{c}:") for c in lenient)] == []


@pytest.mark.long
def test_ministack_answers_alike(ours: Heard) -> None:
    with Ministack() as aws:
        theirs = of_another(aws.account, endpoint_url=aws.endpoint_url)
    differ = list(compared(ours, theirs, MISSING_IN_MINISTACK, MORE_IN_MINISTACK))
    lenient = [call for call, _ in ours if _lenient(call)]
    assert [d for d in differ if not any(d.startswith(f"{c}:") for c in lenient)] == []


# ── Troubles ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("service", ["iam", "identitystore", "organizations", "sso-admin", "sts"])
@pytest.mark.parametrize("trouble", list(Trouble))
def test_a_trouble_is_to_the_product_what_boto3_makes_of_it(service: str, trouble: Trouble) -> None:
    clock = Clock()
    aws = Aws(clock, Injector(clock, Dice(1), on=False))
    made = [
        wire(aws).fail(SESSIONS, service, HOME, "GetCallerIdentity", trouble)
        for wire in (Wire, HttpWire)
    ]
    assert told(made[0]) == told(made[1])


def told(exc: Exception) -> str:
    """What the product makes of it."""
    with pytest.raises(CloudError) as made, translated("a call"):
        raise exc
    return type(made.value).__name__


def test_what_a_client_does_not_know_is_no_call() -> None:
    clock = Clock()
    aws = Aws(clock, Injector(clock, Dice(1), on=False))
    reach = Reach(Wire(aws), SESSIONS, Driver("one", clock))
    client = Client(reach, "iam", HOME, None)
    with pytest.raises(AttributeError):
        client.no_such_thing  # noqa: B018 - that is what is tried
