"""The one decision: asked at the request, at each vote and at the activation.

Facts of the ask are as they were when asked; facts of the world (who is in which group, what
the catalog and the policy say) are read anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from jitcloud import approval, lifecycle
from jitcloud.approval import Outstanding
from jitcloud.catalog import Catalog
from jitcloud.errors import CloudError, Misconfigured, NotFound, Refused
from jitcloud.model import (
    Activate,
    Approver,
    Ask,
    Decision,
    Denied,
    GroupId,
    NeedsApproval,
    Person,
    PersonId,
    Plan,
    PolicyRef,
    RotationId,
    Vote,
    Window,
)
from jitcloud.policy import Policy, World
from jitcloud.ports import Directory, Mechanism, Mechanisms

NOBODY_LEFT = (
    "Too few people could approve this besides yourself; ask whoever keeps the policy to name more."
)


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges asks by the policy, the catalog and the people of this moment."""

    policy: Policy
    catalog: Catalog
    directory: Directory
    mechanisms: Mechanisms
    world: Callable[[], World] = World

    @property
    def ref(self) -> PolicyRef:
        """Which policy judges."""
        return self.policy.ref

    def decide(self, ask: Ask, now: datetime) -> Decision:
        """Judge an ask for a window that would begin at its start, or now."""
        try:
            person = self.directory.person(ask.person)
        except NotFound:
            return Denied(because=("You are no longer in the directory.",))
        if self._moved(ask):
            return Denied(
                because=(
                    (
                        f"The catalog entry {ask.entitlement.id} has changed since this was asked; "
                        "ask again to get what it says now."
                    ),
                )
            )
        return self.policy.judge(ask, person, self.world(), self.window(ask, now))

    def first(self, ask: Ask, plan: Plan | None, now: datetime) -> Decision:
        """Judge an ask when it is made: also refuse what could not work out."""
        decision = self.decide(ask, now)
        if isinstance(decision, Denied):
            return decision
        if plan is not None and plan.problems:
            return Denied(because=plan.problems, rules=decision.rules)
        if isinstance(decision, NeedsApproval) and not approval.can_be_met(
            decision.approval, self._members, ask.person
        ):
            return Denied(because=(NOBODY_LEFT,), rules=decision.rules)
        return decision

    def met(self, decision: Decision, votes: Iterable[Vote], requester: PersonId) -> bool:
        """Whether a decision lets the person in, with these votes."""
        match decision:
            case Activate():
                return True
            case NeedsApproval():
                return self.outstanding(decision, votes, requester) is None
            case Denied():
                return False

    def outstanding(
        self, decision: NeedsApproval, votes: Iterable[Vote], requester: PersonId
    ) -> Outstanding | None:
        """What the approval still waits for; None when it is met."""
        cast = tuple(votes)
        return approval.outstanding(decision.approval, cast, self._voters(cast), requester)

    def plan(self, ask: Ask, now: datetime) -> Plan | None:
        """What granting would mean, where this deployment can look; None where it cannot."""
        mechanism = self.mechanisms.get(ask.entitlement.mechanism)
        if mechanism is None:
            return None
        try:
            return mechanism.plan(ask.entitlement, ask.duration, now)
        except CloudError as exc:
            # Whether it works shows when it is tried. What it would leave must be said before,
            # and here that is: nobody knows.
            unseen = f"The cloud could not be asked what this would leave behind: {exc}"
            return Plan(
                guarantee=mechanism.guarantee,
                early_end="Whether giving it back ends it early could not be looked up.",
                residual=(unseen,),
            )

    def mechanism(self, name: str) -> Mechanism:
        """Return the mechanism of that name. Raises ``Misconfigured``."""
        mechanism = self.mechanisms.get(name)
        if mechanism is None:
            raise Misconfigured(f"Nothing in the configuration grants {name}; configure its cloud.")
        return mechanism

    def window(self, ask: Ask, now: datetime) -> Window:
        """The window an ask would get if it were activated now."""
        return lifecycle.window_from(ask.start or now, ask.duration)

    def _moved(self, ask: Ask) -> bool:
        try:
            return self.catalog.get(ask.entitlement.id) != ask.entitlement
        except NotFound:
            return True

    def _voters(self, votes: Iterable[Vote]) -> Mapping[PersonId, Person]:
        found = {}
        for vote in votes:
            try:
                found[vote.by] = self.directory.person(vote.by)
            except (NotFound, Refused):
                continue  # whoever cannot be found any more no longer counts
        return found

    def _members(self, approver: Approver) -> frozenset[PersonId]:
        match approver.kind:
            case "group":
                members = self.directory.members(GroupId(approver.id))
            case "rotation":
                members = self.directory.on_call(RotationId(approver.id))
            case _:
                members = frozenset({PersonId(approver.id)})
        return frozenset(m for m in members or () if self._may_be_asked(m))

    def _may_be_asked(self, person: PersonId) -> bool:
        try:
            return not self.directory.person(person).disabled
        except (NotFound, Refused):
            return False
