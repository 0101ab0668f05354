"""Policy: Cedar rules that say who gets what, at once or after whose yes.

Permits open the door, approvals add up, forbids close it. Nothing else imports cedarpy.
"""

from jitcloud.policy.engine import Policy
from jitcloud.policy.entities import World

__all__ = ["Policy", "World"]
