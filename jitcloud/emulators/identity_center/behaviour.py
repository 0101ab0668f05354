"""How the emulated Identity Center behaves where AWS is slow, limited, or says nothing of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """Settings, all of which may be changed while it runs."""

    takes: timedelta = timedelta(seconds=5)
    """From the answer to a create, delete or provision to its end. AWS names no time."""

    remembers: timedelta = timedelta(days=1)
    """How long after its end the status of an operation can be asked for. AWS names no time."""

    lag: timedelta = timedelta(0)
    """How far behind lists of assignments, memberships and provisioned permission sets are."""

    rate: float | None = 20
    """Calls a second, of all of ``sso-admin`` together; None: as many as come.

    https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html#ssothrottlelimits
    """

    outstanding: int | None = 10
    """How many creates and deletes may be in progress; None: as many as come.

    The page above says so of CreateAccountAssignment. Deletes fill the same queue here: AWS does
    not say, and a broker must live with it.
    """

    page_size: int = 100
    """The most one page holds, whatever ``MaxResults`` says; AWS allows itself fewer."""

    empty_pages: int = 0
    """How many pages without an entry, but with a ``NextToken``, come before the first entry.

    "These operations can occasionally return an empty set of results even when more results are
    available", says Organizations of its lists.
    """

    already: Literal["accepted", "conflict"] = "accepted"
    """What a create of an assignment that exists already is answered. Not documented.

    "The AWS SSO API doesn't prevent us from creating duplicates", says Terraform's provider.
    https://github.com/hashicorp/terraform-provider-aws (internal/service/ssoadmin)
    """

    missing: Literal["fails", "not found", "succeeds"] = "fails"
    """What becomes of a delete of an assignment that does not exist. Not documented.

    Terraform's provider has met both the first, "EntitlementItem doesn't exist", in the status,
    and the second, as the answer to the call.
    """

    orphaned: Literal["fails", "succeeds"] = "fails"
    """What becomes of a delete of an assignment whose user or group is deleted. Not documented.

    Seen to fail: https://github.com/hashicorp/terraform-provider-aws/issues/19341
    """

    conflicts_within: Literal["assignment", "role", "account"] = "assignment"
    """In what one operation at a time is let in; another gets ConflictException.

    ``role`` is a permission set in an account. The quotas page says that one role of an account
    can be updated at a time, and not what a second one is answered.
    """

    inherited: bool = True
    """Whether ListAccountAssignmentsForPrincipal of a user tells what its groups have, too.

    Not documented beyond "accounts that the principal has access to".
    """

    delegated: bool = False
    """Whether calls come from a delegated administrator rather than the management account.

    One may neither assign in the management account, nor manage what is provisioned there.
    https://docs.aws.amazon.com/singlesignon/latest/userguide/delegated-admin.html
    """
