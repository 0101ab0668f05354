from __future__ import annotations

import os
from pathlib import Path

import pytest

from jitcloud.directories.static import StaticDirectory
from jitcloud.errors import Misconfigured, NotFound
from jitcloud.model import GroupId, PersonId, RotationId

PEOPLE = """\
[[person]]
id = "u-1"
name = "Ann"
emails = ["Ann@Example.org", "ann.smith@example.org"]
manager = "u-2"

[[person]]
id = "u-2"
name = "Bob"
emails = ["strasse@example.org"]

[[person]]
id = "u-3"
name = "Cat"
disabled = true

[groups]
inner = { members = ["u-1"] }
middle = { members = ["u-3"], groups = ["inner"] }
outer = { groups = ["middle", "inner"] }
empty = {}

[rotations]
pager = { on_call = ["u-1", "u-2"] }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.toml"
    path.write_text(PEOPLE)
    return path


def test_a_person_is_who_the_file_says(file: Path) -> None:
    ann = StaticDirectory(file).person("u-1")
    assert (ann.name, ann.manager, ann.disabled) == ("Ann", "u-2", False)
    assert ann.emails == ("Ann@Example.org", "ann.smith@example.org")
    assert ann.groups == {"inner", "middle", "outer"}
    assert ann.rotations == {"pager"}


def test_a_person_is_found_by_id_or_by_any_email_in_any_case(file: Path) -> None:
    directory = StaticDirectory(file)
    for handle in ("u-1", "ann@example.org", "ANN@EXAMPLE.ORG", "Ann.Smith@example.org"):
        assert directory.person(handle).id == "u-1"
    assert directory.person("stra\u00dfe@example.org").id == "u-2"


@pytest.mark.parametrize("handle", ["", "u-9", "U-1", "u-1 ", "Ann", "nobody@example.org", "\x1b"])
def test_nobody_else_is_found(file: Path, handle: str) -> None:
    with pytest.raises(NotFound, match="Nobody in the directory") as caught:
        StaticDirectory(file).person(handle)
    assert str(caught.value).isprintable()


def test_a_group_holds_those_of_the_groups_in_it_and_the_disabled(file: Path) -> None:
    directory = StaticDirectory(file)
    assert directory.members(GroupId("outer")) == frozenset({PersonId("u-1"), PersonId("u-3")})
    assert directory.members(GroupId("inner")) == frozenset({PersonId("u-1")})
    assert directory.members(GroupId("empty")) == frozenset()
    assert directory.members(GroupId("none")) is None
    assert directory.groups() == {"inner", "middle", "outer", "empty"}


def test_a_rotation_holds_those_on_call(file: Path) -> None:
    directory = StaticDirectory(file)
    assert directory.on_call(RotationId("pager")) == frozenset({PersonId("u-1"), PersonId("u-2")})
    assert directory.on_call(RotationId("none")) is None
    assert directory.rotations() == {"pager"}


def test_leaving_a_group_counts_at_the_next_question(file: Path) -> None:
    directory = StaticDirectory(file)
    assert "inner" in directory.person("u-1").groups
    file.write_text(PEOPLE.replace('members = ["u-1"]', "members = []"))
    assert not directory.person("u-1").groups


def test_a_change_that_keeps_size_and_time_counts_when_the_file_is_replaced(file: Path) -> None:
    directory = StaticDirectory(file)
    before = file.stat()
    other = file.with_name("new.toml")
    other.write_text(PEOPLE.replace('name = "Ann"', 'name = "Eve"'))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert directory.person("u-1").name == "Eve"


def test_a_file_that_has_not_changed_is_not_read_again(file: Path) -> None:
    directory = StaticDirectory(file)
    assert directory.person("u-1") is directory.person("u-1")


def test_a_broken_file_answers_nothing_until_it_is_mended(file: Path) -> None:
    directory = StaticDirectory(file)
    file.write_text(PEOPLE + "[")
    for _ in range(2):
        with pytest.raises(Misconfigured, match="not TOML"):
            directory.person("u-1")
    file.unlink()
    with pytest.raises(Misconfigured, match="cannot be read"):
        directory.members(GroupId("inner"))
    file.write_text(PEOPLE)
    assert directory.person("u-1").name == "Ann"


WRONG = {
    "one e-mail for two": (
        "strasse@example.org", "ANN@example.org",
        'person "u-2": "ANN@example.org" is already an id, e-mail or AWS identity of person "u-1"',
    ),
    "an e-mail that is an id": (
        "strasse@example.org", "U-1", 'person "u-2": "U-1" is already an id, e-mail',
    ),
    "one id for two": ('"u-2"\nname', '"u-1"\nname', 'person "u-1": "u-1" is already an id'),
    "ids that differ in case": ('"u-2"\nname', '"U-1"\nname', 'person "U-1": "U-1" is already'),
    "an unknown manager": ('manager = "u-2"', 'manager = "u-4"', '"u-1": manager: there is no'),
    "an unknown member": ('["u-3"]', '["u-4"]', r"groups\.middle: members: there is no person"),
    "an unknown group": ('["inner"]', '["iner"]', 'no group "iner".* Did you mean "inner"'),
    "an unknown pager": ('"u-1", "u-2"', '"u-0"', r"rotations\.pager: on_call: there is no person"),
    "a cycle": (
        'inner = { members = ["u-1"] }', 'inner = { groups = ["outer"] }',
        r"a group cannot be in itself \(.* in .* in .*\)",
    ),
    "a group in itself": (
        'inner = { members = ["u-1"] }', 'inner = { groups = ["inner"] }',
        r"a group cannot be in itself \(inner in inner\)",
    ),
    "a misspelt key": ("disabled = true", "disbled = true", 'number 3: .* Did you mean "disabled"'),
    "yes for true": ("disabled = true", 'disabled = "yes"', "disabled: this should be a valid"),
    "one for true": ("disabled = true", "disabled = 1", "disabled: this should be a valid"),
    "a misspelt table": ("[rotations]", "[rotation]", 'no key "rotation"; use one of person'),
    "a list for a group": ('{ members = ["u-1"] }', '["u-1"]', r"groups\.inner: the table: this"),
    "a list of groups": ("[groups]", "[[groups]]", "groups: this should be a table"),
    "a person table": ("[[person]]", "[person]", "not TOML"),
    "a name that steers": ('"Ann"', '"\\u001b"', "name: The text "),
    "a group without a name": ("empty = {}", '" " = {}', r"groups\. : The name is empty"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_file_that_could_mean_two_things_is_refused(
    file: Path, old: str, new: str, said: str
) -> None:
    assert old in PEOPLE
    file.write_text(PEOPLE.replace(old, new, 1))
    with pytest.raises(Misconfigured, match=said) as caught:
        StaticDirectory(file)
    lines = str(caught.value).splitlines()
    assert all(line.isprintable() and line.startswith("people.toml: ") for line in lines)


def test_people_must_be_a_list(file: Path) -> None:
    file.write_text('person = "u-1"')
    with pytest.raises(Misconfigured, match=r"begin each person with the line \[\[person\]\]"):
        StaticDirectory(file)


def test_an_empty_file_is_an_empty_directory(file: Path) -> None:
    file.write_text("")
    assert StaticDirectory(file).groups() == frozenset()
