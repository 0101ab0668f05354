"""Which adapter serves, as the settings say. Each is loaded when it is configured, not before."""

from __future__ import annotations

import os
from pathlib import Path

from jitcloud import freezes
from jitcloud.directories.static import StaticDirectory
from jitcloud.errors import Misconfigured
from jitcloud.freezes import Freezes
from jitcloud.ports import Clock, Directory, Mechanism, Notifier, SlotKind, Tickets
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
            from jitcloud.providers.aws.sts_session import StsSession  # noqa: PLC0415 - see the comment above
        except ModuleNotFoundError as exc:
            raise Misconfigured("AWS needs its SDK: pip install 'jitcloud[aws]'.") from exc
        reach = Clients(
            clock=clock,
            region=settings.aws.region,
            profile=settings.aws.profile,
            endpoint_url=settings.aws.endpoint_url,
        )
        document = DenyDocument(reach, settle=settings.aws.settle)
        mechanisms[StsSession.name] = StsSession(reach)
        kinds[document.name] = document
        group = GroupMembership(reach, settle=settings.aws.settle)
        policy = InlinePolicy(reach, settle=settings.aws.settle)
        mechanisms |= {group.name: IamGroup(reach), policy.name: IamPolicy(reach)}
        kinds |= {group.name: group, policy.name: policy}
    return mechanisms, kinds
