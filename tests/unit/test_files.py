from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from jitcloud.errors import Misconfigured
from jitcloud.files import parse_table, read_text


class _Inner(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    region: str = "us-east-1"


class _Outer(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    aws: _Inner | None = None
    rules: list[_Inner] = []
    names: dict[str, _Inner] = {}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            {"asw": {}},
            'x: there is no key "asw"; use one of aws, rules, names. Did you mean "aws"?',
        ),
        ({"aws": {"regoin": ""}}, 'x: aws: there is no key "regoin"; use one of region.'),
        ({"aws": {"region": 7}}, "x: aws.region: this should be a valid string."),
        ({"aws": 7}, "x: aws: this should be a table of keys and values."),
        ({"rules": [{"regoin": ""}]}, 'x: rules: 0: there is no key "regoin"; use one of region.'),
        ({"names": {"a": {"\x1b": 1}}}, r'x: names: a: there is no key "\x1b"; use one of region.'),
        (7, "x: the table: this should be a table of keys and values."),
    ],
    ids=range(7),
)
def test_a_mistake_in_a_table_within_a_table_names_the_way_to_it(table: object, said: str) -> None:
    wrong: list[str] = []
    assert parse_table(_Outer, table, "x", wrong) is None
    assert wrong[0].startswith(said)


def test_a_sound_table_is_read_and_nothing_is_said() -> None:
    wrong: list[str] = []
    assert parse_table(_Outer, {"aws": {"region": "eu"}}, "x", wrong) == _Outer(
        aws=_Inner(region="eu")
    )
    assert wrong == []


def test_a_file_is_read_as_it_is_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b.txt"
    path.write_bytes(b"1\r\n")
    assert read_text(path, limit=3) == "1\r\n"
    with pytest.raises(Misconfigured, match=r"^a\\x1b\.txt is larger than 2 bytes"):
        read_text(path, limit=2)
