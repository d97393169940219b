r"""The list of a commit's files, and its root: what a checkpoint is about.

The same bytes on any machine from the same commit, because it is made from Git's objects alone::

    nodespec-manifest/v1
    root 5f0c…                                       64 hex digits, see nodespec.merkle
    files 2
    100644 812 9a1f… registry/registry.yaml          mode, size in bytes, SHA-256, path
    100644 6120 77b2… schemas/nodespec.v1.schema.json

Lines end with ``\n``; files stand in byte order of their paths and cover everything below
``registry/`` and ``schemas/``. Only regular files of mode 100644 can be listed, and no path may hold a
control character: a tree with anything else has no manifest. Reading is exact: what :func:`parse`
accepts, :meth:`Manifest.dump` gives back byte for byte.

>>> text = Manifest.of({"registry/a.yaml": b"a: 1\n"}).dump()
>>> text.splitlines()[3].decode()
'100644 5 37b128c59f1f5097f73f82691cb519f1f568667faab5ced1b4ab979d36837eae registry/a.yaml'
>>> parse(text).dump() == text
True
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from nodespec import merkle
from nodespec.encoding import printable
from nodespec.errors import RegistryError
from nodespec.tree import REGULAR, path_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nodespec.merkle import Entries
    from nodespec.tree import Entry, Tree

HEADER = "nodespec-manifest/v1"

_LINE = re.compile(r"100644 (0|[1-9][0-9]{0,18}) ([0-9a-f]{64}) ([^\x00-\x1f\x7f]+)\Z")


class ManifestFile(NamedTuple):
    """One file: its path, length in bytes, and hex SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The files of one commit, in byte order of the paths."""

    files: tuple[ManifestFile, ...]

    @classmethod
    def of(cls, contents: Mapping[str, bytes]) -> Manifest:
        """Return the manifest of files given as path → bytes."""
        paths = sorted(contents, key=path_bytes)
        return cls(tuple(ManifestFile(path, len(contents[path]), sha256(contents[path]).hexdigest()) for path in paths))

    @cached_property
    def folders(self) -> tuple[tuple[bytes, Entries], ...]:
        """The digest and the entries of each folder (:mod:`nodespec.merkle`), the root last."""
        return tuple(merkle.folders({file.path: bytes.fromhex(file.sha256) for file in self.files}))

    @property
    def root(self) -> str:
        """The hex Merkle root over the folders."""
        return self.folders[-1][0].hex()

    def dump(self) -> bytes:
        """Return the manifest's text."""
        lines = [HEADER, f"root {self.root}", f"files {len(self.files)}"]
        lines += [f"100644 {file.size} {file.sha256} {file.path}" for file in self.files]
        return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def of_tree(tree: Tree) -> Manifest:
    """Return the manifest of a tree; raise ``RegistryError`` when the tree cannot have one."""
    if tree.defects:
        defect = tree.defects[0]
        raise _no_manifest(tree, defect.path, defect.what)
    files = []
    for entry in tree.entries:
        obstacle = why_not_listed(entry)
        if obstacle:
            raise _no_manifest(tree, entry.path, obstacle)
        try:
            data = tree.read(entry)
        except OSError as error:
            raise _no_manifest(tree, entry.path, str(error)) from None
        files.append(ManifestFile(entry.path, len(data), sha256(data).hexdigest()))
    return Manifest(tuple(files))


def why_not_listed(entry: Entry) -> str:
    """Return why a file has no place in a manifest; empty when it has one."""
    if entry.mode != REGULAR:
        return "only regular files of mode 100644 can be listed"
    if not _LINE.match(f"100644 0 {'0' * 64} {entry.path}"):
        return "the path holds a control character"
    return ""


def _no_manifest(tree: Tree, path: str, why: str) -> RegistryError:
    return RegistryError(f"{tree.label} has no manifest: {printable(path)}: {why}", hint="run: nodespec validate")


def parse(data: bytes) -> Manifest:
    """Read a manifest's text; raise ``ValueError`` when it is not exactly what :meth:`Manifest.dump` writes."""
    files = []
    for line in data.decode("utf-8", "surrogateescape").split("\n")[3:-1]:
        match = _LINE.match(line)
        if not match:
            raise ValueError("not a manifest: a line is malformed")
        files.append(ManifestFile(match[3], int(match[1]), match[2]))
    if any(path_bytes(one.path) >= path_bytes(other.path) for one, other in pairwise(files)):
        raise ValueError("not a manifest: the files are out of order, or one stands twice")
    manifest = Manifest(tuple(files))
    if manifest.dump() != data:
        raise ValueError("not a manifest: header, root, count or order is wrong")
    return manifest
