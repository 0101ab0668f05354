"""The public library: load a configuration, act as a person, ask, wait, use, give back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from jitcloud import config, lifecycle, metrics
from jitcloud.asking import Wish
from jitcloud.clock import utc_now
from jitcloud.durations import parse_duration
from jitcloud.errors import Misconfigured, Refused
from jitcloud.metrics import Metrics
from jitcloud.model import (
    Caller,
    Credentials,
    EntitlementId,
    PersonId,
    PolicyRef,
    Request,
    RequestId,
    Scope,
    State,
    Token,
)
from jitcloud.policy.explain import Explanation
from jitcloud.ports import Clock
from jitcloud.reconcile import WITHIN, Compared
from jitcloud.settings import FILE
from jitcloud.sweep import Swept, never
from jitcloud.text import parse_request_id

if TYPE_CHECKING:
    import boto3

    from jitcloud.anchoring import Anchored

POLL = 0.5
"""Seconds between two looks at a request that is waited for."""


def load(path: str | Path = FILE, *, clock: Clock = utc_now) -> Jitcloud:
    """Open a deployment by its ``jitcloud.toml`` (or the folder it is in).

    Raises ``Misconfigured`` with everything that is wrong. Calls no cloud.
    """
    return Jitcloud(config.load(Path(path), clock))


def load_to_end(path: str | Path = FILE, *, clock: Clock = utc_now) -> Jitcloud:
    """Open a deployment to end access, though its policy, catalog, people or key are broken.

    What grants then raises ``Misconfigured``; ``deployment.broken`` says why. Sweeping,
    giving back, withdrawing and revoking go on.
    """
    return Jitcloud(config.load_to_end(Path(path), clock))


@dataclass(frozen=True, slots=True)
class Jitcloud:
    """An open deployment. Close it, or use it in a ``with`` block."""

    deployment: config.Deployment

    def acting_as(self, handle: str) -> Acting:
        """Act as a person, named by directory id or e-mail, without asking for any proof.

        For trials on one machine: raises ``Misconfigured`` unless the configuration says
        ``unsafe_act_as_anyone = true`` under ``[trial]``. Raises ``NotFound`` for nobody.
        """
        if not self.deployment.settings.trial.unsafe_act_as_anyone:
            raise Misconfigured(
                "Acting as a person without proof is for trials only; set "
                "unsafe_act_as_anyone = true under [trial] in jitcloud.toml to allow it there."
            )
        if self.deployment.broken:
            person = PersonId(handle)  # the id itself, for nobody can be looked up
        else:
            person = self.deployment.judge.directory.person(handle).id
        token = Token(kind="unsafe-local", id=person)
        return self.acting_with(Caller(person=person, token=token))

    def acting_with(self, caller: Caller) -> Acting:
        """Act as whom a verified token names: for programs that verify tokens themselves."""
        return Acting(self.deployment, caller)

    def adopt(self, caller: Caller, reason: str, *, vouched: bool = False) -> PolicyRef:
        """Let the policy text of this moment judge, though it was replaced before.

        ``vouched`` answers for all that the deployment's own trail says, though the key that
        signed it is trusted no longer. For whoever operates the deployment: no service should
        offer it to its callers. Raises ``Misconfigured`` and ``Invalid``.
        """
        now = self.deployment.clock()
        return self.deployment.broker.adopt(caller, now, reason, vouched=vouched)

    def sweep(self) -> Swept:
        """Do whatever is due: lapses, starts, deadlines, retries. Call it often."""
        return self.deployment.sweep_once()

    def checkpoint(self) -> tuple[Anchored, ...]:
        """Write a checkpoint of the record to where ``[anchors]`` keeps them; sweeps do so, too.

        Raises ``Misconfigured`` where none are kept, ``Tampered`` where the last one does not
        hold, and ``Conflict`` where another process has written one meanwhile.
        """
        return self.deployment.checkpoint()

    def sweep_for(
        self,
        duration: str | timedelta,
        *,
        pause: Callable[[float], None] = time.sleep,
        stopped: Callable[[], bool] = never,
        tell: Callable[[Swept], None] | None = None,
    ) -> Swept:
        """Go on sweeping for so long, whenever something is due; return what all of it did.

        ``pause`` waits for so many seconds, one at the most. Once ``stopped`` says so it returns
        after the item in hand. ``tell`` hears of each sweep.
        """
        return self.deployment.sweep_for(_length(duration), pause=pause, stopped=stopped, tell=tell)

    def metrics(self) -> Metrics:
        """Count what is unfinished, overdue or in trouble; ``jitcloud.metrics`` writes it out.

        Raises ``Tampered`` for what cannot be read, and ``Misconfigured``.
        """
        return metrics.snapshot(self.deployment.ledger.store, self.deployment.clock())

    def reconcile(
        self,
        *,
        end_leaked: bool = False,
        dry_run: bool = False,
        catalogs: Sequence[str | Path] = (),
        leave_out: Sequence[str] = (),
        within: str | timedelta = WITHIN,
    ) -> Compared:
        """Compare the clouds with the record, for so long; call it again until ``is_over``.

        The next call, in whichever process, goes on where the last one stopped. What has leaked is
        told; with ``end_leaked`` it is also written down, and sweeps end it. A ``dry_run`` writes
        nothing at all. ``catalogs`` are former ones, whose places are looked at too; ``leave_out``
        names what nobody can look at any more. For whoever operates the deployment: no service
        should offer it to its callers. Raises ``Misconfigured``, and ``Conflict`` while another
        goes on with it.
        """
        reconciler = self.deployment.reconciler(
            ends_leaked=end_leaked,
            is_dry=dry_run,
            former=map(Path, catalogs),
            left_out=leave_out,
        )
        return reconciler.run(_length(within))

    def restored(self, caller: Caller, reason: str) -> None:
        """Say that the record was restored from a backup, and so knows less than there was.

        Nothing is activated from then on until a reconcile that began later has finished; ends go
        on. For whoever operates the deployment, like ``adopt``. Raises ``Invalid``.
        """
        self.deployment.broker.restored(caller, self.deployment.clock(), reason)

    def close(self) -> None:
        """Let go of the record."""
        self.deployment.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Acting:
    """What one person can do. Every method raises only ``JitError`` on purpose.

    Beside what each says: ``Misconfigured`` where something is to be mended or cannot be reached,
    ``Tampered`` where the record does not hold, and ``Conflict`` where others are always first.
    """

    deployment: config.Deployment
    caller: Caller

    def request(  # noqa: PLR0913 - keyword-only beyond the three everybody gives
        self,
        entitlement: str,
        duration: str | timedelta,
        justification: str,
        *,
        start: datetime | None = None,
        ticket: str | None = None,
        incident: str | None = None,
        break_glass: bool = False,
        id_: str | None = None,
    ) -> Request:
        """Ask for an entitlement; return the request as judged, and active if that was at once.

        ``duration`` is text such as ``30m`` or ``1h30m``, or a timedelta. A refusal comes back
        as a request in state ``denied`` with its reason. The same ``id_`` asks only once.
        Of what spans several places (accounts) it is the first, whose ``ask.together`` names all.
        ``break_glass`` asks to be let in at once and reviewed afterwards; it needs an incident.
        Raises ``Invalid`` and ``NotFound`` for what cannot be asked at all, ``Refused`` for
        somebody who is disabled, and ``Conflict`` where ``id_`` names something else.
        """
        return self.request_all(
            (entitlement,),
            duration,
            justification,
            start=start,
            ticket=ticket,
            incident=incident,
            break_glass=break_glass,
            id_=id_,
        )[0]

    def request_all(  # noqa: PLR0913 - as above
        self,
        entitlements: Sequence[str],
        duration: str | timedelta,
        justification: str,
        *,
        start: datetime | None = None,
        ticket: str | None = None,
        incident: str | None = None,
        break_glass: bool = False,
        id_: str | None = None,
        is_new: bool = False,
    ) -> tuple[Request, ...]:
        """Ask for several entitlements at once; all are recorded, and each is decided apart.

        Either all of them are asked for or none. ``id_`` names the first, and with it the others;
        with ``is_new`` nobody has used that name before, and it is not looked for.
        Raises what ``request`` raises.
        """
        wish = Wish(
            duration=_length(duration),
            justification=justification,
            start=start,
            ticket=ticket,
            incident=incident,
            break_glass=break_glass,
        )
        asked = self.deployment.broker.request_all(
            self.caller,
            [EntitlementId(each) for each in entitlements],
            wish,
            self._now(),
            None if id_ is None else parse_request_id(id_),
            is_new=is_new,
        )
        return tuple(map(self._advanced, asked))

    def extend(  # noqa: PLR0913 - as above
        self,
        request: str | Request,
        by: str | timedelta,
        justification: str,
        *,
        ticket: str | None = None,
        incident: str | None = None,
        break_glass: bool = False,
        id_: str | None = None,
    ) -> Request:
        """Ask for one's own active grant to last longer by so much; return that request.

        It is judged for the whole time the grant would then last. Once let in it is in state
        ``extended``, and the grant has the later deadline; credentials handed out before end when
        they did. A refusal comes back in state ``denied``, as of a request.
        Raises ``Refused`` for what is not active, ``NotFound`` for what is not one's own, and what
        ``request`` raises.
        """
        wish = Wish(
            duration=_length(by),
            justification=justification,
            ticket=ticket,
            incident=incident,
            break_glass=break_glass,
        )
        name = None if id_ is None else parse_request_id(id_)
        asked = self.deployment.broker.extend(self.caller, _id(request), wish, self._now(), name)
        return self._advanced(asked)

    def review(self, request: str | Request, note: str, *, fine: bool = True) -> Request:
        """Record that one has looked at what was done with a broken glass, and found it so.

        It ends nothing: that is ``revoke``. Raises ``Refused`` for whoever is not asked to review
        it, or has done so, and ``Invalid`` without a note.
        """
        return self.deployment.broker.review(
            self.caller, _id(request), self._now(), fine=fine, note=note
        )

    def unreviewed(self) -> tuple[Request, ...]:
        """List what awaits one's own review, the most urgent first."""
        return self.deployment.broker.unreviewed(self.caller)

    def stop(self, scope: Scope, reason: str) -> None:
        """Let nothing in this scope be activated from now on. What is active goes on, and ends.

        Raises ``Refused`` unless a rule permits ``Action::"stop"``, ``Invalid`` without a reason,
        and ``NotFound`` for what the scope names and nobody knows.
        """
        self.deployment.broker.stop(self.caller, scope, self._now(), reason)

    def resume(self, scope: Scope, reason: str) -> None:
        """Let what was stopped be activated again.

        Raises ``Refused`` where nothing is stopped, and what ``stop`` raises.
        """
        self.deployment.broker.resume(self.caller, scope, self._now(), reason)

    def end_all(self, scope: Scope, reason: str) -> Swept:
        """End everything in this scope, and sweep at once so that it is soon seen gone.

        Returns what the sweep could not do; each sweep after it tries again. While directory,
        catalog or policy is broken anybody may, as with ``revoke``, and names people by their ids.
        Raises ``Refused`` unless a rule permits ``Action::"end"``, ``Invalid`` without a reason,
        and ``NotFound`` for what the scope names and nobody knows.
        """
        self.deployment.broker.end_all(self.caller, scope, self._now(), reason)
        return self.deployment.sweep()

    def approve(self, request: str | Request, reason: str = "") -> Request:
        """Say yes to somebody's request; with the last yes it is judged again and let in.

        Raises ``Refused`` for whoever may not, or need not any more, and ``NotFound``.
        """
        return self._advanced(
            self.deployment.broker.approve(self.caller, _id(request), self._now(), reason)
        )

    def deny(self, request: str | Request, reason: str) -> Request:
        """Say no to somebody's request. Raises what ``approve`` does, ``Invalid`` for no reason."""
        return self.deployment.broker.deny(self.caller, _id(request), self._now(), reason)

    def withdraw(self, request: str | Request, reason: str = "") -> Request:
        """Take one's own request back before it gives access.

        Raises ``Refused`` where it gives some already or is over, and ``NotFound``.
        """
        return self.deployment.broker.withdraw(self.caller, _id(request), self._now(), reason)

    def give_back(self, request: str | Request, reason: str = "") -> Request:
        """End one's own access early. Raises ``Refused`` where it gave none, and ``NotFound``."""
        return self._advanced(
            self.deployment.broker.give_back(self.caller, _id(request), self._now(), reason)
        )

    def revoke(self, request: str | Request, reason: str) -> Request:
        """End somebody's access, or a request that might yet give some; anybody may.

        Raises ``Refused`` where it gave none, ``Invalid`` without a reason, and ``NotFound``.
        """
        return self._advanced(
            self.deployment.broker.revoke(self.caller, _id(request), self._now(), reason)
        )

    def attest(self, request: str | Request, reason: str) -> Request:
        """Answer for it that access is gone whose place has vanished, and refuses for ever.

        For somebody who neither asked nor approved, and may end all of that entitlement. Raises
        ``Refused`` for anybody else, and for what may yet be seen to end; ``Invalid`` without a
        reason, and ``NotFound``.
        """
        return self.deployment.broker.attest(self.caller, _id(request), self._now(), reason)

    def credentials(self, request: str | Request) -> Credentials:
        """Mint a set of credentials for one's own active grant.

        Raises ``Refused`` unless it is active and for long enough, ``NotFound`` for what is not
        one's own, and ``CloudError``.
        """
        return self.deployment.broker.issue(self.caller, _id(request), self.deployment.clock)

    def show(self, request: str | Request) -> Request:
        """Return a request as it stands. Raises ``NotFound``."""
        return self.deployment.broker.show(_id(request))

    def advise(self, request: str | Request) -> Explanation:
        """Explain what was said to a request: rules, hints, durations, and who could say yes.

        By the rules and people of now, on the facts of the world that it was decided on.
        Raises ``NotFound`` where there is no such request, or who asked has left.
        """
        found = request if isinstance(request, Request) else self.show(request)
        return self.deployment.broker.advise(found, self._now())

    def outlook(self, entitlement: str, duration: str | timedelta = "1h") -> Explanation:
        """Explain what would be said to an ask for this now, with neither ticket nor incident.

        Records nothing. Raises ``Invalid`` and ``NotFound`` for what cannot be asked at all.
        """
        return self.deployment.broker.outlook(
            self.caller, EntitlementId(entitlement), _length(duration), self._now()
        )

    def wait(
        self,
        request: str | Request,
        timeout: timedelta = timedelta(hours=1),
        sleep: Callable[[float], None] = time.sleep,
    ) -> Grant:
        """Wait until a request is active; return the grant, for use in a ``with`` block.

        Of an extension that was let in, the grant is the one that it extends.
        Raises ``Refused`` when it is denied or lapses, and when it still waits at the timeout.
        """
        name = _id(request)
        give_up = self._now() + timeout
        current = self.deployment.advance.wake(name)
        while current.state in WAITING and self._now() < give_up:
            sleep(POLL)
            current = self.deployment.advance.wake(name)
        if current.state is State.EXTENDED and current.ask.extends is not None:
            current = self.show(current.ask.extends)
        if current.state is State.ACTIVE:
            return Grant(self, current)
        if current.state in WAITING:
            raise Refused(f"Request {name} is still {current.state}; wait again, or withdraw it.")
        raise Refused(f"Request {current.id} is {current.state}: {current.reason or 'it is over'}")

    def _advanced(self, request: Request) -> Request:
        """Do at once what the record now calls for; the sweep would do it later."""
        waits = request.state in {State.PENDING, State.ACTIVE} or request.state.is_finished
        if waits or not self.deployment.advances:
            return request
        return self.deployment.advance.wake(request.id)

    def _now(self) -> datetime:
        return self.deployment.clock()


WAITING = frozenset({State.PENDING, State.SCHEDULED, State.ACTIVATING})
"""States that may still become active."""


@dataclass(frozen=True, slots=True)
class Grant:
    """An active grant. Leaving its ``with`` block gives it back."""

    holder: Acting
    request: Request

    def boto3_session(self) -> boto3.Session:
        """Return a boto3 session that has the access, renewed as needed until the deadline.

        Also a later one, where the grant is extended meanwhile.
        """
        return config.boto3_session(
            self.holder.deployment.settings,
            lambda: self.holder.credentials(self.request),
            lifecycle.deadline(self.request),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.holder.give_back(self.request)


def _length(duration: str | timedelta) -> timedelta:
    return parse_duration(duration) if isinstance(duration, str) else duration


def _id(request: str | Request) -> RequestId:
    return request.id if isinstance(request, Request) else parse_request_id(request)
