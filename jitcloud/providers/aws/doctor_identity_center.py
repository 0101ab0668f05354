"""Whether instances, permission sets and accounts of Identity Center are as the catalog says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from jitcloud.doctor import Finding, Grade
from jitcloud.durations import format_duration
from jitcloud.errors import CloudRefused, JitError
from jitcloud.model import Entitlement
from jitcloud.providers.aws import identity_center_target as targets
from jitcloud.providers.aws.clients import translated
from jitcloud.providers.aws.doctor_examination import (
    Examination,
    gathered,
    unknown,
)
from jitcloud.providers.aws.identity_center_facts import SetFacts, SetsFacts
from jitcloud.providers.aws.identity_center_pace import Pace
from jitcloud.providers.aws.identity_center_places import KIND
from jitcloud.providers.aws.identity_center_target import Target

MOST_PAGES = 10
"""How many parts of one list are read."""

Instance = tuple[str, str, str, str | None]
"""The instance's ARN, its identity store, its region, and the role through which it is reached."""

PermissionSet = tuple[str, str, str | None, str | None]
"""The permission set's ARN, region and way in, and the deny document by its name."""


# ── Instances ────────────────────────────────────────────────────────────────────────────────


def instances(examination: Examination) -> Iterator[Finding]:
    """Look whether each instance is in the region that the catalog names, with its directory."""
    named = ((one.id, targets.read(one)) for one in examination.of(KIND))
    needed = (
        (id_, t.instance_arn, (t.instance_arn, t.identity_store_id, t.region, t.account_role))
        for id_, t in named
    )
    yield from examination.each(gathered("instance", needed), partial(_instance, examination))


def _instance(examination: Examination, about: str, instance: Instance) -> Iterator[Finding]:
    arn, store, region, through = instance
    stores = examination.looks.spaced(
        ("instances", region, through), lambda: _stores(examination, region, through)
    )
    if arn not in stores:
        yield Finding(
            grade=Grade.FAILURE,
            about=about,
            what=f"There is no such instance in {region}, as far as the broker is told.",
            costs="Grants of it fail.",
            remedy="Correct region or instance_arn in the catalog, or name an account_role in the"
            " management account or a delegated administrator's: AWS tells nobody else.",
        )
    elif stores[arn] != store:
        yield Finding(
            grade=Grade.FAILURE,
            about=about,
            what=f"Its identity store is {stores[arn]}, and not the one that the catalog names.",
            costs="Nobody's user is found, so grants of it fail.",
            remedy="Correct identity_store_id in the catalog.",
        )


def _stores(examination: Examination, region: str, through: str | None) -> Mapping[str, str]:
    admin = examination.clients.sso_admin(region, through)
    found: dict[str, str] = {}
    more: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        with translated(f"sso:ListInstances in {region}"):
            page = admin.list_instances(**more)
        found |= {
            each["InstanceArn"]: each.get("IdentityStoreId", "") for each in page["Instances"]
        }
        if not page.get("NextToken"):
            break
        more = {"NextToken": page["NextToken"]}
    return found


# ── Permission sets ──────────────────────────────────────────────────────────────────────────


def permission_sets(examination: Examination) -> Iterator[Finding]:
    """Look at each permission set, its boundary, and where it is provisioned."""
    entitlements = {one.id: one for one in examination.of(KIND)}
    named = {id_: targets.read(one) for id_, one in entitlements.items()}
    first: dict[PermissionSet, Target] = {}
    of: dict[PermissionSet, list[Entitlement]] = {}
    for id_, t in named.items():
        first.setdefault(_set(t), t)
        of.setdefault(_set(t), []).append(entitlements[id_])
    needed = ((id_, t.permission_set_arn, _set(t)) for id_, t in named.items())

    def look(about: str, which: PermissionSet) -> Iterator[Finding]:
        facts = _facts(examination, first[which])
        if facts.unseen:
            raise CloudRefused(facts.unseen)
        if facts.missing:
            yield Finding(
                grade=Grade.FAILURE,
                about=about,
                what=facts.missing,
                costs="Grants of it fail.",
                remedy="Create it, or correct the catalog.",
            )
            return
        yield from _bound(examination, about, first[which], facts)
        yield from _outdated(examination, about, first[which], of[which])

    yield from examination.each(gathered("permission set", needed), look)


