"""Reads ``infra/template.yaml``: its resources, and what each role may do to what."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped] # it has no types

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "infra" / "template.yaml"
NOTHING = {"Ref": "AWS::NoValue"}

Template = dict[str, Any]


@cache
def parsed() -> Template:
    """The template, its tags written out; never change it."""
    # Once through JSON: what is equal there need not be one object.
    return dict(json.loads(json.dumps(yaml_parse(TEMPLATE.read_text("utf-8")))))


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """The properties of every resource of a type, by their names."""
    found = template["Resources"].items()
    return {name: made["Properties"] for name, made in found if made["Type"] == kind}


def functions(template: Template) -> dict[str, dict[str, Any]]:
    return of_type(template, "AWS::Serverless::Function")


class Grant(NamedTuple):
    """That one action may be done to one thing."""

    action: str
    thing: str
    """As ``shown`` writes it."""
    condition: str = ""
    """The template's condition under which it is there, and the items of the table it is for."""


def grants(role: Mapping[str, Any]) -> Iterator[Grant]:
    """What a role's own policies say; every statement is an Allow, of some items at the most."""
    for policy in role.get("Policies", []):
        for each in policy["PolicyDocument"]["Statement"]:
            yield from statement(each)


def statement(each: Mapping[str, Any]) -> Iterator[Grant]:
    condition = ""
    if "Fn::If" in each:
        condition, each, otherwise = each["Fn::If"]
        assert otherwise == NOTHING
    assert set(each) - {"Condition"} == {"Sid", "Effect", "Action", "Resource"}, each
    assert each["Effect"] == "Allow", each
    condition = ",".join([*([condition] if condition else []), *_keys(each)])
    for action in listed(each["Action"]):
        for thing in listed(each["Resource"]):
            yield Grant(action, shown(thing), condition)


def _keys(each: Mapping[str, Any]) -> list[str]:
    """Of which items of the table a statement speaks, or that it is of new objects alone."""
    match each.get("Condition"):
        case None:
            return []
        case {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [*patterns], **more}, **others}:
            assert not more, each
            assert not others, each
            return sorted(patterns)
        case {"Null": {"s3:if-none-match": "false"}}:
            return ["s3:if-none-match"]
        case _:
            raise AssertionError(each)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


RESTORED = {
    "RestoredTableArn": "Table.Arn",
    "${RestoredTableArn}/index/*": "${Table.Arn}/index/*",
    "${RestoredTableArn}/index/due": "${Table.Arn}/index/due",
    "${RestoredTableArn}/stream/*": "${Table.Arn}/stream/*",
    "${RestoredTableArn}/stream/${RestoredStreamLabel}": "Table.StreamArn",
    "RestoredTableArn/1": "Table",
}
"""What stands for what after a restore."""


def shown(value: Any) -> str:
    """Write a thing that is named by the template: ``Table.Arn``, or a text with ``${}`` in it.

    What a restored table has instead has to be the same of that one.
    """
    match value:
        case {"Fn::If": ["IsRestored", restored, made]}:
            assert RESTORED[shown(restored)] == shown(made), value
            text = shown(made)
        case {"Fn::GetAtt": [name, attribute]}:
            text = f"{name}.{attribute}"
        case {"Fn::Split": [",", {"Ref": parameter}]}:
            text = f"{parameter}[]"
        case {"Fn::Select": [1, {"Fn::Split": ["/", {"Ref": parameter}]}]}:
            text = f"{parameter}/1"
        case str(text) | {"Fn::Sub": str(text)} | {"Ref": str(text)}:
            pass
        case _:
            text = json.dumps(value)
    return text


def named(value: Any) -> Iterator[str]:
    """What of the template is named within a value: resources and parameters."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case {"Fn::Sub": str(text)}:
            yield from re.findall(r"\$\{(\w+)[.}]", text)
        case {"Fn::Sub": [str(text), dict(variables)]}:
            yield from set(re.findall(r"\$\{(\w+)[.}]", text)) - variables.keys()
            yield from named(list(variables.values()))
        case {"Fn::If": [str(condition), *rest]}:
            yield condition
            yield from named(rest)
        case {"Condition": str(name)} if len(value) == 1:
            yield name
        case dict():
            for part in value.values():
                yield from named(part)
        case list():
            for part in value:
                yield from named(part)
