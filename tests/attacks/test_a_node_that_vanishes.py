"""Making a node disappear.

Mallory deletes a guard's file and its attestation. Nothing is left that could be wrong, so the tree by itself is in
order, and the name is free for her. The base shows what is missing; leaving takes a tombstone that the owner signs.
"""

from __future__ import annotations

import pytest

from nodespec.judge import judge
from nodespec.tree import EXECUTABLE, SYMLINK, MemoryTree, attestation_path, node_path
from tests.society import NOW, Society, verdict

CACHE, OTHER, PLOT = "lab.memory/cache", "lab.memory/other", "garden/plot"


def peopled() -> tuple[Society, str]:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    society.register(OTHER, by=society.ada)
    return society, path


def test_a_node_does_not_simply_vanish() -> None:
    society, path = peopled()
    base = society.tree()
    honest = society.fork()
    honest.deregister(CACHE)
    assert verdict(honest.tree(), base) == []
    society.remove(path)
    assert verdict(society.tree()) == []
    assert verdict(society.tree(), base) == [("C005", path)]


def test_a_file_alone_does_not_vanish_either() -> None:
    society, path = peopled()
    base = society.tree()
    del society.files[path]
    assert verdict(society.tree(), base) == [("P029", attestation_path(path)), ("C005", path)]


def test_every_one_of_many_is_missed() -> None:
    society, path = peopled()
    base = society.tree()
    other = node_path(OTHER)
    for gone in (path, other):
        society.remove(gone)
    assert verdict(society.tree(), base) == [("C005", path), ("C005", other)]


def test_a_tombstone_for_another_node_does_not_excuse_it() -> None:
    society, path = peopled()
    base = society.tree()
    society.deregister(OTHER)
    assert verdict(society.tree(), base) == []
    society.remove(path)
    assert verdict(society.tree(), base) == [("C005", path)]


def test_the_name_is_not_taken_over_in_the_same_step() -> None:
    """Mallory deletes Newt's node and puts her own in its place, in one change."""
    society = Society()
    path = society.register(PLOT, by=society.newt)
    base = society.tree()
    society.remove(path)
    mallory = society.join("Mallory")
    society.register(PLOT, by=mallory)
    assert verdict(society.tree()) == []
    assert verdict(society.tree(), base) == [("C002", path), ("C003", path)]


def test_the_folder_of_an_owner_does_not_vanish_with_the_last_node() -> None:
    society = Society()
    society.register(PLOT, by=society.newt)
    society.deregister(PLOT)
    base = society.tree()
    society.rotate(society.newt)
    assert verdict(society.tree(), base) == []
    for record in range(2):
        society.files.pop(society.newt.path(record))
    assert ("C004", society.newt.path(0)) in verdict(society.tree(), base)


@pytest.mark.parametrize("mode", [SYMLINK, EXECUTABLE])
def test_a_node_does_not_turn_into_something_else(mode: int) -> None:
    """A link in the file's place is no node any more; whoever only asks whether the path exists would not see it."""
    society, path = peopled()
    base = society.tree()
    assert judge(society.tree(), base=base, now=NOW).findings == ()
    report = judge(MemoryTree(society.files, modes={path: mode}), base=base, now=NOW)
    codes = {(item.code, item.path) for item in report.findings}
    assert ("T002" if mode == SYMLINK else "T003", path) in codes
    assert report.exit_code() == 1
