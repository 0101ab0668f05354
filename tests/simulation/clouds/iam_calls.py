"""The calls of IAM and STS that the product makes, answered as AWS does by an ``Account``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.simulation.clouds.account import (
    MOST_GROUPS,
    MOST_INLINE,
    MOST_OF_SESSION,
    SHORTEST_SESSION,
    Account,
    Policy,
    Principal,
    Role,
    Session,
    checked,
    counted,
)
from tests.simulation.clouds.documents import parsed
from tests.simulation.clouds.past import Past
from tests.simulation.clouds.refusals import Refusal, invalid, missing, too_many

Params = Mapping[str, Any]
Answer = dict[str, Any]

BROKER = "user/jitcloud"
SET_PATH = "/aws-reserved/sso.amazonaws.com/"


class Calls:
    """Answers for one account. Reads are as of ``as_of``, changes as of the account's clock."""

    def __init__(self, account: Account, keys: Callable[[], str]) -> None:
        """Answer for this account; ``keys`` makes up access keys."""
        self._account = account
        self._keys = keys
        self._handlers: dict[str, Callable[[Params, datetime], Answer]] = {
            name: getattr(self, f"_{name}") for name in OPERATIONS
        }

    def answer(self, operation: str, params: Params, as_of: datetime) -> Answer:
        """Answer a call, by what stood at an instant where it reads. Raises ``Refusal``."""
        return self._handlers[operation](params, as_of)

    # ── Users and groups ─────────────────────────────────────────────────────────────────────

    def _GetGroup(self, params: Params, then: datetime) -> Answer:  # noqa: N802 - AWS's names
        group = _found(self._account.groups, "group", params["GroupName"], then)
        key = group.name.lower()
        users = sorted(
            name
            for name, groups in self._account.members.items()
            if key in groups and groups[key].as_of(then)
        )
        shown, more = _page(users, params)
        known = (self._account.users[name].as_of(then) for name in shown)
        return {
            "Group": _group(group),
            "Users": [_user(user) for user in known if user is not None],
            **more,
        }

    def _ListGroupsForUser(self, params: Params, then: datetime) -> Answer:  # noqa: N802 - see above
        user = _found(self._account.users, "user", params["UserName"], then)
        groups = sorted(
            name
            for name, member in self._account.members.get(user.name.lower(), {}).items()
            if member.as_of(then)
        )
        shown, more = _page(groups, params)
        known = (self._account.groups[name].as_of(then) for name in shown)
        return {"Groups": [_group(group) for group in known if group is not None], **more}

    def _AddUserToGroup(self, params: Params, then: datetime) -> Answer:  # noqa: ARG002, N802 - see above
        user, group = self._pair(params)
        groups = self._account.members.get(user.name.lower(), {})
        there = {name for name, member in groups.items() if member.now}
        if len(there) >= MOST_GROUPS and group.name.lower() not in there:
            raise too_many(f"Cannot exceed quota for GroupsPerUser: {MOST_GROUPS}")
        self._account.set_member(user.name, group.name, present=True)
        return {}

    def _RemoveUserFromGroup(self, params: Params, then: datetime) -> Answer:  # noqa: ARG002, N802 - see above
        user, group = self._pair(params)
        self._account.set_member(user.name, group.name, present=False)
        return {}

    def _pair(self, params: Params) -> tuple[Principal, Principal]:
        now = self._account.clock()
        group = _found(self._account.groups, "group", params["GroupName"], now)
        return _found(self._account.users, "user", params["UserName"], now), group

    # ── Inline policies ──────────────────────────────────────────────────────────────────────

    def _ListUserPolicies(self, params: Params, then: datetime) -> Answer:  # noqa: N802 - see above
        return self._names("user", params, then)

    def _ListRolePolicies(self, params: Params, then: datetime) -> Answer:  # noqa: N802 - see above
        return self._names("role", params, then)

    def _GetUserPolicy(self, params: Params, then: datetime) -> Answer:  # noqa: N802 - see above
        return self._inline("user", params, then)

    def _GetRolePolicy(self, params: Params, then: datetime) -> Answer:  # noqa: N802 - see above
        return self._inline("role", params, then)

    def _PutUserPolicy(self, params: Params, then: datetime) -> Answer:  # noqa: ARG002, N802 - see above
        return self._put_inline("user", params)

    def _PutRolePolicy(self, params: Params, then: datetime) -> Answer:  # noqa: ARG002, N802 - see above
        return self._put_inline("role", params)

    def _DeleteUserPolicy(self, params: Params, then: datetime) -> Answer:  # noqa: ARG002, N802 - see above
        return self._delete_inline("user", params)

    def _DeleteRolePolicy(self, params: Params, then: datetime) -> Answer:  # noqa: ARG002, N802 - see above
        return self._delete_inline("role", params)

    def _names(self, kind: str, params: Params, then: datetime) -> Answer:
        name = self._owner(kind, params, then)
        past = self._account.inline_of(kind, name)
        shown, more = _page(sorted(key for key, each in past.items() if each.as_of(then)), params)
        return {"PolicyNames": shown, **more}

    def _inline(self, kind: str, params: Params, then: datetime) -> Answer:
        name, policy = self._owner(kind, params, then), params["PolicyName"]
        past = self._account.inline_of(kind, name).get(policy)
        text = None if past is None else past.as_of(then)
        if text is None:
            raise missing(f"{kind} policy", policy)
        of = f"{kind.title()}Name"
        return {of: params[of], "PolicyName": policy, "PolicyDocument": parsed(text)}

    def _put_inline(self, kind: str, params: Params) -> Answer:
        name, text = self._owner(kind, params, self._account.clock()), params["PolicyDocument"]
        others = sum(
            counted(past.now)
            for key, past in self._account.inline_of(kind, name).items()
            if key != params["PolicyName"] and past.now is not None
        )
        if others + counted(text) > MOST_INLINE[kind]:
            raise too_many(f"Maximum policy size of {MOST_INLINE[kind]} bytes exceeded for {name}")
        checked(text, MOST_INLINE[kind])
        self._account.put_inline(kind, name, params["PolicyName"], text)
        return {}

    def _delete_inline(self, kind: str, params: Params) -> Answer:
        name = self._owner(kind, params, self._account.clock())
        past = self._account.inline_of(kind, name).get(params["PolicyName"])
        if past is None or past.now is None:
            raise missing(f"{kind} policy", params["PolicyName"])
        self._account.put_inline(kind, name, params["PolicyName"], None)
        return {}

    def _owner(self, kind: str, params: Params, then: datetime) -> str:
        if kind == "role":
            role: Role = _found(self._account.roles, "role", params["RoleName"], then)
            return role.name
        user: Principal = _found(self._account.users, "user", params["UserName"], then)
        return user.name

    # ── Roles ────────────────────────────────────────────────────────────────────────────────

    def _GetRole(self, params: Params, then: datetime) -> Answer:  # noqa: N802 - see above
        return {"Role": _role(_found(self._account.roles, "role", params["RoleName"], then))}

    def _ListRoles(self, params: Params, then: datetime) -> Answer:  # noqa: N802 - see above
        known = self._roles(params.get("PathPrefix", "/"), then)
        shown, more = _page(sorted(known), params)
        # A list does not tell boundaries: https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html
        return {"Roles": [_listed(known[name]) for name in shown], **more}

    def _roles(self, path: str, then: datetime) -> dict[str, Role]:
        own = (past.as_of(then) for past in self._account.roles.values())
        every = (*(role for role in own if role is not None), *self._account.permission_sets())
        return {role.name: role for role in every if role.path.startswith(path)}

    # ── Managed policies ─────────────────────────────────────────────────────────────────────

    def _GetPolicy(self, params: Params, then: datetime) -> Answer:  # noqa: N802 - see above
        policy = self._policy(params, then)
        first, last = policy.versions[0], policy.versions[-1]
        return {
            "Policy": {
                "PolicyName": policy.name,
                "PolicyId": f"ANPA{policy.name.upper():0<17}"[:21],
                "Arn": policy.arn,
                "Path": "/",
                "DefaultVersionId": policy.default,
                "AttachmentCount": 0,
                "PermissionsBoundaryUsageCount": len(self._bound(policy.arn, "/", then)),
                "IsAttachable": True,
                "CreateDate": first.made_at,
                "UpdateDate": last.made_at,
                "Tags": [],
            }
        }

    def _GetPolicyVersion(self, params: Params, then: datetime) -> Answer:  # noqa: N802 - see above
        policy = self._policy(params, then)
        version = policy.version(params["VersionId"])
        return {
            "PolicyVersion": {
                "Document": parsed(version.text),
                "VersionId": version.id,
                "IsDefaultVersion": version.id == policy.default,
                "CreateDate": version.made_at,
            }
        }

    def _ListPolicyVersions(self, params: Params, then: datetime) -> Answer:  # noqa: N802 - see above
        policy = self._policy(params, then)
        listed = [
            {
                "VersionId": version.id,
                "IsDefaultVersion": version.id == policy.default,
                "CreateDate": version.made_at,
            }
            for version in reversed(policy.versions)
        ]
        return {"Versions": listed, "IsTruncated": False}

    def _CreatePolicyVersion(self, params: Params, then: datetime) -> Answer:  # noqa: ARG002, N802 - see above
        policy = self._policy(params, self._account.clock())
        if params.get("SetAsDefault") is not True:
            raise NotImplementedError(params)
        self._account.write(policy.arn, params["PolicyDocument"])
        made = self._policy(params, self._account.clock()).versions[-1]
        return {
            "PolicyVersion": {
                "VersionId": made.id,
                "IsDefaultVersion": True,
                "CreateDate": made.made_at,
            }
        }

    def _DeletePolicyVersion(self, params: Params, then: datetime) -> Answer:  # noqa: ARG002, N802 - see above
        policy = self._policy(params, self._account.clock())
        version = policy.version(params["VersionId"])
        if version.id == policy.default:
            raise Refusal("DeleteConflict", "Cannot delete the default version of a policy.", 409)
        left = tuple(each for each in policy.versions if each.id != version.id)
        past = self._account.policies[policy.arn]
        self._account.turn(past, replace(policy, versions=left))
        return {}

    def _ListEntitiesForPolicy(self, params: Params, then: datetime) -> Answer:  # noqa: N802 - see above
        if (params.get("EntityFilter"), params.get("PolicyUsageFilter")) != (
            "Role",
            "PermissionsBoundary",
        ):
            raise NotImplementedError(params)
        policy = self._policy(params, then)
        bound = self._bound(policy.arn, params.get("PathPrefix", "/"), then)
        shown, more = _page(sorted(bound), params)
        return {
            "PolicyGroups": [],
            "PolicyUsers": [],
            "PolicyRoles": [{"RoleName": bound[n].name, "RoleId": bound[n].id} for n in shown],
            **more,
        }

    def _bound(self, arn: str, path: str, then: datetime) -> dict[str, Role]:
        return {
            name: role for name, role in self._roles(path, then).items() if role.boundary == arn
        }

    def _policy(self, params: Params, then: datetime) -> Policy:
        past = self._account.policies.get(params["PolicyArn"])
        policy = None if past is None else past.as_of(then)
        if policy is None:
            raise Refusal("NoSuchEntity", f"Policy {params['PolicyArn']} does not exist.", 404)
        return policy

    # ── Sessions ─────────────────────────────────────────────────────────────────────────────

    def _GetCallerIdentity(self, params: Params, then: datetime) -> Answer:  # noqa: ARG002, N802 - see above
        return {
            "UserId": "AIDAJITCLOUD000000000",
            "Account": self._account.id,
            "Arn": self._account.arn(BROKER),
        }

    def _AssumeRole(self, params: Params, then: datetime) -> Answer:  # noqa: ARG002, N802 - see above
        account, now = self._account, self._account.clock()
        name = params["RoleArn"].rpartition("/")[2].lower()
        past = account.roles.get(name)
        role = None if past is None else past.now
        if role is None or role.arn != params["RoleArn"]:
            # AWS does not tell a role that is not there from one that trusts nobody.
            message = f"User: {account.arn(BROKER)} is not authorized to perform: sts:AssumeRole"
            raise Refusal("AccessDenied", f"{message} on resource: {params['RoleArn']}", 403)
        seconds = params.get("DurationSeconds", 3600)
        if timedelta(seconds=seconds) > role.longest:
            raise invalid(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            )
        if timedelta(seconds=seconds) < SHORTEST_SESSION:
            raise invalid("1 validation error detected: DurationSeconds is less than 900.")
        text = params.get("Policy")
        if text is not None:
            if len(text) > MOST_OF_SESSION:
                raise invalid("1 validation error detected: Policy is longer than 2048.")
            checked(text, MOST_OF_SESSION)
        if params.get("PolicyArns"):
            raise NotImplementedError(params)
        made = Session(
            key=self._keys(),
            role=name,
            name=params["RoleSessionName"],
            whose=params.get("SourceIdentity", ""),
            tags={tag["Key"]: tag["Value"] for tag in params.get("Tags", ())},
            policy=text,
            issued_at=now,
            expires_at=now.replace(microsecond=0) + timedelta(seconds=seconds),
        )
        account.session(made)
        answer: Answer = {
            "Credentials": {
                "AccessKeyId": made.key,
                "SecretAccessKey": "of-an-emulator",
                "SessionToken": f"of-an-emulator-{made.key}",
                "Expiration": made.expires_at,
            },
            "AssumedRoleUser": {
                "AssumedRoleId": f"{role.id}:{made.name}",
                "Arn": f"arn:aws:sts::{account.id}:assumed-role/{role.name}/{made.name}",
            },
        }
        if text is not None:
            answer["PackedPolicySize"] = 50
        if made.whose:
            answer["SourceIdentity"] = made.whose
        return answer


