"""Whatever jitcloud says to people is explained in a page; what it says is read from its source."""

from __future__ import annotations

import pytest

from jitcloud.providers.aws import outlook
from tests.docs.pages import prose
from tests.docs.said import is_said, templates

PAGES = (
    "docs/anchors.md",
    "docs/policy.md",
    "docs/dynamodb.md",
    "docs/operations.md",
    "docs/publishing.md",
    "docs/remote.md",
    "docs/serve.md",
    "docs/signing.md",
    "docs/threat-model.md",
)

TO_PEOPLE = (
    "advance.py",
    "api/asgi.py",
    "api/gateway.py",
    "api/reading.py",
    "areas.py",
    "asking.py",
    "attesting.py",
    "audit/chain.py",
    "audit/keys.py",
    "audit/public_keys.py",
    "audit/unsigned.py",
    "braking.py",
    "broker.py",
    "bundles.py",
    "catalog.py",
    "cli/program.py",
    "comparing.py",
    "config.py",
    "controls.py",
    "converge.py",
    "directories/static.py",
    "drive.py",
    "durations.py",
    "envelopes.py",
    "facts.py",
    "files.py",
    "freezes.py",
    "instants.py",
    "issuing.py",
    "journals/file.py",
    "judge.py",
    "ledger.py",
    "library.py",
    "lifecycle.py",
    "local_time.py",
    "policy/approvals.py",
    "policy/cases.py",
    "policy/engine.py",
    "policy/entities.py",
    "policy/evaluate.py",
    "policy/fmt.py",
    "policy/golden.py",
    "policy/hearing.py",
    "policy/known.py",
    "policy/lint.py",
    "policy/names.py",
    "policy/notes.py",
    "policy/reviews.py",
    "policy/source.py",
    "providers/aws/clients.py",
    "providers/aws/iam_group.py",
    "providers/aws/iam_outlook.py",
    "providers/aws/iam_policy.py",
    "providers/aws/iam_room.py",
    "providers/aws/iam_targets.py",
    "providers/aws/identity_center.py",
    "providers/aws/identity_center_access.py",
    "providers/aws/identity_center_accounts.py",
    "providers/aws/identity_center_calls.py",
    "providers/aws/identity_center_facts.py",
    "providers/aws/identity_center_ids.py",
    "providers/aws/identity_center_outlook.py",
    "providers/aws/identity_center_people.py",
    "providers/aws/identity_center_status.py",
    "providers/aws/identity_center_target.py",
    "providers/aws/inline_policies.py",
    "providers/aws/organization_pages.py",
    "providers/aws/outlook.py",
    "providers/aws/principals.py",
    "providers/aws/rights_of_catalog.py",
    "providers/aws/sts_session.py",
    "providers/aws/target.py",
    "providers/aws/timed_policy.py",
    "publishers/aws.py",
    "publishers/webhook.py",
    "publishing.py",
    "reconcile.py",
    "reviewing.py",
    "rounds.py",
    "scopes.py",
    "serving/answering.py",
    "serving/health.py",
    "serving/http.py",
    "serving/server.py",
    "signers/kms.py",
    "stores/dynamodb/items.py",
    "stores/dynamodb/limits.py",
    "stores/dynamodb/reach.py",
    "stores/dynamodb/reading.py",
    "stores/dynamodb/store.py",
    "stores/dynamodb/transactions.py",
    "stores/sqlite_file.py",
    "text.py",
    "voting.py",
)
"""Whose sentences people read."""

UNTOLD = {
    "A decision about an ask needs the person who asked.": "a defect of a caller, not of a person",
    "A store cannot be used across a fork: open another one.": "the same",
    "The store is closed.": "the same",
    "a new request needs an id": "the same",
    "nothing to seal": "the same",
    "BEGIN IMMEDIATE": "a statement of SQL",
    "What if?": "the justification of an ask that nobody makes",
    "^for policy `policy[0-9]+`[,:]": "a pattern",
    "the table": "a part of others",
    "with the e-mail": "the same",
    "EntitlementItem doesn't exist": "AWS's own words, which are looked for",
    "not found in directory": "the same",
    "permissions to manage your AWS account": "the same",
    "Value error,": "a part of what pydantic says, taken out",
    "person number …": "a part of others: where a mistake is",
    "person …: manager": "the same",
    "Did you mean …?": "a part of others",
    "jitcloud: only ends go on until this is mended:": "stands in a transcript of operations",
    "… is open: …": "a part of others: how an opening and what it leaves are shown",
    "behind that of": "a part of others",
    "ahead of that of": "a part of others",
    "The cloud never showed it.": "no mechanism there is can bring it about",
    "Giving back or revoking denies these sessions everything, by name, in the account's deny "
    "document; IAM acts on it within seconds.": "no refusal; the tutorial shows it",
    "lower-case letters, digits, '.', '-' and '_', at most 64 and no mark first": "a part of "
    "others, which the page says in its own words",
    "Shorten narrow_policy, or move it into a managed policy named in narrow_policy_arns; drop "
    "session_tags; or open in allow_escape what need not be denied.": "a part of others",
}
"""What no page has to explain, and why."""


@pytest.mark.parametrize("module", TO_PEOPLE)
def test_every_message_is_explained(module: str) -> None:
    told = " ".join(prose(page) for page in PAGES)
    missing = [
        message
        for message in templates(module)
        if message not in UNTOLD and not is_said(message, told)
    ]
    assert missing == []


@pytest.mark.parametrize("message", UNTOLD)
def test_what_need_not_be_explained_is_still_said(message: str) -> None:
    assert any(message in templates(module) for module in TO_PEOPLE)


def test_what_a_session_leaves_is_said_word_for_word() -> None:
    for sentence in (outlook.STAYS_OPEN, outlook.IDENTITY, outlook.CONSOLE):
        assert sentence in prose("docs/threat-model.md")
