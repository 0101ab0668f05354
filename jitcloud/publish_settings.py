"""What ``[publish]`` of ``jitcloud.toml`` may say: which programs are passed what was committed."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from jitcloud.address import Address, is_loopback
from jitcloud.durations import parse_duration
from jitcloud.envelopes import TYPES
from jitcloud.publishing import PREFIX
from jitcloud.text import did_you_mean, quoted

MOST_RECEIVERS = 5
"""To how many programs events are passed on: each commit writes a mark for each of them."""

MOST_SECRETS = 3

LONGEST = timedelta(seconds=30)
"""How long one event may take: whatever comes after it waits for it."""

_NAME = re.compile(r"[a-z](?:[a-z-]{0,38}[a-z])?")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
_ARN = r"arn:aws(?:-[a-z]{2,10}){0,3}"
_BUS = re.compile(  # botocore's model of PutEvents
    rf"(?:{_ARN}:events:[a-z0-9-]{{5,30}}:[0-9]{{12}}:event-bus/)?[.\-_A-Za-z0-9]{{1,256}}"
)
_TOPIC = re.compile(rf"{_ARN}:sns:[a-z0-9-]{{5,30}}:[0-9]{{12}}:[A-Za-z0-9_-]{{1,256}}(?:\.fifo)?")


def _name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ValueError("write lower-case letters and -, at most 40, such as siem")
    return name


def _types(types: list[str]) -> list[str]:
    for each in types:
        if each not in TYPES:
            raise ValueError(f"no event is called {quoted(each)}.{did_you_mean(each, TYPES)}")
    if not types:
        raise ValueError("nothing would be passed on; write some types, or leave it out for all")
    return types


def _bus(bus: str) -> str:
    if _BUS.fullmatch(bus) is None:
        raise ValueError("write the name of a bus, or its ARN")
    return bus


def _topic(arn: str) -> str:
    if _TOPIC.fullmatch(arn) is None:
        raise ValueError(
            "write the ARN of a topic, such as arn:aws:sns:eu-central-1:111122223333:jitcloud"
        )
    return arn


def _url(url: str) -> str:
    Address.parse(url)
    return url


def _loopback(url: str | None) -> str | None:
    host = urlsplit(url or "").hostname
    if url is None or (host is not None and is_loopback(host)):
        return url
    raise ValueError("endpoint_url is for emulators on this machine; leave it out for AWS itself")


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _short(timeout: timedelta) -> timedelta:
    if timeout > LONGEST:
        raise ValueError("whatever comes after it waits for it; write at most 30s")
    return timeout


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _variables(names: list[str]) -> list[str]:
    if not all(map(_VARIABLE.fullmatch, names)):
        # Not shown: who misreads this key has written the secret itself.
        raise ValueError("write the name of a variable, in capitals, such as SIEM_SECRET")
    return names


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Receiver(_Strict):
    name: Annotated[str, AfterValidator(_name)]
    """Its own among all receivers: how far each has come is kept by it."""
    types: Annotated[list[str], AfterValidator(_types)] = list(TYPES)
    """Which events it is passed; all, unless said."""
    texts: bool = False
    """Whether it is passed what people wrote as well: why they ask, and why they say no."""

    @property
    def channel(self) -> str:
        """What its marks are called."""
        return f"{PREFIX}{self.name}"


class EventBridgeSettings(_Receiver):
    """A bus of Amazon EventBridge."""

    bus: Annotated[str, AfterValidator(_bus)]
    """Its ARN; or its name, in the region of ``[aws]``."""
    endpoint_url: Annotated[str | None, AfterValidator(_loopback)] = None


class SnsSettings(_Receiver):
    """A topic of Amazon SNS, standard or FIFO."""

    topic: Annotated[str, AfterValidator(_topic)]
    """Its ARN."""
    endpoint_url: Annotated[str | None, AfterValidator(_loopback)] = None


class WebhookSettings(_Receiver):
    """A program that takes HTTPS requests, signed as Standard Webhooks says."""

    url: Annotated[str, AfterValidator(_url)]
    secret_env: Annotated[list[str], BeforeValidator(_listed), AfterValidator(_variables)] = []
    secret_file: Annotated[
        list[Annotated[Path, Field(strict=False)]], BeforeValidator(_listed)
    ] = []
    """Where the secret is. Several, the newest first, while the receiver goes over to another."""
    timeout: Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_short)] = timedelta(
        seconds=10
    )
    """For one event as a whole."""

    @model_validator(mode="after")
    def _has_secrets(self) -> Self:
        if not 1 <= len(self.secret_env) + len(self.secret_file) <= MOST_SECRETS:
            raise ValueError(
                f"say where its secret is, by secret_env or secret_file; {MOST_SECRETS} at most"
            )
        return self


class PublishSettings(_Strict):
    """Which programs are passed what was committed."""

    eventbridge: list[EventBridgeSettings] = []
    sns: list[SnsSettings] = []
    webhook: list[WebhookSettings] = []

    @model_validator(mode="after")
    def _apart(self) -> Self:
        channels = self.channels
        if len(channels) > MOST_RECEIVERS:
            raise ValueError(f"write at most {MOST_RECEIVERS}; let a bus pass them on to more")
        if len(set(channels)) < len(channels):
            raise ValueError("give each another name: how far it has come is kept by it")
        return self

    @property
    def channels(self) -> tuple[str, ...]:
        """What their marks are called, in the order in which they stand."""
        return tuple(each.channel for each in (*self.eventbridge, *self.sns, *self.webhook))


def channels_to_end(table: object) -> tuple[str, ...]:
    """Name the channels in a table that may be broken: what ends meanwhile is told them later."""
    receivers = table.values() if isinstance(table, dict) else ()
    entries = [each for kind in receivers if isinstance(kind, list) for each in kind]
    names = [each.get("name") for each in entries if isinstance(each, dict)]
    good = [name for name in names if isinstance(name, str) and _NAME.fullmatch(name)]
    return tuple(f"{PREFIX}{name}" for name in dict.fromkeys(good[:MOST_RECEIVERS]))
