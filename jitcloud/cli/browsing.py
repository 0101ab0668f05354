"""Shows a page to whoever sits here: its address always, and a browser where one can be seen."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from contextlib import suppress

from jitcloud.cli import say

_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


def is_seen() -> bool:
    """Whether a browser that is opened here is likely to be seen."""
    if sys.platform == "darwin":
        return "SSH_CONNECTION" not in os.environ
    # Without a screen the standard library finds browsers for terminals, which take this one over.
    return any(os.environ.get(name) for name in _SCREENS)


def show(url: str) -> None:
    """Say where to go, and go there."""
    say.aside(f"Sign in at: {url}")
    if is_seen():
        # Some browsers end only when they are closed, and whoever asked has an answer to wait for.
        threading.Thread(target=_open, args=(url,), daemon=True).start()


def _open(url: str) -> None:
    with suppress(webbrowser.Error, OSError):  # the address stands there
        webbrowser.open(url)
