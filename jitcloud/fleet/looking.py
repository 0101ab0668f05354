"""``look``: reads clouds for the judge, which may reach none."""

from __future__ import annotations

from jitcloud.adapters import clouds
from jitcloud.clock import utc_now
from jitcloud.fleet.environment import folder
from jitcloud.looking import Looking
from jitcloud.settings import FILE, read_to_end


def made() -> Looking:
    """Put it together from the environment: the clouds, and neither record, people nor policy."""
    settings = read_to_end(folder() / FILE)
    mechanisms, _ = clouds(settings, utc_now)
    return Looking(mechanisms=mechanisms, clock=utc_now)
