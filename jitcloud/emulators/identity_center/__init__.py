"""An IAM Identity Center on this machine: to try policies out on, and what happens when AWS fails.

The directory, its permission sets, who has which of them in which account, and the role sessions
that come out of it, on a clock that is handed in. See ``IdentityCenter``.
"""

from jitcloud.emulators.identity_center.behaviour import Behaviour
from jitcloud.emulators.identity_center.faults import Fault
from jitcloud.emulators.identity_center.nouns import Assignment, Role, Session
from jitcloud.emulators.identity_center.server import IdentityCenterServer
from jitcloud.emulators.identity_center.state import IdentityCenter

__all__ = [
    "Assignment",
    "Behaviour",
    "Fault",
    "IdentityCenter",
    "IdentityCenterServer",
    "Role",
    "Session",
]
