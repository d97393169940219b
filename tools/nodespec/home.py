"""The user's own configuration folder, outside of every repository: keys, pins, and the secret of the verdict cache.

``NODESPEC_HOME`` names it; by default it is ``~/.config/nodespec``, or ``nodespec`` below ``XDG_CONFIG_HOME``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nodespec.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def find(environment: Mapping[str, str]) -> str | None:
    """Return the folder that the environment names, be it there or not; None for a user without a home."""
    if environment.get("NODESPEC_HOME"):
        return environment["NODESPEC_HOME"]
    base = environment.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(base):  # then it does not count (XDG Base Directory Specification)
        base = os.path.join(os.path.expanduser("~"), ".config")
    return None if base.startswith("~") else os.path.join(base, "nodespec")


def require(environment: Mapping[str, str]) -> str:
    """Return the folder; raise ``UsageError`` for a user without a home."""
    found = find(environment)
    if found is None:
        raise UsageError("this user has no home folder", hint="say where keys and pins are kept: NODESPEC_HOME=FOLDER")
    return found
