"""What a tree is judged by: its schemas, settings and waivers; and the rules that need only its listing.

All of it is read before any node is. A criterion that cannot be used is a finding, and grants nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodespec import rules, schema, settings, waiver
from nodespec.commit import CommitTree
from nodespec.examiner import finding, shape_findings, text_findings, unreadable
from nodespec.finding import Hit
from nodespec.reading import read_checked, read_document
from nodespec.rules.node import Surroundings
from nodespec.rules.tree import BROKEN_CONTRACT, UNREADABLE_FILE
from nodespec.schema import Contract
from nodespec.tree import (
    EXECUTABLE,
    NODE_SCHEMA_PATH,
    POLICIES,
    POLICY_SCHEMA_PATH,
    REGULAR,
    SETTINGS_PATH,
    SETTINGS_SCHEMA_PATH,
    TOMBSTONE_SCHEMA_PATH,
    UNREADABLE,
    WAIVERS_PATH,
    WAIVERS_SCHEMA_PATH,
    Entry,
    is_policy_path,
    policy_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodespec.finding import Finding
    from nodespec.settings import Settings
    from nodespec.tree import Tree
    from nodespec.waiver import Waiver

    Contracts = dict[str, tuple[Contract, ...]]
    """For each kind of document, by the path of its contract, all of those that must accept it."""

MAX_CONTRACT = 1 << 20
"""Bytes of a JSON Schema beyond which it is not read."""

_OPTIONAL = (TOMBSTONE_SCHEMA_PATH, WAIVERS_SCHEMA_PATH, POLICY_SCHEMA_PATH)
"""Contracts that a registry need not carry: those of files that it may do without."""


def listing_findings(tree: Tree) -> Iterator[Finding]:
    """Run family T on a listing."""
    if not tree.entries and not tree.defects:
        return
    for entry in rules.families_of("T"):
        assert entry.check is not None
        for hit in entry.check(tree):
            yield finding(entry.code, hit, hit.path)
    for item in tree.entries:
        if item.mode == UNREADABLE:
            yield finding(UNREADABLE_FILE.code, Hit(message="the folder cannot be opened"), item.path)


def contracts_of(tree: Tree) -> tuple[Contracts, list[Finding]]:
    """Return the contracts that apply: the tree's own, and the tool's where the two differ.

    A registry may narrow its contract. It cannot widen what this code relies on, so both must accept.
    """
    contracts: Contracts = {}
    findings = []
    if isinstance(tree, CommitTree):
        read = (NODE_SCHEMA_PATH, SETTINGS_SCHEMA_PATH, *_OPTIONAL, SETTINGS_PATH, WAIVERS_PATH)
        tree.prefetch(entry for entry in map(tree.entry, read) if entry is not None)
    for path in (NODE_SCHEMA_PATH, SETTINGS_SCHEMA_PATH, *_OPTIONAL):
        own = (schema.builtin(path),)
        entry = _readable(tree, path)
        if entry is None:
            if path in _OPTIONAL:
                contracts[path] = own
            continue
        try:
            if tree.size(entry) > MAX_CONTRACT:
                raise ValueError(f"it has {tree.size(entry):,} bytes; the limit is {MAX_CONTRACT:,}")
            data = tree.read(entry)
            contracts[path] = own if data == own[0].data else (Contract(data), *own)
        except OSError as error:
            findings.append(unreadable(path, error))
        except ValueError as error:
            findings.append(finding(BROKEN_CONTRACT.code, Hit(message=f"the schema cannot be used: {error}"), path))
    return contracts, findings


def both(head: Contracts, base: Contracts) -> Contracts:
    """Return what must accept a document on trial: what head's contracts are, and what base's were."""
    return {
        path: tuple({contract.data: contract for contract in (*own, *base.get(path, ()))}.values())
        for path, own in head.items()
    }


def _readable(tree: Tree, path: str) -> Entry | None:
    entry = tree.entry(path)
    return entry if entry is not None and entry.mode in (REGULAR, EXECUTABLE) else None


def settings_of(tree: Tree, contracts: Contracts) -> tuple[Settings | None, list[Finding]]:
    """Return a tree's settings; None, and what is wrong with them, when they cannot be used."""
    value, findings = _checked(tree, SETTINGS_PATH, contracts.get(SETTINGS_SCHEMA_PATH, ()))
    return None if value is None else settings.from_value(value), findings


def _checked(tree: Tree, path: str, contracts: Sequence[Contract]) -> tuple[dict[str, Any] | None, list[Finding]]:
    """Return the value of a document that fulfils its contracts; None, and what is wrong, when it does not."""
    entry = _readable(tree, path)
    if entry is None or not contracts:
        return None, []
    try:
        text = read_document(tree, entry)
    except OSError as error:
        return None, [unreadable(path, error)]
    findings = text_findings(path, text)
    if text.value is not None:
        findings += shape_findings(path, text, contracts)
    return (None, findings) if findings or text.value is None else (text.value, [])


def waivers_of(tree: Tree, contracts: Contracts) -> tuple[tuple[Waiver, ...], list[Finding]]:
    """Return a tree's waivers, and what is wrong with the file; a file that cannot be used waives nothing."""
    value, findings = _checked(tree, WAIVERS_PATH, contracts.get(WAIVERS_SCHEMA_PATH, ()))
    return () if value is None else waiver.from_value(value), findings


def believed_settings(base: Tree | None) -> Settings | None:
    """Return a base's own settings; raise ``RegistryError`` when it has none."""
    if base is None:
        return None
    return settings.from_value(read_checked(base, SETTINGS_PATH, SETTINGS_SCHEMA_PATH))


def surroundings_of(knobs: Settings | None, tree: Tree) -> Surroundings | None:
    """Return what a rule about one node may know of its registry; None without settings."""
    if knobs is None:
        return None
    paths = [entry.path for entry in tree.below(POLICIES) if _readable(tree, entry.path)]
    return Surroundings(settings=knobs, policies=frozenset(policy_name(path) for path in paths if is_policy_path(path)))
