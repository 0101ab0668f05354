"""Takes out of a text what must stand in no log, whoever put it there.

A second line of defence: no event is given a secret, a justification or an e-mail address to begin
with (``logs.Facts``). But a cloud's refusal, or an operator's program, may name one.
"""

from __future__ import annotations

import re

LEFT_OUT = "(left out)"

_SECRET = re.compile(
    r"""
      eyJ[\w-]{5,}(?:\.[\w-]*){1,4}            # a token: RFC 7519, its header begins with {"
    | (?i:(?:bearer|basic)\s+[\w.~+/=-]{8,})   # RFC 6750, RFC 7617
    | (?i:x-amz-[a-z-]{1,40}=[^&\s"'<>]+)      # a presigned call: signature, credential, token
    | \b(?:AKIA|ASIA)[A-Z0-9]{12,}\b           # the id of an AWS access key
    | [^\s"'<>()\[\],;:/]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+  # an e-mail address
    | -----BEGIN[^-]{0,40}-----                # a key in PEM
    | \b[A-Za-z0-9+_=]{40,}                    # long enough to be one, and no word
    | \b[A-Za-z0-9+/_=-]{100,}
    """,
    re.VERBOSE,
)


def redacted(text: str) -> str:
    """Return the text without what looks like a token, a key, a signature or an e-mail address."""
    return _SECRET.sub(LEFT_OUT, text)
