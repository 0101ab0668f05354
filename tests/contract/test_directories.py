"""The directories that ship, held to the contract; a program's is the one that the docs show."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from jitcloud.adapters import directory_of
from jitcloud.ports import Directory
from jitcloud.settings import DirectorySettings, Settings
from tests.contract.directories import DirectoryContract, Organisation, Source
from tests.docs.pages import blocks


@dataclass(frozen=True, slots=True)
class File:
    """``people.toml``."""

    folder: Path

    def write(self, organisation: Organisation) -> None:
        lines = []
        for person in organisation.people:
            lines += ["[[person]]"]
            facts = asdict(person).items()
            lines += [f"{key} = {_toml(value)}" for key, value in facts if value is not None]
        lines += ["[groups]"]
        for name, group in organisation.groups.items():
            inner = f"members = {_toml(group.members)}, groups = {_toml(group.groups)}"
            lines += [f"{_toml(name)} = {{ {inner} }}"]
        lines += ["[rotations]"]
        for name, on_call in organisation.rotations.items():
            lines += [f"{_toml(name)} = {{ on_call = {_toml(on_call)} }}"]
        _put(self.folder / "people.toml", "\n".join(lines))

    def spoil(self) -> None:
        _put(self.folder / "people.toml", "[")

    def open(self) -> Directory:
        return directory_of(Settings(), self.folder)


@dataclass(frozen=True, slots=True)
class Program:
    """The program of docs/operations.md, over its file."""

    folder: Path

    def __post_init__(self) -> None:
        (self.folder / "people.py").write_text(shown("people.py"))

    def write(self, organisation: Organisation) -> None:
        _put(self.folder / "people.json", json.dumps(asdict(organisation)))

    def spoil(self) -> None:
        _put(self.folder / "people.json", "[")

    def open(self) -> Directory:
        settings = Settings(directory=DirectorySettings(command=[sys.executable, "people.py"]))
        return directory_of(settings, self.folder)


class TestStaticDirectory(DirectoryContract):
    @pytest.fixture
    def source(self, tmp_path: Path) -> Source:
        return File(tmp_path)


class TestCommandDirectory(DirectoryContract):
    @pytest.fixture
    def source(self, tmp_path: Path) -> Source:
        return Program(tmp_path)


def shown(name: str) -> str:
    """What the page has under this name."""
    return next(block.text for block in blocks("docs/operations.md") if block.file == name)


def _put(path: Path, text: str) -> None:
    """Write it as an editor or a deployment does: another file in the place of the former."""
    new = path.with_suffix(".new")
    new.write_text(text, "utf-8")
    new.replace(path)


def _toml(value: object) -> str:
    # Texts, booleans and lists of texts are the same in both.
    return json.dumps(value, ensure_ascii=False)
