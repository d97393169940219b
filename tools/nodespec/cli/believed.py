"""What a command believes: a trust root that does not contradict the user's pin, and whom that appoints."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nodespec import home, pin
from nodespec.encoding import printable
from nodespec.errors import NodespecError, RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodespec.pin import Pin
    from nodespec.provenance import Provenance
    from nodespec.roster import Roster


def check_pin(provenance: Provenance, *, older: bool = False) -> Pin | None:
    """Return the user's pin of this registry, None when there is none; raise ``RegistryError`` at another trust root.

    ``older`` is for a commit of the past: there, versions that the pin knows may still be missing. A trust root that is
    missing or broken is not held against the pin; nothing is believed without it anyhow.
    """
    kept = pin.load(home.find(os.environ), provenance.settings.registry_id)
    if kept is None or not provenance.roots:
        return kept
    wrong = kept.contradicts(provenance.roots, older=older)
    if wrong is not None:
        raise RegistryError(
            wrong, hint="ask the registry's maintainers over a way you trust before you believe anything here"
        )
    return kept


def check_root(provenance: Provenance, *, older: bool = False) -> tuple[str, ...]:
    """Check the trust root, by the pin where there is one; return what is left to the caller.

    Raises ``RegistryError`` when the root is missing, broken, expired or not the pinned one.
    """
    if not provenance.roots:
        raise RegistryError(next(provenance.problems()).problem.message, hint="run: nodespec trust verify")
    if provenance.now >= provenance.root.expires:
        raise RegistryError(
            f"the trust root expired at {provenance.root.expires:%Y-%m-%d %H:%M} UTC", hint="nodespec trust rotate"
        )
    published = next((key for key in provenance.root.keys if key.published), None)
    if published is not None and not provenance.settings.example:
        raise RegistryError("the trust root lists a published example key; anyone can sign with it")
    kept = check_pin(provenance, older=older)
    if kept is None:
        first = pin.fingerprint(provenance.roots[0])
        return (f"whether the first trust root is the right one, {first[:16]}… (nodespec trust pin remembers it)",)
    if provenance.root.version > kept.version:
        since = f"whether a newer trust root than version {kept.version}, which you pinned, comes back one day"
        return (f"{since} as version {kept.version} (nodespec trust pin remembers version {provenance.root.version})",)
    return ()


def roster_place(git_folder: str) -> str:
    """Return where a signed roster is kept: beside the checkpoints, in the Git folder that all work trees share."""
    return os.path.join(git_folder, "nodespec", "checkpoints", "roster")


def signed_roster(path: str, provenance: Provenance, notice: Callable[[str], None]) -> Roster | None:
    """Return the roster in a file, which the checkpoint role of a trust root must have signed.

    Returns None when there is no file, and also when it is not to be believed, which is told in a line: then every file
    is searched, and what is found is the same.
    """
    from nodespec.checkpoint import Trust
    from nodespec.signed_roster import MAX_BYTES, verify

    if not os.path.lexists(path):
        return None
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > MAX_BYTES:
            raise ValueError(f"it is no plain file of at most {MAX_BYTES >> 20} MiB")
        if not provenance.roots:
            raise ValueError("the registry has no trust root that says who may sign it")
        trust = Trust.of_root(provenance.root, provenance.settings, provenance.now)
        with open(path, "rb") as file:
            return verify(file.read(), trust, now=provenance.now)
    except (NodespecError, OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        notice(f"note: the roster {printable(path)} is not believed: {why}; every file is searched instead")
        return None
