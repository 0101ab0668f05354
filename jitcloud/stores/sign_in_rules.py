"""What every adapter that keeps sign-ins goes by."""

from __future__ import annotations

from jitcloud.errors import Misconfigured
from jitcloud.model import GroupId
from jitcloud.ports import MOST_SIGNED_IN
from jitcloud.text import quoted


def check_count(group: GroupId, count: int) -> None:
    """Raise ``Misconfigured`` for more people than are looked at one by one."""
    if count > MOST_SIGNED_IN:
        raise Misconfigured(
            f"More than {MOST_SIGNED_IN} people have signed in as members of {quoted(group)}; let"
            " smaller groups approve."
        )
