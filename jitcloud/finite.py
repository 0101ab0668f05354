"""Numbers that JSON does not have, and some readers of it give all the same.

``NaN`` and ``Infinity`` are read by the standard library's reader and by pydantic's, and a number
such as ``1e999`` becomes infinite in both (RFC 8259, section 6, leaves its range to readers).
"""

from __future__ import annotations

from math import isfinite


def is_finite(plain: object) -> bool:
    """Whether every number in plain JSON is one, however deep it nests."""
    left = [plain]
    while left:
        value = left.pop()
        match value:
            case float() if not isfinite(value):
                return False
            case dict():
                left.extend(value.values())
            case list() | tuple():
                left.extend(value)
    return True
