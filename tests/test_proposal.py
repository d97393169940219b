"""What a pull request would make of a branch: the plain merge, file by file."""

from __future__ import annotations

import subprocess
from itertools import product
from random import Random
from typing import TYPE_CHECKING

import pytest

from nodespec import commit as commit_module
from nodespec import likeness
from nodespec import proposal as proposal_module
from nodespec.errors import RegistryError
from nodespec.git import GitRepository
from nodespec.likeness import number
from nodespec.proposal import MergedTree, propose, propose_tree
from nodespec.tree import SYMLINK, is_listed
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

    def merged(self, proposal: Proposal) -> subprocess.CompletedProcess[str] | None:
        """Return what Git merges the two into (0), or that it cannot (1); None where it is older than the command."""
        command = ["git", "merge-tree", "--write-tree", proposal.base.id, proposal.head.id]
        done = subprocess.run(command, cwd=self.repository.path, capture_output=True, text=True)
        return done if done.returncode in (0, 1) else None


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
    assert [conflict.path for conflict in proposal.conflicts] == (["registry/a.yaml"] if collides else [])
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


TEXT = b"".join(b"line %d\n" % number for number in range(20))


FIRST, LAST = TEXT.replace(b"line 1\n", b"first\n"), TEXT.replace(b"line 18\n", b"last\n")
LATIN = TEXT.replace(b"line 9\n", b"caf\xe9\n")
LARGE = b"line\n" * 60_000

BOTH_CHANGED: dict[str, tuple[bytes | Odd | None, bytes | Odd, bytes | Odd, bool]] = {
    "lines far apart": (TEXT, FIRST, LAST, False),
    "the same line": (TEXT, FIRST, FIRST.replace(b"first", b"1st"), True),
    "binary": (TEXT, b"\0" + TEXT, TEXT + b"\0", True),
    "added by both": (None, FIRST, LAST, True),
    "not UTF-8": (LATIN, LATIN + b"more\n", b"more\n" + LATIN, False),
    "large": (LARGE, LARGE + b"more\n", b"more\n" + LARGE, False),
    "a mode and bytes": (TEXT, Odd.executable(TEXT), FIRST, False),
    "a mode and the same bytes": (TEXT, Odd.executable(FIRST), FIRST, False),
    "links": (Odd(SYMLINK, b"a"), Odd(SYMLINK, b"b"), Odd(SYMLINK, b"c"), True),
    "a link and a text": (TEXT, Odd(SYMLINK, b"b"), FIRST, True),
    "two modes": (TEXT, Odd.executable(TEXT), Odd(SYMLINK, b"b"), True),
}


@pytest.mark.parametrize("name", BOTH_CHANGED)
def test_outside_of_the_registry_only_what_git_cannot_merge_collides(fork: Fork, name: str) -> None:
    there, ours, theirs, certain = BOTH_CHANGED[name]
    fork.start = fork.commit({"docs/x": there, "registry/x": there}, fork.start)
    for path in ("docs/x", "registry/x"):
        proposal = fork.propose({path: ours}, {path: theirs})
        assert [(one.path, one.certain) for one in proposal.conflicts] == [(path, certain)]
    merged = fork.merged(proposal)
    if merged is not None:  # None: a Git from before 2.38 cannot tell
        assert (merged.returncode != 0) == certain


@pytest.mark.parametrize("swapped", [False, True])
def test_a_file_that_was_moved_takes_no_change_along(fork: Fork, swapped: bool) -> None:
    """Git would carry the change of docs/draft.yaml to where the other side moved it: into the registry."""
    fork.start = fork.commit({"docs/draft.yaml": TEXT}, fork.start)
    moved = {"docs/draft.yaml": None, "registry/moved.yaml": TEXT}
    edited = {"docs/draft.yaml": TEXT + b"more\n"}
    proposal = fork.propose(edited, moved) if swapped else fork.propose(moved, edited)
    (conflict,) = proposal.conflicts
    assert (conflict.path, conflict.certain) == ("docs/draft.yaml", False)
    assert conflict.reach == ("registry/moved.yaml",)
    assert "moved this file, it seems" in conflict.what
    merged = fork.merged(proposal)
    if merged is not None:
        assert merged.returncode == 0
        listed = fork.repository.git("ls-tree", "-r", merged.stdout.strip(), "registry/moved.yaml")
        assert listed.split()[2] == fork.repository.blob(edited["docs/draft.yaml"])


