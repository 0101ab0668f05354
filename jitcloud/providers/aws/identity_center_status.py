"""What Identity Center says of the creates and deletes it was told: how far they have come.

https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_AccountAssignmentOperationStatus.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from botocore import xform_name

from jitcloud.model import Followed, Progress
from jitcloud.providers.aws.identity_center_places import About, about
from jitcloud.text import printable

Verb = Literal["put", "remove"]

_LONGEST = 300
"""How much of a reason is told on: AWS may say a kilobyte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the API calls the one and the other."""

    verb: str
    describe: str
    """The operation that tells one status …"""
    list: str
    """… and the one that lists them."""
    request: str
    """Under which name a request's id is asked for."""
    status: str
    """Under which name its status is answered."""
    listed: str
    """Under which name a list of statuses is answered."""

    @property
    def describe_method(self) -> str:
        """How boto3 calls the one."""
        return xform_name(self.describe)

    @property
    def list_method(self) -> str:
        """How boto3 calls the other."""
        return xform_name(self.list)


def _words(verb: str, noun: str) -> Words:
    return Words(
        verb=verb,
        describe=f"DescribeAccountAssignment{noun}Status",
        list=f"ListAccountAssignment{noun}Status",
        request=f"AccountAssignment{noun}RequestId",
        status=f"AccountAssignment{noun}Status",
        listed=f"AccountAssignments{noun}Status",
    )


WORDS: Mapping[Verb, Words] = {
    "put": _words("Create", "Creation"),
    "remove": _words("Delete", "Deletion"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One answer."""

    state: str
    """IN_PROGRESS, SUCCEEDED or FAILED."""
    id: str
    created_at: datetime | None
    about: About
    """Which assignment it is of. In a list, AWS does not say."""
    reason: str

    @property
    def is_running(self) -> bool:
        """Whether it is not over. What AWS may call a state one day is not over either."""
        return self.state not in {"SUCCEEDED", "FAILED"}

    def followed(self, verb: Verb) -> Followed:
        """What that means for whoever follows it."""
        if self.is_running:
            return Followed(progress=Progress.RUNNING, id=self.id)
        if self.state == "SUCCEEDED":
            return Followed(progress=Progress.DONE, id=self.id)
        if verb == "remove" and is_missing(self.reason):
            # Nothing was there to delete, as far as AWS could see: whether that is so, a list
            # decides.
            return Followed(progress=Progress.UNKNOWN, id=self.id)
        return Followed(progress=Progress.FAILED, id=self.id, reason=why(verb, self.reason))


def read(told: Mapping[str, object]) -> Status:
    """Read a status as AWS answers it."""
    created_at = told.get("CreatedDate")
    return Status(
        state=str(told.get("Status", "")),
        id=str(told.get("RequestId", "")),
        created_at=created_at if isinstance(created_at, datetime) else None,
        about=about(told),
        reason=str(told.get("FailureReason", "")),
    )


def is_missing(reason: str) -> bool:
    """Whether a delete has failed because there is no such assignment.

    Terraform's provider goes by these words, too: AWS documents none.
    https://github.com/hashicorp/terraform-provider-aws (internal/service/ssoadmin)
    """
    return "EntitlementItem doesn't exist" in reason


def why(verb: Verb, reason: str) -> str:
    """Why something failed, in AWS's words, and what to do about it, where that is known."""
    what = "let the principal in" if verb == "put" else "take the assignment away"
    said = printable(reason[:_LONGEST]).rstrip(". ") or "it does not say why"
    return f"Identity Center could not {what}: {said}.{_advice(verb, reason)}"


def _advice(verb: Verb, reason: str) -> str:
    if "not found in directory" in reason:
        # The assignment of somebody deleted stays listed, and lets nobody in as long as nobody
        # has that id. https://github.com/hashicorp/terraform-provider-aws/issues/19341
        if verb == "put":
            return " The user or group has been deleted; ask again once there is one."
        return (
            " The user or group has been deleted and the assignment is left over; "
            "take it away in the console of Identity Center, under AWS accounts."
        )
    if "permissions to manage your AWS account" in reason:
        return (
            " Check whether the account is suspended or closed; while it is, nothing can be changed"
            " there."
        )
    return ""
