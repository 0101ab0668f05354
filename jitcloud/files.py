"""Reads the files an operator writes: bounded, UTF-8, and errors that say what to fix."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar, get_args

from pydantic import BaseModel, ValidationError

from jitcloud.errors import Misconfigured
from jitcloud.text import did_you_mean, printable, quoted

MIB = 1024 * 1024

# What tomllib needs for a dotted key grows with the square of its parts.
_ENDLESS_KEY = re.compile(r"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){100}")

M = TypeVar("M", bound=BaseModel)


def read_text(path: Path, *, limit: int = MIB) -> str:
    """Return the whole file, line ends as they are. Raises ``Misconfigured``."""
    name = printable(path.name)
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as exc:
        message = f"{name} cannot be read ({exc.strerror}); check {printable(str(path))}."
        raise Misconfigured(message) from exc
    if len(content) > limit:
        message = f"{name} is larger than {limit} bytes; split it or make it smaller."
        raise Misconfigured(message)
    try:
        return content.decode()
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        message = f"{name}: line {line} is not UTF-8; save the file as UTF-8."
        raise Misconfigured(message) from exc


def read_toml(path: Path, *, limit: int = MIB) -> dict[str, object]:
    """Return the file's tables. Raises ``Misconfigured``."""
    text = read_text(path, limit=limit)
    without_end = f"{printable(path.name)}: a value is nested too deeply or too long; simplify it."
    if _ENDLESS_KEY.search(text):
        raise Misconfigured(without_end)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        message = f"{printable(path.name)}: this is not TOML: {printable(str(exc))}."
        raise Misconfigured(message) from exc
    except (RecursionError, ValueError) as exc:  # nested, or a number with digits, without end
        raise Misconfigured(without_end) from exc


def parse_table(model: type[M], table: object, where: str, wrong: list[str]) -> M | None:
    """Read one table strictly, or add to ``wrong`` a sentence for each key that is not right."""
    try:
        return model.model_validate(table)
    except ValidationError as exc:
        for error in exc.errors(include_url=False, include_input=False):
            said = _complaint(error["loc"], error["type"], error["msg"], model)
            wrong.append(f"{where}: {said}")
        return None


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Return the sentence for a key that means nothing."""
    known = list(known)
    return (
        f"there is no key {quoted(key)}; use one of {', '.join(known)}.{did_you_mean(key, known)}"
    )


def _complaint(loc: tuple[int | str, ...], kind: str, message: str, model: type[BaseModel]) -> str:
    key = ".".join(printable(str(part)[:64]) for part in loc) or "the table"
    match kind:
        case "missing":
            return f"{key} is missing; add it."
        case "extra_forbidden":
            table = "".join(f"{printable(str(part)[:64])}: " for part in loc[:-1])
            return f"{table}{unknown_key(str(loc[-1]), _keys_at(model, loc[:-1]))}"
        case "model_type" | "dict_type":
            return f"{key}: this should be a table of keys and values."
        case _:
            # Our own checks raise whole sentences; pydantic says "Input should be …".
            said = message.removeprefix("Value error, ").replace("Input", "this")
            return f"{key}: {printable(said).rstrip('.')}."


def _keys_at(model: type[BaseModel], path: Iterable[int | str]) -> Iterable[str]:
    """Return the keys of the table, nested in the model, that the path leads to."""
    for part in path:
        field = model.model_fields.get(str(part))
        kind = None if field is None else field.annotation
        inner = [k for k in (kind, *get_args(kind)) if isinstance(k, type)]
        model = next((k for k in inner if issubclass(k, BaseModel)), model)
    return model.model_fields
