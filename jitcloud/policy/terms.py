"""What the permits that match ask for in return: whose yes, whose review, and who hears of it.

Terms add up: one permit more never asks for less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jitcloud.approval import combine
from jitcloud.model import Approval, Approver, Review
from jitcloud.policy import reviews
from jitcloud.policy.approvals import ApprovalRule
from jitcloud.policy.names import Related
from jitcloud.policy.reviews import ReviewRule
from jitcloud.policy.source import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The annotations of all permits, parsed once; rules go by their numbers."""

    approvals: Mapping[int, ApprovalRule]
    reviews: Mapping[int, ReviewRule]

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> Terms:
        """Parse the annotations of rules that were checked."""
        numbered = tuple(enumerate(rule.annotations for rule in rules))
        return cls(
            approvals={n: ApprovalRule.of(notes) for n, notes in numbered if "approval" in notes},
            reviews={n: ReviewRule.of(notes) for n, notes in numbered if "review" in notes},
        )

    def approval(self, rules: Iterable[int], related: Related) -> Approval | None:
        """Add up whose yes these rules want; None where a manager they want is not there."""
        found = [self.approvals[number].resolve(related) for number in rules]
        known = [approval for approval in found if approval is not None]
        if len(known) < len(found):
            return None
        return known[0] if len(known) == 1 else combine(known)

    def review(self, rules: Iterable[int], related: Related) -> Review | None:
        """Add up whose review these rules want; None where a manager they want is not there."""
        found = [self.reviews[number].resolve(related) for number in rules]
        known = [review for review in found if review is not None]
        return reviews.combine(known) if len(known) == len(found) else None

    def notify(self, rules: Iterable[int], related: Related) -> tuple[Approver, ...]:
        """Say who hears at once, by any of these rules."""
        heard = (who for number in rules for who in self.reviews[number].hear(related))
        return tuple(dict.fromkeys(heard))
