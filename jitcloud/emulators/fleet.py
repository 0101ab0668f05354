"""An organisation with everything deployed: AWS, an issuer of tokens, people, and the fleet.

All of it is on this machine. The fleet is what ``infra/template.yaml`` says, its configuration a
folder as any other, and its rights what ``jitcloud infra rights`` makes of the catalog.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from botocore.session import get_session

from jitcloud import packaging
from jitcloud.clock import utc_now
from jitcloud.emulators.account import Account, read
from jitcloud.emulators.deployed import Answer, Deployed, deploy, make_stack
from jitcloud.emulators.ministack import Ministack
from jitcloud.emulators.oidc import OidcIssuer
from jitcloud.model import Credentials, Privilege
from jitcloud.providers.aws import caller_identity
from jitcloud.settings import FILE, read_settings

AUDIENCE = "jitcloud"
"""The client that people sign in with."""

DEPLOYMENT = "jitcloud-on-this-machine"
"""What the deployment is called in what AWS identities sign."""

GROUP, READER, DOCUMENT = "on-call", "reports-reader", "jitcloud-deny"
BUCKET, KEY = "reports", "2026.csv"
ON_CALL, REPORTS = "on-call", "reports"
"""The entitlements: membership of the group, approved by somebody else; sessions of the role."""

PEOPLE = {"ana": "Ana", "ben": "Ben", "caro": "Caro"}

_CONFIGURATION = """\
[store]
kind = "dynamodb"

[signing]
kind = "kms"

[aws]
endpoint_url = "{aws}"
settle = "1s" # the emulator acts on a change at once; AWS takes seconds

[[sign_in.issuer]]
url = "{issuer}"
audiences = ["{audience}"]

[sign_in.aws]
audience = "{deployment}"
accounts = ["{account}"]
endpoint_url = "{aws}"
"""

_CATALOG = """\
[[entitlement]]
id = "on-call"
title = "The on-call group"
cloud = "aws"
mechanism = "aws.iam-group"
privilege = "write"
environment = "prod"
owner = "leads"

[entitlement.target]
group_arn = "arn:aws:iam::{account}:group/on-call"

[entitlement.target.users]
{users}

[[entitlement]]
id = "reports"
title = "Read the reports"
cloud = "aws"
mechanism = "aws.sts-session"
privilege = "read"
environment = "prod"
owner = "leads"

[entitlement.target]
role_arn = "arn:aws:iam::{account}:role/reports-reader"
deny_document = "arn:aws:iam::{account}:policy/jitcloud-deny"
"""

_RULES = """\
@id("reading-is-free")
permit (principal in Group::"staff", action == Action::"activate", resource in Environment::"prod")
when { resource.privilege == Privilege::"read" && context.duration <= duration("1h") };

@id("writing-takes-a-colleague")
@approval("1 of staff")
permit (principal in Group::"staff", action == Action::"request", resource in Environment::"prod")
when { resource.privilege == Privilege::"write" && context.duration <= duration("1h") };

@id("leads-stop")
permit (principal in Group::"leads", action == Action::"stop", resource);

