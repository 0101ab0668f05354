"""AWS's own description of its APIs, as botocore carries it: what may be asked and answered."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from botocore.errorfactory import ClientExceptionsFactory
from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

if TYPE_CHECKING:
    from botocore.errorfactory import BaseClientExceptions

TARGETS: Mapping[str, str] = {
    "AWSIdentityStore": "identitystore",
    "AWSOrganizationsV20161128": "organizations",
    "SWBExternalService": "sso-admin",
}
"""The first half of the header ``X-Amz-Target``, and whose it is."""

_CATEGORY = re.compile(r"\\p\{([A-Z])\}")
_STAND_IN = 0xE000
"""From here on, Unicode has characters of no meaning: they stand for categories in a pattern."""


@lru_cache
def service_model(service: str) -> ServiceModel:
    """The description of one service. Takes a tenth of a second, the first time."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@lru_cache
def operation_model(service: str, operation: str) -> OperationModel:
    """The description of one operation."""
    return service_model(service).operation_model(operation)


@lru_cache
def codes(service: str, operation: str) -> frozenset[str]:
    """The errors that an operation may answer."""
    shapes = operation_model(service, operation).error_shapes
    return frozenset(shape.error_code for shape in shapes if isinstance(shape, StructureShape))


@lru_cache
def exceptions(service: str) -> BaseClientExceptions:
    """The exceptions that a client of the service raises: ``exceptions.ConflictException``."""
    return ClientExceptionsFactory().create_client_exceptions(service_model(service))


def wrong_with_request(service: str, operation: str, said: Mapping[str, Any]) -> list[str]:
    """In what a request is not as described; nothing if all is right."""
    return _wrong(operation_model(service, operation).input_shape, said)


def wrong_with_answer(service: str, operation: str, said: Mapping[str, Any]) -> list[str]:
    """In what an answer is not as described."""
    return _wrong(operation_model(service, operation).output_shape, said)


def _wrong(shape: Shape | None, said: Mapping[str, Any]) -> list[str]:
    if shape is None:
        return [f"{name} is not described" for name in said]
    report = ParamValidator().validate(said, shape)
    if report.has_errors():
        return [report.generate_report()]
    # The SDK leaves to the service what follows, so it is for us to look at.
    return list(_beyond_shape(said, shape, shape.name))


def _beyond_shape(said: Any, shape: Shape, where: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    most = shape.metadata.get("max")
    if most is not None and (said if isinstance(said, int) else len(said)) > most:
        yield f"{where} is more than {most}"
    if shape.type_name == "string":
        yield from _beyond_string(said, shape, where)
    for part, part_shape, part_name in _parts(said, shape):
        yield from _beyond_shape(part, part_shape, f"{where}{part_name}")


def _parts(said: Any, shape: Shape) -> Iterator[tuple[object, Shape, str]]:  # noqa: ANN401 - JSON
    if isinstance(shape, StructureShape) and not shape.is_document_type:
        for name, value in said.items():
            yield value, shape.members[name], f".{name}"
    elif isinstance(shape, ListShape):
        for at, value in enumerate(said):
            yield value, shape.member, f"[{at}]"
    elif isinstance(shape, MapShape):
        for key in said:
            yield key, shape.key, " key"


def _beyond_string(said: str, shape: Shape, where: str) -> Iterator[str]:
    one_of, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
    if one_of and said not in one_of:
        yield f"{where} is none of {', '.join(one_of)}"
    if pattern is not None and not _matches(pattern, said):
        yield f"{where} does not match {pattern}"


def _matches(pattern: str, text: str) -> bool:
    r"""Whether the whole text is of that pattern, which may name categories: ``\p{L}``, letters."""
    compiled, categories = _compiled(pattern)
    if categories:
        text = "".join(
            chr(_STAND_IN + ord(major))
            if (major := unicodedata.category(char)[0]) in categories
            else char
            for char in text
        )
    return compiled.fullmatch(text) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> tuple[re.Pattern[str], frozenset[str]]:
    # Python's expressions know no categories, so a character each stands for them.
    known = _CATEGORY.sub(lambda found: chr(_STAND_IN + ord(found[1])), pattern)
    return re.compile(known, re.ASCII), frozenset(_CATEGORY.findall(pattern))
