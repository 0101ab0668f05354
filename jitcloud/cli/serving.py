"""``serve``: one process on one machine that answers the API, and does what time causes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from jitcloud.cli import say
from jitcloud.cli.program import program_of
from jitcloud.errors import Misconfigured

PORT = 8080


def serve(
    context: typer.Context,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Where to listen. Any but a loopback address needs behind_proxy = true under"
            " [serve] in jitcloud.toml.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Which port; 0 for any free one.")
    ] = PORT,
) -> int:
    """Answer the HTTP API, sweep, and compare the clouds with the record, until it is stopped.

    SIGTERM and Ctrl-C let it finish what is in hand, for 30 seconds at the most; asked twice, it
    waits for nothing. Its log is on standard error, a line of JSON each.
    """
    try:
        from jitcloud.serving.server import Serving  # noqa: PLC0415 - loads a server
    except ModuleNotFoundError as exc:
        if (exc.name or "").startswith("jitcloud"):
            raise
        raise Misconfigured(f"This needs {exc.name}; run: pip install 'jitcloud[api]'.") from exc
    from jitcloud.clock import utc_now  # noqa: PLC0415 - as above
    from jitcloud.observing import logs  # noqa: PLC0415 - as above

    program = program_of(context)

    def listening(url: str, _: Callable[[], None]) -> None:
        if program.json:
            say.as_json({"url": url})
        else:
            say.line(f"jitcloud serves at {url} until Ctrl-C.")
        sys.stdout.flush()

    with logs.written(sys.stderr):
        return Serving(
            path=program.file, host=host, port=port, clock=utc_now, listening=listening
        ).run()
