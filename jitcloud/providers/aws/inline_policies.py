"""The inline policies of a role or of a user: IAM has the same calls for both, by other names.

Each function makes one call, and raises ``CloudError``. What a role or user that IAM does not
know has, is nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jitcloud.errors import CloudRefused
from jitcloud.providers.aws.clients import translated
from jitcloud.providers.aws.principals import written
from jitcloud.providers.aws.target import Arn
from jitcloud.text import printable

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

_DENIED = (
    " Check that the broker, or the account_role it goes through, may get, put and delete inline "
    "policies there."
)
_UNSEEN = " Check that the broker, or the account_role it goes through, may list them there."


def names(iam: IAMClient, of: Arn) -> Sequence[str] | None:
    """What they are called, a thousand at most; None when IAM knows no such role or user."""
    with translated(_doing("List", of)):
        try:
            if of.kind == "role":
                return iam.list_role_policies(RoleName=of.name, MaxItems=1000)["PolicyNames"]
            return iam.list_user_policies(UserName=of.name, MaxItems=1000)["PolicyNames"]
        except iam.exceptions.NoSuchEntityException:
            return None


def page(iam: IAMClient, of: Arn, after: str | None, most: int) -> tuple[Sequence[str], str | None]:
    """What some of them are called, and how to ask for the next; none where nobody is."""
    more = {} if after is None else {"Marker": after}
    with translated(_doing("List", of), denied=_UNSEEN):
        try:
            if of.kind == "role":
                found = iam.list_role_policies(RoleName=of.name, MaxItems=most, **more)
            else:
                found = iam.list_user_policies(UserName=of.name, MaxItems=most, **more)
        except iam.exceptions.NoSuchEntityException:
            return (), None
    return found["PolicyNames"], found["Marker"] if found.get("IsTruncated") else None


def get(iam: IAMClient, of: Arn, name: str) -> object | None:
    """What one says, as JSON; None when it is not there."""
    with translated(_doing("Get", of), denied=_DENIED):
        try:
            if of.kind == "role":
                return iam.get_role_policy(RoleName=of.name, PolicyName=name)["PolicyDocument"]
            return iam.get_user_policy(UserName=of.name, PolicyName=name)["PolicyDocument"]
        except iam.exceptions.NoSuchEntityException:
            return None


def put(iam: IAMClient, of: Arn, name: str, text: str) -> None:
    """Write one, over whatever it said before."""
    with translated(_doing("Put", of), denied=_DENIED):
        try:
            if of.kind == "role":
                iam.put_role_policy(RoleName=of.name, PolicyName=name, PolicyDocument=text)
            else:
                iam.put_user_policy(UserName=of.name, PolicyName=name, PolicyDocument=text)
        except iam.exceptions.NoSuchEntityException as exc:
            raise CloudRefused(missing(of)) from exc
        except iam.exceptions.LimitExceededException as exc:
            said = printable(exc.response["Error"]["Message"]).rstrip(".")
            raise CloudRefused(
                f"The inline policies of the {of.kind} {of.name} have no room for this one "
                f"({said}); take out what is not needed there."
            ) from exc


def delete(iam: IAMClient, of: Arn, name: str) -> None:
    """Delete one, if it is there."""
    with translated(_doing("Delete", of), denied=_DENIED):
        try:
            if of.kind == "role":
                iam.delete_role_policy(RoleName=of.name, PolicyName=name)
            else:
                iam.delete_user_policy(UserName=of.name, PolicyName=name)
        except iam.exceptions.NoSuchEntityException:
            return


def _doing(verb: str, of: Arn) -> str:
    action = f"iam:{verb}{of.kind.title()}{'Policies' if verb == 'List' else 'Policy'}"
    return f"{action} on {written(of)}"


def missing(arn: Arn) -> str:
    """What to tell when IAM knows no such group, role or user."""
    return (
        f"The IAM {arn.kind} {arn.name} does not exist in account {arn.account}; "
        "create it, or correct the catalog."
    )
