"""Shell completion: reads text alone, so that it is quick and never fails."""

from __future__ import annotations

import tomllib

import typer

from jitcloud.cli.program import FILE, program_of
from jitcloud.text import printable


def entitlements(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the ids in the catalog that begin so, each with its title."""
    config = program_of(context).file
    file = config / FILE if config.is_dir() else config
    try:
        catalog = tomllib.loads(file.read_text("utf-8")).get("catalog", "catalog.toml")
        entries = tomllib.loads((file.parent / catalog).read_text("utf-8"))["entitlement"]
        return [
            (printable(entry["id"]), printable(entry["title"]))
            for entry in entries
            if entry["id"].startswith(incomplete)
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []  # `jitcloud check` says what is wrong; a key press does not
