"""What a client remembers of a registry: its first trust root, and the newest when it was last pinned.

A trust root cannot vouch for itself. Whoever relies on a registry learns the digest of version 1 over a way they
trust, and pins it: ``<configuration folder>/pins/<registry id>.json``, outside of every repository, canonical JSON
with a final newline::

    registry_id     which registry
    root            hex SHA-256 of the payload of version 1
    newest          {version, digest}: the newest version then, and the hex SHA-256 of its payload

From then on a chain with another version 1, or one that is shorter than what was pinned, or differs from it, is
refused. A chain that goes on is believed, for each version is vouched for by the one before; that it goes on is
remembered when it is pinned again. Nothing learns by itself: what stands on a branch may never be merged.

>>> Pin(registry_id="acme", root="ab" * 32, version=1, digest="ab" * 32).dump().decode()[:60]
'{"newest":{"digest":"abababababababababababababababababababa'
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING

from nodespec import claims
from nodespec.encoding import canonical_json, printable, strict_json
from nodespec.errors import RegistryError
from nodespec.frozen import frozen
from nodespec.worktree import write_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodespec.trust import Root


@frozen
class Pin:
    """What is remembered; digests in hex."""

    registry_id: str
    root: str
    version: int
    digest: str

    def dump(self) -> bytes:
        """Return the file's bytes."""
        newest = {"version": self.version, "digest": self.digest}
        return canonical_json({"registry_id": self.registry_id, "root": self.root, "newest": newest}) + b"\n"

    @classmethod
    def of(cls, roots: Sequence[Root]) -> Pin:
        """Return the pin of a chain that is believed as it stands."""
        return cls(
            registry_id=roots[0].registry_id,
            root=fingerprint(roots[0]),
            version=roots[-1].version,
            digest=fingerprint(roots[-1]),
        )

    def contradicts(self, roots: Sequence[Root], *, older: bool = False) -> str | None:
        """Return why a chain is not the one that was pinned, or None when it is, or goes on from it.

        With ``older`` a chain may end before the version that was pinned, as in a commit of the past.
        """
        if fingerprint(roots[0]) != self.root:
            return f"version 1 of the trust root is {fingerprint(roots[0])[:16]}…, and {self.root[:16]}… is pinned"
        if len(roots) < self.version and older:
            return None
        if len(roots) < self.version:
            return f"the trust root ends with version {len(roots)}, and version {self.version} is pinned (rollback)"
        if fingerprint(roots[self.version - 1]) != self.digest:
            return f"version {self.version} of the trust root is not the one that is pinned"
        return None


def fingerprint(root: Root) -> str:
    """Return the hex SHA-256 of a version's payload."""
    return sha256(root.payload()).hexdigest()


def path_of(home: str, registry_id: str) -> str:
    """Return where the pin of a registry is kept."""
    return os.path.join(home, "pins", f"{registry_id}.json")


def load(home: str | None, registry_id: str) -> Pin | None:
    """Return the pin, or None when there is none; raise ``RegistryError`` when it cannot be read (fail closed)."""
    if home is None:
        return None
    path = path_of(home, registry_id)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RegistryError(f"{printable(path)} cannot be read: {error.strerror}") from None
    try:
        fields = claims.members(strict_json(data), ("registry_id", "root", "newest"), "the pin")
        newest = claims.members(fields["newest"], ("version", "digest"), "newest")
        found = Pin(
            registry_id=claims.text(fields["registry_id"], "registry_id"),
            root=claims.digest(fields["root"], "root"),
            version=claims.count(newest["version"], "version", least=1),
            digest=claims.digest(newest["digest"], "digest"),
        )
        if found.registry_id != registry_id:
            raise ValueError(f"it is about {found.registry_id}")
    except ValueError as error:
        hint = "if you know the right trust root: nodespec trust pin --again --expect DIGEST"
        raise RegistryError(f"{printable(path)} is no pin: {error}", hint=hint) from None
    return found


def save(home: str, pin: Pin) -> str:
    """Write the pin; return where."""
    path = path_of(home, pin.registry_id)
    write_file(path, pin.dump())
    return path
