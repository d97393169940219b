"""The registry as a listing: paths, modes and bytes, wherever they come from.

A :class:`Tree` is what every judgement starts from. It lists the files below ``registry/`` and
``schemas/`` and reads one when asked. Commits (:mod:`nodespec.commit`), checkouts
(:mod:`nodespec.worktree`) and plain mappings (:class:`MemoryTree`) all look the same from here on.

Paths are relative to the root, use ``/`` and are compared byte by byte. A node's id is its path::

    matriz.memory.adapter/memoria_adapter_v1
    registry/nodes/matriz/memory/adapter/memoria_adapter_v1.yaml

>>> node_path("matriz.memory.adapter/memoria_adapter_v1")
'registry/nodes/matriz/memory/adapter/memoria_adapter_v1.yaml'
>>> node_id("registry/nodes/matriz/memory/adapter/memoria_adapter_v1.yaml")
'matriz.memory.adapter/memoria_adapter_v1'
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from functools import cached_property
from hashlib import sha1
from typing import TYPE_CHECKING, NamedTuple, Protocol

from nodespec.encoding import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Progress = Callable[[int, int], None]
    """Is told how many of how many are done."""

REGISTRY = "registry"
SCHEMAS = "schemas"
ROOTS = (REGISTRY, SCHEMAS)
NODES = "registry/nodes/"
SETTINGS_PATH = "registry/registry.yaml"
TOMBSTONES = "registry/tombstones/"
OWNERS = "registry/owners/"
TRUST = "registry/trust/"
SEAL_PATH = "registry/seal.dsse.json"
WAIVERS_PATH = "registry/waivers.yaml"
POLICIES = "registry/policies/"
POLICY_SUFFIX = ".cel.yaml"
REGO_SUFFIX = ".rego"
ATTESTATION_SUFFIX = ".dsse.json"
NODE_SCHEMA_PATH = "schemas/nodespec.v1.schema.json"
SETTINGS_SCHEMA_PATH = "schemas/registry.v1.schema.json"
TOMBSTONE_SCHEMA_PATH = "schemas/tombstone.v1.schema.json"
POLICY_SCHEMA_PATH = "schemas/policy.v1.schema.json"
WAIVERS_SCHEMA_PATH = "schemas/waivers.v1.schema.json"

REGULAR = 0o100644
EXECUTABLE = 0o100755
SYMLINK = 0o120000
SUBMODULE = 0o160000
FOLDER = 0o040000
SPECIAL = 0
UNREADABLE = -1

MAX_FOLDER_DEPTH = 64
"""Deeper than any layout here needs; stops a tree that was built to exhaust the reader."""

MAX_TYPE_SEGMENTS = 8
"""Folders of a node type: deep enough to name a family, shallow enough to read aloud."""

SEGMENT_PATTERN = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
SEGMENT = re.compile(rf"{SEGMENT_PATTERN}\Z")
"""One part of a node type, or a name: 1 to 63 characters, as in a DNS label, with ``_`` allowed inside."""

DEVICE_NAMES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"] + [f"{port}{n}" for port in ("com", "lpt") for n in range(10)]
)
"""Names that Windows gives to devices, with any extension: a checkout there would fail or worse."""


class Entry(NamedTuple):
    """One file: its ``mode`` as Git writes it, and ``blob``, Git's object id (empty outside a commit)."""

    path: str
    mode: int
    blob: str = ""


class Defect(NamedTuple):
    """A tree object that no honest writer makes (duplicate, unsorted or forbidden names)."""

    path: str
    what: str


class Tree(Protocol):
    """A frozen listing of ``registry/`` and ``schemas/``.

    Other places of the repository can be asked about by name (:meth:`entry`, :meth:`below`); they are never listed.
    """

    @property
    def label(self) -> str:
        """What a person calls it: ``the work tree`` or ``commit 1a2b3c4d5e``."""

    @property
    def entries(self) -> Sequence[Entry]:
        """Every file, in byte order of the paths."""

    @property
    def defects(self) -> Sequence[Defect]:
        """What is malformed about the listing itself."""

    def entry(self, path: str) -> Entry | None:
        """Return the file at ``path`` as the listing has it, looking only at the folders on the way."""

    def below(self, folder: str) -> Sequence[Entry]:
        """Return the files at any depth in ``folder``, which ends in ``/``, in byte order, listing nothing else."""

    def differing(self, base: Tree) -> Sequence[str] | None:
        """Return the paths whose file is another in ``base``, in order; None when only looking at each file tells."""

    def size(self, entry: Entry) -> int:
        """Return the file's length in bytes, without reading it; raise ``OSError`` when that fails."""

    def read(self, entry: Entry) -> bytes:
        """Return the file's bytes; raise ``OSError`` when it cannot be read."""


