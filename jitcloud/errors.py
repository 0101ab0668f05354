"""Everything jitcloud raises.

JitError
├── Invalid          what was typed cannot be understood; nothing was done
├── NotFound         there is no such thing, or it is not yours to see
├── Unauthenticated  what was shown does not prove who speaks; sign in again
├── Refused          the person may not do this, or not any more; the message is for them
├── Conflict         somebody else got there first; read again and decide again
├── Misconfigured    an operator has something to fix before this can run
│   └── Unavailable      … or to free: the record cannot be reached just now
├── Tampered         a record does not follow from its signed trail; nothing is granted on it
└── CloudError       a cloud did not do as it was told
    ├── CloudRefused     … and said so: it has not happened and will not by itself
    ├── Throttled        … because of its rate limit; safe to try again
    └── OutcomeUnknown   … or perhaps it did: no answer came in time

Every message is one sentence or two for a person, and says what to do.
"""

from __future__ import annotations


class JitError(Exception):
    """The root: catch this to catch all that jitcloud raises on purpose."""


class Invalid(JitError, ValueError):
    """What was typed cannot be understood."""


class NotFound(JitError, LookupError):
    """There is no such thing, or the caller may not know of it."""


class Unauthenticated(JitError):
    """What was shown proves nobody. The message never quotes it."""


class Refused(JitError):
    """The person may not do this; the message is for them."""


class Conflict(JitError):
    """Somebody else changed the record first: read again and decide again."""


class Misconfigured(JitError):
    """An operator has something to fix before this can run."""


class Unavailable(Misconfigured):
    """The record cannot be reached just now (locked, disk full); nothing was changed."""


class Tampered(JitError):
    """A record does not follow from its signed trail."""


class CloudError(JitError):
    """A cloud did not do as it was told."""


class CloudRefused(CloudError):
    """The cloud answered no: the call has had no effect."""


class Throttled(CloudError):
    """The cloud's rate limit; the call has had no effect and may be tried again."""


class OutcomeUnknown(CloudError):
    """No answer came in time: the call may have had its effect, or may have it yet."""