def _set(target: Target) -> PermissionSet:
    return (
        target.permission_set_arn,
        target.region,
        target.account_role,
        target.deny_document,
    )


def _facts(examination: Examination, target: Target) -> SetFacts:
    key = ("permission set", target.permission_set_arn, target.region, target.account_role)
    sets = SetsFacts(examination.clients, Pace())
    return examination.looks.spaced(key, lambda: sets.permission_set(target, examination.now))


def _bound(
    examination: Examination, about: str, target: Target, facts: SetFacts
) -> Iterator[Finding]:
    lives = (
        "Sessions of it that are running when a grant ends, by itself or early, work on for up to"
        f" {format_duration(facts.session)}."
    )
    if target.deny_document is None:
        yield Finding(
            grade=Grade.NOTICE,
            about=about,
            what="The catalog names no deny document for it.",
            costs=lives,
            remedy="Set one up in each account (infra/README.md), as its permissions boundary, and"
            " name it as deny_document.",
        )
        return
    sets = SetsFacts(examination.clients, Pace())
    key = ("boundary", target.permission_set_arn, target.region, target.account_role)
    found = examination.looks.spaced(key, lambda: sets.boundary(target, examination.now))
    if found.unseen:
        raise CloudRefused(found.unseen)
    if found.policy != f"/{target.deny_document}":
        yield Finding(
            grade=Grade.HARM,
            about=about,
            what="Its permissions boundary is not the deny document that the catalog names.",
            costs=lives,
            remedy=f"Make the customer managed policy {target.deny_document} its permissions"
            " boundary, and provision it anew in each account.",
        )


def _outdated(
    examination: Examination, about: str, target: Target, of: list[Entitlement]
) -> Iterator[Finding]:
    """Say where the permission set is provisioned as it was before."""
    key = ("outdated", target.permission_set_arn, target.region, target.account_role)
    try:
        there = examination.looks.spaced(key, lambda: _not_latest(examination, target))
    except CloudRefused as exc:
        yield unknown(
            about,
            "Whether it was provisioned in each account since it was changed",
            str(exc),
            "Allow the broker, or the account_role, sso:ListAccountsForProvisionedPermissionSet.",
        )
        return
    outdated = sorted(there & {account for one in of for account in meant(examination, one)})
    if not outdated:
        return
    is_bound = target.deny_document is not None
    yield Finding(
        grade=Grade.HARM if is_bound else Grade.NOTICE,
        about=about,
        what=f"It was changed since it was provisioned in {_some(outdated)}.",
        costs="Its role there may not have the boundary yet: sessions that are running at an end"
        " would work on until they expire."
        if is_bound
        else "Whoever is granted it there may do what it said before.",
        remedy="Provision it there anew (aws sso-admin provision-permission-set).",
    )


def _not_latest(examination: Examination, target: Target) -> frozenset[str]:
    admin = examination.clients.sso_admin(target.region, target.account_role)
    found: set[str] = set()
    more: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        on = target.permission_set_arn
        with translated(f"sso:ListAccountsForProvisionedPermissionSet on {on}"):
            page = admin.list_accounts_for_provisioned_permission_set(
                InstanceArn=target.instance_arn,
                PermissionSetArn=on,
                ProvisioningStatus="LATEST_PERMISSION_SET_NOT_PROVISIONED",
                MaxResults=100,
                **more,
            )
        found |= set(page.get("AccountIds", ()))
        if not page.get("NextToken"):
            break
        more = {"NextToken": page["NextToken"]}
        examination.looks.rest()
    return frozenset(found)


def _some(accounts: list[str]) -> str:
    shown, more = ", ".join(accounts[:3]), len(accounts) - 3
    return f"{shown} and {more} more" if more > 0 else shown


def meant(examination: Examination, one: Entitlement) -> tuple[str, ...]:
    """The accounts of an entitlement; none where they cannot be told, which is said elsewhere."""
    try:
        return tuple(str(area.where["account"]) for area in examination.areas(one))
    except JitError:
        return ()
