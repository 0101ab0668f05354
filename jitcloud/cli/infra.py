"""``infra``: what has to be there in the clouds before jitcloud can work, made from the catalog."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from jitcloud.cli import say
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.program import program_of
from jitcloud.clock import utc_now


class Purpose(StrEnum):
    """What the broker is there for."""

    EVERYTHING = "everything"
    END = "end"


def commands(context_settings: dict[str, list[str]]) -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(no_args_is_help=True, help="What the clouds have to let the broker do.")
    group.command("rights", context_settings=context_settings)(rights)
    # One command alone would become the group itself.
    group.callback()(lambda: None)
    return group


def rights(
    context: typer.Context,
    purpose: Annotated[
        Purpose, typer.Option("--for", help="All that jitcloud does, or what ending takes alone.")
    ] = Purpose.EVERYTHING,
) -> int:
    """Write the rights that the catalog needs, as IAM policies in JSON. Calls no cloud."""
    from jitcloud import adapters  # noqa: PLC0415 - it loads pydantic
    from jitcloud.catalog import Catalog  # noqa: PLC0415 - loaded only when it is needed
    from jitcloud.cli.rulebook import Files  # noqa: PLC0415 - the same

    files = Files.of(program_of(context).file)
    mechanisms, _ = adapters.clouds(files.settings, utc_now)
    catalog = Catalog.load(files.folder / files.settings.catalog, mechanisms)
    written, notes = adapters.rights_of(files.settings, catalog, to_end=purpose is Purpose.END)
    say.as_json(written)
    for note in notes:
        say.aside(f"jitcloud: {note}")
    return ExitCode.OK
