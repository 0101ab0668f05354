"""A key of KMS signs decisions: on ministack over HTTP, on moto, and with KMS in trouble."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import boto3
import pytest
from botocore.config import Config
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from moto import mock_aws

from jitcloud import adapters, config
from jitcloud.audit import keys
from jitcloud.audit.public_keys import ORDER, PublicKey, TrustedKeys, canonical, key_name
from jitcloud.errors import JitError, Misconfigured, Unavailable
from jitcloud.model import RequestId, State
from jitcloud.settings import SigningSettings, read_settings
from jitcloud.signers import kms
from jitcloud.signers.kms import KmsSigner
from tests.aws.conftest import Aws
from tests.aws.fake_aws import FakeAws, closes, hangs, says
from tests.cli_world import BRAKES, CONFIG, CliWorld
from tests.contract.signers import SignerContract
from tests.docs.pages import bare, table
from tests.world import Time

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_kms.literals import KeySpecType, KeyUsageTypeType

NOWHERE = "http://127.0.0.1:9"
ONCE = Config(retries={"total_max_attempts": 1})
ARN = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@dataclass
class Kms:
    """An emulated KMS, seen by the root of its account."""

    endpoint_url: str | None
    client: KMSClient = field(repr=False)

    def key(
        self, spec: KeySpecType = "ECC_NIST_P256", usage: KeyUsageTypeType = "SIGN_VERIFY"
    ) -> str:
        return self.client.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"]

    def signer(self, arn: str, time: Time | None = None) -> KmsSigner:
        return KmsSigner(arn, clock=time or Time(), endpoint_url=self.endpoint_url)


def as_root(environment: pytest.MonkeyPatch, account: str) -> None:
    environment.setenv("AWS_ACCESS_KEY_ID", account)
    environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
    environment.delenv("AWS_SESSION_TOKEN", raising=False)


def kms_at(endpoint_url: str | None, account: str) -> Kms:
    client = boto3.client(
        "kms",
        region_name="us-east-1",
        endpoint_url=endpoint_url,
        aws_access_key_id=account,
        aws_secret_access_key="test",  # noqa: S106 - of an emulator
        config=Config(retries={"total_max_attempts": 1}),
    )
    return Kms(endpoint_url, client)


@pytest.fixture
def on_ministack(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Kms:
    as_root(monkeypatch, aws.account)
    return kms_at(aws.endpoint_url, aws.account)


class TestKmsSigner(SignerContract):
    @pytest.fixture
    def arn(self, on_ministack: Kms) -> str:
        return on_ministack.key()

    @pytest.fixture
    def signer(self, on_ministack: Kms, arn: str) -> KmsSigner:
        return on_ministack.signer(arn)

    @pytest.fixture
    def public(self, signer: KmsSigner) -> PublicKey:
        return signer.public

    def test_the_public_half_is_that_of_the_key(
        self, on_ministack: Kms, arn: str, signer: KmsSigner
    ) -> None:
        info = signer.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert on_ministack.client.get_public_key(KeyId=arn)["PublicKey"] == info

    def test_kms_itself_believes_what_is_recorded(
        self, on_ministack: Kms, arn: str, signer: KmsSigner
    ) -> None:
        message = b"jitcloud event v1\n{}"
        for number in range(8):  # of half of what KMS makes, the other s is recorded
            verified = on_ministack.client.verify(
                KeyId=arn,
                Message=message,
                MessageType="RAW",
                SigningAlgorithm="ECDSA_SHA_256",
                Signature=base64.b64decode(signer.sign(message).value),
            )
            assert verified["SignatureValid"], number

    @pytest.mark.parametrize("spec", ["ECC_NIST_P384", "ECC_NIST_EDWARDS25519", "RSA_2048"])
    def test_a_key_of_another_kind_is_refused(self, on_ministack: Kms, spec: KeySpecType) -> None:
        try:
            arn = on_ministack.key(spec)
        except on_ministack.client.exceptions.ClientError:
            pytest.skip(f"{spec} is unknown to this emulator")
        with pytest.raises(Misconfigured, match="ECC_NIST_P256"):
            on_ministack.signer(arn).sign(b"message")

    def test_a_disabled_key_is_said_by_name(
        self, on_ministack: Kms, arn: str, signer: KmsSigner
    ) -> None:
        signer.sign(b"before")
        on_ministack.client.disable_key(KeyId=arn)
        with pytest.raises(Misconfigured, match=f"{arn} is disabled") as caught:
            signer.sign(b"after")
        assert not isinstance(caught.value, Unavailable)

    def test_a_key_that_is_not_there_is_said(self, on_ministack: Kms) -> None:
        with pytest.raises(Misconfigured, match="There is no KMS key"):
            on_ministack.signer(ARN).sign(b"message")

    @pytest.mark.parametrize("right", ["kms:GetPublicKey", "kms:Sign"])
    def test_a_right_that_is_missing_is_named_and_so_is_the_key(
        self, aws: Aws, on_ministack: Kms, arn: str, monkeypatch: pytest.MonkeyPatch, right: str
    ) -> None:
        every = {"kms:GetPublicKey", "kms:Sign"} - {right}
        judge = aws.user({"Effect": "Allow", "Action": sorted(every), "Resource": arn})
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", judge.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", judge.secret_access_key)
        with pytest.raises(Misconfigured, match=f"AWS refused {right} with {arn}"):
            on_ministack.signer(arn).sign(b"message")


def test_a_kms_that_hashes_the_digest_again_is_found_out() -> None:
    with mock_aws():  # moto 5.2 takes every message for a raw one
        moto = kms_at(None, "111122223333")
        signer = moto.signer(moto.key())
        assert signer.key.startswith("p256:")
        with pytest.raises(Misconfigured, match="does not fit the public half"):
            signer.sign(b"message")


@pytest.mark.parametrize("other", [ARN.rpartition("/")[2], "alias/jitcloud", ARN[:-37], "", "\n"])
def test_a_key_is_named_by_its_arn_and_by_nothing_else(other: str) -> None:
    for arn in (other, f"{ARN[:-40]}alias/jitcloud", f"{ARN}\n", f"{ARN} "):
        with pytest.raises(Misconfigured, match="is not the ARN of a KMS key"):
            KmsSigner(arn, clock=Time())


# ── KMS in trouble ───────────────────────────────────────────────────────────────────────────


@pytest.fixture
def troubled(fake: FakeAws, monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    """A KMS that is asked once: what is tried again waits for half a second before."""
    as_root(monkeypatch, "111122223333")
    monkeypatch.setattr(kms, "_CONFIG", kms._CONFIG.merge(ONCE))  # noqa: SLF001 - how often it tries
    return fake


PRIVATE = ec.generate_private_key(ec.SECP256R1())


def plain(data: bytes) -> str:
    return base64.b64encode(data).decode()


def its_public_half(key: ec.EllipticCurvePrivateKey = PRIVATE) -> str:
    info = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return json.dumps({"KeyId": ARN, "PublicKey": plain(info), "KeyUsage": "SIGN_VERIFY"})


def wrong(code: str, message: str = "as told") -> str:
    return json.dumps({"__type": code, "message": message})


TROUBLES = [
    (400, "ThrottlingException", Unavailable, "just now"),
    (400, "LimitExceededException", Unavailable, "just now"),
    (500, "KMSInternalException", Unavailable, "just now"),
    (500, "KeyUnavailableException", Unavailable, "just now"),
    (503, "DependencyTimeoutException", Unavailable, "just now"),
    (400, "AccessDeniedException", Misconfigured, "kms:GetPublicKey with arn:aws:kms"),
    (400, "DisabledException", Misconfigured, "is disabled"),
    (400, "KMSInvalidStateException", Misconfigured, "about to be deleted"),
    (400, "InvalidKeyUsageException", Misconfigured, "ECC_NIST_P256"),
    (400, "ExpiredTokenException", Misconfigured, "have not expired"),
    (400, "Wh\x1b[2Jat", Misconfigured, "did not accept"),
]


@pytest.mark.parametrize(
    ("status", "code", "error", "why"), TROUBLES, ids=[case[1][:12] for case in TROUBLES]
)
def test_what_kms_says_is_told_in_our_words(
    troubled: FakeAws, status: int, code: str, error: type[JitError], why: str
) -> None:
    troubled.answers.append(says(status, wrong(code, "token AQoDYXdz")))
    signer = KmsSigner(ARN, clock=Time(), endpoint_url=troubled.url)
    with pytest.raises(error, match=why) as caught:
        signer.sign(b"message")
    assert type(caught.value) is error
    assert str(caught.value).isprintable()
    if error is Misconfigured and "Token" in code:
        assert "AQoDYXdz" not in str(caught.value)
        assert caught.value.__cause__ is None


SILENCE = {"closes": closes, "hangs": hangs, "html": says(200, "<html>"), "none": says(200, "{}")}


@pytest.mark.parametrize("how", SILENCE)
def test_no_answer_is_waited_for_a_few_seconds_and_it_may_be_tried_again(
    troubled: FakeAws, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    quick = kms._CONFIG.merge(Config(read_timeout=0.05))  # noqa: SLF001 - what it waits
    monkeypatch.setattr(kms, "_CONFIG", quick)
    troubled.answers.append(SILENCE[how])
    with pytest.raises(Unavailable):
        KmsSigner(ARN, clock=Time(), endpoint_url=troubled.url).sign(b"message")
    assert troubled.answers == []


def test_all_that_it_waits_for_is_short() -> None:
    assert kms.ATTEMPTS * (kms.CONNECT_TIMEOUT + kms.READ_TIMEOUT) <= 5


def test_kms_is_asked_twice_and_then_spared_for_a_while(
    fake: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubled, time = fake, Time()
    as_root(monkeypatch, "111122223333")
    troubled.answers += [says(500, wrong("KMSInternalException"))] * kms.ATTEMPTS
    signer = KmsSigner(ARN, clock=time, endpoint_url=troubled.url)
    for _ in range(5):
        with pytest.raises(Unavailable):
            _ = signer.key
    assert len(troubled.asked) == kms.ATTEMPTS
    time.forward(seconds=kms.PAUSE.total_seconds())
    troubled.answers.append(says(200, its_public_half()))
    assert signer.key == key_name(PRIVATE.public_key())
    for _ in range(5):  # it is asked once
        assert signer.public == PRIVATE.public_key()


def test_what_another_key_signed_is_not_recorded(troubled: FakeAws) -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    signed = plain(stranger.sign(b"message", ec.ECDSA(SHA256())))
    troubled.answers += [
        says(200, its_public_half()),
        says(200, json.dumps({"KeyId": ARN, "Signature": signed})),
        says(200, json.dumps({"KeyId": ARN, "Signature": plain(b"nonsense")})),
    ]
    signer = KmsSigner(ARN, clock=Time(), endpoint_url=troubled.url)
    for _ in range(2):
        with pytest.raises(Misconfigured, match="does not fit the public half"):
            signer.sign(b"message")


def test_the_higher_s_of_kms_is_recorded_as_the_lower(troubled: FakeAws) -> None:
    r, s = decode_dss_signature(PRIVATE.sign(b"message", ec.ECDSA(SHA256())))
    high = encode_dss_signature(r, max(s, ORDER - s))
    troubled.answers += [
        says(200, its_public_half()),
        says(200, json.dumps({"KeyId": ARN, "Signature": plain(high)})),
    ]
    signature = KmsSigner(ARN, clock=Time(), endpoint_url=troubled.url).sign(b"message")
    assert base64.b64decode(signature.value) == canonical(high) != high
    TrustedKeys([PRIVATE.public_key()]).verify(b"message", signature)


def test_without_credentials_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(Misconfigured, match="no AWS credentials for kms:GetPublicKey"):
        KmsSigner(ARN, clock=Time(), endpoint_url=NOWHERE).sign(b"message")
    with pytest.raises(Misconfigured, match="no AWS credentials"):
        KmsSigner(ARN, clock=Time(), endpoint_url=NOWHERE, profile="none").sign(b"message")


# ── A deployment whose decisions KMS signs ───────────────────────────────────────────────────


def signed_by(arn: str | None, endpoint_url: str | None) -> str:
    key = "" if arn is None else f'key = "{arn}"\n'
    return f'{CONFIG}\n[signing]\nkind = "kms"\n{key}endpoint_url = "{endpoint_url}"\n'


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


@dataclass
class Signed:
    """A deployment, and the KMS that signs for it."""

    cli: CliWorld
    service: Kms
    arn: str

    def unreachable(self) -> None:
        """Have nobody answer, which is believed at once."""
        self.cli.monkeypatch.setattr(kms, "_CONFIG", kms._CONFIG.merge(ONCE))  # noqa: SLF001 - how often it tries
        self.cli.write("jitcloud.toml", signed_by(self.arn, NOWHERE))

    def edit(self, sql: str, *values: object) -> None:
        connection = apsw.Connection(str(self.cli.folder / "jitcloud.db"))
        connection.execute(sql, values)
        connection.close()


@pytest.fixture
def signed(cli: CliWorld, on_ministack: Kms) -> Signed:
    arn = on_ministack.key()
    cli.write("jitcloud.toml", signed_by(arn, on_ministack.endpoint_url))
    (cli.folder / "keys" / keys.PRIVATE).unlink()
    return Signed(cli, on_ministack, arn)


def test_a_whole_lifetime_signed_by_kms_is_verified_far_from_it(signed: Signed) -> None:
    cli = signed.cli
    name = cli.granted()
    cli.jit("extend", name, "--for", "40m", "--because", "not done", by="ana")
    cli.time.forward(hours=1)
    assert cli.jit("sweep").code == 0
    assert cli.state(name) is State.ENDED
    cli.permit(BRAKES)
    assert cli.jit("brake", "stop", "--everything", "--because", "enough", by="ben").code == 0
    said = cli.jit("audit", "verify")
    assert said.code == 1
    assert "`jitcloud audit public-key --save`" in said.out
    kept = cli.jit("audit", "public-key", "--save", "--json").json
    assert kept["key"].startswith("p256:")
    signed.unreachable()
    said = cli.jit("audit", "verify")
    assert (said.code, "all of it holds" in said.out) == (0, True), said.out
    assert f"[signature of {kept['key']} holds]" in cli.jit("audit", "show", name).out
    exported = cli.folder / "export.jsonl"
    exported.write_text(cli.jit("audit", "export").out)
    offline = ("--file", str(exported), "--keys", str(Path(kept["file"]).parent))
    assert cli.jit("audit", "verify", *offline).code == 0


def test_the_public_key_is_written_for_whoever_verifies(signed: Signed) -> None:
    said = signed.cli.jit("audit", "public-key")
    public = signed.service.signer(signed.arn).public
    info = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert said.out == info
    assert not list((signed.cli.folder / "keys").glob("p256*"))
    kept = signed.cli.jit("audit", "public-key", "--save")
    assert "wrote" in kept.err
    (file,) = (signed.cli.folder / "keys").glob("p256*")
    assert file.read_text() == info


def test_a_forged_record_of_kms_grants_nothing(signed: Signed) -> None:
    cli = signed.cli
    waiting = cli.ask("prod-write")
    cli.jit("audit", "public-key", "--save")
    (good,) = _signatures(signed, waiting)
    r, s = decode_dss_signature(base64.b64decode(good["value"]))
    stranger = ec.generate_private_key(ec.SECP256R1())
    own = keys.load(_other_keys(cli))[0]
    forged = {
        "the other s": {**good, "value": plain(encode_dss_signature(r, ORDER - s))},
        "another key": {**good, "value": plain(canonical(stranger.sign(b"", ec.ECDSA(SHA256()))))},
        "an Ed25519 name": {"key": own.key, "value": good["value"]},
        "an Ed25519 key": {"key": own.key, "value": own.sign(b"").value},
    }
    for how, signature in forged.items():
        signed.edit(
            "UPDATE events SET signature = ? WHERE request = ? AND signature IS NOT NULL",
            json.dumps(signature, separators=(",", ":"), sort_keys=True),
            waiting,
        )
        assert cli.jit("approve", waiting, by="ben").code != 0, how
        assert cli.state(waiting) is State.PENDING, how
        assert cli.jit("audit", "verify").code == 1, how


def _other_keys(cli: CliWorld) -> Path:
    keys.create(cli.folder / "others")
    for file in (cli.folder / "others").glob("*.pub.pem"):
        (cli.folder / "keys" / file.name).write_text(file.read_text())
    return cli.folder / "others"


def _signatures(signed: Signed, name: str) -> list[dict[str, str]]:
    with signed.cli.store() as store:
        found = [line.signature for line in store.events(RequestId(name))]
    return [{"key": each.key, "value": each.value} for each in found if each is not None]


def test_a_trail_goes_on_from_a_file_to_kms_and_to_the_next_key(
    cli: CliWorld, on_ministack: Kms
) -> None:
    first, second = on_ministack.key(), on_ministack.key()
    waiting = cli.ask("prod-write")  # signed by the key in the file
    cli.write("jitcloud.toml", signed_by(first, on_ministack.endpoint_url))
    assert cli.jit("approve", waiting, by="ben").code == 0
    cli.jit("audit", "public-key", "--save")
    other = cli.ask("prod-write")
    cli.write("jitcloud.toml", signed_by(second, on_ministack.endpoint_url))
    on_ministack.client.disable_key(KeyId=first)
    assert cli.jit("approve", other, by="ben").code == 0
    cli.jit("audit", "public-key", "--save")
    said = cli.jit("audit", "verify")
    assert (said.code, "all of it holds" in said.out) == (0, True), said.out


def test_ending_needs_no_kms(signed: Signed) -> None:
    cli = signed.cli
    because = ("--because", "over")
    names = [cli.granted() for _ in range(4)]
    pending = cli.ask("prod-write")
    cli.permit(BRAKES)
    cli.jit("policy", "adopt", "--because", "brakes", by="ben")
    signed.unreachable()
    assert cli.jit("give-back", names[0], *because, by="ana").code == 0
    assert cli.jit("revoke", names[1], *because, by="ben").code == 0
    assert cli.jit("withdraw", pending, *because, by="ana").code == 0
    assert cli.jit("brake", "end", "--person", "ana", *because, by="ben").code == 0
    assert "end-all" in cli.recorded()[1]  # it takes away, and is believed without a signature
    cli.time.forward(hours=1)
    cli.jit("sweep")
    cli.time.forward(minutes=10)
    cli.jit("sweep")
    assert {cli.state(name) for name in names} == {State.ENDED}


def test_nothing_is_decided_without_kms_and_all_goes_on_with_it(signed: Signed) -> None:
    cli = signed.cli
    waiting = cli.ask("prod-write")
    signed.unreachable()
    for said in (
        cli.jit("approve", waiting, by="ben"),
        cli.jit("request", "dev-read", "--for", "5m", "--because", "x", by="ana"),
    ):
        assert said.code != 0
        assert "KMS did not answer" in said.err
    assert cli.state(waiting) is State.PENDING
    cli.write("jitcloud.toml", signed_by(signed.arn, signed.service.endpoint_url))
    assert cli.jit("approve", waiting, by="ben").code == 0


def test_who_drives_clouds_verifies_and_has_no_signer(signed: Signed, aws: Aws) -> None:
    cli = signed.cli
    name = RequestId(cli.granted())
    verifying = aws.user({"Effect": "Allow", "Action": "kms:GetPublicKey", "Resource": signed.arn})
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", verifying.access_key_id)
        environment.setenv("AWS_SECRET_ACCESS_KEY", verifying.secret_access_key)
        for opened in (config.load, config.load_to_end):
            with opened(cli.folder, cli.time, signs=False) as deployment:
                assert deployment.broken == ""
                assert deployment.ledger.signer is None
                assert deployment.ledger.verified(name, cli.time()).state is State.ACTIVE


def test_a_key_in_a_file_is_not_read_by_who_does_not_sign(cli: CliWorld) -> None:
    name = RequestId(cli.granted())
    (cli.folder / "keys" / keys.PRIVATE).unlink()
    with config.load(cli.folder, cli.time, signs=False) as deployment:
        assert deployment.ledger.signer is None
        assert deployment.ledger.verified(name, cli.time()).state is State.ACTIVE


def test_check_asks_kms_only_when_told_to(signed: Signed) -> None:
    signed.unreachable()
    assert "KMS" not in signed.cli.jit("check").out
    said = signed.cli.jit("check", "--clouds")
    assert said.code == 1
    assert "KMS did not answer kms:GetPublicKey" in said.out


# ── Settings ─────────────────────────────────────────────────────────────────────────────────


def test_the_key_may_be_named_by_the_environment(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.write("jitcloud.toml", signed_by(None, NOWHERE))
    monkeypatch.delenv("JITCLOUD_SIGNING_KEY", raising=False)
    settings = read_settings(cli.folder / "jitcloud.toml")
    with pytest.raises(Misconfigured, match="JITCLOUD_SIGNING_KEY"):
        adapters.signer_of(settings, cli.folder, cli.time)
    monkeypatch.setenv("JITCLOUD_SIGNING_KEY", ARN)
    signer, _ = adapters.signer_of(settings, cli.folder, cli.time)
    assert repr(signer) == f"KmsSigner({ARN})"
    cli.write("jitcloud.toml", signed_by(ARN.replace("1234abcd", "5678abcd"), NOWHERE))
    signer, _ = adapters.signer_of(
        read_settings(cli.folder / "jitcloud.toml"), cli.folder, cli.time
    )
    assert "5678abcd" in repr(signer)


WRONG = {
    'kind = "kmz"': "'file' or 'kms'",
    f'key = "{ARN}"': 'key goes with kind = "kms"',
    f'endpoint_url = "{NOWHERE}"': 'endpoint_url goes with kind = "kms"',
    'kind = "kms"\nendpoint_url = "https://example.com"': "for emulators on this machine",
}


@pytest.mark.parametrize("table", WRONG)
def test_what_is_wrong_is_said_and_keeps_nothing_alive(cli: CliWorld, table: str) -> None:
    name = cli.granted()
    cli.write("jitcloud.toml", f"{CONFIG}\n[signing]\n{table}\n")
    with pytest.raises(Misconfigured, match=WRONG[table]):
        config.load(cli.folder, cli.time)
    cli.time.forward(hours=1)
    cli.jit("sweep")
    cli.time.forward(minutes=1)
    cli.jit("sweep")
    assert cli.state(name) is State.ENDED


def test_a_wrong_arn_keeps_nothing_alive(cli: CliWorld) -> None:
    name = cli.granted()
    cli.write("jitcloud.toml", signed_by("arn:aws:kms:x:1:alias/y", NOWHERE))
    cli.time.forward(hours=1)
    cli.jit("sweep")
    cli.time.forward(minutes=1)
    cli.jit("sweep")
    assert cli.state(name) is State.ENDED


def test_the_keys_on_the_page_are_those_that_are_read() -> None:
    rows = table("docs/signing.md", "key of `[signing]`", "unless said", "is")
    assert [bare(row["key of `[signing]`"]) for row in rows] == list(SigningSettings.model_fields)
