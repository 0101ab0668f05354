"""Embedded metrics are what CloudWatch's specification says, and cost no more than they must."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.loaders
import jsonschema  # type: ignore[import-untyped] # it has no types
import pytest

from jitcloud.model import Cloud
from jitcloud.observing import emf

AT = datetime(2030, 1, 1, 12, 0, 0, 4000, tzinfo=UTC)

_NAME = {"type": "string", "minLength": 1, "maxLength": 1024}
SCHEMA = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "additionalProperties": False,
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "additionalProperties": False,
                        "properties": {
                            "Namespace": _NAME,
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "type": "array",
                                    "maxItems": 30,
                                    "items": {"type": "string", "minLength": 1, "maxLength": 250},
                                },
                            },
                            "Metrics": {
                                "type": "array",
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "additionalProperties": False,
                                    "properties": {
                                        "Name": _NAME,
                                        "Unit": {"type": "string"},
                                        "StorageResolution": {"enum": [1, 60]},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}
"""What the specification says of a document; ``is_emf`` adds what no schema can say.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

UNITS = botocore.loaders.Loader().load_service_model("cloudwatch", "service-2")["shapes"][
    "StandardUnit"
]["enum"]


def is_emf(document: dict[str, Any]) -> bool:
    jsonschema.validate(document, SCHEMA)
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for dimension in (name for names in directive["Dimensions"] for name in names):
            assert isinstance(document[dimension], str)
            assert 0 < len(document[dimension]) <= 1024
        for metric in directive["Metrics"]:
            assert metric["Unit"] in UNITS
            values = document[metric["Name"]]
            some = values if isinstance(values, list) else [values]
            assert 0 < len(some) <= 100
            assert all(isinstance(value, int | float) for value in some)
    return len(json.dumps(document)) < 256 * 1024


def seconds(*values: float) -> Iterable[timedelta]:
    return [timedelta(seconds=value) for value in values]


@pytest.mark.parametrize(
    ("measured", "name", "values", "dimensions"),
    [
        (emf.decision_time(seconds(90), "allowed"), "DecisionTime", 90e3, {"Outcome": "allowed"}),
        (emf.decision_time(seconds(1), "lapsed"), "DecisionTime", 1e3, {"Outcome": "lapsed"}),
        (
            emf.time_to_access(seconds(1.5, 2), Cloud.AWS),
            "TimeToAccess",
            [1500, 2000],
            {"Cloud": "aws"},
        ),
        (emf.overstay(seconds(0.021), Cloud.GCP), "Overstay", 21, {"Cloud": "gcp"}),
        (emf.backlog_age(timedelta(0)), "BacklogAge", 0, {}),
        (emf.backlog_age(timedelta(seconds=-3)), "BacklogAge", 0, {}),  # a clock was set back
    ],
)
def test_each_metric_is_a_document_of_that_format(
    measured: emf.Measured, name: str, values: object, dimensions: dict[str, str]
) -> None:
    stream = io.StringIO()
    emf.write(stream, AT, measured)
    document = json.loads(stream.getvalue())
    assert is_emf(document)
    assert document["_aws"]["Timestamp"] == 1893499200004
    assert document[name] == values
    assert {key: document[key] for key in document if key not in {"_aws", name}} == dimensions


def test_many_values_are_several_documents() -> None:
    written = list(emf.documents(AT, emf.overstay(seconds(*range(250)), Cloud.AWS)))
    assert all(map(is_emf, written))
    assert [len(each["Overstay"]) for each in written] == [100, 100, 50]  # type: ignore[arg-type] # they are lists
    assert list(emf.documents(AT, emf.overstay([], Cloud.AWS))) == []


def test_lines_are_one_document_each() -> None:
    stream = io.StringIO()
    emf.write(stream, AT, emf.backlog_age(timedelta(0)), emf.overstay(seconds(1), Cloud.AWS))
    assert [is_emf(json.loads(line)) for line in stream.getvalue().splitlines()] == [True, True]
