"""Whether accounts that get assignments take them, and whether sessions in them can be ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jitcloud.doctor import Finding, Grade
from jitcloud.errors import CloudRefused
from jitcloud.model import Entitlement, EntitlementId
from jitcloud.providers.aws import doctor_documents, doctor_ways_in
from jitcloud.providers.aws import identity_center_target as targets
from jitcloud.providers.aws.doctor_examination import (
    Examination,
    further,
    gathered,
    isolated,
    unknown,
)
from jitcloud.providers.aws.doctor_identity_center import meant
from jitcloud.providers.aws.identity_center_accounts import MOST_ACCOUNTS, Accounts
from jitcloud.providers.aws.identity_center_places import KIND
from jitcloud.providers.aws.identity_center_target import Target

MOST_LOOKED_AT = 50
"""In how many accounts one run looks at the deny document, and whether they are in use."""


def accounts(examination: Examination) -> Iterator[Finding]:
    """Look at the accounts that are meant: whether they take assignments, and can end sessions."""
    named = {one.id: (one, targets.read(one)) for one in examination.of(KIND)}
    for id_, (one, target) in named.items():
        yield from isolated(
            f"entitlement {id_}",
            lambda: _span(examination, one, target),  # noqa: B023 - called at once
        )
    known = Accounts(examination.clients, examination.looks.pause)
    alone = [
        (id_, target.account, (target.account, id_))
        for id_, (_, target) in named.items()
        if target.account is not None
    ]

    def account(about: str, which: tuple[str, EntitlementId]) -> Iterator[Finding]:
        number, id_ = which
        target = named[id_][1]
        try:
            trouble = known.trouble(target, number, examination.now)
        except CloudRefused as exc:
            yield unknown(
                about,
                "Whether it is in the organization, and in use,",
                str(exc),
                "Let the broker, or the account_role, call organizations:DescribeAccount.",
            )
            return
        if trouble:
            yield Finding(
                grade=Grade.FAILURE,
                about=about,
                what=trouble,
                costs="Grants in it fail.",
                remedy="Correct the catalog, or have the account put in order.",
            )

    yield from examination.each(gathered("account", alone[:MOST_LOOKED_AT]), account)
    if len(alone) > MOST_LOOKED_AT:
        yield further(len(alone), MOST_LOOKED_AT, "accounts")
    yield from _documents(examination, named.values())


def _span(examination: Examination, one: Entitlement, target: Target) -> Iterator[Finding]:
    there = len(examination.areas(one))
    if target.account is None and there > MOST_ACCOUNTS:
        yield Finding(
            grade=Grade.FAILURE,
            about=f"entitlement {one.id}",
            what=f"The accounts {target.accounts} are {there}, and {MOST_ACCOUNTS} can be asked for"
            " at once.",
            costs="Nobody can ask for it.",
            remedy="Name a smaller unit, or a tag that fewer accounts have.",
        )


def _documents(
    examination: Examination, named: Iterable[tuple[Entitlement, Target]]
) -> Iterator[Finding]:
    """Look at the deny document of each account, by the way in that the catalog names."""
    needed: list[tuple[EntitlementId, str, tuple[str, str | None]]] = []
    for one, target in named:
        if target.deny_document is None:
            continue
        for account in meant(examination, one):
            home = f"arn:{target.partition}:iam::{account}"
            role = None if target.deny_role is None else f"{home}:role/{target.deny_role}"
            policy = f"{home}:policy/{target.deny_document}"
            needed.append((one.id, policy, (policy, role)))

    def look(about: str, way: tuple[str, str | None]) -> Iterator[Finding]:
        policy, role = way
        if role is not None:
            is_in = yield from doctor_ways_in.way_in(examination, f"role {role}", role)
            if not is_in:
                return
        elif not doctor_ways_in.is_at_home(examination, policy):
            yield Finding(
                grade=Grade.HARM,
                about=about,
                what="It is in another account than the broker, and the catalog names no deny_role"
                " there.",
                costs="Sessions that are running when a grant ends work on until they expire.",
                remedy="Set up that role (infra/README.md), and name it as deny_role.",
            )
            return
        yield from doctor_documents.document(examination, about, way)

    documents = gathered("deny document", needed)
    yield from examination.each(documents[:MOST_LOOKED_AT], look)
    if len(documents) > MOST_LOOKED_AT:
        yield further(len(documents), MOST_LOOKED_AT, "deny documents")
