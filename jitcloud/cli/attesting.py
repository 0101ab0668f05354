"""``attest``: somebody answers for the end of access that no cloud can be asked about any more."""

from __future__ import annotations

import typer

from jitcloud import shapes
from jitcloud.cli import say, words
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.options import Reason, RequestArgument
from jitcloud.cli.program import program_of


def attest(context: typer.Context, request: RequestArgument, because: Reason) -> int:
    """Answer for it that access is gone whose place has vanished: a deleted project, say.

    For somebody who neither asked nor approved, and may end all of it. The trail has it as your
    word, and never as seen.
    """
    program = program_of(context)
    with program.acting() as acting:
        done = acting.attest(request, because)
        if program.json:
            say.as_json(shapes.of_request(done))
        else:
            say.facts(words.of_request(done, acting, acting.now()))
    return ExitCode.OK
