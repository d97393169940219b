"""Family T: the listing itself, before any file is opened."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nodespec.encoding import quoted
from nodespec.finding import Hit
from nodespec.rule import Rule, declare, rule
from nodespec.tree import (
    DEVICE_NAMES,
    EXECUTABLE,
    MAX_TYPE_SEGMENTS,
    NODE_SCHEMA_PATH,
    NODES,
    POLICIES,
    POLICY_SUFFIX,
    REGO_SUFFIX,
    REGULAR,
    SCHEMAS,
    SEGMENT,
    SETTINGS_PATH,
    SETTINGS_SCHEMA_PATH,
    SUBMODULE,
    SYMLINK,
    UNREADABLE,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodespec.tree import Tree

_HOMES = (
    "registry/registry.yaml, registry/nodes/<type>/<name>.yaml (with <name>.dsse.json), registry/tombstones/, "
    "registry/owners/, registry/trust/, registry/policies/<name>.cel.yaml (or .rego), registry/waivers.yaml, "
    "registry/seal.dsse.json, schemas/<name>.json"
)
NEEDED = (SETTINGS_PATH, NODE_SCHEMA_PATH, SETTINGS_SCHEMA_PATH)
"""Files without which a registry cannot be judged."""

_SINGLE_FILES = frozenset([SETTINGS_PATH, "registry/waivers.yaml", "registry/seal.dsse.json"])
_RECORD = re.compile(r"registry/(owners/[0-9a-f]{64}|trust)/[0-9]{4}\.dsse\.json\Z")
_POLICY = re.compile(rf"{POLICIES}[a-z0-9][a-z0-9_.-]*({re.escape(POLICY_SUFFIX)}|{re.escape(REGO_SUFFIX)})\Z")
_TYPED_FOLDERS = (NODES, "registry/tombstones/")
_TYPED_SUFFIXES = (".yaml", ".dsse.json")


@rule(
    "T001",
    "unexpected-file",
    why=(
        "A file in a place with no meaning is either lost work (a node with the wrong suffix) or something "
        "smuggled in. Derived files are never committed: they conflict and go stale."
    ),
    fix=f"Move it to where it belongs or delete it. Files have a place at: {_HOMES}.",
)
def unexpected_file(tree: Tree) -> Iterator[Hit]:
    """Every file under registry/ has a place in the layout."""
    for entry in tree.entries:
        if entry.mode != UNREADABLE and not _has_a_place(entry.path):
            near = " (a node's file ends in .yaml)" if entry.path.endswith(".yml") else ""
            yield Hit(message=f"no file of the registry belongs here{near}", path=entry.path)


def _has_a_place(path: str) -> bool:
    if path in _SINGLE_FILES:
        return True
    if path.startswith(_TYPED_FOLDERS):
        return path.endswith(_TYPED_SUFFIXES) and path.count("/") >= 3
    if path.startswith(POLICIES):
        return bool(_POLICY.match(path))
    return bool(_RECORD.match(path)) or (path.startswith(f"{SCHEMAS}/") and path.endswith(".json"))


@rule(
    "T002",
    "not-a-regular-file",
    why=(
        "A symbolic link or a submodule shows one thing to a reviewer and another to a machine, and can point "
        "outside the repository."
    ),
    fix="Replace it by a file with the content itself.",
)
def not_a_regular_file(tree: Tree) -> Iterator[Hit]:
    """Only regular files."""
    kinds = {SYMLINK: "a symbolic link", SUBMODULE: "a submodule, another repository"}
    for entry in tree.entries:
        if entry.mode not in (REGULAR, EXECUTABLE, UNREADABLE) and (entry.mode & 0o170000) != 0o100000:
            kind = kinds.get(entry.mode, "neither a file nor a folder")
            yield Hit(message=f"this is {kind}; expected a regular file", path=entry.path)


@rule(
    "T003",
    "wrong-mode",
    why=(
        "Specs are data. An executable one is an accident at best, and a mode-only change is invisible in most reviews."
    ),
    fix="Run: git update-index --chmod=-x FILE (and chmod 644 FILE)",
)
def wrong_mode(tree: Tree) -> Iterator[Hit]:
    """Only mode 100644."""
    for entry in tree.entries:
        if (entry.mode & 0o170000) == 0o100000 and entry.mode != REGULAR:
            yield Hit(message=f"the file's mode is {entry.mode:o}; expected 100644", path=entry.path)


@rule(
    "T004",
    "bad-segment",
    why="The path is the id, and ids are compared, quoted and used as file names on every system.",
    fix=(
        f"Use 1 to {MAX_TYPE_SEGMENTS} folders; each, and the name, 1 to 63 of a-z 0-9 _ -, "
        "with a letter or digit at both ends."
    ),
)
def bad_segment(tree: Tree) -> Iterator[Hit]:
    """A typed path consists of good segments."""
    for path, segments in _typed_paths(tree):
        bad = next((segment for segment in segments if not SEGMENT.match(segment)), None)
        if bad is not None:
            yield Hit(message=f"{quoted(bad)} is not a segment of an id", path=path)
        elif len(segments) - 1 > MAX_TYPE_SEGMENTS:
            yield Hit(message=f"the type has {len(segments) - 1} segments; at most {MAX_TYPE_SEGMENTS}", path=path)


def _typed_paths(tree: Tree) -> Iterator[tuple[str, list[str]]]:
    for entry in tree.entries:
        for folder in _TYPED_FOLDERS:
            if entry.path.startswith(folder) and entry.path.endswith(_TYPED_SUFFIXES) and entry.path.count("/") >= 3:
                name = entry.path.removeprefix(folder).removesuffix(".yaml").removesuffix(".dsse.json")
                yield entry.path, name.split("/")


@rule(
    "T005",
    "device-name",
    why="Windows gives these names to devices, with any suffix: the repository could not be checked out there.",
    fix="Choose another name.",
)
def device_name(tree: Tree) -> Iterator[Hit]:
    """No part of a path is a device's name."""
    for entry in tree.entries:
        for part in entry.path.split("/"):
            stem = part.partition(".")[0].rstrip(" ").lower()
            if stem in DEVICE_NAMES:
                yield Hit(message=f"{quoted(part)} is the device {stem} to Windows", path=entry.path)
                break


