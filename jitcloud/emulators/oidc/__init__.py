"""An OpenID Connect issuer on this machine: to try signing in, and what happens when it fails.

Discovery, keys that rotate, the device flow, the authorization code flow and refresh tokens,
on a clock that is handed in. ``forged`` makes tokens that nobody may believe. See ``OidcIssuer``.
"""

from jitcloud.emulators.oidc.faults import Fault
from jitcloud.emulators.oidc.issuer import OidcIssuer
from jitcloud.emulators.oidc.users import User

__all__ = ["Fault", "OidcIssuer", "User"]
