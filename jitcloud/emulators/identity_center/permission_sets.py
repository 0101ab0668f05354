"""Permission sets, and the roles that they are in the accounts where they are provisioned."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from jitcloud.emulators.identity_center.agenda import Agenda
from jitcloud.emulators.identity_center.history import History
from jitcloud.emulators.identity_center.names import Ids, role_arn
from jitcloud.emulators.identity_center.nouns import Arn, PermissionSet, Role
from jitcloud.emulators.identity_center.refusal import invalid, not_found

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_SHORTEST, _LONGEST = timedelta(hours=1), timedelta(hours=12)

Place = tuple[str, Arn]
"""An account and a permission set."""


class PermissionSets:
    """All of one Identity Center."""

    def __init__(self, agenda: Agenda, ids: Ids, instance: str, region: str) -> None:
        """Begin with none, in an instance (its id) whose directory is in ``region``."""
        self._agenda = agenda
        self._ids = ids
        self._region = region
        self._instance = instance
        self.all: dict[Arn, PermissionSet] = {}
        self.provisioned: History[Place] = History()
        self._roles: dict[Place, Role] = {}

    def add(
        self,
        name: str,
        *,
        session: timedelta = timedelta(hours=1),
        boundary: Mapping[str, object] | None = None,
        tags: Mapping[str, str] | None = None,
        description: str | None = None,
    ) -> Arn:
        """Make a permission set; return its ARN. ``session`` is whole minutes, 1 to 12 hours.

        ``boundary`` is as PutPermissionsBoundaryToPermissionSet takes it.
        """
        text = f"PT{session // timedelta(minutes=1)}M"
        made = self.put(name, text, description=description, tags=tags)
        made.boundary = boundary
        return made.arn

    def put(
        self,
        name: str,
        session_text: str,
        *,
        description: str | None = None,
        relay_state: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> PermissionSet:
        """Make one as a call asks for it. Raises what AWS answers where it cannot be."""
        with self._agenda.moment() as now:
            arn = f"arn:aws:sso:::permissionSet/{self._instance}/ps-{self._ids.digits(16)}"
            session = _session(session_text)
            self.all[arn] = PermissionSet(
                arn, name, session, session_text, now, description, relay_state, dict(tags or {})
            )
            return self.all[arn]

    def find(self, arn: Arn) -> PermissionSet:
        """That permission set. Raises what AWS answers when there is none."""
        found = self.all.get(arn)
        if found is None:
            raise not_found(f"Could not find PermissionSet with id {arn.rpartition('/')[2]}")
        return found

    def role(self, account: str, arn: Arn) -> Role | None:
        """The role that a permission set is in an account, if it is provisioned there."""
        with self._agenda.moment():
            return self._roles.get((account, arn))

    def ensure(self, account: str, arn: Arn, at: datetime) -> Role:
        """The role in an account, which is made if it is not there yet."""
        role = self._roles.get((account, arn))
        if role is None:
            # "The name and ARN of the new role include a different, unique suffix."
            # https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
            made = self.all[arn]
            name = role_arn(account, self._region, made.name, self._ids.digits(16))
            role_id = f"AROA{self._ids.digits(17).upper()}"
            role = self._roles[account, arn] = Role(name, role_id, account, arn, made.boundary)
            self.provisioned.add((account, arn), at)
        return role

    def provision(self, account: str, arn: Arn, at: datetime) -> None:
        """Bring the role up to date with the permission set: nothing else does."""
        self.ensure(account, arn, at).boundary = self.all[arn].boundary

    def retire(self, account: str, arn: Arn, at: datetime) -> None:
        """Delete the role, as AWS does once nobody has the permission set there any more."""
        self._roles.pop((account, arn), None)
        self.provisioned.discard((account, arn), at)


def _session(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise invalid("SessionDuration is not a duration in days, hours, minutes and seconds.")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    session = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    # https://docs.aws.amazon.com/singlesignon/latest/userguide/howtosessionduration.html
    if not _SHORTEST <= session <= _LONGEST:
        raise invalid("SessionDuration is not between 1 and 12 hours.")
    return session
