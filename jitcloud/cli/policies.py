"""``policy``: checks rules, lays them out, tries them, and says why a decision comes out as it does.

Needs no key, no record and no cloud: whoever reviews a change to the rules has none of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jitcloud.cli import say
from jitcloud.cli.completing import entitlements
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.program import Program, program_of
from jitcloud.cli.progress import progress
from jitcloud.cli.times import parse_start
from jitcloud.clock import utc_now
from jitcloud.durations import format_duration, parse_duration
from jitcloud.errors import Invalid, Misconfigured
from jitcloud.model import Ask
from jitcloud.text import printable

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.cli.rulebook import Rulebook
    from jitcloud.policy.golden import Golden
    from jitcloud.policy.matrix import Row

CASES = Path("cases.toml")
