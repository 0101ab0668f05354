"""What things are called, and the few constants that everything shares."""

from __future__ import annotations

from datetime import timedelta
from typing import NewType

RequestId = NewType("RequestId", str)
"""A ULID (26 characters of Crockford's base 32): sorts by the time it was asked."""

PersonId = NewType("PersonId", str)
"""The directory's immutable subject id. Never an e-mail address: those are aliases."""

EntitlementId = NewType("EntitlementId", str)
GroupId = NewType("GroupId", str)
RotationId = NewType("RotationId", str)
RuleId = NewType("RuleId", str)

SlotKey = NewType("SlotKey", str)
"""Names one place in one cloud, whichever mechanism reaches it."""

Digest = NewType("Digest", str)
"""SHA-256 in lower-case hexadecimal."""

GENESIS = Digest("0" * 64)
"""What the first event of a request names as the hash before it."""

SKEW = timedelta(seconds=5)
"""How far apart the clocks of the broker and of a cloud may be before grants stop."""
