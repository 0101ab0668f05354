"""A fleet of many lifetimes: twenty people, five groups, and a wire between functions and AWS."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path

from botocore.exceptions import BotoCoreError

from jitcloud.emulators.account import OK, read
from jitcloud.emulators.fleet import KEY, PEOPLE, Fleet, Reply
from tests.fleet.wire import Wire

GROUPS = tuple(f"group-{number}" for number in range(5))
EVERYBODY = {**PEOPLE, **{f"p{number}": f"P{number}" for number in range(17)}}
_TRY_AGAIN = {403, 409, 429, 500, 502, 503, 504}
"""What the API answers where it is too early, too busy, or cut off."""

_ONE = """
[[entitlement]]
id = "{group}"
title = "A group"
cloud = "aws"
mechanism = "aws.iam-group"
privilege = "write"
environment = "lab"
owner = "leads"

[entitlement.target]
group_arn = "arn:aws:iam::{account}:group/{group}"

[entitlement.target.users]
{users}
"""
_RULES = """
@id("the-lab-is-free")
permit (principal in Group::"staff", action == Action::"activate", resource in Environment::"lab")
when { context.duration <= duration("1h") };
"""


class Wired(Fleet):
    """Its functions reach AWS by the wire alone, and whoever tests by another way."""

    def __init__(self, folder: Path, wire: Wire) -> None:
        super().__init__(folder, people=EVERYBODY, environment={"AWS_ENDPOINT_URL": wire.url})
        self.wire = wire

    def configure(self, catalog: str = "", rules: str = "") -> None:
        self.wire.to(self.aws.endpoint_url)
        users = "\n".join(f'{name} = "{self.account.arn("user", name)}"' for name in self.people)
        for group in GROUPS:
            self.account.bucket(group, {KEY: b"month,sum\n"})
            self.account.group(group, group)
            catalog += _ONE.format(group=group, account=self.account.id, users=users)
        super().configure(catalog, rules + _RULES)
        file = self.folder / "jitcloud.toml"
        file.write_text(file.read_text().replace(self.aws.endpoint_url, self.wire.url))


@dataclass(slots=True)
class Life:
    """One person's access to one group, and when it was seen."""

    fleet: Wired
    person: str
    group: str
    name: str = ""
    """The request, once there is one."""
    ended_by: str = "deadline"
    """Else who is to end it: ``give-back``, ``revoke``."""
    told_at: datetime | None = None
    """When somebody began to end it early."""
    answered_at: datetime | None = None
    """When that was answered."""
    seen: list[tuple[datetime, datetime, bool]] = field(default_factory=list)
    """Each look: when it began and had ended, and whether they were let in."""

    def ask(self, seconds: int) -> bool:
        """Ask, with a key of one's own; return whether that was answered."""
        body = {
            "entitlements": [self.group],
            "duration": f"{seconds}s",
            "justification": "a trial",
        }
        answer = self._call(self.person, "POST", "", body, f"{self.person}-{self.group}")
        if answer is None or answer.status != 201:
            return False
        self.name = answer["requests"][0]["id"]
        return True

    def end(self) -> bool:
        """End it early, once it has begun; return whether that was answered."""
        if self.state() in {"", "scheduled"}:
            return False
        self.told_at = self.told_at or datetime.now(UTC)
        lead = "caro" if self.person == "ben" else "ben"
        who = self.person if self.ended_by == "give-back" else lead
        answer = self._call(who, "POST", f"/{self.name}/{self.ended_by}", {"reason": "enough"})
        if answer is None or (answer.status != 200 and not self.is_over()):
            return False
        self.answered_at = datetime.now(UTC)
        return True

    def is_over(self) -> bool:
        """Whether its end has begun."""
        return self.state() in {"ending", "ended", "failed"}

    def state(self) -> str:
        """What the API says of it; nothing, while it says nothing."""
        answer = self._call(self.person, "GET", f"/{self.name}")
        return "" if answer is None or answer.status != 200 else str(answer["state"])

    def _call(
        self, who: str, method: str, path: str, body: object = None, key: str | None = None
    ) -> Reply | None:
        """Call the API; None where nobody is there to answer."""
        try:
            answer = self.fleet.call(who, method, f"/v1/requests{path}", body, key=key)
        except (OSError, HTTPException):
            return None
        assert answer.status in {200, 201, *_TRY_AGAIN}, answer.body
        return answer

    def look(self) -> bool:
        """See whether they are let in."""
        began = datetime.now(UTC)
        try:
            can = read(self.fleet.account.s3(self.fleet.users[self.person]), self.group, KEY)
        except BotoCoreError:
            return False  # it is as busy as this machine
        self.seen.append((began, datetime.now(UTC), can == OK))
        return can == OK
