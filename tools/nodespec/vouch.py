"""The verification of a tree's attestations: one node's, or all of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nodespec import workers
from nodespec.attestation import Subject
from nodespec.errors import NodespecError
from nodespec.provenance import Provenance
from nodespec.reading import Unreadable, load, load_tombstone
from nodespec.tree import is_node_path
from nodespec.verification import Step, Verification

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from nodespec.settings import Settings
    from nodespec.tree import Progress, Tree


def verify_file(provenance: Provenance, path: str) -> Verification:
    """Verify the attestation of the node or the tombstone at ``path``; what cannot be read does not verify."""
    entry, data = provenance.entry(path), provenance.read(path)
    if entry is None or data is None:
        return Verification(steps=(Step("file", False, f"{path} is not a regular file"),))
    if is_node_path(path):
        node = load(provenance.tree, entry)
        if isinstance(node, Unreadable):
            return Verification(steps=(Step("file", False, f"line {node.line}: {node.reason}"),))
        return provenance.verify(Subject.of_node(node, data))
    try:
        return provenance.verify(Subject.of_tombstone(load_tombstone(provenance.tree, entry), data))
    except NodespecError as error:
        return Verification(steps=(Step("file", False, str(error)),))


def verify_all(
    provenance: Provenance, paths: Sequence[str], *, jobs: int = 1, progress: Progress | None = None
) -> list[Verification]:
    """Verify many, in the order of the paths and in up to ``jobs`` processes."""
    start = partial(_verifier, provenance.tree, provenance.settings, provenance.now)
    return workers.each(paths, partial(verify_file, provenance), jobs=jobs, progress=progress, start=start)


def _verifier(tree: Tree, settings: Settings, now: datetime) -> Callable[[str], Verification]:
    return partial(verify_file, Provenance(tree, settings, now))
