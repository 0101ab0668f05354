"""How an endpoint says no (RFC 6749, 5.2)."""

from __future__ import annotations


class Refusal(Exception):
    """Not what was asked for, for a reason that OAuth has a code for."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        """Take the code, and words for a person."""
        super().__init__(description)
        self.error = error
        self.status = status

    def said(self) -> dict[str, str]:
        """The parameters of the answer."""
        return {"error": self.error, "error_description": str(self)}
