"""The least that an API on Lambda does: a route of Powertools, and one conditional write."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from jitcloud.emulators.deployed import Answer, Deployed, make_stack
from jitcloud.emulators.fleet import AUDIENCE, Fleet

STACK, BUCKET, KEY = "bare", "bare-packages", "code.zip"

CODE = """
import os
from secrets import token_hex
import boto3
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from pydantic import BaseModel

class Wish(BaseModel):
    entitlements: list[str]
    duration: str
    justification: str

app = APIGatewayHttpResolver(enable_validation=True)
client = boto3.client("dynamodb")

@app.post("/v1/requests")
def ask(wish: Wish):
    name = token_hex(16)
    client.put_item(
        TableName=os.environ["TABLE"],
        Item={"pk": {"S": name}, "body": {"S": wish.model_dump_json()}},
        ConditionExpression="attribute_not_exists(pk)",
    )
    return {"id": name}, 201

def handler(event, context):
    answer = app.resolve(event, context)
    print("done", flush=True)  # ministack waits for a line, and longer where none comes
    return answer
"""


class BareRoute:
    """One such route, on the same AWS as a fleet and behind the same check of tokens."""

    def __init__(self, fleet: Fleet) -> None:
        _upload(fleet.deployed)
        made = make_stack(fleet.aws, STACK, json.dumps(_template(fleet.issuer.url)))
        self._deployed = fleet.deployed
        port = fleet.aws.endpoint_url.rpartition(":")[2]
        self._host = f"{made['ApiId']}.execute-api.localhost:{port}"

    def call(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send it what a fleet is sent."""
        told = {**headers, "Host": self._host}
        return self._deployed.call("POST", "/v1/requests", told, body)


def _upload(deployed: Deployed) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as zipped:
        zipped.writestr("bare.py", CODE)
    s3 = deployed.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=body.getvalue())


def _template(issuer: str) -> dict[str, Any]:
    may = [
        {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": _of("Table")},
        {"Effect": "Allow", "Action": "logs:*", "Resource": "*"},
    ]
    trusted = {"Effect": "Allow", "Principal": _LAMBDA, "Action": "sts:AssumeRole"}
    resources: dict[str, tuple[str, dict[str, Any]]] = {
        "Table": (
            "AWS::DynamoDB::Table",
            {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            },
        ),
        "Role": (
            "AWS::IAM::Role",
            {
                "AssumeRolePolicyDocument": _document(trusted),
                "Policies": [{"PolicyName": "rights", "PolicyDocument": _document(*may)}],
            },
        ),
        "Function": (
            "AWS::Lambda::Function",
            {
                "Handler": "bare.handler",
                "Runtime": "python3.13",
                "Timeout": 30,
                "MemorySize": 512,
                "Role": _of("Role"),
                "Code": {"S3Bucket": BUCKET, "S3Key": KEY},
                "Environment": {"Variables": {"TABLE": {"Ref": "Table"}}},
            },
        ),
        "Api": ("AWS::ApiGatewayV2::Api", {"Name": STACK, "ProtocolType": "HTTP"}),
        "Tokens": (
            "AWS::ApiGatewayV2::Authorizer",
            {
                "ApiId": {"Ref": "Api"},
                "AuthorizerType": "JWT",
                "IdentitySource": ["$request.header.Authorization"],
                "JwtConfiguration": {"Audience": [AUDIENCE], "Issuer": issuer},
                "Name": "tokens",
            },
        ),
        "Integration": (
            "AWS::ApiGatewayV2::Integration",
            {
                "ApiId": {"Ref": "Api"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": _of("Function"),
                "PayloadFormatVersion": "2.0",
            },
        ),
        "Route": (
            "AWS::ApiGatewayV2::Route",
            {
                "ApiId": {"Ref": "Api"},
                "RouteKey": "POST /v1/requests",
                "AuthorizationType": "JWT",
                "AuthorizerId": {"Ref": "Tokens"},
                "Target": {"Fn::Sub": "integrations/${Integration}"},
            },
        ),
        "Stage": (
            "AWS::ApiGatewayV2::Stage",
            {"ApiId": {"Ref": "Api"}, "StageName": "$default", "AutoDeploy": True},
        ),
        "Permission": (
            "AWS::Lambda::Permission",
            {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "Function"},
                "Principal": "apigateway.amazonaws.com",
            },
        ),
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            name: {"Type": type_, "Properties": properties}
            for name, (type_, properties) in resources.items()
        },
        "Outputs": {"ApiId": {"Value": {"Ref": "Api"}}},
    }


_LAMBDA = {"Service": "lambda.amazonaws.com"}


def _of(name: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, "Arn"]}


def _document(*statements: object) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
