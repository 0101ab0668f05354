"""What ``infra/template.yaml`` says, where no emulator can tell what AWS would make of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped] # it has no types

from jitcloud.ahead import PERIOD
from jitcloud.fleet.publishing import PERSON
from jitcloud.observing import emf
from jitcloud.signers.kms import KEY_ARN
from jitcloud.stores.dynamodb import answers, keys
from jitcloud.stores.dynamodb.table import definition
from tests.infra.text import (
    NOTHING,
    ROOT,
    TEMPLATE,
    functions,
    listed,
    named,
    of_type,
    parsed,
    shown,
)

RESOURCES: dict[str, dict[str, Any]] = parsed()["Resources"]
FUNCTIONS = functions(parsed())
MOST_LINES = 40


# ── The whole of it ──────────────────────────────────────────────────────────────────────────


def test_cfn_lint_finds_nothing() -> None:
    from cfnlint.api import (  # type: ignore[import-untyped] # noqa: PLC0415 - it has no types, and loads long
        lint_file,
    )

    assert [f"{found.linenumber}: {found}" for found in lint_file(TEMPLATE)] == []


def test_sam_makes_a_template_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from samtranslator.translator.transform import (  # type: ignore[import-untyped] # noqa: PLC0415 - the same
        transform,
    )

    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    text = TEMPLATE.read_text("utf-8")
    for folder in ("code", "configuration"):
        assert text.count(f"../build/{folder}/") == 1
        text = text.replace(f"../build/{folder}/", f"s3://bucket/{folder}.zip")
    made = transform(yaml_parse(text), {}, _NoManagedPolicies())
    kinds = [resource["Type"] for resource in made["Resources"].values()]
    assert kinds.count("AWS::Lambda::Function") == len(FUNCTIONS)
    # SAM adds a role to a function that names none, and permissions to events that it makes.
    assert kinds.count("AWS::IAM::Role") == len(of_type(parsed(), "AWS::IAM::Role"))
    permissions = len(of_type(parsed(), "AWS::Lambda::Permission"))
    assert kinds.count("AWS::Lambda::Permission") == permissions
    assert "AWS::ApiGatewayV2::Api" in kinds
    assert not [kind for kind in kinds if kind.startswith("AWS::Serverless::")]


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


def test_every_parameter_and_condition_is_used_and_explained() -> None:
    template = parsed()
    used = {*named(template["Resources"]), *named(template["Conditions"])}
    used |= {*named(template["Globals"]), *named(template["Outputs"]), *named(template["Rules"])}
    used |= {made["Condition"] for made in RESOURCES.values() if "Condition" in made}
    assert set(template["Parameters"]) <= used
    assert set(template["Conditions"]) <= used
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown_ = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown_) == sorted(template["Parameters"])
    assert all("Default" in of for of in template["Parameters"].values())


# ── What is kept ─────────────────────────────────────────────────────────────────────────────


def test_the_table_is_the_one_that_the_store_wants() -> None:
    wanted = definition()
    made = of_type(parsed(), "AWS::DynamoDB::Table")["Table"]
    for key in wanted.keys() - {"TableName", "StreamSpecification", "AttributeDefinitions"}:
        assert made[key] == wanted[key], key
    attributes = [
        {of["AttributeName"]: of["AttributeType"] for of in table["AttributeDefinitions"]}
        for table in (made, wanted)
    ]
    assert attributes[0] == attributes[1]
    view = wanted["StreamSpecification"]["StreamViewType"]
    assert made["StreamSpecification"] == {"StreamViewType": view}
    assert made["TimeToLiveSpecification"] == {
        "AttributeName": answers.TIME_TO_LIVE,
        "Enabled": True,
    }
    # With a name of its own it could neither be replaced nor restored beside itself.
    assert "TableName" not in made


def test_after_a_restore_nothing_uses_the_table_of_before() -> None:
    template = parsed()
    below = {name: made for name, made in RESOURCES.items() if name != "Table"}
    after = _after_a_restore([below, template["Outputs"]])
    assert "Table" not in set(named(after))
    assert {"RestoredTableArn", "RestoredStreamLabel"} <= set(named(after))


def _after_a_restore(value: Any) -> Any:
    match value:
        case {"Fn::If": ["IsRestored", restored, _]}:
            return restored
        case dict():
            return {key: _after_a_restore(part) for key, part in value.items()}
        case list():
            return [_after_a_restore(part) for part in value]
    return value


def test_record_and_key_outlive_everything() -> None:
    for name in ("Table", "SigningKey"):
        assert RESOURCES[name]["DeletionPolicy"] == "Retain"
        assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"
    table = RESOURCES["Table"]["Properties"]
    assert table["DeletionProtectionEnabled"] is True
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert RESOURCES["SigningKey"]["Properties"]["PendingWindowInDays"] == 30


# ── Functions ────────────────────────────────────────────────────────────────────────────────

ENVIRONMENT = {
    "Request": {"JITCLOUD_JUDGE": "Judge.Arn"},
    "Approve": {"JITCLOUD_JUDGE": "Judge.Arn"},
    "Judge": {
        "JITCLOUD_CONFIG": "ConfigurationFolder",
        "JITCLOUD_SECRETS": "SecretArn",
        "JITCLOUD_TABLE": "Table",
        "JITCLOUD_SIGNING_KEY": "SigningKey.Arn",
        "JITCLOUD_LOOK": "Look.Arn",
    },
    "Look": {"JITCLOUD_CONFIG": "ConfigurationFolder"},
    "Issue": {
        "JITCLOUD_CONFIG": "ConfigurationFolder",
        "JITCLOUD_TABLE": "Table",
        "JITCLOUD_SIGNING_KEY": "SigningKey.Arn",
    },
    "AdvanceAws": {
        "JITCLOUD_CONFIG": "ConfigurationFolder",
        "JITCLOUD_SECRETS": "SecretArn",
        "JITCLOUD_TABLE": "Table",
        "JITCLOUD_SIGNING_KEY": "SigningKey.Arn",
        "JITCLOUD_QUEUE": "AwsQueue",
    },
    "Expire": {
        "JITCLOUD_TABLE": "Table",
        "JITCLOUD_QUEUE": '{"aws": "${AwsQueue}"}',
        "JITCLOUD_DEAD": '{"aws": "${AwsDead}"}',
    },
    "Reconcile": {
        "JITCLOUD_CONFIG": "ConfigurationFolder",
        "JITCLOUD_TABLE": "Table",
        "JITCLOUD_SIGNING_KEY": "SigningKey.Arn",
    },
    "Publish": {
        "JITCLOUD_CONFIG": "ConfigurationFolder",
        "JITCLOUD_SECRETS": "SecretArn",
        "JITCLOUD_TABLE": "Table",
        "JITCLOUD_SIGNING_KEY": "SigningKey.Arn",
    },
}
TIMEOUTS = {
    "Request": 29,
    "Approve": 29,
    "Judge": 20,
    "Look": 15,
    "Issue": 29,
    "AdvanceAws": 120,
    "Expire": 50,
    "Reconcile": 900,
    "Publish": 60,
}


def test_each_function_is_told_what_it_has_to_know_and_nothing_else() -> None:
    told = {
        name: {key: shown(of) for key, of in made["Environment"]["Variables"].items()}
        for name, made in FUNCTIONS.items()
    }
    assert told == ENVIRONMENT
    assert "Environment" not in parsed()["Globals"]["Function"]
    for name, made in FUNCTIONS.items():
        reads_files = "JITCLOUD_CONFIG" in ENVIRONMENT[name]
        assert made.get("Layers") == ([{"Ref": "Configuration"}] if reads_files else None), name


def test_what_they_are_told_is_read_somewhere() -> None:
    sources = [*(ROOT / "functions").glob("*.py"), *(ROOT / "jitcloud").rglob("*.py")]
    read = set(re.findall(r"JITCLOUD_\w+", "\n".join(path.read_text() for path in sources)))
    assert {name for told in ENVIRONMENT.values() for name in told} <= read


def test_each_function_is_one_short_file_and_each_file_a_function() -> None:
    files = {made["Handler"].split(".")[1] for made in FUNCTIONS.values()}
    for name, made in FUNCTIONS.items():
        folder, file, handler = made["Handler"].split(".")
        path = ROOT / folder / f"{file}.py"
        assert path.exists(), name
        text = path.read_text("utf-8")
        assert f"\ndef {handler}(event" in text, name
        assert len(text.splitlines()) <= MOST_LINES, name
    # One more is for a machine of one's own: what calls it need be nothing but a clock.
    assert {path.stem for path in (ROOT / "functions").glob("*.py")} == files | {"sweep"}


def test_who_asks_waits_longer_than_who_is_asked_may_take() -> None:
    assert {name: made["Timeout"] for name, made in FUNCTIONS.items()} == TIMEOUTS
    assert TIMEOUTS["Look"] < TIMEOUTS["Judge"] < TIMEOUTS["Request"] < 30  # API Gateway's own
    assert TIMEOUTS["Expire"] < PERIOD.total_seconds()


def test_each_function_logs_to_a_group_of_its_own_that_forgets() -> None:
    groups = of_type(parsed(), "AWS::Logs::LogGroup")
    for name, made in FUNCTIONS.items():
        assert made["LoggingConfig"] == {"LogGroup": {"Ref": f"{name}Log"}}
        assert (
            shown(groups[f"{name}Log"]["LogGroupName"])
            == f"/aws/lambda/{shown(made['FunctionName'])}"
        )
    assert set(groups) == {"ApiLog", *(f"{name}Log" for name in FUNCTIONS)}
    for group in groups.values():
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_what_queues_again_is_not_taken_for_a_loop() -> None:
    # Lambda stops a function that was called 16 times by its own messages (Lambda developer guide,
    # "Use Lambda recursive loop detection"); a wake-up may be put off more often than that.
    sends_to_itself = {
        name: made.get("RecursiveLoop")
        for name, made in FUNCTIONS.items()
        if "JITCLOUD_QUEUE" in ENVIRONMENT[name] and name != "Expire"
    }
    assert sends_to_itself == {"AdvanceAws": "Allow"}


# ── Who calls them ───────────────────────────────────────────────────────────────────────────


def test_who_may_invoke_is_named_with_what_it_invokes_for() -> None:
    told = {}
    for made in of_type(parsed(), "AWS::Lambda::Permission").values():
        assert made["Action"] == "lambda:InvokeFunction"
        told[made["FunctionName"]["Ref"]] = (made["Principal"], shown(made["SourceArn"]))
    api = (
        "apigateway.amazonaws.com",
        "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/*",
    )
    assert told == {
        **dict.fromkeys(("Request", "Approve", "Issue"), api),
        **{
            name: ("events.amazonaws.com", f"{name}Schedule.Arn")
            for name in ("Judge", "Expire", "Reconcile", "Publish")
        },
    }
    assert not [
        made for made in FUNCTIONS.values() if "Events" in made or "FunctionUrlConfig" in made
    ]


def test_schedules_call_what_they_are_named_after() -> None:
    told = {}
    for name, made in of_type(parsed(), "AWS::Events::Rule").items():
        (target,) = made["Targets"]
        assert shown(target["Arn"]) == f"{name.removesuffix('Schedule')}.Arn"
        told[name] = (shown(made["ScheduleExpression"]), target.get("Input"))
    assert told == {
        "JudgeSchedule": ("rate(1 minute)", '{"take_up": true}'),
        "ExpireSchedule": ("rate(1 minute)", None),
        "ReconcileSchedule": ("ReconcileEvery", None),
        "PublishSchedule": ("rate(1 minute)", None),
    }
    # What is called again soon is not tried again meanwhile, which would queue up.
    for name in ("Judge", "Expire", "Reconcile", "Publish"):
        assert FUNCTIONS[name]["EventInvokeConfig"]["MaximumRetryAttempts"] == 0


def test_a_queue_hands_out_in_part_again_a_few_at_a_time_and_not_too_soon() -> None:
    mapping = _mapping("AdvanceAws", "AwsQueue.Arn")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "AwsConcurrency"}}
    queue = RESOURCES["AwsQueue"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * TIMEOUTS["AdvanceAws"]
    redrive = queue["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["AwsDead", "Arn"]}
    assert redrive["maxReceiveCount"] >= 5
    for name, made in of_type(parsed(), "AWS::SQS::Queue").items():
        assert made["SqsManagedSseEnabled"] is True, name
        if name != "AwsQueue":
            assert made["MessageRetentionPeriod"] == 14 * 24 * 3600


@pytest.mark.parametrize("function", ["AdvanceAws", "Publish"])
def test_a_stream_goes_on_past_what_cannot_be_handed_over(function: str) -> None:
    mapping = _mapping(function, "Table.StreamArn")
    assert mapping["BisectBatchOnFunctionError"] is True
    assert 0 < mapping["MaximumRetryAttempts"] <= 5
    assert 60 <= mapping["MaximumRecordAgeInSeconds"] <= 600
    undelivered = {"Fn::GetAtt": ["Undelivered", "Arn"]}
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": undelivered}}
    assert mapping["StartingPosition"] == "LATEST"


def test_no_more_than_two_read_the_stream() -> None:
    # "No more than two processes at most should be reading from the same stream's shard at the
    # same time" (DynamoDB developer guide, "Change data capture for DynamoDB Streams").
    mappings = of_type(parsed(), "AWS::Lambda::EventSourceMapping").values()
    reading = [made for made in mappings if shown(made["EventSourceArn"]) == "Table.StreamArn"]
    assert len(reading) <= 2


def test_a_stream_is_filtered_by_what_the_store_writes() -> None:
    wakes, brakes = _patterns("AdvanceAws")
    assert wakes == {"due": {"S": [{"prefix": f"{keys.cloud_of('aws.iam-group')}#"}]}}
    assert brakes == {"pk": {"S": [keys.CONTROLS]}, "ending": {"N": [{"exists": True}]}}
    assert _patterns("Publish") == [
        {"due": {"S": [{"prefix": f"{keys.MARKS}#"}]}},
        {"sk": {"S": [{"prefix": keys.EVENTS}]}},
        {"pk": {"S": [{"prefix": PERSON}]}},
    ]
    assert keys.DUE.partition == "due"


def _mapping(function: str, source: str) -> dict[str, Any]:
    (found,) = (
        made
        for made in of_type(parsed(), "AWS::Lambda::EventSourceMapping").values()
        if made["FunctionName"] == {"Ref": function} and shown(made["EventSourceArn"]) == source
    )
    return found


def _patterns(function: str) -> list[object]:
    filters = _mapping(function, "Table.StreamArn")["FilterCriteria"]["Filters"]
    read = [json.loads(each["Pattern"]) for each in filters]
    assert all(set(each) == {"dynamodb"} and set(each["dynamodb"]) == {"NewImage"} for each in read)
    return [each["dynamodb"]["NewImage"] for each in read]


# ── The API ──────────────────────────────────────────────────────────────────────────────────

OPEN = {"GET /healthz", "GET /openapi.json", "GET /docs", "GET /docs/{proxy+}"}
ROUTES = {
    "ANY /v1/{proxy+}": "Request",
    "POST /v1/requests/{id}/approve": "Approve",
    "POST /v1/requests/{id}/deny": "Approve",
    "GET /v1/approvals": "Approve",
    "POST /v1/requests/{id}/credentials": "Issue",
}


def test_every_route_wants_proof_of_who_calls_but_four_that_say_nothing() -> None:
    told = {}
    for made in of_type(parsed(), "AWS::ApiGatewayV2::Route").values():
        (integration,) = re.findall(r"^integrations/\$\{(\w+)Integration\}$", shown(made["Target"]))
        kind, authorizer = made["AuthorizationType"], made.get("AuthorizerId")
        if kind == {"Fn::If": ["ChecksTokens", "JWT", "NONE"]}:
            assert authorizer == {"Fn::If": ["ChecksTokens", {"Ref": "TokenAuthorizer"}, NOTHING]}
            kind = "JWT"
        told[made["RouteKey"]] = (integration, kind)
    assert told == {
        **dict.fromkeys(OPEN, ("Request", "NONE")),
        **{route: (function, "JWT") for route, function in ROUTES.items()},
        **{
            route.replace(" /", " /aws/"): (function, "AWS_IAM")
            for route, function in ROUTES.items()
        },
    }


def test_an_integration_is_named_after_the_function_behind_it() -> None:
    made = of_type(parsed(), "AWS::ApiGatewayV2::Integration")
    assert {name: shown(of["IntegrationUri"]) for name, of in made.items()} == {
        f"{name}Integration": f"{name}.Arn" for name in ("Request", "Approve", "Issue")
    }
    assert {of["PayloadFormatVersion"] for of in made.values()} == {"2.0"}
    assert {of["IntegrationType"] for of in made.values()} == {"AWS_PROXY"}


def test_tokens_are_of_the_issuer_and_for_the_audience_that_are_given() -> None:
    authorizer = RESOURCES["TokenAuthorizer"]["Properties"]
    assert authorizer["JwtConfiguration"] == {
        "Issuer": {"Ref": "Issuer"},
        "Audience": {"Fn::Split": [",", {"Ref": "Audience"}]},
    }
    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]


def test_calls_are_counted_and_logged_without_what_may_be_secret() -> None:
    stage = RESOURCES["ApiStage"]["Properties"]
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == {"Ref": "RequestsPerSecond"}
    assert stage["DefaultRouteSettings"]["ThrottlingBurstLimit"] == {"Ref": "RequestBurst"}
    line = stage["AccessLogSettings"]["Format"]
    assert "\n" not in line
    read = set(re.findall(r"\$(context\.[\w.]+)", line))
    assert len(json.loads(line)) == len(read)
    assert not [name for name in read if re.search("query|header|authorization|token|claims", name)]


def test_an_api_with_a_name_of_its_own_has_no_other() -> None:
    assert RESOURCES["Api"]["Properties"]["DisableExecuteApiEndpoint"] == {
        "Fn::If": ["HasDomain", True, False]
    }
    for name in ("Domain", "DomainMapping"):
        assert RESOURCES[name]["Condition"] == "HasDomain"
    (configured,) = RESOURCES["Domain"]["Properties"]["DomainNameConfigurations"]
    assert configured["SecurityPolicy"] == "TLS_1_2"


# ── Alarms ───────────────────────────────────────────────────────────────────────────────────


def test_every_alarm_reaches_whoever_is_to_be_told_and_says_what_is_wrong() -> None:
    topic = {"Fn::If": ["HasAlarmTopic", {"Ref": "AlarmTopicArn"}, {"Ref": "AlarmTopic"}]}
    alarms = of_type(parsed(), "AWS::CloudWatch::Alarm")
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == {"Fn::If": ["TellsSomebody", [topic], NOTHING]}, name
        assert alarm["AlarmDescription"].endswith("."), name
    shown_ = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"][0]
    unconditional = {name for name in alarms if "Condition" not in RESOURCES[name]}
    assert set(re.findall(r"\$\{(\w+)\.Arn\}", shown_)) == unconditional
    json.loads(re.sub(r"\$\{[\w.:]+\}", "x", shown_))


def test_silence_is_an_alarm() -> None:
    silent = RESOURCES["SilentAlarm"]["Properties"]
    assert (silent["Namespace"], silent["MetricName"]) == ("AWS/Lambda", "Invocations")
    assert _dimensions(silent) == {"FunctionName": "Expire"}
    assert silent["TreatMissingData"] == "breaching"
    assert silent["Period"] * silent["EvaluationPeriods"] <= 300


def _dimensions(alarm: dict[str, Any]) -> dict[str, str]:
    return {each["Name"]: shown(each["Value"]) for each in alarm.get("Dimensions", [])}


def test_figures_of_our_own_are_written_by_somebody() -> None:
    written = Path(emf.__file__).read_text("utf-8")
    read = {"SignCalls"}  # counted by the filter beside the alarm
    for alarm in of_type(parsed(), "AWS::CloudWatch::Alarm").values():
        statistics = [
            each["MetricStat"]["Metric"]
            for each in alarm.get("Metrics", [])
            if "MetricStat" in each
        ]
        for metric in [alarm, *statistics]:
            if metric.get("Namespace") == emf.NAMESPACE and metric["MetricName"] not in read:
                assert f'name="{metric["MetricName"]}"' in written
                assert not metric.get("Dimensions")


def test_what_the_key_signed_is_compared_with_what_was_recorded() -> None:
    for name in ("SignCalls", "SignaturesAlarm"):
        assert RESOURCES[name]["Condition"] == "HasCloudTrail"
    counted = RESOURCES["SignCalls"]["Properties"]
    (made,) = counted["MetricTransformations"]
    pattern = shown(counted["FilterPattern"])
    assert "${SigningKey.Arn}" in pattern
    assert '"Sign"' in pattern
    unmatched, *of = RESOURCES["SignaturesAlarm"]["Properties"]["Metrics"]
    metrics = [each["MetricStat"]["Metric"] for each in of]
    assert [each["MetricName"] for each in metrics] == [made["MetricName"], "SignedEvents"]
    assert re.findall(r"FILL\((\w+), 0\)", unmatched["Expression"]) == [each["Id"] for each in of]


# ── What parameters take ─────────────────────────────────────────────────────────────────────


def _takes(parameter: str, value: str) -> bool:
    pattern: str = parsed()["Parameters"][parameter]["AllowedPattern"]
    return re.fullmatch(pattern, value) is not None


@pytest.mark.parametrize(
    "parameter", ["IssueRights", "LookRights", "AdvanceAwsRights", "ReconcileRights"]
)
def test_rights_are_none_or_arns_of_policies_and_no_patterns(parameter: str) -> None:
    one = "arn:aws:iam::111122223333:policy/jitcloud-rights-IssueRights1-ABC"
    for right in ("", one, f"{one},{one}2"):
        assert _takes(parameter, right)
    for wrong in (f"{one}, {one}", f"{one},", f"{one}*", "*", one.replace(":policy/", ":role/")):
        assert not _takes(parameter, wrong)


def test_an_issuer_is_reached_by_tls_or_is_an_emulator() -> None:
    for right in ("", "https://login.example.com/", "http://127.0.0.1:8080/issuer"):
        assert _takes("Issuer", right)
    for wrong in ("http://login.example.com", "http://127.0.0.1.example.com:80", "example.com"):
        assert not _takes("Issuer", wrong)


def test_outputs_say_what_the_next_step_asks_for() -> None:
    outputs = parsed()["Outputs"]
    assert {f"{name}RoleArn" for name in FUNCTIONS} <= set(outputs)
    assert {"ApiUrl", "TableName", "SigningKeyArn", "AwsQueueUrl", "AwsDeadUrl"} <= set(outputs)
    assert KEY_ARN.fullmatch("arn:aws:kms:eu-central-1:111122223333:key/" + "1" * 36)
    assert [shown(of) for of in listed(outputs["SigningKeyArn"]["Value"])] == ["SigningKey.Arn"]
