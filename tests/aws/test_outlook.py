"""What a plan for AWS sessions says beforehand, and what asking for it costs."""

from __future__ import annotations

from datetime import timedelta

from botocore.model import OperationModel

from jitcloud.model import Guarantee, Holder, Plan
from jitcloud.providers.aws import deny_text, outlook
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.sts_session import StsSession
from tests.aws.conftest import (
    Aws,
    a_request,
    a_request_id,
    an_entitlement,
    clients_of,
    issued,
    now,
)

READ = {"Effect": "Allow", "Action": "s3:GetObject"}


def _plan(sessions: StsSession, hours: float = 1, /, **target: object) -> Plan:
    return sessions.plan(an_entitlement(**target), timedelta(hours=hours), now())


def test_a_plan_for_a_role_that_is_set_up_has_no_problem(aws: Aws, sessions: StsSession) -> None:
    document = aws.deny_document()
    plan = _plan(sessions, role_arn=aws.role(boundary=document), deny_document=document)
    assert plan.problems == ()
    assert plan.guarantee is Guarantee.CLOUD
    assert plan.early_end == outlook.ENDS_EARLY
    assert plan.residual == (outlook.STAYS_OPEN, outlook.IDENTITY, outlook.CONSOLE)
    assert plan.notes == (outlook.TRUST_UNKNOWN,)


def test_a_plan_says_that_the_role_does_not_exist(aws: Aws, sessions: StsSession) -> None:
    (problem,) = _plan(sessions, role_arn=f"arn:aws:iam::{aws.account}:role/nobody").problems
    assert "does not exist" in problem


def test_a_role_of_that_name_under_another_path_is_not_the_role(
    aws: Aws, sessions: StsSession
) -> None:
    elsewhere = aws.role().replace(":role/", ":role/team/")
    (problem,) = _plan(sessions, role_arn=elsewhere).problems
    assert "does not exist" in problem


def test_a_plan_says_how_long_the_role_allows_sessions(aws: Aws, sessions: StsSession) -> None:
    role = aws.role(longest=7200)
    assert _plan(sessions, 2, role_arn=role).problems == ()
    (problem,) = _plan(sessions, 2.5, role_arn=role).problems
    assert "2h at most" in problem


def test_a_plan_says_that_sets_are_issued_again(aws: Aws) -> None:
    chained = clients_of(aws, aws.role_session(aws.role()))
    plan = _plan(StsSession(chained), 2, role_arn=aws.role(longest=7200))
    assert plan.problems == ()
    assert any("lives 1h at most; another is issued" in note for note in plan.notes)


def test_a_plan_says_what_the_catalog_opens(aws: Aws, sessions: StsSession) -> None:
    plan = _plan(sessions, role_arn=aws.role(), allow_escape=["kms-grants"])
    assert plan.residual[0] == "kms-grants is open: A KMS grant stays until it is retired."


def test_a_plan_says_when_little_room_is_left_for_the_policy(
    aws: Aws, sessions: StsSession
) -> None:
    own = [aws.managed_policy({**READ, "Resource": "*"}) for _ in range(4)]
    plan = _plan(sessions, role_arn=aws.role(), narrow_policy_arns=own)
    assert plan.problems == ()
    assert any("an estimate: only AWS can tell" in note for note in plan.notes)


def test_a_plan_says_what_an_early_end_would_leave(aws: Aws, sessions: StsSession) -> None:
    document, full = aws.deny_document(), aws.deny_document()
    ended = [Holder(request=a_request_id(), until=now()) for _ in range(200)]
    many = deny_text.fitting(full, ended)
    aws.iam().create_policy_version(
        PolicyArn=full, PolicyDocument=deny_text.document(full, many), SetAsDefault=True
    )
    for why, target in {
        "the catalog names no deny document": {"role_arn": aws.role()},
        "is not attached to the role": {"role_arn": aws.role(), "deny_document": document},
        "it is full": {"role_arn": aws.role(boundary=full), "deny_document": full},
    }.items():
        plan = _plan(sessions, **target)
        assert plan.early_end in plan.residual
        assert why.removeprefix("it ") in plan.early_end
        assert "work until the deadline" in plan.early_end


def test_a_plan_without_the_right_to_look_says_so_and_is_no_problem(aws: Aws) -> None:
    blind = aws.user({"Effect": "Allow", "Action": "sts:*", "Resource": "*"})
    sessions, document = StsSession(clients_of(aws, blind)), aws.deny_document()
    target = {"role_arn": aws.role(boundary=document), "deny_document": document}
    plan = _plan(sessions, **target)
    assert plan.problems == ()
    assert any("could not look at the role" in note for note in plan.notes)
    assert "work until the deadline" in plan.early_end
    assert aws.can_read(issued(sessions, a_request(**target)), aws.bucket())


def test_a_plan_says_that_the_document_cannot_be_read(aws: Aws) -> None:
    may = {"Effect": "Allow", "Action": ["iam:GetRole", "sts:*"], "Resource": "*"}
    sessions, document = StsSession(clients_of(aws, aws.user(may))), aws.deny_document()
    plan = _plan(sessions, role_arn=aws.role(boundary=document), deny_document=document)
    assert plan.problems == ()
    assert "the broker cannot read the deny document" in plan.early_end


def test_a_role_in_an_account_where_the_broker_cannot_look_is_said_to_be_so(
    sessions: StsSession,
) -> None:
    plan = _plan(sessions, role_arn="arn:aws:iam::999988887777:role/far")
    assert plan.problems == ()
    assert any("no account_role is named" in note for note in plan.notes)


def test_once_warm_issuing_calls_aws_for_nothing_but_the_session(
    aws: Aws, clients: Clients, sessions: StsSession
) -> None:
    document = aws.deny_document()
    target = {"role_arn": aws.role(boundary=document), "deny_document": document}
    _plan(sessions, **target)
    calls: list[str] = []

    def note(model: OperationModel, **_: object) -> None:
        calls.append(model.name)

    both = (clients.sts("aws"), clients.iam("aws"))
    for client in both:
        client.meta.events.register("before-call", note)
    _plan(sessions, **target)
    issued(sessions, a_request(**target))
    issued(sessions, a_request(**target))
    for client in both:
        client.meta.events.unregister("before-call", note)
    assert calls == ["AssumeRole", "AssumeRole"]
