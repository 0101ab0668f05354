"""What AWS answers instead of what was asked for, by the codes of IAM and STS."""

from __future__ import annotations


class Refusal(Exception):
    """An error of the API; a client makes a ``ClientError`` of it."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def missing(kind: str, name: str) -> Refusal:
    return Refusal("NoSuchEntity", f"The {kind} with name {name} cannot be found.", 404)


def too_many(message: str) -> Refusal:
    return Refusal("LimitExceeded", message, 409)


def denied(action: str) -> Refusal:
    message = (
        f"User: arn:aws:iam::111122223333:user/jitcloud is not authorized to perform: {action}"
    )
    return Refusal("AccessDenied", message, 403)


def malformed(message: str) -> Refusal:
    return Refusal("MalformedPolicyDocument", message)


def invalid(message: str) -> Refusal:
    return Refusal("ValidationError", message)
