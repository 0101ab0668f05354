"""The route of the API that hands out credentials: it reads an id and a token, and nothing else.

Its role may add to the record that a set is handed out, and assume the catalog's roles; it signs
nothing. Of all that faces the network it alone can reach a cloud: the threat model says so.
"""

from __future__ import annotations

from jitcloud.api.application import application
from jitcloud.fleet import judging
from jitcloud.fleet.entry import Event, function
from jitcloud.fleet.environment import Context, Kept

_judging = Kept(judging.issuer, judging.is_sound)
_api = Kept(lambda: application(lambda message: _judging().handle(message), frozenset({"issue"})))


@function
def handler(event: Event, context: Context) -> dict[str, object]:
    """Answer one call."""
    return _api().resolve(event, context)
