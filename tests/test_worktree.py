"""A checkout's files: what would be committed, without following links and without hanging on a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nodespec.git import GitRepository
from nodespec.tree import EXECUTABLE, REGULAR, SPECIAL, SUBMODULE, SYMLINK, UNREADABLE, read_path
from nodespec.worktree import WorkTree, find_root, git_folder, write_file
from tests.simulator import Repository


def modes(root: Path) -> dict[str, int]:
    return {entry.path: entry.mode for entry in WorkTree(str(root)).entries}


def put(root: Path, path: str, content: bytes = b"a: 1\n", mode: int = 0o644) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    file.chmod(mode)
    return file


def test_only_the_two_folders_are_listed_in_byte_order(tmp_path: Path) -> None:
    for name in (
        "registry/a/b.yaml",
        "registry/a-b.yaml",
        "registry/a0.yaml",
        "schemas/x.json",
        "README.md",
        "docs/a.yaml",
    ):
        put(tmp_path, name)
    assert list(modes(tmp_path)) == ["registry/a-b.yaml", "registry/a/b.yaml", "registry/a0.yaml", "schemas/x.json"]
    assert WorkTree(str(tmp_path)).defects == ()
    assert "work tree" in WorkTree(str(tmp_path)).label


def test_a_folder_without_a_registry_is_an_empty_tree(tmp_path: Path) -> None:
    assert modes(tmp_path) == {}
    assert modes(tmp_path / "absent") == {}


def test_a_checkout_lists_what_its_commit_lists(tmp_path: Path) -> None:
    repo = Repository.init(tmp_path / "repo")
    repo.write("registry/a.yaml", "a: 1\n")
    repo.write("registry/a/b c.yaml", "é: 1\n")
    repo.write("registry/run.yaml", "a: 1\n", mode=0o755)
    repo.write(os.fsdecode(b"registry/\xff.yaml"), "a: 1\n")
    repo.link("schemas/link.json", "../registry/a.yaml")
    repo.commit()
    git = GitRepository.open(str(repo.path))
    committed = git.tree(git.resolve("HEAD"))
    checkout = WorkTree(str(repo.path))
    assert [(entry.path, entry.mode) for entry in checkout.entries] == [
        (entry.path, entry.mode) for entry in committed.entries
    ]
    for here, there in zip(checkout.entries, committed.entries, strict=True):
        assert checkout.size(here) == committed.size(there)
        if here.mode != SYMLINK:
            assert checkout.read(here) == committed.read(there)


def test_modes_are_told_apart(tmp_path: Path) -> None:
    put(tmp_path, "registry/plain.yaml", mode=0o600)
    put(tmp_path, "registry/run.yaml", mode=0o744)
    (tmp_path / "registry/link.yaml").symlink_to("plain.yaml")
    (tmp_path / "registry/broken.yaml").symlink_to("absent")
    os.mkfifo(tmp_path / "registry/pipe.yaml")
    assert modes(tmp_path) == {
        "registry/plain.yaml": REGULAR,
        "registry/run.yaml": EXECUTABLE,
        "registry/link.yaml": SYMLINK,
        "registry/broken.yaml": SYMLINK,
        "registry/pipe.yaml": SPECIAL,
    }


def test_a_link_to_a_folder_is_listed_and_not_followed(tmp_path: Path) -> None:
    put(tmp_path, "outside/secret.yaml")
    put(tmp_path, "registry/a.yaml")
    (tmp_path / "registry/nodes").symlink_to(tmp_path / "outside")
    assert modes(tmp_path) == {"registry/a.yaml": REGULAR, "registry/nodes": SYMLINK}


def test_a_link_to_a_folder_above_does_not_loop(tmp_path: Path) -> None:
    put(tmp_path, "registry/a.yaml")
    (tmp_path / "registry/loop").symlink_to("..")
    assert modes(tmp_path) == {"registry/a.yaml": REGULAR, "registry/loop": SYMLINK}


@pytest.mark.parametrize("target", ["elsewhere", "absent"])
def test_the_registry_itself_may_be_a_link_and_is_then_listed_as_one(tmp_path: Path, target: str) -> None:
    put(tmp_path, "elsewhere/a.yaml")
    (tmp_path / "registry").symlink_to(target)
    assert modes(tmp_path) == {"registry": SYMLINK}


def test_the_registry_itself_may_be_a_file_and_is_then_listed_as_one(tmp_path: Path) -> None:
    put(tmp_path, "registry")
    assert modes(tmp_path) == {"registry": REGULAR}


def test_the_registry_itself_may_be_a_pipe_and_is_then_listed_as_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "registry")
    assert modes(tmp_path) == {"registry": SPECIAL}


@pytest.mark.parametrize("kind", ["folder", "file", "broken link"])
def test_a_repository_inside_counts_as_a_submodule(tmp_path: Path, kind: str) -> None:
    put(tmp_path, "registry/sub/a.yaml")
    inner = tmp_path / "registry/sub/.git"
    if kind == "folder":
        inner.mkdir()
    elif kind == "file":
        inner.write_text("gitdir: elsewhere\n")
    else:
        inner.symlink_to("absent")
    assert modes(tmp_path) == {"registry/sub": SUBMODULE}


def test_a_link_is_never_read_through(tmp_path: Path) -> None:
    put(tmp_path, "secret", b"secret")
    put(tmp_path, "registry/plain.yaml")
    (tmp_path / "registry/link.yaml").symlink_to(tmp_path / "secret")
    tree = WorkTree(str(tmp_path))
    (link,) = [entry for entry in tree.entries if entry.mode == SYMLINK]
    with pytest.raises(OSError, match="symbolic links"):
        tree.read(link)
    assert tree.size(link) == len(str(tmp_path / "secret"))
    assert read_path(tree, "registry/link.yaml") is None


def test_a_file_that_becomes_a_link_after_it_was_listed_is_not_read(tmp_path: Path) -> None:
    put(tmp_path, "secret", b"secret")
    file = put(tmp_path, "registry/a.yaml")
    tree = WorkTree(str(tmp_path))
    (entry,) = tree.entries
    file.unlink()
    file.symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic links"):
        tree.read(entry)


def test_a_file_that_becomes_a_pipe_after_it_was_listed_does_not_hang(tmp_path: Path) -> None:
    file = put(tmp_path, "registry/a.yaml")
    tree = WorkTree(str(tmp_path))
    (entry,) = tree.entries
    file.unlink()
    os.mkfifo(file)
    assert tree.read(entry) == b""


def test_a_file_that_vanishes_after_it_was_listed_is_an_os_error(tmp_path: Path) -> None:
    file = put(tmp_path, "registry/a.yaml")
    tree = WorkTree(str(tmp_path))
    (entry,) = tree.entries
    file.unlink()
    for ask in (tree.read, tree.size):
        with pytest.raises(FileNotFoundError):
            ask(entry)


@pytest.mark.parametrize("size", [0, 1, 4096, 65_537, 3_000_000])
def test_a_file_is_read_whole(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    put(tmp_path, "registry/a.yaml", content)
    tree = WorkTree(str(tmp_path))
    (entry,) = tree.entries
    assert tree.read(entry) == content
    assert tree.size(entry) == size


def test_reading_leaves_no_file_open(tmp_path: Path) -> None:
    put(tmp_path, "registry/a.yaml")
    tree = WorkTree(str(tmp_path))
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(10):
        tree.read(tree.entries[0])
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after == before


LOOK = """\
import os, sys
from nodespec.worktree import WorkTree
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
tree = WorkTree(sys.argv[1])
for entry in tree.entries:
    try:
        print(entry.path, entry.mode, len(tree.read(entry)) if entry.mode > 0 else "-")
    except OSError as error:
        print(entry.path, entry.mode, type(error).__name__)
