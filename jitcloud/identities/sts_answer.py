"""What STS answers to ``GetCallerIdentity``: XML, read only in exactly the form that is documented.

https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree as ET

_NAMESPACE = "{https://sts.amazonaws.com/doc/2011-06-15/}"
_CODE = re.compile("[A-Za-z.]{1,60}")
_WANTED = ("Arn", "UserId", "Account")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Who AWS says has signed."""

    arn: str
    user_id: str
    account: str


def identity(body: bytes) -> Answered | None:
    """Read who has signed; None for whatever is no such answer."""
    root = _parsed(body)
    if root is None or root.tag != f"{_NAMESPACE}GetCallerIdentityResponse":
        return None
    results = root.findall(f"{_NAMESPACE}GetCallerIdentityResult")
    if len(results) != 1:
        return None
    said = {each.tag: (each.text or "").strip() for each in results[0] if len(each) == 0}
    if len(results[0]) != len(_WANTED) or said.keys() != {f"{_NAMESPACE}{n}" for n in _WANTED}:
        return None
    arn, user_id, account = (said[f"{_NAMESPACE}{name}"] for name in _WANTED)
    return Answered(arn=arn, user_id=user_id, account=account)


def error_code(body: bytes) -> str:
    """Read why AWS refuses, such as ``SignatureDoesNotMatch``; empty where it does not say so."""
    root = _parsed(body)
    if root is None or root.tag != f"{_NAMESPACE}ErrorResponse":
        return ""
    code = root.findtext(f"{_NAMESPACE}Error/{_NAMESPACE}Code") or ""
    return code if _CODE.fullmatch(code) else ""


def _parsed(body: bytes) -> ET.Element | None:
    try:
        text = body.decode()
        if "<!" in text:
            return None  # no document type, so no entity: nothing here grows or is fetched
        return ET.fromstring(text)  # noqa: S314 - see the line above; and it is bounded
    except (UnicodeDecodeError, ET.ParseError, ValueError):
        return None
