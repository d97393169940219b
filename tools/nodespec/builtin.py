"""The contracts that this version of the tool was built with, as files."""

from __future__ import annotations

from pathlib import Path


def contract(path: str) -> bytes:
    """Return the tool's own copy of ``schemas/…``: from the installed package, or the checkout it runs in."""
    package = Path(__file__).parent
    name = path.rpartition("/")[2]
    installed = package / "contracts" / name
    return (installed if installed.exists() else package.parents[1] / path).read_bytes()
