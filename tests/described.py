"""AWS's descriptions of the services that jitcloud speaks to, read as soon as this is loaded.

That takes longer than a lifetime does: whoever is forked from a process that has loaded this finds
them read, because a process keeps them (``jitcloud.providers.aws.sdk_data``).
"""

from __future__ import annotations

from typing import Any

from botocore.session import Session

from jitcloud.providers.aws.sdk_data import boto3_session

_SERVICES = ("iam", "sso-admin", "sts")

_NOBODY = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}


def _read() -> None:
    session: Any = boto3_session(Session())
    for service in _SERVICES:
        session.client(service, region_name="us-east-1", **_NOBODY)


_read()
