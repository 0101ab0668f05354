"""How requests and persons are named in AWS, where they show in CloudTrail and in policies."""

from __future__ import annotations

import hashlib
import re

from jitcloud.model import PersonId, RequestId

_PLAIN = re.compile(r"[A-Za-z0-9_.@+-]")
_LONGEST = 64
_SHORTEST = 2


def session_name(request: RequestId) -> str:
    """The role session name: part of the ARN that CloudTrail and resource policies show."""
    return f"jit-{request}"


def person_mark(person: PersonId) -> str:
    """A person as ``SourceIdentity``: 2 to 64 of ``[A-Za-z0-9_+=,.@-]`` (botocore's model).

    Ids that fit stand as they are. Other characters stand as ``=`` and the two hexadecimal
    digits of each of their UTF-8 bytes, so ``=`` for ``%`` and URL decoding give the id back.
    What is too long or too short for that stands as a hash.
    """
    mark = "".join(
        char if _PLAIN.fullmatch(char) else "".join(f"={byte:02X}" for byte in char.encode())
        for char in person
    )
    if _SHORTEST <= len(mark) <= _LONGEST:
        return mark
    return f"sha256-{hashlib.sha256(person.encode()).hexdigest()[: _LONGEST - len('sha256-')]}"
