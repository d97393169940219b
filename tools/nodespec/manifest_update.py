"""Incremental manifests: a commit's Merkle root from an earlier commit's, by what changed between the two.

The Merkle tree follows the folders (:mod:`nodespec.merkle`), so a changed file costs the folders on the way to it::

    root ── registry ── nodes ── lab ── probe.yaml      hashed again
     │         │          └───── …                      keep their digests
     └── schemas └── …

Three things go into the new root, and each is believed for a reason of its own:

- **The earlier root and its number of files**: from a checkpoint that the user's own trust has verified.
- **What a folder held**: from a store of lists by digest (:class:`Folders`), whoever wrote it. A list is hashed when it
  is loaded; one that has not the digest that it was asked for by counts as absent.
- **What is the same in both commits**: from Git, for which equal object ids are equal content. This is the only thing
  for which its ids are relied on, and only by whoever signs: a verification hashes every file.

Whatever does not fit (a list that is absent, a file that has no place in a manifest, a malformed tree, a difference
that is not one to the earlier root) is left to the full build, which reads every file, says what is wrong, and fills
the store.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, Protocol

from nodespec import manifest
from nodespec.commit import CommitTree
from nodespec.errors import RegistryError
from nodespec.merkle import FILE_KIND, FOLDER_KIND, folder_hash
from nodespec.tree import MAX_FOLDER_DEPTH, ROOTS, path_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from nodespec.merkle import Entries
    from nodespec.tree import Entry, Tree


class Extent(NamedTuple):
    """What a manifest comes to: the hex Merkle root, and the number of files."""

    root: str
    files: int


class Base(NamedTuple):
    """An earlier commit, and its extent as a verified checkpoint states it."""

    tree: CommitTree
    extent: Extent


class Folders(Protocol):
    """Lists of what folders hold, by digest. A best-effort cache: any list may be missing, and errors are silent."""

    def entries(self, digest: bytes) -> Entries | None:
        """Return what the folder with this digest is said to hold, or None."""

    def grow(self, added: Mapping[bytes, Entries], replaced: Collection[bytes]) -> None:
        """Keep some lists, which take the place of others."""

    def renew(self, found: Sequence[tuple[bytes, Entries]]) -> None:
        """Keep the lists of a whole tree."""


def extent(tree: Tree, base: Base | None = None, folders: Folders | None = None) -> Extent:
    """Return the extent of a commit; raise ``RegistryError`` when it cannot have a manifest.

    With a base and a store, the cost is that of what changed since; otherwise that of every file.
    """
    if base is not None and folders is not None:
        try:
            return _grown(tree, base, folders)
        except _FallbackError:
            pass
    listing = manifest.of_tree(tree)
    if folders is not None:
        folders.renew(listing.folders)
    return Extent(listing.root, len(listing.files))


class _FallbackError(Exception):
    """The full build must be made; the shortcut does not apply."""


def _grown(tree: Tree, base: Base, folders: Folders) -> Extent:
    pairs = _difference(tree, base.tree)
    if not pairs:
        return base.extent
    growing = _Growing(folders)
    top = growing.known(bytes.fromhex(base.extent.root))
    gone = [before for before, _ in pairs if before is not None]
    come = [after for _, after in pairs if after is not None]
    for entry in gone:
        growing.remove(top, entry.path)
    top.prune()  # so that a file can take a folder's place, and a folder a file's
    for entry in come:
        growing.add(top, entry.path, _digest(tree, entry))
    added: dict[bytes, Entries] = {}
    root = top.settle(added)
    folders.grow(added, growing.loaded - added.keys())
    return Extent(root.hex(), base.extent.files + len(come) - len(gone))


def _difference(tree: Tree, base: CommitTree) -> list[tuple[Entry | None, Entry | None]]:
    """Return (before, after) of each file that is another in ``base``, when all that is new can be listed."""
    if not isinstance(tree, CommitTree):
        raise _FallbackError
    found: list[tuple[Entry | None, Entry | None]] = []
    try:
        for name in ROOTS:
            (old, _), (new, above) = base.folder(name), tree.folder(name)
            pairs, defects = tree.changes(name, old, new)
            if above or defects:
                raise _FallbackError
            found += pairs
    except RegistryError:  # an object is missing or malformed, perhaps of the earlier commit alone
        raise _FallbackError from None
    for _, after in found:
        if after is not None and (after.path.count("/") > MAX_FOLDER_DEPTH or manifest.why_not_listed(after)):
            raise _FallbackError
    return found


def _digest(tree: Tree, entry: Entry) -> bytes:
    try:
        return sha256(tree.read(entry)).digest()
    except OSError:
        raise _FallbackError from None


class _Folder:
    """A folder on the way to a change: what it holds, and which of its folders are opened themselves."""

    def __init__(self, entries: Entries) -> None:
        self.entries = dict(entries)
        self.opened: dict[bytes, _Folder] = {}

    def prune(self) -> None:
        """Take out the folders that hold nothing any more: Git has no empty ones."""
        for name, folder in list(self.opened.items()):
            folder.prune()
            if not folder.entries:
                del self.opened[name]
                self.entries.pop(name, None)

    def settle(self, added: dict[bytes, Entries]) -> bytes:
        """Return the digest as it is now, after noting what is held by each folder that was opened."""
        for name, folder in self.opened.items():
            self.entries[name] = (FOLDER_KIND, folder.settle(added))
        digest = folder_hash(self.entries)
        added[digest] = self.entries
        return digest


class _Growing:
    """Opens folders out of a store, and remembers which."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self.loaded: set[bytes] = set()

    def known(self, digest: bytes) -> _Folder:
        """Return the folder with this digest, after hashing what the store says that it holds."""
        entries = self._folders.entries(digest)
        if entries is None or folder_hash(entries) != digest:
            raise _FallbackError
        self.loaded.add(digest)
        return _Folder(entries)

    def _above(self, top: _Folder, path: str) -> tuple[_Folder, bytes]:
        """Return the folder that holds ``path``, opened or new, and the name in it."""
        *above, name = path_bytes(path).split(b"/")
        for part in above:
            top = self._inside(top, part)
        return top, name

    def _inside(self, folder: _Folder, name: bytes) -> _Folder:
        if name not in folder.opened:
            kind, digest = folder.entries.get(name, (FOLDER_KIND, b""))
            if kind != FOLDER_KIND:
                raise _FallbackError
            folder.opened[name] = self.known(digest) if digest else _Folder({})
        return folder.opened[name]

    def remove(self, top: _Folder, path: str) -> None:
        """Take a file out."""
        folder, name = self._above(top, path)
        if folder.entries.pop(name, (b"",))[0] != FILE_KIND:
            raise _FallbackError

    def add(self, top: _Folder, path: str, digest: bytes) -> None:
        """Put a file in."""
        folder, name = self._above(top, path)
        if name in folder.entries or name in folder.opened:
            raise _FallbackError
        folder.entries[name] = (FILE_KIND, digest)
