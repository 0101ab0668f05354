"""Pages: a list handed out in parts, and the token that says where the next part begins."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable
from itertools import islice

from jitcloud.emulators.identity_center.behaviour import Behaviour
from jitcloud.emulators.identity_center.call import Answer, Call
from jitcloud.emulators.identity_center.refusal import invalid


def page(
    call: Call,
    behaviour: Behaviour,
    member: str,
    rows: Iterable[tuple[str, object]],
    *,
    most: int = 100,
) -> Answer:
    """Answer the part of the list that was asked for; each row comes with a key to go on from.

    A row that is there all the while is told once, whatever comes and goes between two pages.
    """
    after, empty = _begin(call)
    left = sorted((row for row in rows if row[0] > after), key=lambda row: row[0])
    if left and empty < behaviour.empty_pages:
        return {member: [], "NextToken": _token(call, after, empty + 1)}
    size = min(int(call.params.get("MaxResults", most)), behaviour.page_size, most)
    shown = list(islice(left, size))
    answer: Answer = {member: [row for _, row in shown]}
    if len(left) > len(shown):
        answer["NextToken"] = _token(call, shown[-1][0], empty)
    return answer


def _begin(call: Call) -> tuple[str, int]:
    token = call.params.get("NextToken")
    if token is None:
        return "", 0
    try:
        digest, after, empty = json.loads(base64.urlsafe_b64decode(token))
        begin = str(after), int(empty)
    except (ValueError, TypeError, binascii.Error):
        raise invalid("The NextToken is not one of ours.") from None
    if digest != _digest(call):
        raise invalid("The NextToken belongs to another request.")
    return begin


def _token(call: Call, after: str, empty: int) -> str:
    said = json.dumps([_digest(call), after, empty])
    return base64.urlsafe_b64encode(said.encode()).decode()


def _digest(call: Call) -> str:
    asked = {k: v for k, v in call.params.items() if k not in {"NextToken", "MaxResults"}}
    said = json.dumps([call.operation, asked], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:16]