"""
"""Lists and reads as a user without special rights: root, who may read anything, becomes nobody first."""


def look(root: Path) -> list[str]:
    done = subprocess.run([sys.executable, "-c", LOOK, str(root)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Return a folder that every user can reach."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    return tmp_path


def test_a_folder_that_cannot_be_listed_is_listed_as_unreadable(shared: Path) -> None:
    put(shared, "registry/a.yaml")
    put(shared, "registry/locked/b.yaml")
    locked = shared / "registry/locked"
    locked.chmod(0)
    try:
        assert look(shared) == [f"registry/a.yaml {REGULAR} 5", f"registry/locked {UNREADABLE} -"]
    finally:
        locked.chmod(0o755)


def test_a_folder_whose_files_cannot_be_reached_is_listed_as_unreadable(shared: Path) -> None:
    """Readable without the right to enter: names are seen, the files behind them are not."""
    put(shared, "registry/a.yaml")
    put(shared, "registry/locked/b.yaml")
    locked = shared / "registry/locked"
    locked.chmod(0o444)
    try:
        seen = look(shared)
        assert seen[0] == f"registry/a.yaml {REGULAR} 5"
        assert str(UNREADABLE) in seen[1]
    finally:
        locked.chmod(0o755)


def test_a_file_that_cannot_be_read_is_an_os_error_when_it_is(shared: Path) -> None:
    put(shared, "registry/a.yaml", mode=0)
    assert look(shared) == [f"registry/a.yaml {REGULAR} PermissionError"]


def test_a_registry_that_cannot_be_listed_is_listed_as_unreadable(shared: Path) -> None:
    put(shared, "registry/a.yaml")
    (shared / "registry").chmod(0)
    try:
        assert look(shared) == [f"registry {UNREADABLE} -"]
    finally:
        (shared / "registry").chmod(0o755)


# Where the registry is.


@pytest.mark.parametrize("mark", ["registry/registry.yaml", "registry/nodes/a/b.yaml"])
def test_the_root_is_found_from_anywhere_below(tmp_path: Path, mark: str) -> None:
    put(tmp_path, mark)
    deep = tmp_path / "registry" / "x" / "y"
    deep.mkdir(parents=True)
    assert find_root(str(deep)) == str(tmp_path)
    assert find_root(str(tmp_path)) == str(tmp_path)


def test_the_nearest_root_counts(tmp_path: Path) -> None:
    put(tmp_path, "registry/registry.yaml")
    put(tmp_path, "inner/registry/registry.yaml")
    assert find_root(str(tmp_path / "inner")) == str(tmp_path / "inner")


def test_where_there_is_no_registry_there_is_no_root(tmp_path: Path) -> None:
    put(tmp_path, "registry/readme.txt")
    assert find_root(str(tmp_path)) is None


# Writing.


def test_a_file_is_written_with_the_folders_above_it(tmp_path: Path) -> None:
    write_file(str(tmp_path / "a" / "b.yaml"), b"a: 1\n")
    assert (tmp_path / "a" / "b.yaml").read_bytes() == b"a: 1\n"
    assert (tmp_path / "a" / "b.yaml").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_a_file_that_is_written_again_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    file = put(tmp_path, "b.yaml", b"old", mode)
    write_file(str(file), b"new")
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == mode


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    folder = tmp_path / "b.yaml"
    folder.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_file(str(folder), b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["b.yaml"]


def test_two_dots_lead_where_the_system_goes(tmp_path: Path) -> None:
    """``link/..`` is the folder around what the link leads to, and not the one around the link."""
    for name in ("here", "there"):
        put(tmp_path, f"{name}/registry/registry.yaml")
        (tmp_path / name / ".git").mkdir()
    (tmp_path / "there" / "sub").mkdir()
    (tmp_path / "here" / "link").symlink_to("../there/sub")
    there = tmp_path / "there"
    for start in (tmp_path / "here" / "link" / "..", there / "registry" / "..", there / "sub" / ".." / "registry"):
        assert (find_root(f"{start}"), git_folder(f"{start}")) == (str(there), str(there / ".git")), start
    assert find_root(str(tmp_path / "here" / "link")) == str(tmp_path / "here"), "as the shell that went there sees it"


@pytest.mark.parametrize("place", ["registry", "schemas", "registry/nodes", "registry/trust", "registry/nodes/a"])
@pytest.mark.parametrize("is_file", [False, True])
def test_a_repository_in_the_place_of_a_folder_is_one_whatever_is_asked_first(
    tmp_path: Path, place: str, is_file: bool
) -> None:
    paths = ("registry/registry.yaml", "registry/nodes/a/b.yaml", "registry/trust/0001.dsse.json", "schemas/x.json")
    for path in paths:
        put(tmp_path, path)
    if is_file:
        put(tmp_path, f"{place}/.git", b"gitdir: elsewhere\n")
    else:
        (tmp_path / place / ".git").mkdir()
    listed = WorkTree(str(tmp_path))
    assert modes(tmp_path)[place] == SUBMODULE
    assert not [entry.path for entry in listed.entries if entry.path.startswith(f"{place}/")]
    for path in paths:
        assert WorkTree(str(tmp_path)).entry(path) == listed.entry(path), path
    for folder in ("registry/", "schemas/", "registry/nodes/", "registry/trust/", "registry/nodes/a/"):
        assert WorkTree(str(tmp_path)).below(folder) == listed.below(folder), folder
