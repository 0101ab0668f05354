"""A fleet of many lifetimes: twenty people, five groups, and a wire between functions and AWS."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from jitcloud.emulators.account import OK, read
from jitcloud.emulators.fleet import KEY, PEOPLE, Fleet
from tests.fleet.wire import Wire

GROUPS = tuple(f"group-{number}" for number in range(5))
EVERYBODY = {**PEOPLE, **{f"p{number}": f"P{number}" for number in range(17)}}
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
    seen: list[tuple[datetime, datetime, bool]] = field(default_factory=list)
    """Each look: when it began and had ended, and whether they were let in."""

    def ask(self, seconds: int) -> bool:
        """Ask, with a key of one's own; return whether that was answered."""
        body = {
            "entitlements": [self.group],
            "duration": f"{seconds}s",
            "justification": "a trial",
        }
        key = f"{self.person}-{self.group}"
        answer = self.fleet.call(self.person, "POST", "/v1/requests", body, key=key)
        if answer.status == 201:
            self.name = answer["requests"][0]["id"]
        assert answer.status in {201, 409, 500, 502, 503, 504}, answer.body
        return answer.status == 201

    def end(self) -> bool:
        """End it early; return whether that was answered."""
        self.told_at = self.told_at or datetime.now(UTC)
        who = self.person if self.ended_by == "give-back" else "ben"
        if self.ended_by == "revoke" and who == self.person:
            who = "caro"
        path = f"/v1/requests/{self.name}/{self.ended_by}"
        key = f"{self.name}-{self.ended_by}"
        answer = self.fleet.call(who, "POST", path, {"reason": "enough"}, key=key)
        assert answer.status in {200, 409, 500, 502, 503, 504}, answer.body
        return answer.status == 200 or (answer.status == 409 and self.is_over())

    def is_over(self) -> bool:
        answer = self.fleet.call(self.person, "GET", f"/v1/requests/{self.name}")
        return answer.status == 200 and answer["state"] in {"ending", "ended", "failed"}

    def look(self) -> bool:
        """See whether they are let in."""
        began = datetime.now(UTC)
        can = read(self.fleet.account.s3(self.fleet.users[self.person]), self.group, KEY)
        self.seen.append((began, datetime.now(UTC), can == OK))
        return can == OK
