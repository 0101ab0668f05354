"""What a call presents of who it is from, and under which key: read from headers, and not judged.

Nothing else of a call says who speaks: no body, no query, no certificate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from jitcloud.api.message import LONGEST_KEY, LONGEST_TOKEN
from jitcloud.errors import Invalid, Unauthenticated
from jitcloud.model import Presented

TOKEN = "authorization"  # noqa: S105 - the name of a header
IDENTITY = "x-jitcloud-identity"
KEY = "idempotency-key"

# RFC 6750, section 2.1; the scheme in any case (RFC 9110, section 11.1).
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*) *")
_BASE64 = re.compile(r"[A-Za-z0-9_=-]+")

# Visible ASCII, quoted as the draft has it (a string of RFC 9651) or bare, as most clients send it.
_BARE = re.compile(rf"[!#-\[\]-~]{{1,{LONGEST_KEY}}}")


def presented(headers: Mapping[str, str]) -> Presented:
    """Return what a call presents: a token or an AWS identity. Raises ``Unauthenticated``.

    ``Authorization`` is also where AWS's own signature stands, on routes where API Gateway asks
    for one; who speaks is then said by the identity alone.
    """
    said, identity = headers.get(TOKEN, ""), headers.get(IDENTITY, "")
    bearer = _BEARER.fullmatch(said)
    is_bearer = said[:6].lower() == "bearer"
    if is_bearer and identity:
        raise Unauthenticated(
            "There are two proofs of who you are; send a token or an AWS identity, not both."
        )
    if bearer is not None and len(bearer[1]) <= LONGEST_TOKEN:
        return Presented(kind="oidc", text=bearer[1])
    if identity and len(identity) <= LONGEST_TOKEN and _BASE64.fullmatch(identity):
        return Presented(kind="aws", text=identity)
    raise Unauthenticated(
        "Say who you are: send an OpenID Connect token as Authorization: Bearer, or an AWS"
        " identity as X-Jitcloud-Identity."
    )


def key(headers: Mapping[str, str]) -> str | None:
    """Return the ``Idempotency-Key`` of a call, if it has one. Raises ``Invalid``."""
    said = headers.get(KEY)
    if said is None:
        return None
    bare = said[1:-1] if len(said) > 1 and said[0] == said[-1] == '"' else said
    if _BARE.fullmatch(bare) is None:
        raise Invalid(
            f"Write the Idempotency-Key as 1 to {LONGEST_KEY} visible ASCII characters without"
            " quotes and backslashes, such as a UUID."
        )
    return bare
