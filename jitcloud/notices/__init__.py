"""Which messages an event causes: who hears of it, and what they read. Pure, but for a look-up.

``hearing`` says who; ``asked`` writes to those who are to do something, ``own`` to the person
whose request it is, ``owners`` to whoever owns what was asked for; ``parts`` is what all messages
are made of, ``people`` who everybody is.
"""

from jitcloud.notices.hearing import MOST, WARNED_BEFORE, of, warn_at, warning
from jitcloud.notices.people import AsOfNow, People

__all__ = ["MOST", "WARNED_BEFORE", "AsOfNow", "People", "of", "warn_at", "warning"]