class MemoryTree:
    """A tree from a mapping of path to bytes, for standard input and for tests."""

    def __init__(
        self,
        files: Mapping[str, bytes],
        label: str = "memory",
        modes: Mapping[str, int] | None = None,
        defects: Sequence[Defect] = (),
    ) -> None:
        self.files = files
        self.label = label
        self.modes = {} if modes is None else modes
        self.defects = defects

    @property
    def entries(self) -> Sequence[Entry]:
        """Every file, in byte order of the paths."""
        paths = sorted(self.files, key=path_bytes)
        return [Entry(path, self.modes.get(path, REGULAR)) for path in paths]

    def entry(self, path: str) -> Entry | None:
        """Return the file at ``path``."""
        return Entry(path, self.modes.get(path, REGULAR)) if path in self.files else None

    def below(self, folder: str) -> Sequence[Entry]:
        """Return the files at any depth in ``folder``."""
        return within(self.entries, folder)

    def differing(self, base: Tree) -> Sequence[str] | None:  # noqa: ARG002  # nothing is known of either
        """Return None: only looking at each file tells."""
        return None

    def size(self, entry: Entry) -> int:
        """Return the file's length in bytes."""
        return len(self.files[entry.path])

    def read(self, entry: Entry) -> bytes:
        """Return the file's bytes."""
        return self.files[entry.path]


class Overlay:
    """A tree with some files written over it, or taken out (None): what it would be after a change.

    What is not listed is asked of ``beside``, where that is given.
    """

    def __init__(
        self, under: Tree, files: Mapping[str, bytes | None], label: str = "", *, beside: Tree | None = None
    ) -> None:
        self.under = under
        self.files = files
        self.label = label or under.label
        self.beside = under if beside is None else beside

    def _holder(self, path: str) -> Tree:
        return self.under if is_listed(path) else self.beside

    @cached_property
    def entries(self) -> Sequence[Entry]:
        """Every file, in byte order of the paths."""
        kept = [entry for entry in self.under.entries if entry.path not in self.files]
        added = (entry for root in ROOTS for entry in self._written(f"{root}/"))
        return sorted([*kept, *added], key=lambda entry: path_bytes(entry.path))

    def entry(self, path: str) -> Entry | None:
        """Return the file at ``path``."""
        if path in self.files:
            return Entry(path, REGULAR) if self.files[path] is not None else None
        return self._holder(path).entry(path)

    def below(self, folder: str) -> Sequence[Entry]:
        """Return the files at any depth in ``folder``."""
        if is_listed(folder):
            return within(self.entries, folder)
        kept = [entry for entry in self._holder(folder).below(folder) if entry.path not in self.files]
        return sorted([*kept, *self._written(folder)], key=lambda entry: path_bytes(entry.path))

    def _written(self, folder: str) -> list[Entry]:
        there = (path for path, data in self.files.items() if data is not None and path.startswith(folder))
        return [Entry(path, REGULAR) for path in there]

    def differing(self, base: Tree) -> Sequence[str] | None:  # noqa: ARG002  # nothing is known of either
        """Return None: only looking at each file tells."""
        return None

    @property
    def defects(self) -> Sequence[Defect]:
        """Those of the tree below."""
        return self.under.defects

    def size(self, entry: Entry) -> int:
        """Return the file's length in bytes."""
        data = self.files.get(entry.path)
        return self._holder(entry.path).size(entry) if data is None else len(data)

    def read(self, entry: Entry) -> bytes:
        """Return the file's bytes."""
        data = self.files.get(entry.path)
        return self._holder(entry.path).read(entry) if data is None else data


def blob_id(data: bytes) -> str:
    r"""Return the id that Git gives to these bytes.

    >>> blob_id(b"hello\n")
    'ce013625030ba8dba906f756967f9e9ca394464a'
    """
    return object_id("blob", data)


def object_id(kind: str, data: bytes) -> str:
    """Return the id that Git gives to an object of this kind (``blob``, ``tree``, ``commit``, ``tag``)."""
    return sha1(b"%b %d\0%b" % (kind.encode("ascii"), len(data), data), usedforsecurity=False).hexdigest()


