"""Where tests keep their files: in memory, where this machine has room for them there.

A store that waits until the disk has what it wrote waits in vain in a test: of what is killed here
the system keeps what was written, and no test cuts the power. ``TMPDIR`` says another place.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 - Linux has it, and everybody may write there
_ROOM = 3 << 30
"""Bytes, of which a run takes less than a sixth; pytest keeps those of three."""


def keep_in_memory() -> None:
    """Have this process, and what it starts, make temporary files in memory."""
    if "TMPDIR" not in os.environ and _is_fit():
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None  # it is looked for anew


def _is_fit() -> bool:
    """Whether there is room, and what is written there may be run."""
    try:
        mounted = os.statvfs(_MEMORY)
        free = shutil.disk_usage(_MEMORY).free
    except OSError:
        return False
    may_run = not mounted.f_flag & os.ST_NOEXEC
    return may_run and free >= _ROOM and os.access(_MEMORY, os.W_OK | os.X_OK)
