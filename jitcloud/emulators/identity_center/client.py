"""A client like boto3's that calls an emulated Identity Center without a network in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore import xform_name

from jitcloud.emulators.identity_center.call import Answer
from jitcloud.emulators.identity_center.description import exceptions

if TYPE_CHECKING:
    from botocore.errorfactory import BaseClientExceptions

Caller = Callable[[str, Mapping[str, object]], Answer]
"""Takes an operation and its parameters."""

Method = Callable[..., Answer]


class Client:
    """Methods are named as boto3 names them, and take, return and raise the same."""

    def __init__(self, service: str, operations: Iterable[str], caller: Caller) -> None:
        """Make one for the operations of one service."""
        self._service = service
        self._caller = caller
        self._operations = {xform_name(operation): operation for operation in operations}

    @property
    def exceptions(self) -> BaseClientExceptions:
        """What it raises, by name: ``client.exceptions.ConflictException``."""
        return exceptions(self._service)

    def __getattr__(self, name: str) -> Method:
        """Find the method that calls an operation."""
        operation = self._operations.get(name)
        if operation is None:
            raise AttributeError(f"{self._service} has no {name} here.")

        def method(**params: object) -> Answer:
            told = {"HTTPStatusCode": 200, "RetryAttempts": 0}
            return {**self._caller(operation, params), "ResponseMetadata": told}

        return method

    def get_paginator(self, name: str) -> Paginator:
        """Make what goes through the pages of an operation."""
        return Paginator(getattr(self, name))


@dataclass(frozen=True, slots=True)
class Paginator:
    """Asks for page after page."""

    method: Method

    def paginate(self, **params: object) -> Iterator[Answer]:
        """Yield each page, until one comes without a ``NextToken``."""
        while True:
            answer = self.method(**params)
            yield answer
            if "NextToken" not in answer:
                return
            params["NextToken"] = answer["NextToken"]
