"""One AWS account, as far as IAM and STS go: what is there, what was, and who can do what now.

Nothing happens by itself, and nothing is forgotten: a read may be of the past, and a change may
be judged before it acts. Documents are judged as they stand (``documents``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from jitcloud.ports import Clock
from tests.simulation.clouds import documents
from tests.simulation.clouds.documents import Context, Verdict
from tests.simulation.clouds.past import Past
from tests.simulation.clouds.refusals import malformed, missing, too_many

T = TypeVar("T")

MOST_VERSIONS = 5
MOST_GROUPS = 10
MOST_OF_POLICY = 6144
MOST_INLINE = {"role": 10_240, "user": 2_048}
"""What IAM takes: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

MOST_OF_SESSION = 2048
SHORTEST_SESSION = timedelta(minutes=15)

ANYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


TRUSTING = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",'
    '"Principal":{"AWS":"arn:aws:iam::111122223333:root"},'
    '"Action":["sts:AssumeRole","sts:SetSourceIdentity","sts:TagSession"]}]}'
)
"""Whom every role here trusts; it is told, and not judged."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A user or a group."""

    name: str
    arn: str
    id: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Role:
    """A role; what it may do stands in its inline policies."""

    name: str
    arn: str
    id: str
    path: str
    made_at: datetime
    trust: str = TRUSTING
    longest: timedelta = timedelta(hours=1)
    boundary: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a managed policy."""

    id: str
    text: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Policy:
    """A managed policy with its versions, the oldest first."""

    arn: str
    name: str
    versions: tuple[Version, ...]
    default: str
    last: int = 1

    @property
    def text(self) -> str:
        """What it says: the version in effect."""
        return self.version(self.default).text

    def version(self, name: str) -> Version:
        found = next((each for each in self.versions if each.id == name), None)
        if found is None:
            raise missing("policy version", name)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Credentials that STS has made of a role."""

    key: str
    role: str
    """The role's name, in small letters."""
    name: str
    whose: str
    """Its source identity; empty where it has none."""
    tags: Mapping[str, str]
    policy: str | None
    """The session policy."""
    issued_at: datetime
    expires_at: datetime


