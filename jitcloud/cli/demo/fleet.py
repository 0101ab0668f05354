"""The second half of the demo: the same over HTTP, by functions that have a role each."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from jitcloud.audit.public_keys import TrustedKeys
from jitcloud.audit.verify import verify_all
from jitcloud.cli.demo.timeline import Timeline, Unexpected, ms
from jitcloud.clock import utc_now
from jitcloud.config import open_record, public_key
from jitcloud.emulators.account import OK, read
from jitcloud.emulators.fleet import BUCKET, KEY, ON_CALL, REPORTS, Fleet, Reply
from jitcloud.model import Credentials

TITLE = "jitcloud demo: the fleet of infra/template.yaml, on the same kind of AWS"
DENIED = "AccessDenied"
SHORT = 20
"""Seconds for which things are asked for."""

_WITHIN = 30.0
_ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=10)


@dataclass(slots=True)
class FleetStory:
    """The scenes, in order."""

    fleet: Fleet
    say: Timeline

    def play(self) -> None:
        """All of it. Raises ``Unexpected`` at the first thing that is not as promised."""
        self.before()
        membership = self.approved()
        session = self.by_aws_identity()
        self.deadlines(membership, session)
        self.record()
        self.stolen()

    def before(self) -> None:
        """Nobody has anything, and nobody is believed who is not signed in."""
        self.say.scene("Nobody has standing access, and nobody names themselves")
        self._truth("ana", "reads a report, as she is every day", self.fleet.can("ana"), DENIED)
        answer = self.fleet.deployed.call("GET", "/v1/me")
        self._status("nobody", "calls the API without a token", answer.status, 401)
        stale = self.fleet.token("ana", exp=int(time.time()) - 3600)
        answer = self.fleet.deployed.call("GET", "/v1/me", {"Authorization": f"Bearer {stale}"})
        self._status("ana", "calls it with a token that has expired", answer.status, 401)

    def approved(self) -> Reply:
        """Sign in, ask, be refused one's own yes, and be let in by a colleague's."""
        fleet = self.fleet
        self.say.scene("A colleague's yes, and the cloud lets her in")
        asked = self._expect(fleet.ask("ana", ON_CALL, f"{SHORT}s"), 201)
        self.say.tell("ana", f"signs in at her issuer, and asks for {ON_CALL} for {SHORT} s")
        name = asked["requests"][0]["id"]
        own = fleet.call("ana", "POST", f"/v1/requests/{name}/approve", {})
        self._status("ana", "approves it herself", own.status, 403)
        self.say.quote("jitcloud", own["detail"])
        self._truth("ana", "reads a report", fleet.can("ana"), DENIED)
        began = time.monotonic()
        self._expect(fleet.call("ben", "POST", f"/v1/requests/{name}/approve", {}), 200)
        self.say.tell("ben", "approves it")
        self._until(lambda: fleet.can("ana") == OK, "access after the yes")
        took = timedelta(seconds=time.monotonic() - began)
        self._truth("ana", f"reads a report, {ms(took)} after the yes", fleet.can("ana"), OK)
        self.say.showed("Nobody approves their own request.", "refused over HTTP (403)")
        return self._expect(fleet.call("ana", "GET", f"/v1/requests/{name}"), 200)

    def by_aws_identity(self) -> tuple[Reply, Credentials]:
        """The same person, proven by AWS itself."""
        fleet = self.fleet
        self.say.scene("The same with an AWS identity: no issuer, no password")
        asked = self._expect(fleet.ask("ben", REPORTS, f"{SHORT}s", by="aws"), 201)
        name = asked["requests"][0]["id"]
        self.say.tell("ben", f"signs a GetCallerIdentity, and asks for {REPORTS} for {SHORT} s")
        path = f"/v1/requests/{name}"
        self._until(lambda: self._state("ben", path) == "active", "the rule's yes")
        given = self._expect(fleet.call("ben", "POST", f"{path}/credentials", by="aws"), 200)
        self.say.tell("jitcloud", "issues a set of credentials: stored nowhere, logged nowhere")
        made = Credentials(
            access_key_id=given["access_key_id"],
            secret_access_key=given["secret_access_key"],
            session_token=given["session_token"],
            expires_at=datetime.now(UTC),
        )
        self._truth("ben", "reads a report with them", self._reads(made), OK)
        return self._expect(fleet.call("ben", "GET", path, by="aws"), 200), made

    def deadlines(self, membership: Reply, session: tuple[Reply, Credentials]) -> None:
        """Both end when they said they would."""
        self.say.scene("The deadlines")
        self._ends("ana", membership, lambda: self.fleet.can("ana"), "jitcloud takes her out")
        self._ends("ben", session[0], lambda: self._reads(session[1]), "IAM holds it by itself")
        path = f"/v1/requests/{membership['id']}"
        self._until(lambda: self._state("ana", path) == "ended", "the end on record")
        told = self._expect(self.fleet.call("ana", "GET", path), 200)
        self.say.tell("jitcloud", f"has it on record as ended: {told['evidence']}")

    def record(self) -> None:
        """The trail proves all of it, to whoever reads the table."""
        self.say.scene("The record")
        with self.fleet.as_root():
            key, _ = public_key(self.fleet.folder, utc_now)
            store, _ = open_record(self.fleet.folder)
            with closing(store):
                report = verify_all(store, TrustedKeys((key,)), utc_now())
        if report.findings:
            raise Unexpected("the trail", expected="nothing wrong", got=str(report.findings[0]))
        self.say.tell(
            "auditor",
            f"verifies {report.events} events of {report.requests} requests,"
            f" {report.signed} signed by KMS: all hold",
        )
        self.say.showed("Every change is in the trail.", f"{report.events} events verified")

    def stolen(self) -> None:
        """What faces the network can neither write the record, nor sign, nor reach a cloud."""
        self.say.scene("Somebody steals what the network-facing functions run with")
        for function in ("request", "approve"):
            theirs = self.fleet.deployed.credentials(function)
            for what, said in self._attempts(theirs):
                self._truth(function, what, said, DENIED)
        self.say.showed(
            "What faces the network can neither write the record nor reach a cloud.",
            "AccessDenied with the credentials of request and approve in hand",
        )

    # ── Who can do what ──────────────────────────────────────────────────────────────────────

    def _attempts(self, theirs: Credentials) -> list[tuple[str, str]]:
        deployed = self.fleet.deployed

        def client(service: str) -> Any:  # noqa: ANN401 - whichever it is
            return boto3.client(
                service,  # type: ignore[call-overload] # a variable
                endpoint_url=self.fleet.aws.endpoint_url,
                region_name=self.fleet.aws.region,
                aws_access_key_id=theirs.access_key_id,
                aws_secret_access_key=theirs.secret_access_key,
                aws_session_token=theirs.session_token,
                config=_ONCE,
            )

        item = {"pk": {"S": "request#forged"}, "sk": {"S": "snapshot"}}
        role = self.fleet.account.arn("role", "reports-reader")
        return [
            (
                "writes a request into the table",
                _tried(lambda: client("dynamodb").put_item(TableName=deployed.table, Item=item)),
            ),
            (
                "has the judge's key sign something",
                _tried(
                    lambda: client("kms").sign(
                        KeyId=deployed.signing_key,
                        Message=b"forged",
                        SigningAlgorithm="ECDSA_SHA_256",
                    )
                ),
            ),
            (
                "assumes a role of the catalog",
                _tried(lambda: client("sts").assume_role(RoleArn=role, RoleSessionName="forged")),
            ),
        ]

    def _reads(self, by: Credentials) -> str:
        return read(self.fleet.account.s3(by), BUCKET, KEY)

    def _state(self, who: str, path: str) -> str:
        return str(self._expect(self.fleet.call(who, "GET", path), 200)["state"])

    def _ends(self, who: str, grant: Reply, attempt: Any, how: str) -> None:  # noqa: ANN401 - a call
        deadline = datetime.fromisoformat(grant["window"]["deadline"])
        self._until(lambda: attempt() == DENIED, f"{who}'s end")
        late = max(datetime.now(UTC) - deadline, timedelta(0))
        self._truth(who, f"reads, {ms(late)} after the deadline", attempt(), DENIED)
        self.say.showed(f"Access ends at its deadline: {how}.", f"denied {ms(late)} after it")

    def _until(self, is_so: Any, what: str) -> None:  # noqa: ANN401 - a call
        try:
            self.fleet.until(is_so, what, _WITHIN)
        except TimeoutError:
            raise Unexpected(what, expected=f"within {_WITHIN:.0f} s", got="nothing") from None

    def _truth(self, who: str, what: str, said: str, expected: str) -> None:
        self.say.truth(who, what, said, expected=expected)

    def _status(self, who: str, what: str, said: int, expected: int) -> None:
        self.say.truth(who, what, str(said), expected=str(expected))

    def _expect(self, reply: Reply, status: int) -> Reply:
        if reply.status != status:
            raise Unexpected("the API", expected=str(status), got=f"{reply.status}: {reply.body}")
        return reply


def _tried(call: Any) -> str:  # noqa: ANN401 - a call
    try:
        call()
    except ClientError as exc:
        code = str(exc.response["Error"]["Code"])
        return DENIED if code in {"AccessDenied", "AccessDeniedException"} else code
    return OK


def play(folder: Path, root: Path, say: Timeline) -> None:
    """Deploy the template of a checkout, and play the scenes there."""
    say.head(TITLE)
    with Fleet(folder, root=root) as fleet:
        parts = "an API, nine functions with a role each, a table, a key and a queue"
        say.tell("demo", f"deploys it at {fleet.aws.endpoint_url}: {parts}, with IAM enforced")
        FleetStory(fleet, say).play()
