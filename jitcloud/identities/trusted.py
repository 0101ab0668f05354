"""Makes what verifies callers of what ``[sign_in]`` says."""

from __future__ import annotations

from jitcloud.identities.aws_identity import AwsIdentities, Trusted
from jitcloud.identities.claims import Issuer
from jitcloud.identities.oidc import OidcIdentities
from jitcloud.ports import Directory
from jitcloud.sign_in_settings import AwsSignInSettings, IssuerSettings, SignInSettings
from jitcloud.sign_ins import SignInBook


def oidc(settings: SignInSettings, directory: Directory, book: SignInBook | None) -> OidcIdentities:
    """Believe the issuers that are named about whom the directory knows, or about anybody."""
    return OidcIdentities(
        map(_issuer, settings.issuer),
        None if settings.people_from_tokens else directory,
        book=book,
        groups_last=settings.groups_last,
    )


def _issuer(settings: IssuerSettings) -> Issuer:
    return Issuer(
        url=settings.url,
        audiences=frozenset(settings.audiences),
        algorithms=frozenset(settings.algorithms),
        subject_claim=settings.subject_claim,
        prefix=settings.prefix,
        unverified_emails=settings.unverified_emails,
        groups_claim=settings.groups_claim,
        multi_factor=frozenset(settings.multi_factor),
        leeway=settings.leeway,
        oldest=settings.oldest,
    )


def aws(settings: AwsSignInSettings, directory: Directory) -> AwsIdentities:
    """Believe AWS about the accounts that are named."""
    return AwsIdentities(
        directory,
        Trusted(
            audience=settings.audience,
            accounts=frozenset(settings.accounts),
            regions=frozenset(settings.regions),
            identity_center=settings.identity_center,
            endpoint_url=settings.endpoint_url,
        ),
    )