@pytest.mark.parametrize("swapped", [False, True])
def test_a_folder_that_was_moved_takes_no_new_file_along(fork: Fork, swapped: bool) -> None:
    fork.start = fork.commit({"drafts/a/one.yaml": TEXT}, fork.start)
    moved = {"drafts/a/one.yaml": None, "registry/drafts/one.yaml": TEXT}
    added = {"drafts/a/deep/two.yaml": b"2\n"}
    (conflict,) = (fork.propose(added, moved) if swapped else fork.propose(moved, added)).conflicts
    assert conflict.path == "drafts/a/deep/two.yaml"
    assert "moved, it seems" in conflict.what
    assert fork.propose({"drafts/a/three.yaml": b"3\n"}, added).conflicts == ()
    gone: dict[str, bytes | Odd | None] = {"drafts/a/one.yaml": None}
    assert fork.propose(gone, added).conflicts == fork.propose(added, gone).conflicts == (), "moved to nowhere"

    replaced = gone | {"drafts/b/one.yaml": b"another text\n" * 20}
    assert fork.propose(replaced, added).conflicts == fork.propose(added, replaced).conflicts == (), "nor into that"


def test_what_is_gone_and_was_moved_nowhere_cannot_be_merged(fork: Fork) -> None:
    """Whoever adds no file like it has not moved it."""
    fork.start = fork.commit({"docs/d.md": TEXT}, fork.start)
    gone: dict[str, bytes | Odd | None] = {"docs/d.md": None, "registry/new.yaml": b"another text\n" * 20}
    edited: dict[str, bytes | Odd | None] = {"docs/d.md": FIRST}
    for one, other in ((gone, edited), (edited, gone)):
        proposal = fork.propose(one, other)
        assert [(conflict.path, conflict.certain) for conflict in proposal.conflicts] == [("docs/d.md", True)]
        assert (merged := fork.merged(proposal)) is None or merged.returncode == 1


def test_a_file_that_both_sides_moved_is_named_unless_it_is_in_one_place(fork: Fork) -> None:
    fork.start = fork.commit({"docs/d.md": TEXT}, fork.start)
    here, there = ({"docs/d.md": None, f"docs/{name}.md": FIRST} for name in ("here", "there"))
    (conflict,) = fork.propose(here, there).conflicts
    assert (conflict.path, conflict.certain, set(conflict.reach)) == (
        "docs/d.md",
        False,
        {"docs/here.md", "docs/there.md"},
    )
    assert fork.propose(here, dict(here)).conflicts == ()
    assert fork.propose(here, {"docs/d.md": None}).conflicts[0].path == "docs/d.md"
    assert fork.propose({"docs/d.md": None, "docs/x.md": b"x\n"}, {"docs/d.md": None}).conflicts == ()


PLACES = ("docs", "docs/in", "src", "registry/nodes/x", "registry/policies", "schemas")
SAYINGS = [b"".join(b"%d says %d\n" % (number, line) for line in range(20)) for number in range(4)]


