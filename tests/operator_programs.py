"""Small programs for the tests of what calls one, and evidence of whether they still run."""

from __future__ import annotations

import os
import select
from datetime import timedelta
from pathlib import Path

from jitcloud.programs import OperatorProgram


def script(folder: Path, text: str) -> OperatorProgram:
    """A shell script, written into the folder."""
    written(folder, f"#!/bin/sh\n{text}\n")
    return OperatorProgram(
        command=["./program"],
        folder=folder,
        timeout=timedelta(seconds=30),
        environment={"PATH": os.defpath},
    )


def written(folder: Path, text: str) -> Path:
    path = folder / "program"
    path.write_text(text)
    path.chmod(0o700)
    return path


class Lifeline:
    """A pipe with a name: whoever has opened ``lifeline`` for writing holds it while they live."""

    def __init__(self, folder: Path) -> None:
        os.mkfifo(folder / "lifeline")
        self._end = os.open(folder / "lifeline", os.O_RDONLY | os.O_NONBLOCK)

    def was_held(self) -> bool:
        """Whether somebody held it, wrote a byte to say so, and is gone by now or soon."""
        held = b""
        while select.select([self._end], [], [], 10)[0]:
            chunk = os.read(self._end, 100)
            if not chunk:
                return held != b""
            held += chunk
        return False

    def close(self) -> None:
        os.close(self._end)
