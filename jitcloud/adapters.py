"""Which adapter serves, as the settings say. Each is loaded when it is configured, not before."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from jitcloud import freezes
from jitcloud.audit import keys
from jitcloud.audit.public_keys import PublicKey, TrustedKeys, public_keys
from jitcloud.directories.static import StaticDirectory
from jitcloud.doctor import Doctor
from jitcloud.errors import Misconfigured
from jitcloud.freezes import Freezes
from jitcloud.model import Entitlement, Presented
from jitcloud.ports import (
    Anchors,
    Answers,
    Clock,
    Directory,
    Identities,
    Journal,
    Mechanism,
    Notifier,
    SignIns,
    SlotKind,
    Store,
    Tickets,
    Verifier,
)
from jitcloud.publish_settings import PublishSettings
from jitcloud.publishing import Subscription
from jitcloud.settings import FILE, AwsSettings, Settings, TicketSettings

if TYPE_CHECKING:
    from jitcloud.anchoring import Anchoring
    from jitcloud.audit.note import NoteSigner
    from jitcloud.sign_ins import SignInBook
    from jitcloud.signers.kms import KmsSigner
    from jitcloud.signing_in.client_settings import ApiSettings


def store_of(settings: Settings, folder: Path) -> Store:
    """Where the record is. A file is opened at once, and of a table nothing asked yet.

    Raises ``Misconfigured``, and ``Unavailable`` where a file is locked.
    """
    if settings.store.kind == "sqlite":
        from jitcloud.stores.sqlite import SqliteStore  # noqa: PLC0415 - a fleet has no such file

        return SqliteStore(folder / settings.store.path)
    table = _table(settings)
    try:
        from jitcloud.stores.dynamodb.store import DynamoStore  # noqa: PLC0415 - it loads an SDK
    except ModuleNotFoundError as exc:
        raise Misconfigured("DynamoDB needs the AWS SDK: pip install 'jitcloud[aws]'.") from exc
    return DynamoStore(
        table,
        region=settings.store.region,
        profile=None if settings.aws is None else settings.aws.profile,
        endpoint_url=settings.store.endpoint_url,
    )


def _table(settings: Settings) -> str:
    table = settings.store.table or os.environ.get("JITCLOUD_TABLE", "")
    if not table:
        raise Misconfigured(
            f"{FILE}: store: no table is named; write its name as table, or put it in the variable"
            " JITCLOUD_TABLE."
        )
    return table


def answers_of(settings: Settings, folder: Path) -> Answers:
    """Where it is kept what was answered under which key: beside the record.

    Raises ``Misconfigured``.
    """
    if settings.store.kind == "sqlite":
        from jitcloud.stores.sqlite_answers import SqliteAnswers  # noqa: PLC0415 - only an API has any

        return SqliteAnswers(folder / settings.store.path)
    from jitcloud.stores.dynamodb.answers import DynamoAnswers  # noqa: PLC0415 - the same

    store = settings.store
    return DynamoAnswers(_table(settings), region=store.region, endpoint_url=store.endpoint_url)


def directory_of(settings: Settings, folder: Path) -> Directory:
    """Who knows who is who, as the configuration in this folder says, and no token.

    A file is read at once, and a program asked nothing yet. Raises ``Misconfigured``.
    """
    trusted = settings.sign_in
    if trusted is None or not trusted.keeps_sign_ins:
        return _directory_of(settings, folder)
    from jitcloud.directories.signed_in import AnyGroup, Strangers  # noqa: PLC0415 - most need none

    if not trusted.people_from_tokens:
        return AnyGroup(_directory_of(settings, folder))
    if settings.directory is not None or "people" in settings.model_fields_set:
        raise Misconfigured(
            f"{FILE}: people_from_tokens does without people and [directory]; take either out."
        )
    return Strangers()


def _directory_of(settings: Settings, folder: Path) -> Directory:
    if settings.directory is None:
        return StaticDirectory(folder / settings.people)
    if "people" in settings.model_fields_set:
        raise Misconfigured(
            f"{FILE}: both people and [directory] say who is who; take one of them out."
        )
    from jitcloud.directories.command import CommandDirectory  # noqa: PLC0415 - most need none
    from jitcloud.programs import OperatorProgram, passed_on  # noqa: PLC0415 - the same

    program = OperatorProgram(
        command=settings.directory.command,
        folder=folder,
        timeout=settings.directory.timeout,
        environment=passed_on(os.environ, settings.directory.environment),
    )
    return CommandDirectory(program)


def sign_ins_of(settings: Settings, folder: Path) -> SignIns | None:
    """Where it is kept what tokens say of people, if it is kept. Raises ``Misconfigured``."""
    if settings.sign_in is None or not settings.sign_in.keeps_sign_ins:
        return None
    store = settings.store
    if store.kind == "sqlite":
        from jitcloud.stores.sqlite_sign_ins import SqliteSignIns  # noqa: PLC0415 - most need none

        return SqliteSignIns(folder / store.path)
    from jitcloud.stores.dynamodb.sign_ins import DynamoSignIns  # noqa: PLC0415 - the same

    return DynamoSignIns(
        _table(settings),
        region=store.region,
        profile=None if settings.aws is None else settings.aws.profile,
        endpoint_url=store.endpoint_url,
    )


def people_of(directory: Directory, clock: Clock, book: SignInBook | None) -> Directory:
    """Who knows who is who, with what tokens have said of people, if that is kept."""
    if book is None:
        return directory
    from jitcloud.directories import signed_in  # noqa: PLC0415 - most need none

    assert isinstance(directory, signed_in.AnyGroup | signed_in.Strangers)  # noqa: S101 - with a book
    return signed_in.SignedInDirectory(book, clock, directory)


def identities_of(
    settings: Settings,
    folder: Path,  # noqa: ARG001 - where a file could be that one of them needs
    directory: Directory,
    clock: Clock,  # noqa: ARG001 - the same of a clock
    book: SignInBook | None = None,
) -> Identities | None:
    """Who verifies who is calling, if anybody may call; asks nobody anything yet.

    Without a book nothing that tokens say is kept, and no group that they name counts.
    """
    trusted = settings.sign_in
    if trusted is None:
        return None
    try:
        from jitcloud.identities.several import SeveralIdentities  # noqa: PLC0415 - most need none
        from jitcloud.identities.trusted import aws, oidc  # noqa: PLC0415 - the same
    except ModuleNotFoundError as exc:
        raise Misconfigured("Signing in needs PyJWT: pip install 'jitcloud[api]'.") from exc
    by_kind: dict[str, Identities] = {}
    if trusted.issuer:
        by_kind["oidc"] = oidc(trusted, directory, book)
    if trusted.aws is not None:
        by_kind["aws"] = aws(trusted.aws, directory)
    return SeveralIdentities(by_kind)


def tickets_of(settings: TicketSettings, folder: Path) -> Tickets:
    """Who knows tickets, or incidents; asks nothing yet. Raises ``Misconfigured``."""
    if settings.kind == "pattern":
        from jitcloud.tickets.pattern import PatternTickets  # noqa: PLC0415 - most need none

        return PatternTickets(settings.pattern or "")
    from jitcloud.secret import Secret  # noqa: PLC0415 - the same
    from jitcloud.tickets.jira import JiraTickets  # noqa: PLC0415 - the same

    file = None if settings.token_file is None else folder / settings.token_file
    return JiraTickets(
        settings.url or "",
        Secret(variable=settings.token_env or "", file=file),
        email=settings.email or "",
        timeout=settings.timeout,
    )


def notifier_of(settings: Settings, folder: Path, clock: Clock) -> Notifier | None:
    """Who tells people what concerns them, if anybody does; connects to nothing yet."""
    mail = settings.mail
    if mail is None:
        return None
    from email.headerregistry import Address as MailAddress  # noqa: PLC0415 - most need none

    from jitcloud.notifiers.connection import MailServer  # noqa: PLC0415 - the same
    from jitcloud.notifiers.smtp import Login, SmtpNotifier  # noqa: PLC0415 - the same
    from jitcloud.secret import Secret  # noqa: PLC0415 - the same

    port = mail.port or (465 if mail.tls == "implicit" else 587)
    login = None
    if mail.username is not None:
        file = None if mail.password_file is None else folder / mail.password_file
        password = Secret(variable=mail.password_env or "", file=file)
        login = Login(username=mail.username, password=password.read)
    return SmtpNotifier(
        server=MailServer(host=mail.host, port=port, tls=mail.tls, timeout=mail.timeout),
        sender=MailAddress(mail.from_name, addr_spec=mail.from_address),
        clock=clock,
        login=login,
    )


def signer_of(
    settings: Settings, folder: Path, clock: Clock, *, signs: bool = True
) -> tuple[NoteSigner | None, Verifier]:
    """Who signs decisions, and whose signatures count.

    A key in a file is read at once; of one that KMS keeps, the public half is fetched when it is
    first needed, once. Who does not sign has no signer, and needs no more than public halves.
    Raises ``Misconfigured``.
    """
    keys_folder = folder / settings.signing.folder
    if settings.signing.kind == "file":
        return keys.load(keys_folder) if signs else (None, trusted_keys(settings, folder))
    kms = kms_signer(settings, clock)
    trusted = TrustedKeys(public_keys(keys_folder), lambda: kms.public)
    return (kms if signs else None), trusted


def kms_signer(settings: Settings, clock: Clock) -> KmsSigner:
    """The key of KMS that signs; asks for nothing yet. Raises ``Misconfigured``."""
    arn = settings.signing.key or os.environ.get("JITCLOUD_SIGNING_KEY", "")
    if not arn:
        raise Misconfigured(
            f"{FILE}: signing: no key is named; write the ARN of a KMS key as key, or put it in the"
            " variable JITCLOUD_SIGNING_KEY."
        )
    try:
        from jitcloud.signers.kms import KmsSigner  # noqa: PLC0415 - it loads an SDK
    except ModuleNotFoundError as exc:
        raise Misconfigured("KMS needs the AWS SDK: pip install 'jitcloud[aws]'.") from exc
    return KmsSigner(
        arn,
        clock=clock,
        profile=None if settings.aws is None else settings.aws.profile,
        endpoint_url=settings.signing.endpoint_url,
    )


def public_key_of(settings: Settings, folder: Path, clock: Clock) -> PublicKey:
    """The public half of the key that signs now. Raises ``Misconfigured`` and ``Unavailable``."""
    if settings.signing.kind == "file":
        return keys.load(folder / settings.signing.folder)[0].public
    return kms_signer(settings, clock).public


def trusted_keys(settings: Settings, folder: Path) -> TrustedKeys:
    """Whose signatures count by the public keys in the folder alone. Raises ``Misconfigured``."""
    return TrustedKeys(public_keys(folder / settings.signing.folder))


def publishers_of(settings: Settings, folder: Path, clock: Clock) -> tuple[Subscription, ...]:
    """Which programs are passed what was committed, and what of it; connects to nothing yet.

    Raises ``Misconfigured``.
    """
    publish = settings.publish
    if publish is None:
        return ()
    return (*_on_aws(publish, settings.aws), *_webhooks(publish, folder, clock))


def _on_aws(publish: PublishSettings, aws: AwsSettings | None) -> Iterator[Subscription]:
    if not publish.eventbridge and not publish.sns:
        return
    try:
        from jitcloud.publishers.eventbridge import EventBridgePublisher  # noqa: PLC0415 - it loads an SDK
        from jitcloud.publishers.sns import SnsPublisher  # noqa: PLC0415 - the same
    except ModuleNotFoundError as exc:
        message = "EventBridge and SNS need the AWS SDK: pip install 'jitcloud[aws]'."
        raise Misconfigured(message) from exc
    profile = None if aws is None else aws.profile
    for bus in publish.eventbridge:
        on_bus = EventBridgePublisher(
            bus.channel,
            bus.bus,
            texts=bus.texts,
            region=None if aws is None else aws.region,
            profile=profile,
            endpoint_url=bus.endpoint_url,
        )
        yield Subscription(publisher=on_bus, types=frozenset(bus.types))
    for topic in publish.sns:
        to_topic = SnsPublisher(
            topic.channel,
            topic.topic,
            texts=topic.texts,
            profile=profile,
            endpoint_url=topic.endpoint_url,
        )
        yield Subscription(publisher=to_topic, types=frozenset(topic.types))


def _webhooks(publish: PublishSettings, folder: Path, clock: Clock) -> Iterator[Subscription]:
    from jitcloud.publishers.webhook import WebhookPublisher  # noqa: PLC0415 - most need none
    from jitcloud.secret import Secret  # noqa: PLC0415 - the same

    for hook in publish.webhook:
        named = (Secret(variable=name) for name in hook.secret_env)
        kept = (Secret(file=folder / file) for file in hook.secret_file)
        publisher = WebhookPublisher(
            hook.channel,
            hook.url,
            (*named, *kept),
            clock=clock,
            texts=hook.texts,
            timeout=hook.timeout,
        )
        yield Subscription(publisher=publisher, types=frozenset(hook.types))


def journal_of(settings: Settings, folder: Path) -> Journal | None:
    """Where it is noted which shared places are ours, if anywhere; opens nothing yet."""
    if settings.journal is None:
        return None
    if settings.journal.path is not None:
        from jitcloud.journals.file import FileJournal  # noqa: PLC0415 - most need none

        return FileJournal(folder / settings.journal.path)
    from jitcloud.journals.s3 import S3Journal  # noqa: PLC0415 - it loads an SDK

    aws = settings.aws
    return S3Journal(
        settings.journal.bucket or "",
        settings.journal.prefix,
        region=None if aws is None else aws.region,
        endpoint_url=None if aws is None else aws.endpoint_url,
    )


def anchors_of(settings: Settings, folder: Path) -> Anchors | None:
    """Where checkpoints of the record are kept, if anywhere; opens nothing yet."""
    found = settings.anchors
    if found is None:
        return None
    if found.path is not None:
        from jitcloud.anchors.file import FileAnchors  # noqa: PLC0415 - most need none

        return FileAnchors(folder / found.path)
    try:
        from jitcloud.anchors.s3 import S3Anchors  # noqa: PLC0415 - it loads an SDK
    except ModuleNotFoundError as exc:
        raise Misconfigured("S3 needs the AWS SDK: pip install 'jitcloud[aws]'.") from exc
    aws = settings.aws
    return S3Anchors(
        found.bucket or "",
        found.prefix,
        lock="COMPLIANCE" if found.lock == "compliance" else "GOVERNANCE",
        retention=timedelta(days=found.retain_days),
        region=found.region or (None if aws is None else aws.region),
        profile=None if aws is None else aws.profile,
        endpoint_url=found.endpoint_url,
    )


def anchors_at(path: Path) -> Anchors:
    """Checkpoints in a file, or in a folder that they were copied to."""
    from jitcloud.anchors.file import FileAnchors  # noqa: PLC0415 - most need none

    return FileAnchors(path)


def anchoring_of(
    settings: Settings, folder: Path, store: Store, signs: NoteSigner | None, clock: Clock
) -> Anchoring | None:
    """Who writes checkpoints, if anybody does: only who signs can. Raises ``Misconfigured``."""
    anchors = None if signs is None else anchors_of(settings, folder)
    if anchors is None or settings.anchors is None or signs is None:
        return None
    from jitcloud.anchoring import Anchoring  # noqa: PLC0415 - most need none

    return Anchoring(
        store=store,
        anchors=anchors,
        signer=signs,
        keys=lambda: trusted_keys(settings, folder).known,
        origin=settings.anchors.origin,
        every=settings.anchors.every,
        clock=clock,
    )


def freezes_of(settings: Settings) -> Freezes:
    """Return the change-freeze calendar. Raises ``Misconfigured`` with all that is wrong in it."""
    wrong: list[str] = []
    calendar = freezes.read(settings.freeze, wrong)
    if wrong:
        raise Misconfigured("\n".join(f"{FILE}: {line}" for line in wrong))
    if settings.policy.freeze:
        return Freezes((freezes.PERMANENT, *calendar.freezes))
    return calendar


def clouds(settings: Settings, clock: Clock) -> tuple[dict[str, Mechanism], dict[str, SlotKind]]:
    """The mechanisms and slot kinds of every cloud that is configured."""
    mechanisms: dict[str, Mechanism] = {}
    kinds: dict[str, SlotKind] = {}
    if settings.aws is not None:
        # Loading an SDK takes longer than everything else here: only who uses a cloud pays for it.
        try:
            from jitcloud.providers.aws.clients import Clients  # noqa: PLC0415 - see the comment above
            from jitcloud.providers.aws.deny_document import DenyDocument  # noqa: PLC0415 - see the comment above
            from jitcloud.providers.aws.iam_group import GroupMembership, IamGroup  # noqa: PLC0415 - see the comment above
            from jitcloud.providers.aws.iam_policy import IamPolicy, InlinePolicy  # noqa: PLC0415 - see the comment above
            from jitcloud.providers.aws.identity_center import AccountAssignment  # noqa: PLC0415 - see the comment above
            from jitcloud.providers.aws.identity_center_access import IdentityCenterAccess  # noqa: PLC0415 - see the comment above
            from jitcloud.providers.aws.identity_center_pace import Pace  # noqa: PLC0415 - see the comment above
            from jitcloud.providers.aws.sts_session import StsSession  # noqa: PLC0415 - see the comment above
        except ModuleNotFoundError as exc:
            raise Misconfigured("AWS needs its SDK: pip install 'jitcloud[aws]'.") from exc
        reach = Clients(
            clock=clock,
            region=settings.aws.region,
            profile=settings.aws.profile,
            endpoint_url=settings.aws.endpoint_url,
            external_id=settings.aws.external_id,
            identity_center_url=settings.aws.identity_center_url,
        )
        document = DenyDocument(reach, settle=settings.aws.settle)
        mechanisms[StsSession.name] = StsSession(reach)
        kinds[document.name] = document
        group = GroupMembership(reach, settle=settings.aws.settle)
        policy = InlinePolicy(reach, settle=settings.aws.settle)
        mechanisms |= {group.name: IamGroup(reach), policy.name: IamPolicy(reach)}
        kinds |= {group.name: group, policy.name: policy}
        pace = Pace()  # what AWS allows of Identity Center's API is shared by all that call it
        assignment = AccountAssignment(reach, settle=settings.aws.settle, pace=pace)
        mechanisms[assignment.name] = IdentityCenterAccess(reach, pace=pace)
        kinds[assignment.name] = assignment
    return mechanisms, kinds


def aws_doctor(settings: Settings, store: Store, clock: Clock) -> Doctor:
    """Who looks at AWS for a deployment; calls nothing yet. Raises ``Misconfigured``."""
    if settings.aws is None:
        raise Misconfigured(f"Nothing in {FILE} reaches AWS; add a table [aws] there.")
    mechanisms, kinds = clouds(settings, clock)
    from jitcloud.providers.aws import deny_document  # noqa: PLC0415 - see clouds
    from jitcloud.providers.aws.doctor import AwsDoctor  # noqa: PLC0415 - only one command needs it

    document = kinds[deny_document.KIND]
    assert isinstance(document, deny_document.DenyDocument)  # noqa: S101 - it is always there with AWS
    return AwsDoctor(
        clients=document.clients,
        mechanisms=mechanisms,
        kinds=kinds,
        store=store,
        external_id=settings.aws.external_id,
        keeps_journal=settings.journal is not None,
    )


def rights_of(
    settings: Settings, catalog: Iterable[Entitlement], *, to_end: bool
) -> tuple[dict[str, object], list[str]]:
    """What the broker needs at each cloud for a catalog, and what to know about that.

    Of AWS: the policies of the broker itself and of each role through which it reaches accounts.
    ``to_end`` leaves out what ending does not need. Raises ``Misconfigured``.
    """
    if settings.aws is None:
        return {}, []
    from jitcloud.providers.aws import rights_of_catalog  # noqa: PLC0415 - only one command needs it

    written = rights_of_catalog.policies(catalog, to_end=to_end)
    return {"aws": written}, list(rights_of_catalog.notes(written))


def caller_identity_of(settings: ApiSettings, now: datetime) -> Presented:
    """What an API is shown by somebody who signs in with AWS; see ``providers.aws``.

    Raises ``Unauthenticated`` where there are no credentials, and ``Misconfigured``.
    """
    try:
        from jitcloud.providers.aws import caller_identity  # noqa: PLC0415 - see clouds
    except ModuleNotFoundError as exc:
        raise Misconfigured("AWS needs its SDK: pip install 'jitcloud[aws]'.") from exc
    session = caller_identity.session(settings.profile)
    return caller_identity.presented(session, settings.audience or "", settings.region, now)


def signed_for_gateway(  # noqa: PLR0913, PLR0917 - the parts of a call
    settings: ApiSettings,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    now: datetime,
) -> Mapping[str, str]:
    """The headers that API Gateway wants of a call by somebody who signs in with AWS.

    Raises as ``caller_identity_of`` does.
    """
    try:
        from jitcloud.providers.aws import caller_identity, gateway_call  # noqa: PLC0415 - see clouds
    except ModuleNotFoundError as exc:
        raise Misconfigured("AWS needs its SDK: pip install 'jitcloud[aws]'.") from exc
    session = caller_identity.session(settings.profile)
    region = settings.gateway_region or ""
    return gateway_call.signed(session, region, method, url, headers, body, now)
