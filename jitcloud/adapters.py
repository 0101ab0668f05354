"""Which adapter serves, as the settings say. Each is loaded when it is configured, not before."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from jitcloud import freezes
from jitcloud.directories.static import StaticDirectory
from jitcloud.doctor import Doctor
from jitcloud.errors import Misconfigured
from jitcloud.freezes import Freezes
from jitcloud.model import Entitlement
from jitcloud.ports import (
    Clock,
    Directory,
    Journal,
    Mechanism,
    Notifier,
    SlotKind,
    Store,
    Tickets,
)
from jitcloud.settings import FILE, Settings, TicketSettings


def directory_of(settings: Settings, folder: Path) -> Directory:
    """Who knows who is who, as the configuration in this folder says.

    A file is read at once, and a program asked nothing yet. Raises ``Misconfigured``.
    """
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


def journal_of(settings: Settings, folder: Path) -> Journal | None:
    """Where it is noted which shared places are ours, if anywhere; opens nothing yet."""
    if settings.journal is None:
        return None
    from jitcloud.journals.file import FileJournal  # noqa: PLC0415 - most need none

    return FileJournal(folder / settings.journal.path)


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
