"""The command line. Each command loads what it needs when it runs: ``--help`` loads no SDK."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_MISSING = "jitcloud: The command line needs more packages; run: pip install 'jitcloud[cli]'"


def main(args: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code, which says what happened (``cli.exits``)."""
    try:
        import typer  # noqa: F401, PLC0415 - only to say in words that it is missing
    except ModuleNotFoundError:
        print(_MISSING, file=sys.stderr)  # noqa: T201 - there is nothing else to say it with
        return 6
    from jitcloud.cli.run import run  # noqa: PLC0415 - it needs typer

    return run(sys.argv[1:] if args is None else args)
