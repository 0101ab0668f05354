"""Every command by its name, and the help for all of them."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from jitcloud.cli import (
    asking,
    attesting,
    auditing,
    braking,
    checking,
    checkpoints,
    doctoring,
    exits,
    infra,
    metrics,
    policies,
    reading,
    reconciling,
    serving,
    sign_ins,
    starting,
    sweeping,
    using,
)
from jitcloud.cli.options import EVERYWHERE, Api, AsJson, Config, Debug, UnsafeActAs
from jitcloud.errors import Misconfigured

_HELP = {"help_option_names": ["-h", "--help"]}


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version  # noqa: PLC0415 - slow, and rarely asked for

        print(version("jitcloud"))  # noqa: T201 - printing is what this is for
        raise typer.Exit


def _root(  # noqa: PLR0913, PLR0917 - each one an option
    as_json: AsJson = False,
    config: Config = None,
    api: Api = None,
    unsafe_act_as: UnsafeActAs = None,
    debug: Debug = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Say which version this is.",
            callback=_version,
            is_eager=True,
            expose_value=False,
        ),
    ] = False,
) -> None:
    """Just-in-time cloud access: ask, be judged, use it, and lose it on time."""


def _demo(
    fleet: Annotated[
        Path | None,
        typer.Option(
            metavar="TEMPLATE",
            help="Deploy infra/template.yaml of a checkout there, and see that work over HTTP.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
) -> int:
    """See it work, on this machine alone: an emulated AWS, a story in a minute, nothing left."""
    return _run("jitcloud.cli.demo", fleet)


def _emulator(
    port: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=65535,
            help="Where to listen; else where the folder of init looks for it.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Run an AWS on this machine to try your own configuration against, until Ctrl-C."""
    return _run("jitcloud.cli.emulator", port)


def _run(module: str, *args: object) -> int:
    """Run what has a module of its own: it loads an SDK and an emulator, and this does not."""
    try:
        found = import_module(module)
    except ModuleNotFoundError as exc:
        if (exc.name or "").startswith("jitcloud"):
            raise
        raise Misconfigured(
            f"This needs {exc.name}; run: pip install 'jitcloud[aws,emulators]'."
        ) from exc
    code: int = found.run(*args)
    return code


def _made() -> typer.Typer:
    app = typer.Typer(
        name="jitcloud",
        no_args_is_help=True,
        # A traceback with locals could show a credential: cli.run shows what may be shown.
        pretty_exceptions_enable=False,
        pretty_exceptions_show_locals=False,
        context_settings=_HELP,
        epilog=exits.HELP,
    )
    app.callback()(_root)
    signs = "Sign in"
    asks, decides, uses, runs = "Ask", "Decide", "Use", "Run and check"
    for name, command, panel in (
        ("catalog", reading.catalog, asks),
        ("request", asking.request, asks),
        ("extend", asking.extend, asks),
        ("list", reading.list_, asks),
        ("show", reading.show, asks),
        ("withdraw", asking.withdraw, asks),
        ("approve", asking.approve, decides),
        ("deny", asking.deny, decides),
        ("revoke", asking.revoke, decides),
        ("review", asking.review, decides),
        ("attest", attesting.attest, decides),
        ("exec", using.exec_, uses),
        ("env", using.env, uses),
        ("credentials", using.credentials, uses),
        ("give-back", asking.give_back, uses),
        ("login", sign_ins.login, signs),
        ("logout", sign_ins.logout, signs),
        ("whoami", sign_ins.whoami, signs),
        ("init", starting.init, runs),
        ("check", checking.check, runs),
        ("serve", serving.serve, runs),
        ("sweep", sweeping.sweep, runs),
        ("reconcile", reconciling.reconcile, runs),
        ("restored", reconciling.restored, runs),
        ("metrics", metrics.metrics, runs),
        ("demo", _demo, runs),
        ("emulator", _emulator, runs),
    ):
        app.command(name, rich_help_panel=panel, context_settings=_HELP)(command)
    audit = typer.Typer(no_args_is_help=True, help="What happened, and whether it is proven.")
    audit.command("show", context_settings=_HELP)(auditing.show)
    audit.command("verify", context_settings=_HELP)(auditing.verify)
    audit.command("export", context_settings=_HELP)(auditing.export)
    audit.command("checkpoint", context_settings=_HELP)(checkpoints.checkpoint)
    audit.command("public-key", context_settings=_HELP)(auditing.public_key)
    app.add_typer(audit, name="audit", rich_help_panel=runs, context_settings=_HELP)
    brakes = braking.commands(_HELP)
    app.add_typer(brakes, name="brake", rich_help_panel=decides, context_settings=_HELP)
    doctors = doctoring.commands(_HELP)
    app.add_typer(doctors, name="doctor", rich_help_panel=runs, context_settings=_HELP)
    set_up = infra.commands(_HELP)
    app.add_typer(set_up, name="infra", rich_help_panel=runs, context_settings=_HELP)
    rules = policies.commands(_HELP)
    app.add_typer(rules, name="policy", rich_help_panel=runs, context_settings=_HELP)
    return app


@cache
def command() -> TyperGroup:
    """Return the command line, with the options that may stand anywhere on every command."""
    root = typer.main.get_command(_made())
    assert isinstance(root, TyperGroup)  # noqa: S101 - it has many commands
    _share(root, root)
    return root


def _share(group: TyperGroup, root: TyperGroup) -> None:
    for each in group.commands.values():
        if isinstance(each, TyperGroup):
            _share(each, root)
        else:
            each.params.extend(param for param in root.params if param.name in EVERYWHERE)
