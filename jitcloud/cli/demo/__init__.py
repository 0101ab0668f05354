"""``jitcloud demo``: access asked for, given, used and taken back, on this machine alone."""

from __future__ import annotations

from pathlib import Path

from jitcloud.emulators.surroundings import check_installed


def run(template: Path | None = None) -> int:
    """Play it; return 0 if everything was as promised, 1 if anything was not.

    With the ``template`` of a checkout, play instead what it deploys.
    """
    check_installed()
    from jitcloud.cli.demo.play import play  # noqa: PLC0415 - it needs what was just looked for

    return play(template=template)
