"""What AWS answers instead of what was asked for."""

from __future__ import annotations

from collections.abc import Mapping

_ELSEWHERE: Mapping[tuple[str, str], str] = {
    ("organizations", "InternalServerException"): "ServiceException",
    ("organizations", "ThrottlingException"): "TooManyRequestsException",
    ("organizations", "ValidationException"): "InvalidInputException",
}


class Refusal(Exception):
    """An error of an API, by Identity Center's code for it; the SDK raises a ``ClientError``."""

    def __init__(self, code: str, message: str, **members: str) -> None:
        """Keep the code, the message, and what else the answer says, such as ``ResourceType``."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.members = members


def code_in(service: str, code: str) -> str:
    """What ``service`` calls the error that Identity Center calls ``code``."""
    return _ELSEWHERE.get((service, code), code)


def not_found(message: str, **members: str) -> Refusal:
    """Say that there is no such thing."""
    return Refusal("ResourceNotFoundException", message, **members)


def invalid(message: str) -> Refusal:
    """Say that a request cannot be right."""
    return Refusal("ValidationException", message)


def conflict(message: str, **members: str) -> Refusal:
    """Say that something else is in the way."""
    return Refusal("ConflictException", message, **members)


def denied(message: str) -> Refusal:
    """Say that the caller may not do this."""
    return Refusal("AccessDeniedException", message)


def throttled(message: str) -> Refusal:
    """Say that there are too many calls."""
    return Refusal("ThrottlingException", message)