@rule(
    "T006",
    "case-fold-twins",
    why="On a file system that ignores case, one of the two overwrites the other at checkout.",
    fix="Rename one of them.",
)
def case_fold_twins(tree: Tree) -> Iterator[Hit]:
    """No two paths, or folders on the way, differ in case only."""
    first_spelling: dict[str, str] = {}
    known: set[str] = set()
    for entry in tree.entries:
        part = entry.path
        while part and part not in known:
            known.add(part)
            first = first_spelling.setdefault(part.casefold(), part)
            if first != part:
                yield Hit(message=f"this and {first} are one to a file system that ignores case", path=entry.path)
                break
            part = part.rpartition("/")[0]


@rule(
    "T007",
    "malformed-tree",
    why=(
        "Git stores what it is given: a name twice, out of order, or leading outside. Readers then disagree "
        "about what the commit holds."
    ),
    fix="Make the commit again with git itself; git fsck shows more.",
)
def malformed_tree(tree: Tree) -> Iterator[Hit]:
    """The tree objects are what an honest writer makes."""
    for defect in tree.defects:
        yield Hit(message=defect.what, path=defect.path)


@rule(
    "T008",
    "missing-file",
    why="Without its settings and contracts a registry cannot be judged, and what was not judged has not passed.",
    fix="Restore it from history, or copy it from a registry made by: nodespec init DIR",
)
def missing_file(tree: Tree) -> Iterator[Hit]:
    """The settings and both contracts exist."""
    paths = {entry.path for entry in tree.entries}
    for path in NEEDED:
        if path not in paths:
            yield Hit(message="the file is missing; a registry needs it", path=path)


UNREADABLE_FILE = declare(
    Rule(
        code="T009",
        slug="unreadable-file",
        severity="error",
        why="What cannot be read was not checked, and what was not checked has not passed.",
        fix="Give the current user the right to read it; in a partial clone, fetch the missing objects.",
    )
)

BROKEN_CONTRACT = declare(
    Rule(
        code="T010",
        slug="broken-contract",
        severity="error",
        why="A schema that cannot be used would let every spec pass, or make judging one reach out to another machine.",
        fix=(
            "Restore it from history. A registry may narrow its contract; it must stay a JSON Schema of draft "
            "2020-12 without references to elsewhere."
        ),
    )
)
