"""Options and arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jitcloud.cli.program import program_of

EVERYWHERE = frozenset({"as_json", "config", "api", "unsafe_act_as", "debug"})
"""Options of the root that every command takes too, so that they may stand anywhere."""

_PANEL = "Everywhere"


def _as_json(context: typer.Context, value: bool) -> None:
    if value:
        program_of(context).json = True


def _debug(context: typer.Context, value: bool) -> None:
    if value:
        program_of(context).debug = True


def _config(context: typer.Context, value: Path | None) -> None:
    if value is not None:
        program_of(context).config = value


def _api(context: typer.Context, value: str | None) -> None:
    if value is not None:
        program_of(context).api = value


def _unsafe_act_as(context: typer.Context, value: str | None) -> None:
    if value is not None:
        program_of(context).unsafe_act_as = value


AsJson = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Write JSON, for programs; errors too, on stderr.",
        callback=_as_json,
        expose_value=False,
        rich_help_panel=_PANEL,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="The configuration, or the folder it is in. Else $JITCLOUD_CONFIG,"
        " else jitcloud.toml in this folder.",
        callback=_config,
        expose_value=False,
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
Api = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Talk to this API, as client.toml says how to sign in. Else $JITCLOUD_API, else what"
        " client.toml names; without any, work on this machine.",
        callback=_api,
        expose_value=False,
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
UnsafeActAs = Annotated[
    str | None,
    typer.Option(
        metavar="HANDLE",
        help="Act as this person (id or e-mail) without any proof: for trials on one machine, and"
        " refused unless the configuration allows it. Else $JITCLOUD_UNSAFE_ACT_AS.",
        callback=_unsafe_act_as,
        expose_value=False,
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        help="Show where a defect is, in full.",
        callback=_debug,
        expose_value=False,
        rich_help_panel=_PANEL,
    ),
]

RequestArgument = Annotated[
    str, typer.Argument(metavar="REQUEST", help="A request's id.", show_default=False)
]
Reason = Annotated[
    str, typer.Option("--because", metavar="TEXT", help="Why; it is kept.", show_default=False)
]
OptionalReason = Annotated[
    str,
    typer.Option("--because", metavar="TEXT", help="Why, if you like.", show_default=False),
]
BreakGlass = Annotated[
    bool,
    typer.Option(
        "--break-glass",
        help="Get in at once, past whoever would be asked; they hear of it, and it is reviewed."
        " Needs an incident.",
    ),
]
OwnId = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="ULID",
        help="Name the request yourself: the same id asks only once, however often it is sent.",
        show_default=False,
    ),
]
Wait = Annotated[
    bool,
    typer.Option("--wait", help="Stay until it is active or denied. Ctrl-C leaves it as it is."),
]
