"""How a configuration names a program that knows who is who, and how the page's own one does."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.adapters import directory_of
from jitcloud.directories.command import CommandDirectory
from jitcloud.directories.static import StaticDirectory
from jitcloud.errors import Misconfigured, Unavailable
from jitcloud.model import GroupId
from jitcloud.policy.known import Known
from jitcloud.ports import Directory
from jitcloud.settings import read_settings
from tests.contract.test_directories import shown
from tests.operator_programs import written


def configured(folder: Path, text: str) -> Directory:
    file = folder / "jitcloud.toml"
    file.write_text(text)
    return directory_of(read_settings(file), folder)


def test_without_a_program_it_is_the_file(tmp_path: Path) -> None:
    (tmp_path / "staff.toml").write_text('[[person]]\nid = "u-1"\nname = "Ann"\n')
    directory = configured(tmp_path, 'people = "staff.toml"')
    assert isinstance(directory, StaticDirectory)
    assert directory.person("u-1").name == "Ann"
    with pytest.raises(Misconfigured, match=r"people\.toml cannot be read"):
        configured(tmp_path, "")


def test_a_program_is_run_as_it_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"OKTA_TOKEN": "t", "AWS_PROFILE": "broker", "JITCLOUD_X": "y"}.items():
        monkeypatch.setenv(name, value)
    written(
        tmp_path,
        "#!/bin/sh\n"
        """echo "{\\"groups\\": [\\"$1\\", \\"$OKTA_TOKEN$AWS_PROFILE$JITCLOUD_X\\"]}"\n""",
    )
    directory = configured(
        tmp_path,
        '[directory]\ncommand = ["./program", "a b"]\ntimeout = "50s"\n'
        'environment = ["OKTA_TOKEN"]\n',
    )
    assert isinstance(directory, CommandDirectory)
    assert directory.groups() == frozenset({GroupId("a b"), GroupId("t")})
    assert directory.program.timeout == timedelta(seconds=50)


def test_nothing_is_run_before_something_is_asked(tmp_path: Path) -> None:
    directory = configured(tmp_path, '[directory]\ncommand = ["./gone"]\n')
    with pytest.raises(Misconfigured, match=r'"\./gone" cannot be started'):
        directory.groups()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("command = []", r'command: write a program and its arguments, such as \["/opt'),
        ('command = ["", "x"]', "command: write a program"),
        ('command = ["a\\u0000"]', "command: write a program"),
        ('command = "./people.py --staff"', "command: this should be a valid list"),
        ("command = [1]", r"command\.0: this should be a valid string"),
        ('timeout = "5s"', "command is missing"),
        ('command = ["x"]\ntimeout = "61s"', "timeout: whoever asks .*; write at most 1m"),
        ('command = ["x"]\ntimeout = "0s"', "timeout: .* is not a duration from 1s"),
        ('command = ["x"]\nenvironment = ["A=hunter2"]', "environment: write the names of var"),
        ('command = ["x"]\nenvironment = [""]', "environment: write the names of var"),
        ('command = ["x"]\nshell = true', 'no key "shell"'),
    ],
)
def test_a_program_that_is_not_named_well_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said) as caught:
        configured(tmp_path, f"[directory]\n{text}\n")
    assert "hunter2" not in str(caught.value)


def test_two_directories_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"jitcloud\.toml: both people and \[directory\] say"):
        configured(tmp_path, 'people = "people.toml"\n[directory]\ncommand = ["./program"]\n')


# ── The program that the page shows ──


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Directory:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    monkeypatch.setenv("PATH", path)
    for name in ("people.py", "people.json"):
        (tmp_path / name).write_text(shown(name))
    (tmp_path / "people.py").chmod(0o700)
    return configured(tmp_path, '[directory]\ncommand = ["./people.py"]\n')


def test_the_example_runs_as_it_stands(example: Directory) -> None:
    caro = example.person("CARO@example.com")
    assert (caro.id, caro.name) == ("caro", "Caro Weiss")
    assert caro.groups == {"sre", "sre-leads"}
    assert example.person("ana").manager == "caro"
    assert Known.ask(example, []).group("sre-leds") == (
        'the directory has no group "sre-leds"; correct it or add it there.'
        ' Did you mean "sre-leads"?'
    )


def test_the_example_ends_badly_where_it_does_not_know_better(
    example: Directory, tmp_path: Path
) -> None:
    (tmp_path / "people.json").unlink()
    with pytest.raises(Unavailable, match=r"and said .*No such file or directory: "):
        example.person("ana")
    (tmp_path / "people.json").write_text('{"people": [{"id": "ana"}]}')
    with pytest.raises(Unavailable, match="KeyError"):
        example.person("ana")


def test_circles_of_groups_have_an_end_in_the_example(example: Directory, tmp_path: Path) -> None:
    text = shown("people.json")
    text = text.replace('["caro"], "groups": []', '["caro"], "groups": ["sre"]')
    (tmp_path / "people.json").write_text(text)
    both = frozenset({example.person("ben").id, example.person("caro").id})
    assert example.members(GroupId("sre")) == example.members(GroupId("sre-leads")) == both