class Chance:
    """Trees, and what people do to them: edit, add, remove, and move files and folders."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def path(self) -> str:
        return f"{self.random.choice(PLACES)}/{self.random.choice('fgh')}"

    def tree(self) -> dict[str, bytes | Odd | None]:
        return {self.path(): self.random.choice(SAYINGS) for _ in range(self.random.randrange(2, 8))}

    def changed(self, tree: dict[str, bytes | Odd | None]) -> dict[str, bytes | Odd | None]:
        """Return what is different after a few changes; a path that is gone is None."""
        after = dict(tree)
        for _ in range(self.random.randrange(1, 5)):
            path, act = self.random.choice([*after, self.path()]), self.random.randrange(6)
            data = after.get(path)
            if act == 0 or not isinstance(data, bytes):
                after[self.path()] = self.random.choice(SAYINGS)
            elif act == 1:
                after[path] = self.random.choice([data + b"the end\n", b"the title\n" + data, Odd.executable(data)])
            elif act == 2:
                del after[path]
            elif act == 3:
                after[self.path()] = after.pop(path)
            else:
                old, new = path.rpartition("/")[0], self.random.choice((*PLACES, "docs/new", "registry/nodes/y"))
                for name in [name for name in after if name.startswith(f"{old}/")]:
                    after[new + name.removeprefix(old)] = after.pop(name)
        return dict.fromkeys(tree.keys() - after.keys()) | {
            path: data for path, data in after.items() if tree.get(path) != data
        }


@pytest.mark.parametrize("seed", range(8))
def test_git_merges_nothing_into_the_registry_but_what_is_judged(fork: Fork, seed: int) -> None:
    """Whatever Git merges without a conflict is, in the registry, what the proposal says; or that says where not."""
    chance = Chance(seed)
    start, judged = fork.start, 0
    for _ in range(25):
        tree = chance.tree()
        fork.start = fork.commit(tree, start)
        proposal = fork.propose(chance.changed(tree), chance.changed(tree))
        open_to_git = [conflict for conflict in proposal.conflicts if not conflict.certain]
        reached = [path for conflict in open_to_git for path in (conflict.path, *conflict.reach)]
        if len(open_to_git) < len(proposal.conflicts) or any(map(is_listed, reached)):
            continue  # refused
        merged = fork.merged(proposal)
        if merged is None:
            pytest.skip("this Git is from before 2.38")
        if merged.returncode == 0:
            judged += 1
            listed = fork.repository.git("ls-tree", "-r", merged.stdout.split()[0], "registry", "schemas").splitlines()
            found = {row.partition("\t")[2]: (int(row.split()[0], 8), row.split()[2]) for row in listed}
            assert found == {entry.path: (entry.mode, entry.blob) for entry in proposal.tree.entries}
    assert judged >= 3, "most of what people do can be merged"


START_OF_BOTH = b"tier: 1\n" + b"in both\n" * 5


def lookalikes(count: int) -> tuple[bytes, bytes]:
    """Return two texts that share no line, and that Git takes for one: it knows a line by a small number."""
    known: dict[int, bytes] = {}
    pairs: list[tuple[bytes, bytes]] = []
    for letters in product(b"abcdefghijklmnopqrstuvwxyz", repeat=4):
        line = bytes(letters) + b"\n"
        first = known.pop(number(line), None)
        if first is None:
            known[number(line)] = line
        else:
            pairs.append((first, line))
        if len(pairs) == count:
            break
    one, other = (b"".join(lines) for lines in zip(*pairs, strict=True))
    return one, other


@pytest.mark.parametrize("swapped", [False, True])
def test_a_file_that_only_git_takes_for_another_is_followed_as_git_does(fork: Fork, swapped: bool) -> None:
    one, other = lookalikes(60)
    fork.start = fork.commit({"docs/draft.yaml": START_OF_BOTH + one}, fork.start)
    decoy = b"".join(one.splitlines(keepends=True)[:20]) + b"x\n" * 100
    moved = {"docs/draft.yaml": None, "registry/moved.yaml": START_OF_BOTH + other, "docs/decoy.yaml": decoy}
    edited: dict[str, bytes | Odd | None] = {"docs/draft.yaml": START_OF_BOTH.replace(b"1", b"5") + one}
    proposal = fork.propose(edited, moved) if swapped else fork.propose(moved, edited)
    (conflict,) = proposal.conflicts
    assert "registry/moved.yaml" in conflict.reach
    merged = fork.merged(proposal)
    if merged is not None:
        assert merged.returncode == 0
        tree = merged.stdout.split()[0]
        assert fork.repository.git("show", f"{tree}:registry/moved.yaml").startswith("tier: 5")


def test_nobody_compares_for_ever(fork: Fork, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then what is gone and was changed is a conflict, and a folder that is gone has moved."""
    monkeypatch.setattr(likeness, "MOST", 1_000)
    drafts: dict[str, bytes | Odd | None] = {f"docs/old/{number}": b"%d\n" % number for number in range(50)}
    fork.start = fork.commit(drafts, fork.start)
    many: dict[str, bytes | Odd | None] = {f"docs/new/{number}": b"new %d\n" % number * 9 for number in range(50)}
    moved = dict.fromkeys(drafts) | many
    (conflict,) = fork.propose(moved, {"docs/old/more": b"x\n"}).conflicts
    assert conflict.path == "docs/old/more"
    found = fork.propose(dict.fromkeys(drafts), moved | {"docs/old/7": b"7 more\n"}).conflicts
    assert [(one.path, one.certain) for one in found if one.path == "docs/old/7"] == [("docs/old/7", True)]
    (conflict,) = fork.propose(moved, {"docs/old/49": b"49 more\n"}).conflicts
    assert "more than can be compared" in conflict.what


def test_a_mode_is_a_change_like_any_other(fork: Fork) -> None:
    proposal = fork.propose({"docs/x.md": b"x\n"}, {"registry/a.yaml": Odd.executable(b"a\n")})
    assert proposal.paths == ("registry/a.yaml",)
    assert fork.propose({"registry/a.yaml": b"1\n"}, {"registry/a.yaml": Odd.executable(b"a\n")}).conflicts


def test_base_may_change_more_than_a_proposal(fork: Fork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposal_module, "MOST", 20)
    many: dict[str, bytes | Odd | None] = {f"docs/{number}.md": b"x\n" for number in range(30)}
    assert fork.propose(many, {"docs/d.md": b"D\n"}).paths == ("docs/d.md",)
    with pytest.raises(RegistryError, match="more than 20 files and folders"):
        fork.propose({"docs/d.md": b"D\n"}, many)
    monkeypatch.setattr(commit_module, "MOST_CHANGED", 20)
    with pytest.raises(RegistryError, match="more than 20 files and folders") as caught:
        fork.propose(many, {"docs/d.md": b"D\n"})
    assert "rebase the change onto" in (caught.value.hint or "")


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