class Account:
    """IAM and STS of one account. Not safe for several threads at once."""

    def __init__(self, id_: str, clock: Clock) -> None:
        self.id = id_
        self.clock = clock
        self.users: dict[str, Past[Principal]] = {}
        self.groups: dict[str, Past[Principal]] = {}
        self.roles: dict[str, Past[Role]] = {}
        self.policies: dict[str, Past[Policy]] = {}
        self.members: dict[str, dict[str, Past[bool]]] = {}
        """By user: in which groups it is, and was."""
        self.inline: dict[tuple[str, str], dict[str, Past[str]]] = {}
        """By kind and name of whose they are: the inline policies, by their names."""
        self.sessions: list[Session] = []
        self.made = 0
        """How many sessions were ever made."""
        self.permission_sets: Callable[[], Iterable[Role]] = tuple
        """The roles that Identity Center has in this account just now."""
        self.changes = 0
        """Rises with each change of what is written."""
        self.changed_at = clock()

    # ── By hand: at once, whatever a call would be answered ──────────────────────────────────

    def arn(self, what: str) -> str:
        return f"arn:aws:iam::{self.id}:{what}"

    def add_user(self, name: str) -> str:
        arn = self.arn(f"user/{name}")
        made = Principal(name, arn, f"AIDA{name.upper():0<17}", self.clock())
        self.turn(self.users.setdefault(name.lower(), Past()), made)
        return arn

    def add_group(self, name: str, rights: str) -> str:
        """Make a group whose members may do what a document allows."""
        arn = self.arn(f"group/{name}")
        made = Principal(name, arn, f"AGPA{name.upper():0<17}", self.clock())
        self.turn(self.groups.setdefault(name.lower(), Past()), made)
        self.put_inline("group", name, "rights", rights)
        return arn

    def add_role(
        self,
        name: str,
        rights: str,
        *,
        boundary: str | None = None,
        longest: timedelta = timedelta(hours=1),
    ) -> str:
        arn = self.arn(f"role/{name}")
        made = Role(
            name,
            arn,
            f"AROA{name.upper():0<17}",
            "/",
            self.clock(),
            longest=longest,
            boundary=boundary,
        )
        self.turn(self.roles.setdefault(name.lower(), Past()), made)
        self.put_inline("role", name, "rights", rights)
        return arn

    def add_policy(self, name: str, text: str) -> str:
        arn = self.arn(f"policy/{name}")
        made = Policy(arn, name, (Version("v1", text, self.clock()),), "v1")
        self.turn(self.policies.setdefault(arn, Past()), made)
        return arn

    def delete_user(self, name: str) -> None:
        """Delete a user, with what IAM wants to be taken away before."""
        key = name.lower()
        for member in self.members.get(key, {}).values():
            self.take(member)
        for policy in self.inline_of("user", name).values():
            self.take(policy)
        self.turn(self.users[key], None)

    def delete_role(self, name: str) -> None:
        """Delete a role, with what IAM wants to be taken away before."""
        for policy in self.inline_of("role", name).values():
            self.take(policy)
        self.turn(self.roles[name.lower()], None)

    def set_member(self, user: str, group: str, *, present: bool) -> None:
        groups = self.members.setdefault(user.lower(), {})
        self.turn(groups.setdefault(group.lower(), Past()), present or None)

    def put_inline(self, kind: str, of: str, name: str, text: str | None) -> None:
        policies = self.inline.setdefault((kind, of.lower()), {})
        self.turn(policies.setdefault(name, Past()), text)

    def bind(self, role: str, boundary: str | None) -> None:
        """Give a role a permissions boundary, or take it off."""
        past = self.roles[role.lower()]
        if past.now is not None:
            self.turn(past, replace(past.now, boundary=boundary))

    def write(self, arn: str, text: str) -> None:
        """Put another version of a managed policy in effect; it keeps to the limits."""
        past = self.policies[arn]
        known = past.now
        if known is None:
            raise missing("policy", arn)
        if len(known.versions) >= MOST_VERSIONS:
            raise too_many(f"A managed policy can have up to {MOST_VERSIONS} versions.")
        checked(text, MOST_OF_POLICY)
        made = Version(f"v{known.last + 1}", text, self.clock())
        self.turn(
            past,
            replace(known, versions=(*known.versions, made), default=made.id, last=known.last + 1),
        )

    def turn(self, past: Past[T], what: T | None) -> None:
        """Change something as of now."""
        now = self.clock()
        past.turn(what, now)
        self.changes += 1
        self.changed_at = now

    def take(self, past: Past[T]) -> None:
        """Take something away by hand: that acts at once, and every read tells it."""
        past.taken(self.clock())
        self.changes += 1

    def inline_of(self, kind: str, name: str) -> Mapping[str, Past[str]]:
        return self.inline.get((kind, name.lower()), {})

    # ── Who can do what ──────────────────────────────────────────────────────────────────────

    def user_may(self, name: str, action: str, resource: str, as_of: datetime) -> bool:
        """Whether a user may do something now, by what was written at an instant."""
        return action in self.user_may_of(name, (action,), resource, as_of)

    def user_may_of(
        self, name: str, actions: Iterable[str], resource: str, as_of: datetime
    ) -> tuple[str, ...]:
        """What of these a user may do now, by what was written at an instant."""
        user = self.users[name.lower()].as_of(as_of)
        written = () if user is None else tuple(self._written_for(name, as_of))
        if user is None or not written:
            return ()
        context: Context = {
            "aws:currenttime": self.clock(),
            "aws:principalaccount": self.id,
            "aws:principalarn": user.arn,
            "aws:userid": user.id,
        }
        return tuple(each for each in actions if _any_allows(written, each, resource, context))

    def _written_for(self, user: str, as_of: datetime) -> Iterator[str]:
        for past in self.inline_of("user", user).values():
            if (text := past.as_of(as_of)) is not None:
                yield text
        for group, member in self.members.get(user.lower(), {}).items():
            if member.as_of(as_of):
                for past in self.inline_of("group", group).values():
                    if (text := past.as_of(as_of)) is not None:
                        yield text

    def role_may_of(
        self, name: str, actions: Iterable[str], resource: str, as_of: datetime
    ) -> tuple[str, ...]:
        """What of these whoever assumes a role now may do, by what was written at an instant.

        Who may assume it, its trust policy says: nobody here changes that.
        """
        role = self.roles[name.lower()].as_of(as_of)
        if role is None:
            return ()
        now = self.clock()
        context: Context = {
            "aws:currenttime": now,
            "aws:principalaccount": self.id,
            "aws:principalarn": role.arn,
            "aws:tokenissuetime": now.replace(microsecond=0),
            "aws:userid": f"{role.id}:anybody",
        }
        own = [
            text
            for past in self.inline_of("role", name).values()
            if (text := past.as_of(as_of)) is not None
        ]
        may = (each for each in actions if _any_allows(own, each, resource, context))
        if role.boundary is None:
            return tuple(may)
        bound = (self.written(role.boundary, as_of),)
        return tuple(each for each in may if _any_allows(bound, each, resource, context))

    def session_may(self, session: Session, action: str, resource: str, as_of: datetime) -> bool:
        """Whether a session may do something now, by what was written at an instant.

        It has what its role's own policies allow, as far as the session policy and the role's
        boundary allow it too, and no Deny in any of them applies.
        """
        now = self.clock()
        role = self.roles[session.role].as_of(as_of)
        if role is None or now >= session.expires_at:
            return False
        context: dict[str, documents.Value] = {
            "aws:currenttime": now,
            "aws:principalaccount": self.id,
            "aws:principalarn": role.arn,
            "aws:tokenissuetime": session.issued_at.replace(microsecond=0),
            "aws:userid": f"{role.id}:{session.name}",
            **{f"aws:principaltag/{key.lower()}": said for key, said in session.tags.items()},
        }
        if session.whose:
            context["aws:sourceidentity"] = session.whose
        bounds = [] if session.policy is None else [session.policy]
        if role.boundary is not None:
            bounds.append(self.written(role.boundary, as_of))
        if not all(_any_allows((text,), action, resource, context) for text in bounds):
            return False
        own = (past.as_of(as_of) for past in self.inline_of("role", role.name).values())
        return _any_allows((text for text in own if text is not None), action, resource, context)

    def sso_session_may(  # noqa: PLR0913 - what is on a session
        self,
        *,
        user: str,
        user_name: str,
        role: Role,
        issued_at: datetime,
        action: str,
        resource: str,
        as_of: datetime,
    ) -> bool:
        """Whether a role session of Identity Center may do something that its role may.

        Whatever has become of the role: of a session of one that was deleted AWS says nothing,
        and this is the worse case.
        """
        if role.boundary is None:
            return True
        context: Context = {
            "aws:currenttime": self.clock(),
            "aws:principalaccount": self.id,
            "aws:principalarn": role.arn,
            "aws:tokenissuetime": issued_at.replace(microsecond=0),
            "aws:userid": f"{role.id}:{user_name}",
            "identitystore:userid": user,
        }
        text = self.written(role.boundary, as_of)
        return _any_allows((text,), action, resource, context)

    def written(self, arn: str, as_of: datetime) -> str:
        """What a managed policy says; a boundary that does not exist allows nothing."""
        past = self.policies.get(arn)
        policy = None if past is None else past.as_of(as_of)
        return NOTHING if policy is None else policy.text

    # ── By calls of STS ──────────────────────────────────────────────────────────────────────

    def session(self, session: Session) -> None:
        """Make one. Those that have expired are forgotten."""
        now = self.clock()
        self.sessions = [each for each in self.sessions if each.expires_at > now]
        self.sessions.append(session)
        self.made += 1


NOTHING = '{"Version":"2012-10-17","Statement":[]}'


def _any_allows(texts: Iterable[str], action: str, resource: str, context: Context) -> bool:
    allowed = False
    for text in texts:
        verdict = documents.read(text).says(action, resource, context)
        if verdict is Verdict.DENIES:
            return False
        allowed |= verdict is Verdict.ALLOWS
    return allowed


def checked(text: str, most: int) -> None:
    """Raise what IAM answers for what is no document, or too long a one."""
    if counted(text) > most:
        raise too_many(f"Cannot exceed quota for PolicySize: {most}")
    try:
        documents.read(text)
    except (ValueError, KeyError) as exc:
        raise malformed("Syntax errors in policy.") from exc


def counted(text: str) -> int:
    """How many characters IAM counts: not the white space."""
    return len("".join(text.split()))
