r"""A Merkle tree that follows the folders.

Each folder's digest is the RFC 6962 tree hash over its entries, sorted by name (plain byte order).
An entry's leaf binds its kind, its name and its digest::

    leaf data   =  kind  0x00  name  0x00  digest(32)          kind: "file" or "folder"
    leaf hash   =  SHA-256(0x00 ‖ leaf data)                    RFC 6962, section 2.1
    inner hash  =  SHA-256(0x01 ‖ left ‖ right)
    no entries  =  SHA-256("")

A file's digest is the SHA-256 of its bytes; a folder's digest is its own tree hash. Names hold neither
``/`` nor NUL, so leaf data reads one way only. A folder is never empty here (Git has no empty
folders), but the root may be. So one changed file costs one path, a proof is a path, and a folder can
be verified alone. Nothing depends on Git's object ids.

>>> tree_hash([]).hex() == sha256(b"").hexdigest()
True
>>> root({"a/b": bytes(32)}) == folder_hash({b"a": (FOLDER_KIND, folder_hash({b"b": (FILE_KIND, bytes(32))}))})
True
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from nodespec.tree import path_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Entries = Mapping[bytes, tuple[bytes, bytes]]
    """What a folder holds: name → (kind, digest)."""

FILE_KIND = b"file"
FOLDER_KIND = b"folder"


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962 leaf hash."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 inner hash."""
    return sha256(b"\x01" + left + right).digest()


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """Return the RFC 6962 hash of a list of leaf hashes.

    Works through the list once with a stack of perfect subtrees, the largest first; joining what is
    left from the right gives the same split as the RFC's "largest power of two smaller than n".
    """
    if not leaves:
        return sha256(b"").digest()
    stack: list[tuple[int, bytes]] = []
    for leaf in leaves:
        size, digest = 1, leaf
        while stack and stack[-1][0] == size:
            digest = node_hash(stack.pop()[1], digest)
            size *= 2
        stack.append((size, digest))
    digest = stack.pop()[1]
    while stack:
        digest = node_hash(stack.pop()[1], digest)
    return digest


def folder_hash(entries: Entries) -> bytes:
    """Return a folder's digest."""
    return tree_hash([leaf_hash(b"\0".join((kind, name, digest))) for name, (kind, digest) in sorted(entries.items())])


def folders(files: Mapping[str, bytes]) -> Iterator[tuple[bytes, Entries]]:
    """Yield the digest and the entries of each folder of ``files`` (path → SHA-256 of the bytes), the root last."""
    found: dict[bytes, dict[bytes, tuple[bytes, bytes]]] = {b"": {}}
    for path, digest in files.items():
        folder, _, name = path_bytes(path).rpartition(b"/")
        found.setdefault(folder, {})[name] = (FILE_KIND, digest)
        while folder and folder.rpartition(b"/")[0] not in found:
            folder = folder.rpartition(b"/")[0]
            found[folder] = {}
    # Deepest first, so that a folder is complete when its parent asks for it.
    for folder in sorted(found, key=lambda path: path.count(b"/") if path else -1, reverse=True):
        digest = folder_hash(found[folder])
        yield digest, found[folder]
        if folder:
            parent, _, name = folder.rpartition(b"/")
            found[parent][name] = (FOLDER_KIND, digest)


def root(files: Mapping[str, bytes]) -> bytes:
    """Return the digest of the folder that holds ``files`` (path → SHA-256 of the bytes)."""
    *_, (digest, _) = folders(files)
    return digest
