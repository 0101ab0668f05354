"""``init``: a folder to start from, with comments in every file, that passes ``check`` as it is."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from jitcloud.cli import say
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.program import FILE, program_of
from jitcloud.errors import Invalid, Misconfigured
from jitcloud.text import printable

KEYS = "keys"
"""Where the starter folder's configuration says the signing key is."""

_RENAMED = {"gitignore": ".gitignore"}
"""What would act on our own repository under its real name."""


def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where; made if it is not there.")] = Path(),
    key: Annotated[
        bool,
        typer.Option("--key", help="Only make a new signing key, where the configuration says."),
    ] = False,
) -> int:
    """Write a commented configuration to start from, with a new signing key. Overwrites nothing."""
    program = program_of(context)
    made = _only_key(folder) if key else _all_of_it(folder)
    if program.json:
        say.as_json({"folder": str(folder), "written": made})
        return ExitCode.OK
    for name in made:
        say.line(f"wrote {folder / name}")
    if not key:
        say.hint(f"Read {folder / FILE} first; then: jitcloud --config {folder / FILE} check")
    return ExitCode.OK


def _all_of_it(folder: Path) -> list[str]:
    files = dict(_starter(resources.files("jitcloud") / "starter", Path()))
    # All or nothing, as far as can be told beforehand.
    there = [str(name) for name in (*files, Path(KEYS)) if (folder / name).exists()]
    if there:
        raise Invalid(
            f"{printable(str(folder))} has {', '.join(there)} already, and nothing is overwritten;"
            " name another folder, or make a key alone with --key."
        )
    for name, text in files.items():
        _write(folder / name, text)
    return [*map(str, files), _new_key(folder / KEYS, KEYS)]


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as exc:
        raise Misconfigured(f"{printable(str(path))} cannot be written: {exc.strerror}.") from exc


def _only_key(folder: Path) -> list[str]:
    from jitcloud.settings import read_settings  # noqa: PLC0415 - it loads pydantic

    file = folder / FILE
    keys = read_settings(file).signing.folder if file.exists() else Path(KEYS)
    return [_new_key(folder / keys, str(keys))]


def _new_key(path: Path, name: str) -> str:
    from jitcloud.audit.keys import PRIVATE, create  # noqa: PLC0415 - it loads cryptography

    create(path)
    return f"{name}/{PRIVATE}"


def _starter(folder: Traversable, name: Path) -> Iterator[tuple[Path, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _starter(entry, name / entry.name)
        else:
            yield name / _RENAMED.get(entry.name, entry.name), entry.read_text("utf-8")