def path_bytes(path: str) -> bytes:
    """Return a path as Git stores it; undecodable bytes come through as lone surrogates (PEP 383)."""
    return path.encode("utf-8", "surrogateescape")


def is_listed(path: str) -> bool:
    """Say whether a path is one that a tree lists."""
    return path.partition("/")[0] in ROOTS


def folded(path: str) -> str:
    r"""Return what a path is to file systems that ignore case, what nobody sees, and dots and spaces at a name's end.

    >>> folded("Regis\u200ctry./Nodes/a.yaml")
    'registry/nodes/a.yaml'
    """
    names = unicodedata.normalize("NFC", re.sub(_UNSEEN, "", path)).casefold().split("/")
    return "/".join(name.rstrip(". ") or name for name in names)


_UNSEEN = f"[{HIDDEN}\u200c\u200d]"


def within(entries: Sequence[Entry], folder: str) -> Sequence[Entry]:
    """Return the entries in ``folder``, which ends in ``/``, out of a listing in byte order."""
    start = path_bytes(folder)
    first = bisect_left(entries, start, key=lambda entry: path_bytes(entry.path))
    last = bisect_left(entries, start[:-1] + b"0", lo=first, key=lambda entry: path_bytes(entry.path))
    return entries[first:last]


def changed_paths(base: Tree, head: Tree) -> tuple[str, ...]:
    """Return the paths whose file is not the same in both, in order.

    Equal blob ids are equal files, where they are known or can be told; anything else is compared byte by byte.
    """
    known = head.differing(base)
    if known is not None:
        return tuple(known)
    old, new = ({entry.path: entry for entry in tree.entries} for tree in (base, head))
    paths = sorted(old.keys() | new.keys(), key=path_bytes)
    return tuple(path for path in paths if not is_same(base, old.get(path), head, new.get(path)))


def is_same(base: Tree, old: Entry | None, head: Tree, new: Entry | None) -> bool:
    """Say whether what stands at one path is the same in both trees: there, with the same mode and the same bytes."""
    if old is None or new is None or old.mode != new.mode:
        return False
    if old.blob and new.blob:
        return old.blob == new.blob
    try:
        if old.blob:
            return old.blob == blob_id(head.read(new))
        return base.size(old) == head.size(new) and base.read(old) == head.read(new)
    except OSError:
        return False  # what cannot be read counts as changed; family T says why it cannot


def read_path(tree: Tree, path: str) -> bytes | None:
    """Return the bytes of the regular file at ``path``, or None when there is none."""
    entry = tree.entry(path)
    return tree.read(entry) if entry is not None and entry.mode in (REGULAR, EXECUTABLE) else None


def is_node_path(path: str) -> bool:
    """Say whether a path is where a NodeSpec lives."""
    return path.startswith(NODES) and path.endswith(".yaml")


def node_path(identifier: str) -> str:
    """Return where the node with this id lives."""
    node_type, _, name = identifier.rpartition("/")
    return f"{NODES}{node_type.replace('.', '/')}/{name}.yaml"


def is_tombstone_path(path: str) -> bool:
    """Say whether a path is where a tombstone stands."""
    return path.startswith(TOMBSTONES) and path.endswith(".yaml")


def tombstone_path(identifier: str) -> str:
    """Return where the tombstone of the node with this id stands."""
    return node_path(identifier).replace(NODES, TOMBSTONES, 1)


def is_policy_path(path: str) -> bool:
    """Say whether a path is where a governance policy stands."""
    return path.startswith(POLICIES) and path.endswith((POLICY_SUFFIX, REGO_SUFFIX))


def policy_name(path: str) -> str:
    """Return the name by which nodes refer to the policy at a path."""
    return path.removeprefix(POLICIES).removesuffix(POLICY_SUFFIX).removesuffix(REGO_SUFFIX)


def attestation_path(path: str) -> str:
    """Return where the attestation over a node's or a tombstone's file stands."""
    return path.removesuffix(".yaml") + ATTESTATION_SUFFIX


def node_id(path: str) -> str:
    """Return the id that a node's path stands for, or a tombstone's, or that of an attestation to one of them."""
    below = path.removeprefix(NODES).removeprefix(TOMBSTONES).removesuffix(".yaml").removesuffix(ATTESTATION_SUFFIX)
    folder, _, name = below.rpartition("/")
    return f"{folder.replace('/', '.')}/{name}"
