"""What a person sees in a browser: who they are, and whether a device may sign in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from urllib.parse import urlencode

_PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Emulated sign-in</title></head>
<body><h1>Emulated sign-in</h1>
{body}
</body></html>
"""


def page(body: str) -> bytes:
    """Write one; ``body`` is HTML."""
    return _PAGE.format(body=body).encode()


def told(text: str) -> bytes:
    """Write one that says something."""
    return page(f"<p>{escape(text)}</p>")


def who(query: Mapping[str, str], subs: Iterable[str]) -> bytes:
    """Ask who is at the browser."""
    links = [(sub, f"Sign in as {sub}") for sub in subs]
    items = "".join(
        f'<li><a href="?{escape(urlencode({**query, "as": sub}))}">{escape(label)}</a></li>'
        for sub, label in (*links, ("", "Cancel"))
    )
    return page(f"<ul>{items}</ul>")


def device(user_code: str, subs: Iterable[str]) -> bytes:
    """Ask whether a device may have what it asks for, and who says so."""
    buttons = "".join(
        f'<p><button name="as" value="{escape(sub)}">Approve as {escape(sub)}</button></p>'
        for sub in subs
    )
    return page(
        '<form method="post"><p><label>The code that the device shows:'
        f' <input name="user_code" value="{escape(user_code)}"></label></p>'
        f'{buttons}<p><button name="as" value="">Deny</button></p></form>'
    )
