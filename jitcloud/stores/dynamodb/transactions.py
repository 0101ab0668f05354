"""Writes a plan in one transaction, and finds out what has become of it.

What comes back may be: it is written; a fence did not hold; somebody else was at an item just
then; too much was asked of DynamoDB; or nothing, so that nobody knows. The last is asked again
with the same token, by which DynamoDB knows a transaction that it has done already, and where even
that says nothing, the record is read for the name of the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from botocore.exceptions import ClientError

from jitcloud.errors import Conflict, JitError, Misconfigured, Tampered, Unavailable
from jitcloud.model import CONTROLS, Mark, RequestId, SlotKey
from jitcloud.ports import Change
from jitcloud.stores import rules
from jitcloud.stores.dynamodb import items, plans
from jitcloud.stores.dynamodb.expressions import Action
from jitcloud.stores.dynamodb.keys import Item, text
from jitcloud.stores.dynamodb.plans import Plan
from jitcloud.stores.dynamodb.reach import NotDone, Reach, Tries, translated
from jitcloud.text import printable, quoted

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

Reason = Mapping[str, Any]

_UNMET = "ConditionalCheckFailed"
_CONTENDED = "TransactionConflict"
_SPOILT = "ValidationError"
_NOTHING = "None"
_BUSY = ("ProvisionedThroughputExceeded", "ThrottlingError", "RequestLimitExceeded")
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""


def commit(reach: Reach, change: Change) -> None:
    """Write a change, or raise ``Conflict``, ``Refused``, ``Unavailable`` or ``Misconfigured``."""
    planned = plans.plan(change, reach.table, uuid4().hex)
    if planned.writes:
        _Transaction(reach, change, planned).write()


class _Outcome(Enum):
    WRITTEN = auto()
    REWORDED = auto()


_REWORDINGS = 3


class _Transaction:
    """One plan, tried until it is known what has become of it."""

    def __init__(self, reach: Reach, change: Change, planned: Plan) -> None:
        self.reach = reach
        self.change = change
        self.plan = planned
        self.actions = [write.action for write in planned.writes]
        self.token = planned.commit
        self.is_unknown = False
        """Whether a try was sent of which nobody knows what has become."""
        self.only_marks = False
        """Whether somebody else was at nothing but marks, the last time."""
        self.reworded = 0
        """How often a mark waited for something else than was thought."""

    def write(self) -> None:
        tries = self.reach.tries()
        while True:
            trouble: JitError
            lost: NotDone | None = None
            try:
                with translated(self.reach.table):
                    self._send()
            except NotDone as exc:
                lost, trouble = exc, Unavailable(str(exc))
                self.is_unknown |= exc.is_unknown
            except ClientError as exc:
                reasons: Sequence[Reason] = exc.response.get("CancellationReasons", ())
                outcome = self._cancelled(reasons)
                if outcome is _Outcome.WRITTEN:
                    return
                if outcome is _Outcome.REWORDED:
                    continue
                trouble = outcome
            else:
                return
            if not tries.again(lost):
                if self._has_landed(tries):
                    return
                if not self._leave_marks():
                    raise trouble from lost
                tries = self.reach.tries()

    def _send(self) -> None:
        self.reach.client.transact_write_items(
            TransactItems=cast("Sequence[TransactWriteItemTypeDef]", self.actions),
            ClientRequestToken=self.token,
        )

    def _cancelled(self, reasons: Sequence[Reason]) -> JitError | _Outcome:
        """Say what to raise if this is not tried again, or that there is no need to.

        Raises what no further try can change.
        """
        codes = [str(reason.get("Code")) for reason in reasons]
        if len(codes) != len(self.actions) or {*codes} == {_NOTHING}:
            raise Misconfigured(
                "DynamoDB says nothing of why it did not write: see that this reaches AWS itself,"
                " or an emulator that does as AWS does."
            )
        unmet = [n for n, code in enumerate(codes) if code == _UNMET]
        fences = [n for n in unmet if self.plan.writes[n].mark is None]
        if fences:
            if self._has_landed(self.reach.tries()):
                return _Outcome.WRITTEN  # by an earlier try, which nobody answered
            raise self._conflict({n: reasons[n] for n in fences})
        if any(code in _BUSY for code in codes):
            return Unavailable(
                f"DynamoDB limits the rate at which table {quoted(self.reach.table)} is written:"
                " try again shortly, and see what has become so busy."
            )
        if _CONTENDED in codes:
            contended = [n for n, code in enumerate(codes) if code == _CONTENDED]
            self.only_marks = all(self.plan.writes[n].mark is not None for n in contended)
            return Conflict("Somebody else is at the same records: read it again, then decide.")
        self._reword({n: reasons[n] for n, code in enumerate(codes) if code != _NOTHING})
        return _Outcome.REWORDED

    def _reword(self, marks: Mapping[int, Reason]) -> None:
        """Make marks due in another way, for they wait for something else than was thought."""
        # The smaller of two instants cannot be written in one expression, so it is guessed which
        # that is. Whoever keeps writing a mark must not keep a commit, which may be an end, from
        # being written: after a few guesses it becomes due at this instant, whatever it waits for.
        self.reworded += 1
        for n, reason in marks.items():
            mark, code = self.plan.writes[n].mark, reason.get("Code")
            if mark is None or code not in {_UNMET, _SPOILT} or self.reworded > _REWORDINGS + 1:
                said = printable(f"{code}: {reason.get('Message', '')}"[:300]).rstrip(".")
                raise Misconfigured(
                    f"DynamoDB refuses to write to table {quoted(self.reach.table)}: {said}."
                    " See that it was made as infra/template.yaml has it."
                )
            form = plans.made_anew if code == _SPOILT else _form(reason, mark)
            if self.reworded >= _REWORDINGS and form is not plans.made_anew:
                form = plans.made_due
            self.actions[n] = form(mark, self.reach.table, self.plan.commit)
        self.token = uuid4().hex  # the same one would stand for what was asked before

    def _leave_marks(self) -> bool:
        """Give up making marks due, where nothing else is in the way; say whether that helps.

        Whoever keeps writing a mark, and may write nothing else, must not keep an end from being
        written. What is to be passed on is then late: the next commit makes its mark due.
        """
        if not self.only_marks or self.is_unknown:
            return False
        kept = [n for n, write in enumerate(self.plan.writes) if write.mark is None]
        self.actions = [self.actions[n] for n in kept]
        self.plan = replace(self.plan, writes=tuple(self.plan.writes[n] for n in kept))
        self.only_marks = False
        self.token = uuid4().hex
        return True

    def _has_landed(self, tries: Tries) -> bool:
        """Whether the record shows that an earlier try, which nobody answered, was written."""
        if not self.is_unknown or self.plan.evidence is None:
            return False
        key = self.plan.evidence
        found = self.reach.read(
            lambda client: client.get_item(
                TableName=self.reach.table, Key=key, ConsistentRead=True
            ).get("Item", {}),
            tries,
        )
        return cast("Item", found).get("commit") == text(self.plan.commit)

    def _conflict(self, failed: Mapping[int, Reason]) -> JitError:
        """Put in words which fence did not hold: the same words as in any other store."""
        expected_heads: dict[RequestId, rules.Head] = {
            move.request.id: plans.head_before(move.request, move.events)
            for move in self.change.moves
        }
        control = self.change.control
        if control is not None:
            expected_heads[CONTROLS] = plans.head_before(control.controls, control.events)
        elif self.change.control_seq is not None:
            expected_heads[CONTROLS] = self.change.control_seq, rules.NOT_STORED[1]
        heads, versions = dict(expected_heads), dict(rules.expected_versions(self.change))
        try:
            for n, reason in failed.items():
                write, stored = self.plan.writes[n], reason.get("Item")
                match write.what:
                    case "request":
                        heads[RequestId(write.name)] = _head(stored)
                    case "control":
                        heads[CONTROLS] = _head(stored)
                    case "control-seq":
                        heads[CONTROLS] = _seq(stored), rules.NOT_STORED[1]
                    case "slot":
                        versions[SlotKey(write.name)] = _version(stored)
            rules.fence(self.change, heads.__getitem__, versions.__getitem__)
        except (Conflict, Tampered) as exc:
            return exc
        return Conflict("Something has changed meanwhile: read it again, then decide.")


def put_mark(reach: Reach, mark: Mark) -> None:
    """Write one mark, or raise ``Conflict``, ``Unavailable`` or ``Misconfigured``."""
    name = uuid4().hex
    action = plans.mark_at(mark, reach.table, name)
    tries = reach.tries()
    while True:
        trouble: JitError
        lost: NotDone | None = None
        try:
            with translated(reach.table):
                reach.client.put_item(**action["Put"])
        except NotDone as exc:
            lost, trouble = exc, Unavailable(str(exc))
        except ClientError as exc:
            if exc.response["Error"]["Code"] != "TransactionConflictException":
                stored: Item = exc.response.get("Item", {})  # type: ignore[assignment] # not in the stubs
                if stored.get("commit") == text(name):
                    return  # an earlier try, which nobody answered, was written
                rules.fence_mark(mark, _version(stored))
            trouble = Conflict("Somebody else is at this mark just now: read it again, then go on.")
        else:
            return
        if not tries.again(lost):
            raise trouble from lost


def _form(reason: Reason, mark: Mark) -> Callable[[Mark, str, str], Action]:
    """Choose how to make a mark due, by what is stored."""
    stored: Item = reason.get("Item") or {}
    try:
        items.to_number(stored, "version")
        wakes = items.to_wake(stored)
    except Tampered:
        return plans.made_anew
    waits_longer = wakes is not None and mark.wake_at is not None and wakes > mark.wake_at
    return plans.brought_forward if waits_longer else plans.kept


def _head(stored: Item | None) -> rules.Head:
    return (_seq(stored), items.to_digest(stored, "head")) if stored else rules.NOT_STORED


def _seq(stored: Item | None) -> int:
    return items.to_number(stored, "seq") if stored else 0


def _version(stored: Item | None) -> int:
    return items.to_number(stored, "version") if stored else 0
