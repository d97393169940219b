"""The contracts that this version of the tool was built with, as files."""

from __future__ import annotations

import os

_PACKAGE = os.path.dirname(os.path.abspath(__file__))


def contract(path: str) -> bytes:
    """Return the tool's own copy of ``schemas/…``: from the installed package, or the checkout it runs in."""
    installed = os.path.join(_PACKAGE, "contracts", os.path.basename(path))
    place = installed if os.path.exists(installed) else os.path.join(_PACKAGE, os.pardir, os.pardir, path)
    with open(place, "rb") as file:
        return file.read()