OPERATIONS = (
    "AddUserToGroup",
    "AssumeRole",
    "CreatePolicyVersion",
    "DeletePolicyVersion",
    "DeleteRolePolicy",
    "DeleteUserPolicy",
    "GetCallerIdentity",
    "GetGroup",
    "GetPolicy",
    "GetPolicyVersion",
    "GetRole",
    "GetRolePolicy",
    "GetUserPolicy",
    "ListEntitiesForPolicy",
    "ListGroupsForUser",
    "ListPolicyVersions",
    "ListRolePolicies",
    "ListRoles",
    "ListUserPolicies",
    "PutRolePolicy",
    "PutUserPolicy",
    "RemoveUserFromGroup",
)


def _found(known: Mapping[str, Past[Any]], kind: str, name: str, then: datetime) -> Any:
    past = known.get(name.lower())
    found = None if past is None else past.as_of(then)
    if found is None:
        raise missing(kind, name)
    return found


def _page(names: Sequence[str], params: Params) -> tuple[list[str], Answer]:
    """What of a list one answer tells, and from where the next goes on."""
    after, most = params.get("Marker", ""), params.get("MaxItems", 100)
    left = [name for name in names if name > after]
    shown = left[:most]
    if len(left) > most:
        return shown, {"IsTruncated": True, "Marker": shown[-1]}
    return shown, {"IsTruncated": False}


def _user(user: Principal) -> Answer:
    return {
        "Path": "/",
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": user.made_at,
    }


def _group(group: Principal) -> Answer:
    return {
        "Path": "/",
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": group.arn,
        "CreateDate": group.made_at,
    }


def _role(role: Role) -> Answer:
    told = _listed(role)
    if role.boundary is not None:
        told["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": role.boundary,
        }
    return told


def _listed(role: Role) -> Answer:
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": role.made_at,
        "AssumeRolePolicyDocument": parsed(role.trust),
        "MaxSessionDuration": int(role.longest.total_seconds()),
    }