@id("leads-end")
permit (principal in Group::"leads", action == Action::"end", resource);
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the API answered."""

    status: int
    body: Any

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - whatever stands there
        return self.body[key]


@dataclass(slots=True)
class Fleet:
    """The whole of it, running. ``with Fleet(folder) as fleet:`` makes it, in seconds."""

    folder: Path
    """For the configuration; empty."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the template, besides those that it needs."""
    people: Mapping[str, str] = field(default_factory=lambda: PEOPLE)
    """Who there is: the id and name of each. Ben and Caro are leads, all are staff."""
    root: Path = packaging.ROOT
    environment: Mapping[str, str] = field(default_factory=dict)
    """What reaches every function besides its own variables: where other emulators are."""
    aws: Ministack = field(init=False)
    issuer: OidcIssuer = field(init=False)
    account: Account = field(init=False)
    deployed: Deployed = field(init=False)
    users: dict[str, Credentials] = field(default_factory=dict, init=False)
    """Each person's own IAM user, which may do nothing but say who it is."""
    _left: ExitStack = field(default_factory=ExitStack, init=False)

    def __enter__(self) -> Self:
        with ExitStack() as left:
            self.issuer = left.enter_context(OidcIssuer(client_id=AUDIENCE))
            self.aws = left.enter_context(Ministack(prompt=True, environment=self.environment))
            # Whoever signs an identity here learns from the SDK's own settings whom it is for.
            os.environ["AWS_ENDPOINT_URL_STS"] = self.aws.endpoint_url
            left.callback(os.environ.pop, "AWS_ENDPOINT_URL_STS", None)
            self._prepare()
            self.deployed = self.deploy()
            self._let_in()
            self._left = left.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.close()

    # ── How it is made ───────────────────────────────────────────────────────────────────────

    def _prepare(self) -> None:
        account = self.account = Account(self.aws)
        for name, called in self.people.items():
            self.issuer.add(name, email=f"{name}@example.com", name=called)
            self.users[name] = account.person(name)
        account.bucket(BUCKET, {KEY: b"month,sum\n"})
        account.group(GROUP, BUCKET)
        self.configure()

    def configure(self, catalog: str = "", rules: str = "") -> None:
        """Write the configuration; more of catalog and rules than there is by default."""
        users = "\n".join(
            f'{name} = "{self.account.arn("user", name)}"' for name in sorted(self.people)
        )
        configuration = _CONFIGURATION.format(
            aws=self.aws.endpoint_url,
            issuer=self.issuer.url,
            audience=AUDIENCE,
            deployment=DEPLOYMENT,
            account=self.account.id,
        )
        standard = _CATALOG.format(account=self.account.id, users=users)
        (self.folder / "jitcloud.toml").write_text(configuration)
        (self.folder / "catalog.toml").write_text(standard + catalog)
        (self.folder / "people.toml").write_text(self._people())
        (self.folder / "policy").mkdir(exist_ok=True)
        (self.folder / "policy" / "rules.cedar").write_text(_RULES + rules)

    def deploy(self, stack: str = "jitcloud") -> Deployed:
        """Make the rights of the functions, then deploy the fleet with them."""
        rights, _ = packaging.rights(self.folder, read_settings(self.folder / FILE))
        made = make_stack(self.aws, f"{stack}-rights", json.dumps(rights))
        parameters = {"Issuer": self.issuer.url, "Audience": AUDIENCE, **made, **self.more}
        return deploy(self.aws, self.folder, parameters, stack=stack, root=self.root)

    def _let_in(self) -> None:
        """Make the role whose sessions are handed out; its trust names who may.

        And let everybody's IAM user call the API.
        """
        for name in self.people:
            self.account.let_call(name, self.deployed.outputs["ApiId"])
        self.account.deny_document(DOCUMENT)
        document = self.account.arn("policy", DOCUMENT)
        issue = self.deployed.role("issue").rpartition("/")[2]
        self.account.target_role(READER, Privilege.READ, BUCKET, document, trusting=issue)

    def _people(self) -> str:
        persons = "".join(
            f'[[person]]\nid = "{name}"\nname = "{called}"\nemails = ["{name}@example.com"]\n'
            f'aws = ["{self.account.arn("user", name)}"]\n\n'
            for name, called in self.people.items()
        )
        staff = json.dumps(sorted(self.people))
        groups = f'staff = {{ members = {staff} }}\nleads = {{ members = ["ben", "caro"] }}\n'
        return f"{persons}[groups]\n{groups}"

    @contextmanager
    def as_root(self) -> Iterator[None]:
        """Let this process reach the record, as whoever operates the deployment would."""
        wanted = {
            **self.aws.environment,
            "JITCLOUD_TABLE": self.deployed.table,
            "JITCLOUD_SIGNING_KEY": self.deployed.signing_key,
        }
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    # ── What people do ───────────────────────────────────────────────────────────────────────

    def token(self, person: str, **claims: Any) -> str:  # noqa: ANN401 - whatever a token may say
        """Sign somebody in: a token of the issuer's."""
        return self.issuer.token(person, **claims)

    def call(  # noqa: PLR0913 - all that one call differs by
        self,
        person: str,
        method: str,
        path: str,
        body: object = None,
        *,
        by: Literal["oidc", "aws"] = "oidc",
        key: str | None = None,
    ) -> Reply:
        """Call the API as somebody, by a token or as their IAM user."""
        sent = None if body is None else json.dumps(body).encode()
        headers = {} if sent is None else {"Content-Type": "application/json"}
        if method != "GET" and not path.endswith("/credentials"):
            headers["Idempotency-Key"] = key or secrets.token_hex(8)
        if by == "oidc":
            headers["Authorization"] = f"Bearer {self.token(person)}"
            return _reply(self.deployed.call(method, path, headers, sent))
        headers["X-Jitcloud-Identity"] = self._identity(person)
        signer = self.users[person]
        return _reply(self.deployed.call(method, f"/aws{path}", headers, sent, signed_by=signer))

    def ask(self, person: str, what: str, duration: str = "15m", **more: Any) -> Reply:  # noqa: ANN401 - see `call`
        """Ask for something."""
        by = more.pop("by", "oidc")
        body = {"entitlements": [what], "duration": duration, "justification": "a trial", **more}
        return self.call(person, "POST", "/v1/requests", body, by=by)

    def _identity(self, person: str) -> str:
        keys = self.users[person]
        session = get_session()
        session.set_credentials(keys.access_key_id, keys.secret_access_key)
        made = caller_identity.presented(session, DEPLOYMENT, self.aws.region, utc_now())
        return made.text

    # ── Who can do what, now ─────────────────────────────────────────────────────────────────

    def can(self, person: str) -> str:
        """Say what reading the reports as somebody's own IAM user comes to: OK, or AWS's code."""
        return read(self.account.s3(self.users[person]), BUCKET, KEY)

    def until(self, is_so: Callable[[], bool], what: str, within: float = 60.0) -> float:
        """Wait until something is so; return how long that took, in seconds."""
        begun = time.monotonic()
        while not is_so():
            if time.monotonic() - begun > within:
                raise TimeoutError(what)
            time.sleep(0.02)
        return time.monotonic() - begun


def _reply(answer: Answer) -> Reply:
    return Reply(answer.status, answer.json() if answer.body else None)
