"""What ``docs/deploy.md`` lists is what the template has, and what it adds up adds up."""

from __future__ import annotations

import re

import pytest

from jitcloud.emulators.deployed import FUNCTIONS
from tests.docs.pages import bare, prose, table, text_of
from tests.infra.text import functions, of_type, parsed

PAGE = "docs/deploy.md"
UNITS = {"": 1.0, " a million": 1e-6, " for 10,000": 1e-4, " a GB": 1e-3}
"""How a price is told, and what part of it one costs (of a GB: one MB)."""


def test_the_parameters_are_those_of_the_template() -> None:
    rows = table(PAGE, "parameter", "unless given", "is")
    told = {bare(row["parameter"]): row["unless given"].strip("`") for row in rows}
    assert told == {
        name: str(of["Default"]) or "none" for name, of in parsed()["Parameters"].items()
    }


def test_the_alarms_are_those_of_the_template() -> None:
    rows = table(PAGE, "alarm", "goes off when", "do")
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row["alarm"])]
    assert sorted(told) == sorted(of_type(parsed(), "AWS::CloudWatch::Alarm"))
    assert set(re.findall(r"`(\w+Alarm)`", prose(PAGE))) <= set(told)


def test_the_functions_are_those_of_the_template() -> None:
    rows = table(PAGE, "function", "called by", "may, besides writing its log")
    assert {bare(row["function"]) for row in rows} == set(FUNCTIONS)
    assert len(FUNCTIONS) == len(functions(parsed()))
    assert "nine functions" in text_of(PAGE)


def test_what_is_named_as_an_output_is_one() -> None:
    named = set(re.findall(r"`(\w+RoleArn|ApiUrl|ApiTarget)`", prose(PAGE)))
    assert named <= set(parsed()["Outputs"])
    assert len(named) > 5


@pytest.mark.parametrize("begins", ["Lambda, arm64", "Lambda: `expire`"])
def test_the_costs_add_up(begins: str) -> None:
    *rows, total = table(PAGE, "what", "how much" + _of(begins), "at", "is", begins=begins)
    sums = 0.0
    for row in rows:
        amount = float(re.sub(r"[^\d.]", "", row["how much" + _of(begins)].split()[0]))
        price, unit = re.fullmatch(r"\$([\d.]+)(.*)", row["at"]).groups()  # type: ignore[union-attr] # it fits, or fails
        costs = amount * float(price) * UNITS[unit]
        assert _dollars(row["is"]) == pytest.approx(costs, abs=0.006), row["what"]
        sums += _dollars(row["is"])
    assert _dollars(total["is"].strip("*")) == pytest.approx(sums)


def _of(begins: str) -> str:
    return " for 1,000" if begins == "Lambda, arm64" else ""


def _dollars(text: str) -> float:
    return float(text.removeprefix("$"))


def test_the_alarms_that_are_paid_for_are_all() -> None:
    rows = table(PAGE, "what", "how much", "at", "is", begins="Lambda: `expire`")
    (paid,) = (int(row["how much"]) for row in rows if row["what"] == "alarms")
    resources = parsed()["Resources"]
    alarms = of_type(parsed(), "AWS::CloudWatch::Alarm")
    assert paid == len([name for name in alarms if "Condition" not in resources[name]])
