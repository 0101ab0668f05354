"""Does each command once, however often it is sent: ``Idempotency-Key``.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/

What a key is kept under names the person, the command and the key; what was said under it is the
digest of all arguments. What a command makes has the name that follows from the key and from when
it was first begun: it is made once, and answered from the record ever after. The answer of any
other is kept. Between its commit and the note of that a process may die. Whoever comes next does
it again, and that is harmless: what stands in the trail already, by this person and since then,
is not said twice.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http import HTTPStatus

from ulid import ULID

from jitcloud import codec
from jitcloud.api import problems
from jitcloud.api.message import Answer, answer_of
from jitcloud.errors import JitError, Unavailable
from jitcloud.model import Digest, PersonId, RequestId
from jitcloud.observing import logs
from jitcloud.ports import Answered, Answers, Begun, Clock

LEASE = timedelta(minutes=2)
"""Longer than any command takes: whoever has not finished by then never will."""

KEEP = timedelta(hours=24)
"""How long a key means what it meant."""

LARGEST = 128 * 1024
"""Characters of an answer that is kept; a larger one is made anew from the record."""

# Told to try again, the caller does so under the same key.
_NOT_KEPT = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True)
class Once:
    """Does commands once each."""

    answers: Answers
    clock: Clock

    def __call__(  # noqa: PLR0913, PLR0917 - what a key is kept under, and what is done
        self,
        person: PersonId,
        command: str,
        key: str,
        arguments: Mapping[str, object],
        trace: str,
        do: Callable[[Begun], Answer],
        made: Callable[[Begun], Answer | None] | None = None,
    ) -> Answer:
        """Return what the command is answered, now or as it was before. Raises ``Unavailable``.

        ``made`` answers from the record where that has what the command made; where it is given, it
        is asked before anything is done again, and nothing that was made is kept here.
        """
        name = _digest([person, command, key])
        said = _digest([command, arguments])
        begun = self.answers.begin(name, said, self.clock(), lease=LEASE, keep=KEEP)
        if isinstance(begun, Answered):
            before = Begun(name=name, said=begun.said, since=begun.since, number=1)
            return _again(begun, said, trace, None if made is None else partial(made, before))
        try:
            known = None if made is None or begun.number == 1 else made(begun)
            answer = do(begun) if known is None else _replayed(known)
        except BaseException:
            self._release(begun)
            raise
        if made is None or answer.status != HTTPStatus.CREATED:
            self._keep(begun, answer)
        return answer

    def _keep(self, begun: Begun, answer: Answer) -> None:
        is_last = answer.status < HTTPStatus.INTERNAL_SERVER_ERROR
        if not is_last or answer.status in _NOT_KEPT:
            self._release(begun)
            return
        text = json.dumps(answer.as_dict(), separators=(",", ":"))
        if len(text) > LARGEST:
            self._release(begun)
            return
        try:
            self.answers.finish(begun, text)
        except JitError as exc:
            # It is done, and doing it again is harmless: nobody need hear of this but the log.
            logs.event("unkept", level=logging.WARNING, error=exc)

    def _release(self, begun: Begun) -> None:
        with suppress(JitError):
            self.answers.release(begun, self.clock())


def request_id(begun: Begun) -> RequestId:
    """Return the name of what is asked for under a key: the same each time, and nobody else's.

    It sorts by when it was first begun, as every other does by when it was asked for.
    """
    digest = hashlib.sha256(f"{begun.name}\n{begun.said}".encode()).digest()
    moment = ULID.from_datetime(begun.since).bytes[:6]
    return RequestId(str(ULID.from_bytes(moment + digest[:10])))


def _again(
    known: Answered, said: Digest, trace: str, made: Callable[[], Answer | None] | None
) -> Answer:
    if known.said != said:
        return problems.problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            error="Invalid",
            detail="This Idempotency-Key came with something else before; take a new key.",
            trace=trace,
        )
    found = None if known.answer is not None or made is None else made()
    if found is not None:
        return _replayed(found)
    if known.answer is None:
        return problems.problem(
            HTTPStatus.CONFLICT,
            error="Conflict",
            detail="This is being done just now; ask again soon, with the same Idempotency-Key.",
            trace=trace,
            headers={"Retry-After": "1"},
        )
    try:
        kept = answer_of(json.loads(known.answer))
    except (ValueError, Unavailable):
        return problems.defect(ValueError("an answer that was kept cannot be read"), trace)
    return _replayed(kept)


def _replayed(answer: Answer) -> Answer:
    headers = {**answer.headers, "Idempotency-Replayed": "true"}
    return Answer(status=answer.status, body=answer.body, headers=headers)


def _digest(what: object) -> Digest:
    return Digest(hashlib.sha256(codec.canonical(what).encode()).hexdigest())
