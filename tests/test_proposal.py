"""What a pull request would make of a branch: the plain merge, file by file."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from nodespec.errors import RegistryError
from nodespec.git import GitRepository
from nodespec.proposal import MergedTree, propose, propose_tree
from nodespec.tree import SYMLINK
from tests.lab import Odd, commit
from tests.simulator import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from nodespec.proposal import Proposal

START = {
    "registry/registry.yaml": b"r\n",
    "registry/a.yaml": b"a\n",
    "registry/sub/b.yaml": b"b\n",
    "schemas/c.json": b"{}\n",
    "docs/d.md": b"d\n",
}


class Fork:
    """A repository with one commit, from which two branches go."""

    def __init__(self, path: Path) -> None:
        self.repository = Repository.init(path, "--bare")
        self.git = GitRepository.open(str(path))
        self.start = self.commit(START)

    def commit(self, changes: dict[str, bytes | Odd | None], *parents: str) -> str:
        return commit(self.repository.path, changes, *parents)

    def propose(self, ours: dict[str, bytes | Odd | None], theirs: dict[str, bytes | Odd | None]) -> Proposal:
        base, head = self.commit(ours, self.start), self.commit(theirs, self.start)
        return propose(self.git, self.git.resolve(base), self.git.resolve(head))


@pytest.fixture
def fork(tmp_path: Path) -> Fork:
    return Fork(tmp_path / "repository")


def files(proposal: Proposal) -> dict[str, bytes]:
    return {entry.path: proposal.tree.read(entry) for entry in proposal.tree.entries}


def test_a_head_on_top_of_its_base_is_taken_as_it_is(fork: Fork) -> None:
    head = fork.commit({"registry/a.yaml": b"A\n", "docs/d.md": None, "registry/new.yaml": b"n\n"}, fork.start)
    proposal = propose(fork.git, fork.git.resolve(fork.start), fork.git.resolve(head))
    assert not proposal.is_merge
    assert proposal.paths == ("docs/d.md", "registry/a.yaml", "registry/new.yaml")
    assert (proposal.inside, proposal.outside) == (("registry/a.yaml", "registry/new.yaml"), ("docs/d.md",))
    assert files(proposal)["registry/a.yaml"] == b"A\n"
    assert propose_tree(fork.git, proposal.base, proposal.head.tree).changes == proposal.changes


SIDES = {
    "kept": None,
    "gone": {"registry/a.yaml": None},
    "one": {"registry/a.yaml": b"1\n"},
    "two": {"registry/a.yaml": b"2\n"},
}


@pytest.mark.parametrize(("ours", "theirs"), list(product(SIDES, SIDES)))
def test_what_one_side_changed_is_taken_and_what_both_did_collides(fork: Fork, ours: str, theirs: str) -> None:
    proposal = fork.propose(
        {"docs/x.md": b"x\n", **(SIDES[ours] or {})}, {"docs/y.md": b"y\n", **(SIDES[theirs] or {})}
    )
    collides = ours != theirs and "kept" not in (ours, theirs)
    assert proposal.is_merge
    assert proposal.conflicts == (("registry/a.yaml",) if collides else ())
    if collides:
        return
    told = ours if theirs == "kept" else theirs
    expected = {"kept": b"a\n", "gone": None, "one": b"1\n", "two": b"2\n"}[told]
    assert files(proposal).get("registry/a.yaml") == expected
    assert ("registry/a.yaml" in proposal.paths) == (theirs not in ("kept", ours))
    assert isinstance(proposal.tree, MergedTree)
    assert proposal.tree.differing(proposal.before) == [path for path in proposal.paths if path.startswith("registry")]
    assert proposal.tree.differing(fork.git.tree(proposal.head)) is None


def test_a_merged_tree_answers_like_any_other(fork: Fork) -> None:
    proposal = fork.propose(
        {"registry/sub/z.yaml": b"z\n", "docs/x.md": b"x\n"}, {"registry/sub/b.yaml": None, "registry/a.yaml": b"A\n"}
    )
    tree = proposal.tree
    listed = ["registry/a.yaml", "registry/registry.yaml", "registry/sub/z.yaml", "schemas/c.json"]
    assert [entry.path for entry in tree.entries] == listed
    assert tree.entry("registry/sub/b.yaml") is None
    assert [entry.path for entry in tree.below("registry/sub/")] == ["registry/sub/z.yaml"]
    assert [entry.path for entry in tree.below("docs/")] == ["docs/d.md", "docs/x.md"]
    (entry,) = (entry for entry in tree.entries if entry.path == "registry/a.yaml")
    assert (tree.read(entry), tree.size(entry)) == (b"A\n", 2)
    assert tree.label == f"commit {proposal.head.short} merged into {proposal.base.short}"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"registry/sub/b.yaml": None, "registry/sub": b"file\n"}, {"registry/sub/new.yaml": b"n\n"}),
        ({"registry/sub/new.yaml": b"n\n"}, {"registry/sub/b.yaml": None, "registry/sub": b"file\n"}),
        ({"registry/x": b"file\n"}, {"registry/x/y/z.yaml": b"z\n"}),
        ({"registry/x/y/z.yaml": b"z\n"}, {"registry/x": Odd(SYMLINK, b"sub")}),
    ],
)
def test_a_file_in_the_way_of_a_folder_collides(
    fork: Fork, ours: dict[str, bytes | Odd | None], theirs: dict[str, bytes | Odd | None]
) -> None:
    assert fork.propose(ours, theirs).conflicts != ()


def test_a_mode_is_a_change_like_any_other(fork: Fork) -> None:
    proposal = fork.propose({"docs/x.md": b"x\n"}, {"registry/a.yaml": Odd.executable(b"a\n")})
    assert proposal.paths == ("registry/a.yaml",)
    assert fork.propose({"registry/a.yaml": b"1\n"}, {"registry/a.yaml": Odd.executable(b"a\n")}).conflicts


def test_histories_without_a_common_beginning_cannot_be_judged(fork: Fork) -> None:
    stranger = fork.commit({"registry/a.yaml": b"x\n"})
    with pytest.raises(RegistryError, match="share no commit"):
        propose(fork.git, fork.git.resolve(fork.start), fork.git.resolve(stranger))


def test_what_is_odd_about_folders_on_the_way_is_told_wherever_it_is(fork: Fork) -> None:
    blob = fork.repository.blob(b"x\n")
    docs = fork.repository.raw_tree(("100644", b"a", blob), ("100644", b"a", blob))
    rows = fork.repository.git("ls-tree", fork.start).split("\n")
    entries = [(row.split()[0].lstrip("0"), row.split("\t")[1].encode(), row.split()[2]) for row in rows]
    tree = fork.repository.raw_tree(*[(mode, name, docs if name == b"docs" else oid) for mode, name, oid in entries])
    head = fork.repository.git("commit-tree", tree, "-p", fork.start, "-m", "x")
    proposal = propose(fork.git, fork.git.resolve(fork.start), fork.git.resolve(head))
    assert [(defect.path, "twice" in defect.what) for defect in proposal.defects] == [("docs/a", True)]
