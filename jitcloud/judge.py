"""The one decision: asked at the request, at each vote, at the activation and at an extension.

Facts of the ask are as they were when asked; facts of the world (who is in which group, what
catalog and policy say, whether the ticket is open still) are read anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jitcloud import approval, controls, lifecycle
from jitcloud.approval import Outstanding
from jitcloud.catalog import Catalog
from jitcloud.durations import format_duration
from jitcloud.errors import CloudError, Misconfigured, NotFound, Refused, Unavailable
from jitcloud.facts import Look, as_if, world_of
from jitcloud.ledger import Ledger
from jitcloud.model import (
    Activate,
    Approval,
    Approver,
    Ask,
    Brake,
    BreakGlass,
    Decision,
    Denied,
    Facts,
    GroupId,
    NeedsApproval,
    Person,
    PersonId,
    Plan,
    PolicyRef,
    Request,
    RotationId,
    State,
    Vote,
    Window,
)
from jitcloud.policy import Policy, World
from jitcloud.ports import Directory, Mechanism, Mechanisms
from jitcloud.text import quoted

NOBODY_LEFT = (
    "Too few people could approve this besides yourself; ask whoever keeps the policy to name more."
)
NOBODY_LOOKS = (
    "Too few people besides yourself could review this afterwards; ask whoever keeps the policy to"
    " name more."
)
NOT_ANY_MORE = "Policy asks for more approval by now than was given; ask again."
OVER = "The access that this would extend is over; ask for it anew."
LONGEST = timedelta(hours=24)
"""How long a grant may last with all its extensions, unless the configuration says otherwise."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision, and the facts of the world it was made on."""

    decision: Decision
    facts: Facts


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges asks by the policy, the catalog and the people of this moment."""

    policy: Policy
    catalog: Catalog
    directory: Directory
    mechanisms: Mechanisms
    look: Look = as_if(World())  # noqa: RUF009 - a pure function
    ledger: Ledger | None = None
    """Where extensions find what they extend, and broken glass what is unreviewed."""
    longest: timedelta = LONGEST
    """How long a grant may last with all its extensions."""
    renew: Callable[[], Policy] | None = None
    """Reads the policy anew, where its text can change while this process runs."""
    control_seq: int | None = None
    """Where the deployment's own trail stood when this judge looked; None where it did not."""
    stops: tuple[Brake, ...] | None = None
    """Which brakes are on, as of this decision; None where that is yet to be looked up."""
    number: int = 0
    """Under which number the text was taken up; 0 before that is known (see ``bundles``)."""

    @property
    def ref(self) -> PolicyRef:
        """Which policy judges."""
        return replace(self.policy.ref, number=self.number)

    # ── The decision ─────────────────────────────────────────────────────────────────────────

    def decide(self, ask: Ask, now: datetime) -> Decision:
        """Judge an ask for a window that would begin at its start, or now; see ``rule``."""
        return self.rule(ask, now).decision

    def first(self, ask: Ask, plan: Plan | None, now: datetime) -> Decision:
        """Judge an ask when it is made; see ``first_rule``."""
        return self.first_rule(ask, plan, now).decision

    def rule(self, ask: Ask, now: datetime) -> Ruling:
        """Judge an ask, and say on what facts.

        Raises ``Unavailable`` while something that it depends on cannot be looked up.
        """
        try:
            person = self.person(ask.person)
        except NotFound:
            return _no("You are no longer in the directory.")
        if self._moved(ask):
            return _no(
                f"The catalog entry {ask.entitlement.id} has changed since this was asked; "
                "ask again to get what it says now."
            )
        window = self.window(ask, now)
        refusal = self.cannot_extend(ask, now) or self._owes_review(ask, now)
        if refusal:
            return _no(refusal)
        try:
            facts = self.look(ask, window)
        except Refused as exc:
            return _no(str(exc))
        decision = self.policy.judge(ask, person, world_of(facts), window)
        if ask.duration > self.longest and not isinstance(decision, Denied):
            longest = format_duration(self.longest)
            sentence = f"Nothing may last longer than {longest} here, extensions included."
            decision = Denied(because=(sentence,))  # no rule says so
        return Ruling(decision, facts)

    def first_rule(self, ask: Ask, plan: Plan | None, now: datetime) -> Ruling:
        """Judge an ask when it is made: also refuse what could not work out."""
        stop = self.stopped(ask)
        if stop:
            return _no(stop)
        try:
            ruling = self.rule(ask, now)
        except Unavailable as exc:
            return _no(str(exc))
        decision = ruling.decision
        wrong = () if plan is None else plan.problems
        if not isinstance(decision, Denied):
            wrong = wrong or self._out_of_reach(decision, ask)
            if wrong:
                return Ruling(Denied(because=wrong, rules=decision.rules), ruling.facts)
        return ruling

    def _out_of_reach(
        self, decision: Activate | NeedsApproval | BreakGlass, ask: Ask
    ) -> tuple[str, ...]:
        """Say what there are too few people for, besides the one who asks."""
        match decision:
            case Activate():
                return ()
            case NeedsApproval(approval=needed):
                reached = approval.can_be_met(needed, self.members, ask.person)
                return () if reached else (NOBODY_LEFT,)
            case BreakGlass(review=review):
                needed = Approval(stages=(review.by,))
                reached = approval.can_be_met(needed, self.members, ask.person)
                return () if reached else (NOBODY_LOOKS,)

    def at_last(self, request: Request, plan: Plan | None, now: datetime) -> Ruling:
        """Judge a request that is to be let in now, with the votes it has."""
        ruling = self.rule(request.ask, now)
        decision = ruling.decision
        if isinstance(decision, Denied):
            return ruling
        if not self.met(request, decision, request.votes, now):
            return Ruling(Denied(because=(NOT_ANY_MORE,)), ruling.facts)
        if plan is not None and plan.problems:
            return Ruling(Denied(because=plan.problems, rules=decision.rules), ruling.facts)
        return ruling

    def met(
        self, request: Request, decision: Decision, votes: Iterable[Vote], now: datetime
    ) -> bool:
        """Whether a decision lets this request in, with these votes."""
        match decision:
            case Activate():
                return True
            case BreakGlass():
                # A review is only owed for a glass that was broken on record.
                return isinstance(request.decision, BreakGlass)
            case NeedsApproval():
                return self.outstanding(request, decision, votes, now) is None
            case Denied():
                return False

    def outstanding(
        self, request: Request, decision: NeedsApproval, votes: Iterable[Vote], now: datetime
    ) -> Outstanding | None:
        """What the approval still waits for; None when it is met."""
        cast = tuple(votes)
        return approval.outstanding(
            decision.approval,
            cast,
            self.voters(cast),
            request.person,
            asked_at=request.ask.asked_at,
            now=now,
        )

    def stopped(self, ask: Ask) -> str:
        """Say why nothing of this kind is activated just now; empty when it is."""
        brakes = self._stops() if self.stops is None else self.stops
        brake = controls.stopped(brakes, ask.entitlement, ask.person)
        if brake is None:
            return ""
        return (
            f"Activations are stopped for {controls.said(brake.scope)}: {brake.reason}"
            f" ({self.name(brake.by)})"
        )

    def _stops(self) -> tuple[Brake, ...]:
        known = None if self.ledger is None else self.ledger.controls()
        return controls.in_force(known)

    # ── What granting would mean ─────────────────────────────────────────────────────────────

    def plan(self, ask: Ask, now: datetime) -> Plan | None:
        """What granting would mean, where this deployment can look; None where it cannot."""
        mechanism = self.mechanisms.get(ask.entitlement.mechanism)
        if mechanism is None:
            return None
        try:
            person = self.person(ask.person)
            return mechanism.plan(ask.entitlement, ask.duration, now, part=ask.part, person=person)
        except NotFound:
            return None  # policy says so
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
        """The window an ask would get if it were let in now."""
        parent = self.extended(ask)
        if parent is not None and parent.window is not None:
            return lifecycle.window_from(parent.window.start, ask.duration)
        return lifecycle.window_from(ask.start or now, ask.duration)

    # ── People ───────────────────────────────────────────────────────────────────────────────

    def person(self, name: PersonId) -> Person:
        """Find somebody by id. Raises ``NotFound``, also when the id is but an alias by now."""
        found = self.directory.person(name)
        if found.id != name:
            # Whose id was an e-mail may have left it to a successor, who is somebody else.
            raise NotFound(f"Nobody in the directory has the id {quoted(name)} any more.")
        return found

    def voters(self, votes: Iterable[Vote]) -> Mapping[PersonId, Person]:
        """Find everybody who voted, as the directory has them now."""
        found = {}
        for vote in votes:
            try:
                found[vote.by] = self.person(vote.by)
            except (NotFound, Refused):
                continue  # whoever cannot be found any more no longer counts
        return found

    def members(self, approver: Approver) -> Iterator[PersonId]:
        """Name those an approver stands for who may be asked now, one after the other."""
        match approver.kind:
            case "group":
                members = self.directory.members(GroupId(approver.id))
            case "rotation":
                members = self.directory.on_call(RotationId(approver.id))
            case _:
                members = frozenset({PersonId(approver.id)})
        return (member for member in sorted(members or ()) if self._may_be_asked(member))

    def is_gone(self, person: PersonId) -> bool:
        """Whether the directory no longer knows somebody, or has disabled them.

        False while it cannot be asked: that somebody is gone must be known, not guessed.
        """
        try:
            return self.person(person).disabled
        except NotFound:
            return True
        except (Misconfigured, Refused):
            return False

    def person_of(self, request: Request) -> Person:
        """Find who asked, or somebody of that id alone once the directory has nobody."""
        try:
            return self.person(request.person)
        except NotFound:
            return Person(id=request.person, name=request.person)

    def name(self, person: PersonId) -> str:
        """Return somebody's name, or their id where the directory has none."""
        try:
            return self.person(person).name
        except (NotFound, Refused, Misconfigured):
            return person

    def _may_be_asked(self, person: PersonId) -> bool:
        try:
            return not self.person(person).disabled
        except (NotFound, Refused):
            return False

    # ── What keeps an ask from being judged by policy at all ─────────────────────────────────

    def _moved(self, ask: Ask) -> bool:
        try:
            return self.catalog.get(ask.entitlement.id) != ask.entitlement
        except NotFound:
            return True

    def extended(self, ask: Ask) -> Request | None:
        """Return the grant that an ask is to extend; None where it extends nothing."""
        if ask.extends is None or self.ledger is None:
            return None
        return self.ledger.store.request(ask.extends)

    def cannot_extend(self, ask: Ask, now: datetime) -> str:
        """Say why an ask to extend a grant cannot be let in any more; empty where it can."""
        if ask.extends is None:
            return ""
        parent = self.extended(ask)
        if parent is None or parent.state is not State.ACTIVE or parent.window is None:
            return OVER
        if parent.window.deadline <= now:
            return OVER
        if self.window(ask, now).deadline <= parent.window.deadline:
            return "It lasts as long as that already; an extension never shortens."
        return ""

    def _owes_review(self, ask: Ask, now: datetime) -> str:
        if not ask.break_glass or self.ledger is None:
            return ""
        owed = self.ledger.store.unreviewed(1, person=ask.person, before=now)
        if not owed:
            return ""
        return (
            f"You broke the glass for request {owed[0].id}, and nobody has reviewed it in time;"
            " have that done first."
        )


def _no(sentence: str) -> Ruling:
    return Ruling(Denied(because=(sentence,)), Facts())
