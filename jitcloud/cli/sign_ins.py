"""Signing in at an API, signing out, and who one is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jitcloud.cli import browsing, say
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.program import Program, program_of
from jitcloud.errors import Invalid

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.cli.acting import Acting
    from jitcloud.signing_in.client_settings import ApiSettings
    from jitcloud.signing_in.device import DeviceCode


def login(
    context: typer.Context,
    browser: Annotated[
        bool, typer.Option("--browser", help="In a browser on this machine.")
    ] = False,
    code: Annotated[
        bool, typer.Option("--code", help="On another device, by a code that is shown here.")
    ] = False,
) -> int:
    """Sign in at the API: in a browser where there is one to be seen, else by a code."""
    program = program_of(context)
    if browser and code:
        raise Invalid("--browser and --code go one at a time.")
    settings = _api(program)
    session = program.signed(settings).session
    there = program.there(settings)
    if session is None:
        say.hint("With AWS credentials there is nothing to keep: each call shows who you are.")
    else:
        if browser or not (code or not browsing.is_seen()):
            session.sign_in_by_browser(program.open_page)
        else:
            session.sign_in_by_code(_show, program.sleep)
        if session.not_kept:
            say.aside(f"jitcloud: {session.not_kept}")
        if session.given:
            say.aside("jitcloud: JITCLOUD_TOKEN is set, and counts before this sign-in.")
        there = program.there(settings, session)
    # Whether it is of any use is the deployment's to say.
    _tell(program, there)
    return ExitCode.OK


def logout(context: typer.Context) -> int:
    """Forget the sign-in on this machine, and have the issuer end it if it can."""
    program = program_of(context)
    session = program.signed(_api(program)).session
    if session is None:
        raise Invalid(
            "You sign in with AWS credentials here, and jitcloud keeps none; sign out of AWS, such"
            " as with aws sso logout."
        )
    is_told = session.sign_out()
    if program.json:
        say.as_json({"signed_out": True, "issuer_told": is_told})
    else:
        say.line("You are signed out on this machine.")
        if is_told:
            say.line("The issuer has ended the sign-in too.")
        else:
            say.aside("The issuer was not told: what was signed in lasts there until it expires.")
    if session.given:
        say.aside("jitcloud: JITCLOUD_TOKEN is still set; take it away as well.")
    return ExitCode.OK


def whoami(context: typer.Context) -> int:
    """Say who you are there: your id, groups and rotations, as the directory has them now."""
    program = program_of(context)
    with program.acting() as acting:
        _tell(program, acting)
    return ExitCode.OK


def _tell(program: Program, acting: Acting) -> None:
    me = acting.me()
    if program.json:
        say.as_json(me)
        return
    say.facts(
        [
            ("you", f"{me['name']} ({me['id']})"),
            ("e-mail", _listed(me["emails"])),
            ("groups", _listed(me["groups"])),
            ("on call", _listed(me["rotations"])),
            ("by", str(me["token"])),
            *([] if me["signed_in_at"] is None else [("signed in", str(me["signed_in_at"]))]),
        ]
    )


def _listed(names: object) -> str:
    return ", ".join(map(str, names)) or "none" if isinstance(names, list | tuple) else ""


def _show(code: DeviceCode) -> None:
    say.aside(f"Go to {code.verification_uri} on any device, and enter the code {code.user_code}")
    if code.verification_uri_complete is not None:
        say.aside(f"or go to {code.verification_uri_complete}, where it stands already.")


def _api(program: Program) -> ApiSettings:
    settings = program.remote
    if settings is None:
        raise Invalid(
            "Signing in is for an API, and commands work on this machine now; name an API in"
            " client.toml, and leave --config and --unsafe-act-as out."
        )
    return settings
