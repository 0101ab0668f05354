"""The HTTP API, for whoever has the calls: functions behind API Gateway, or `jitcloud serve`.

``application(asked, parts).resolve(event, context)`` answers one event of an HTTP API (payload
format 2.0), in any number of threads, and raises nothing.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from jitcloud.api.front import Front, somebody_speaks
from jitcloud.api.message import Asked
from jitcloud.api.resolver import Resolver
from jitcloud.api.routes import ALL, routes


def application(asked: Asked, parts: AbstractSet[str] = ALL) -> Resolver:
    """Return what answers calls by asking the judge; ``parts`` are those of ``api.routes``."""
    resolver = Resolver((somebody_speaks,))
    resolver.include_router(routes(Front(asked, resolver), parts))
    resolver.ready()
    return resolver
