"""The ids and ARNs that AWS would make up: from a seed, so that a run can be repeated."""

from __future__ import annotations

import hashlib
from itertools import count
from uuid import UUID


class Ids:
    """A source of ids: of one seed, the same ids in the same order."""

    def __init__(self, seed: str) -> None:
        """Begin at the first one."""
        self._seed = seed
        self._number = count()

    def digits(self, length: int) -> str:
        """Hexadecimal digits, at most 64 of them."""
        made = hashlib.sha256(f"{self._seed}/{next(self._number)}".encode())
        return made.hexdigest()[:length]

    def uuid(self) -> str:
        """A UUID of version 4."""
        return str(UUID(self.digits(32), version=4))


def role_arn(account: str, region: str, permission_set: str, suffix: str) -> str:
    """Name the role of a permission set. Where the directory is in us-east-1, no region is in it.

    https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
    """
    where = "" if region == "us-east-1" else f"{region}/"
    path = f"aws-reserved/sso.amazonaws.com/{where}"
    return f"arn:aws:iam::{account}:role/{path}AWSReservedSSO_{permission_set}_{suffix}"
