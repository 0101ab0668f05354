"""Hash trees of RFC 6962, grown leaf by leaf: what is kept is the right edge, never the leaves.

https://www.rfc-editor.org/rfc/rfc6962#section-2.1 (the same in RFC 9162, section 2.1)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

HASH = 32
"""Bytes of a hash."""

_LEAF, _NODE = b"\0", b"\1"  # so that a node can never pass for a leaf


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(_LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of what two subtrees make."""
    return hashlib.sha256(_NODE + left + right).digest()


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge of a tree: the roots of the complete subtrees it is made of, largest first.

    It is all that further leaves need, and the root follows from it.
    """

    size: int = 0
    """Leaves."""
    roots: tuple[bytes, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether there are as many subtrees as a tree of this size is made of."""
        return self.size >= 0 and len(self.roots) == self.size.bit_count()

    def grown(self, leaves: list[bytes]) -> Edge:
        """Return the edge with these leaves after those that are there."""
        size, roots = self.size, list(self.roots)
        for data in leaves:
            found = leaf_hash(data)
            complete = size
            while complete & 1:
                found = node_hash(roots.pop(), found)
                complete >>= 1
            roots.append(found)
            size += 1
        return Edge(size, tuple(roots))

    @property
    def root(self) -> bytes:
        """The Merkle tree hash; of an empty tree the hash of nothing."""
        if not self.roots:
            return hashlib.sha256().digest()
        *larger, found = self.roots
        for each in reversed(larger):
            found = node_hash(each, found)
        return found
