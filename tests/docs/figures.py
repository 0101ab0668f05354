"""The seconds that promises depend on, read from the code; and each figure of time in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module

from pydantic import BaseModel

from jitcloud.adapters import clouds
from jitcloud.clock import utc_now
from jitcloud.converge import CLAIM_MARGIN
from jitcloud.model import Guarantee
from jitcloud.ports import SlotKind
from jitcloud.settings import AnchorsSettings, AwsSettings, LimitsSettings, Settings
from jitcloud.slots import by_any_clock
from tests.crashes.registry import MECHANISMS, STORES

CONSTANTS: Mapping[str, str] = {
    "model.SKEW": "how far the clocks of the broker and of a cloud may be apart",
    "converge.CLAIM_MARGIN": "a claim outlasts the call that it is for by this",
    "sweeping.NAP": "how long a sweep that goes on waits at the most before it looks again",
    "ahead.PERIOD": "how often a fleet looks what will be due: what a lost message costs",
    "waking.PUT_OFF": "how long what has a defect is left alone, so that all else goes on",
    "slots.SOON_RETRY": "the longest wait before an end is tried again, for about an hour",
    "slots.LAST_RETRY": "the same from then on",
    "slots.STUCK": "an operation of a cloud that takes longer keeps nobody from telling it again",
    "slots.LOOK_AGAIN": "how often it is looked whether what denies something still does",
    "slots.SHARED_CUTOFF": "how much later than the end what is denied may have begun",
    "ending.DENIED_WITHIN": "how long a denial may take before the trail says what may live on",
    "lifecycle.RECHECK": "how often it is asked whether whoever holds access is still there",
    "braking.LINGER": "for so long an end of everything goes on ending what was asked before it",
    "attesting.PATIENCE": "for so long an end is tried before somebody may answer for it",
    "restores.UNDER_WAY": "for so long, after a restore, what was being given may land",
    "attesting.REFUSED": "for so long the cloud must have shown nothing by then",
    "sts_session.SHORTEST_SESSION": "the shortest session that AWS makes",
    "identity_center_facts.LONGEST_SESSION": "what a permission set may let a session last",
    "checkpointing.AGAIN": "how long after a failure a checkpoint is tried again",
    "once.KEEP": "how long an `Idempotency-Key` means what it meant",
    "jwks.FRESH": "how long an issuer's keys count without being asked for again",
    "jwks.STALE": "the same while the issuer cannot be asked",
    "aws_identity.OLDEST": "how long a presigned proof of an AWS identity counts",
    "oidc.GROUPS_LAST": "how long groups that a token named count, unless set otherwise",
    "sign_in_settings.LONGEST_LEEWAY": "how far an issuer's clock may be off at the most",
    "durations.LONGEST": "the longest duration that can be written",
    "asking.FARTHEST": "how far ahead a start may lie",
}
"""By module and name, and what each is."""

SETTINGS: Mapping[str, tuple[type[BaseModel], str]] = {
    "aws.settle": (AwsSettings, "how long AWS is given to act on a change everywhere"),
    "anchors.every": (AnchorsSettings, "how often a checkpoint is written"),
    "limits.longest": (LimitsSettings, "how long a grant may last with all its extensions"),
}
"""By table and key, unless set otherwise."""

_WHERE = (
    "jitcloud",
    "jitcloud.api",
    "jitcloud.identities",
    "jitcloud.providers.aws",
)

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_FIGURE = re.compile(
    r"(?P<count>[\d,]+) (?P<unit>second|minute|hour|day)s?\b(?P<name> \(`[\w.]+`\))?"
)
_IN_WORDS = re.compile(
    r"\b(?:an?|one|two|three|four|five|six|ten|twelve|fifteen|thirty|sixty)"
    r" (?:second|minute|hour|day)s?\b"
)


# ── What holds everywhere ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Figure:
    """A time, by the name that a page has for it."""

    name: str
    value: timedelta
    what: str


def figures() -> dict[str, Figure]:
    """Read all of them, by their names."""
    known = [Figure(name, _constant(name), what) for name, what in CONSTANTS.items()]
    known += [
        Figure(name, model.model_fields[name.partition(".")[2]].default, what)
        for name, (model, what) in SETTINGS.items()
    ]
    return {each.name: each for each in known}


def _constant(name: str) -> timedelta:
    module, _, constant = name.partition(".")
    for package in _WHERE:
        try:
            value = getattr(import_module(f"{package}.{module}"), constant)
        except ModuleNotFoundError:
            continue
        assert isinstance(value, timedelta), name
        return value
    raise AssertionError(f"There is no {name}: name its module in CONSTANTS, or take it out.")


def words(time: timedelta) -> str:
    """Write a time as a page does: ``90 seconds`` is ``1 minute 30 seconds``."""
    left, parts = int(time.total_seconds()), []
    for unit, seconds in _UNITS:
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count} {unit}{'s' * (count > 1)}")
    return " ".join(parts) or "0 seconds"


# ── Each mechanism, and each kind of place ───────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Held:
    """A mechanism, and how late it may end where no fault strikes."""

    name: str
    by_cloud: bool
    overstay: timedelta
    takes_its_time: bool
    """Whether the cloud does what it is told in its own time, which comes on top."""
    killed_on: tuple[str, ...]
    """The stores on which a broker that uses it is killed before each step."""


def mechanisms() -> list[Held]:
    """Every mechanism that a deployment can have."""
    skew = figures()["model.SKEW"].value
    known, kinds = clouds(Settings(aws=AwsSettings()), utc_now)
    killed = {each.name for each in MECHANISMS}
    found = []
    for name, mechanism in sorted(known.items()):
        kind, by_cloud = kinds.get(name), mechanism.guarantee is Guarantee.CLOUD
        settle = timedelta(0) if kind is None else kind.settle
        found.append(
            Held(
                name,
                by_cloud,
                skew if by_cloud else 2 * skew + settle,
                hasattr(kind, "follow"),
                tuple(store.name for store in STORES) if name in killed else (),
            )
        )
    return found


def kinds() -> list[SlotKind]:
    """Every kind of place in which something is put and taken away."""
    _, known = clouds(Settings(aws=AwsSettings()), utc_now)
    return [known[name] for name in sorted(known)]


def claim_of(kind: SlotKind) -> timedelta:
    """How long a claim lasts from the call that it is for."""
    return kind.timeout + CLAIM_MARGIN


def believed_after(kind: SlotKind) -> timedelta:
    """How long after a call without an answer no absence, and no denial, is believed."""
    return claim_of(kind) + by_any_clock(kind.settle)


# ── In a text ────────────────────────────────────────────────────────────────────────────────


def wrong_in(text: str) -> Iterator[str]:
    """Yield what a text says of times without naming them, or otherwise than the code does."""
    known = figures()
    yield from (f"{match[0]}: write it in digits" for match in _IN_WORDS.finditer(text))
    for match in _FIGURE.finditer(text):
        name = (match["name"] or "").strip(" (`)")
        if not name:
            yield f"{match[0]}: say behind it, in brackets, what it is called"
        elif name not in known:
            yield f"{match[0]}: nothing is called that"
        elif not match[0].startswith(f"{words(known[name].value)} ("):
            yield f"{match[0]}: it is {words(known[name].value)}"
