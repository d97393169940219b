"""Commits to trees: revisions, dates, shallow clones, and trees that only a hostile writer makes."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
from pathlib import Path

import pytest

import nodespec
from nodespec.commit import Commit
from nodespec.errors import NodespecError, RegistryError, UsageError
from nodespec.git import GitRepository
from nodespec.tree import EXECUTABLE, MAX_FOLDER_DEPTH, REGULAR, SUBMODULE, SYMLINK, Entry, read_path
from tests.simulator import NO_ID, Repository

A = "registry/a.yaml"


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return Repository.init(tmp_path / "repo")


def opened(repo: Repository) -> GitRepository:
    return GitRepository.open(str(repo.path))


def history(repo: Repository, *dates: str) -> list[str]:
    commits = []
    for number, date in enumerate(dates):
        repo.write(A, f"a: {number}\n")
        commits.append(repo.commit(f"change {number}", date))
    return commits


def paths(repo: Repository, revision: str = "HEAD") -> list[str]:
    git = opened(repo)
    return [entry.path for entry in git.tree(git.resolve(revision)).entries]


def defects(repo: Repository) -> dict[str, str]:
    git = opened(repo)
    return dict(git.tree(git.resolve("HEAD")).defects)


# Names.


def test_a_name_that_a_tag_shares_with_a_branch_is_not_guessed_at(repo: Repository) -> None:
    (first,) = history(repo, "2026-03-01T00:00:00Z")
    repo.git("branch", "-f", "topic")
    assert opened(repo).resolve("topic").id == opened(repo).resolve("topic~0").id == first
    repo.write(A, "a: other\n")
    other = repo.commit("other", "2026-03-02T00:00:00Z")
    repo.git("tag", "topic", other)
    repo.git("update-ref", "refs/remotes/origin/topic", first)
    repo.git("tag", "origin/topic", other)
    for name in ("topic", "topic^{commit}", "origin/topic", "topic@{0}"):
        with pytest.raises(UsageError, match="could be any of refs/tags/") as refusal:
            opened(repo).resolve(name)
        assert "in full" in refusal.value.hint
    repo.git("branch", "topic@2", first)
    assert opened(repo).resolve("topic@2").id == first
    assert opened(repo).resolve("refs/heads/topic").id == first
    assert opened(repo).resolve("refs/tags/topic").id == opened(repo).resolve("tags/topic").id == other


# Opening.


def test_a_folder_outside_of_any_repository_is_named_with_advice(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not in a Git repository") as refusal:
        GitRepository.open(str(tmp_path))
    assert "nodespec init" in refusal.value.hint


def test_a_folder_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        GitRepository.open(str(tmp_path / "nowhere"))


def test_a_path_with_escapes_is_shown_escaped(tmp_path: Path) -> None:
    folder = tmp_path / "a\x1b[31mb"
    folder.mkdir()
    with pytest.raises(UsageError) as refusal:
        GitRepository.open(str(folder))
    assert "\x1b" not in str(refusal.value)


def test_a_repository_is_found_from_a_folder_inside(repo: Repository) -> None:
    history(repo, "2026-01-01T00:00:00Z")
    found = GitRepository.open(str(repo.path / "registry"))
    assert os.path.samefile(found.git_dir, repo.path / ".git")
    assert found.work_dir is not None
    assert os.path.samefile(found.work_dir, repo.path)
    assert not found.is_shallow


def test_a_bare_clone_reads_like_a_checkout_and_has_no_work_tree(repo: Repository, tmp_path: Path) -> None:
    (commit,) = history(repo, "2026-01-01T00:00:00Z")
    bare = opened(repo.clone(tmp_path / "bare.git", "--bare"))
    assert bare.work_dir is None
    tree = bare.tree(bare.resolve("HEAD"))
    assert tree.label == f"commit {commit[:10]}"
    assert read_path(tree, A) == b"a: 0\n"


def test_a_linked_work_tree_reads_like_a_checkout(repo: Repository, tmp_path: Path) -> None:
    (commit,) = history(repo, "2026-01-01T00:00:00Z")
    repo.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    linked = GitRepository.open(str(tmp_path / "linked"))
    assert linked.resolve("HEAD").id == commit


def test_a_repository_of_sha256_ids_is_refused_with_advice(tmp_path: Path) -> None:
    repo = Repository.init(tmp_path / "repo", "--object-format=sha256")
    history(repo, "2026-01-01T00:00:00Z")
    with pytest.raises(RegistryError, match="SHA-256 repository") as refusal:
        opened(repo)
    assert "SHA-1" in refusal.value.hint


def test_a_damaged_repository_is_refused(repo: Repository) -> None:
    history(repo, "2026-01-01T00:00:00Z")
    (repo.path / ".git" / "config").write_text("[core\nnot a config")
    with pytest.raises(NodespecError):
        opened(repo)


# Revisions.


def test_an_empty_repository_says_that_it_has_no_commits(repo: Repository) -> None:
    with pytest.raises(UsageError, match="no commits yet"):
        opened(repo).resolve("HEAD")
    with pytest.raises(UsageError, match="no commit"):
        opened(repo).resolve("main")
    with pytest.raises(UsageError, match="no commit"):
        opened(repo).resolve("2026-01-01")


def test_every_way_to_name_a_commit_finds_it(repo: Repository) -> None:
    first, second = history(repo, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
    repo.git("tag", "v1", first)
    repo.git("tag", "-a", "v2", second, "-m", "two")
    repo.git("branch", "side", first)
    found = opened(repo)
    for name in (first, first[:8], "HEAD~1", "HEAD^", "v1", "side", "refs/heads/side", "main~1", ":/change 0", "@~"):
        assert found.resolve(name).id == first, name
    for name in (second, "HEAD", "@", "v2", "v2^{commit}", "main", "heads/main"):
        assert found.resolve(name).id == second, name


def test_a_commit_carries_what_git_says_about_it(repo: Repository) -> None:
    first, second = history(repo, "2026-01-01T00:00:00Z", "2026-01-02T03:04:05+02:30")
    commit = opened(repo).resolve("HEAD")
    tree = repo.git("rev-parse", "HEAD^{tree}")
    assert (commit.id, commit.tree, commit.parents) == (second, tree, (first,))
    assert commit.short == second[:10]
    assert commit.time.isoformat() == "2026-01-02T03:04:05+02:30"
    assert (commit.author, commit.subject) == ("Ada", "change 1")


def test_a_detached_head_is_a_commit_like_any_other(repo: Repository) -> None:
    first, _ = history(repo, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
    repo.git("checkout", "--quiet", "--detach", first)
    assert opened(repo).resolve("HEAD").id == first
    assert opened(repo).resolve("2026-01-05").id == first


@pytest.mark.parametrize(
    "revision", ["absent", NO_ID, "HEAD~9", "", "-", "--help", "..", "HEAD..main", "a b", "\0", "\x1b[31m", "é", "^"]
)
def test_a_revision_that_names_no_commit_is_a_usage_error(repo: Repository, revision: str) -> None:
    history(repo, "2026-01-01T00:00:00Z")
    with pytest.raises(UsageError, match="no commit is called") as refusal:
        opened(repo).resolve(revision)
    assert "git log --oneline" in refusal.value.hint
    assert str(refusal.value).isprintable()


def test_a_blob_or_a_tree_is_not_a_commit(repo: Repository) -> None:
    history(repo, "2026-01-01T00:00:00Z")
    for revision in ("HEAD^{tree}", f"HEAD:{A}", "HEAD:registry"):
        with pytest.raises(UsageError, match="no commit is called"):
            opened(repo).resolve(revision)


# Dates.

DATES = ("2026-03-01T10:00:00Z", "2026-03-02T23:59:59Z", "2026-03-03T00:00:00Z")


@pytest.mark.parametrize(
    ("date", "number"),
    [
        ("2026-03-01", 0),
        ("2026-03-02", 1),
        ("2026-03-03", 2),
        ("2030-01-01", 2),
        ("2026-03-01T10:00:00", 0),
        ("2026-03-01 10:00", 0),
        ("2026-03-02T23:59:58Z", 0),
        ("2026-03-02T23:59:59Z", 1),
        ("2026-03-03T01:00:00+02:00", 0),
        ("2026-03-03T02:00:00+02:00", 2),
        ("2026-03-02T19:00:00-05:00", 2),
    ],
)
def test_a_date_means_the_newest_commit_by_then_and_a_day_includes_its_end(
    repo: Repository, date: str, number: int
) -> None:
    commits = history(repo, *DATES)
    assert opened(repo).resolve(date).id == commits[number]


@pytest.mark.parametrize("date", ["2026-02-28", "2026-03-01T09:59:59Z", "1970-01-01"])
def test_a_date_before_the_first_commit_is_a_usage_error(repo: Repository, date: str) -> None:
    history(repo, *DATES)
    with pytest.raises(UsageError, match="no commit was made by"):
        opened(repo).resolve(date)


@pytest.mark.parametrize("date", ["2026-02-30", "2026-13-01", "2026-03-01T25:00", "0000-01-01", "9999-12-31T99"])
def test_a_date_that_does_not_exist_is_a_usage_error(repo: Repository, date: str) -> None:
    history(repo, *DATES)
    with pytest.raises(UsageError, match="is not a date"):
        opened(repo).resolve(date)


def test_a_branch_that_is_called_like_a_date_comes_first(repo: Repository) -> None:
    first, *_ = history(repo, *DATES)
    repo.git("branch", "2026-03-03", first)
    assert opened(repo).resolve("2026-03-03").id == first


def test_a_date_follows_the_first_parents(repo: Repository) -> None:
    first, second = history(repo, "2026-03-01T00:00:00Z", "2026-03-05T00:00:00Z")
    repo.git("checkout", "--quiet", "-b", "side", first)
    repo.write("registry/side.yaml", "a: 1\n")
    side = repo.commit("side", "2026-03-03T00:00:00Z")
    repo.git("checkout", "--quiet", "main")
    repo.git("merge", "--quiet", "--no-ff", "side", "-m", "merge", date="2026-03-07T00:00:00Z")
    assert opened(repo).resolve("2026-03-04").id == first
    assert opened(repo).resolve("2026-03-06").id == second
    line = [commit.id for commit in opened(repo).first_parents(opened(repo).resolve("HEAD"))]
    assert line == [repo.head, second, first]
    assert side not in line


# Shallow clones.


@pytest.fixture
def shallow(repo: Repository, tmp_path: Path) -> Repository:
    history(repo, *DATES)
    return repo.clone(tmp_path / "shallow", "--depth=1")


def test_a_shallow_clone_reads_what_it_has(shallow: Repository) -> None:
    found = opened(shallow)
    assert found.is_shallow
    assert paths(shallow) == [A]
    assert [commit.id for commit in found.first_parents(found.resolve("HEAD"))] == [shallow.head]


def test_a_shallow_clone_says_that_it_is_shallow_when_history_is_asked_for(shallow: Repository) -> None:
    with pytest.raises(UsageError) as refusal:
        opened(shallow).resolve("HEAD~1")
    assert "--unshallow" in refusal.value.hint
    with pytest.raises(UsageError, match="--unshallow"):
        opened(shallow).resolve("2026-03-01")


def test_a_clone_without_blobs_says_which_one_is_missing(repo: Repository, tmp_path: Path) -> None:
    history(repo, "2026-01-01T00:00:00Z")
    repo.git("config", "uploadpack.allowFilter", "true")
    partial = opened(repo.clone(tmp_path / "partial", "--bare", "--filter=blob:none"))
    tree = partial.tree(partial.resolve("HEAD"))
    (entry,) = tree.entries
    with pytest.raises(OSError, match=f"blob {entry.blob[:10]} is not in this repository"):
        tree.read(entry)
    with pytest.raises(OSError, match="is not in this repository"):
        tree.size(entry)


def test_a_missing_tree_is_a_registry_error(repo: Repository) -> None:
    repo.commit_tree(repo.raw_tree(("40000", b"registry", NO_ID.replace("0", "1"))))
    with pytest.raises(RegistryError, match="object 1111111111 is not in this repository") as refusal:
        paths(repo)
    assert "git fsck" in refusal.value.hint


def test_a_folder_that_is_a_blob_is_a_registry_error(repo: Repository) -> None:
    repo.commit_tree(repo.raw_tree(("40000", b"registry", repo.blob(b"not a tree"))))
    with pytest.raises(RegistryError, match="is not a tree"):
        paths(repo)


# Trees.


def test_only_the_two_folders_are_listed_in_byte_order(repo: Repository) -> None:
    names = ["registry/a/b.yaml", "registry/a-b.yaml", "registry/a.yaml", "registry/a0.yaml", "registry/Z.yaml"]
    for name in [*names, "schemas/x.json", "README.md", "registry-x/a.yaml", "docs/registry/a.yaml"]:
        repo.write(name, "a: 1\n")
    repo.commit()
    assert paths(repo) == [
        "registry/Z.yaml",
        "registry/a-b.yaml",
        "registry/a.yaml",
        "registry/a/b.yaml",
        "registry/a0.yaml",
        "schemas/x.json",
    ]
    assert defects(repo) == {}


def test_modes_are_told_apart_and_links_are_read_as_what_they_hold(repo: Repository) -> None:
    repo.write("registry/plain.yaml", "a: 1\n")
    repo.write("registry/run.yaml", "a: 1\n", mode=0o755)
    repo.link("registry/link.yaml", "/etc/passwd")
    repo.commit()
    found = opened(repo)
    tree = found.tree(found.resolve("HEAD"))
    assert {entry.path: entry.mode for entry in tree.entries} == {
        "registry/plain.yaml": REGULAR,
        "registry/run.yaml": EXECUTABLE,
        "registry/link.yaml": SYMLINK,
    }
    (link,) = [entry for entry in tree.entries if entry.mode == SYMLINK]
    assert tree.read(link) == b"/etc/passwd"
    assert read_path(tree, "registry/link.yaml") is None


def test_a_submodule_is_listed_and_not_entered(repo: Repository) -> None:
    history(repo, "2026-01-01T00:00:00Z")
    head = repo.head
    repo.commit_registry(("160000", b"sub", head))
    found = opened(repo)
    assert found.tree(found.resolve("HEAD")).entries == [Entry("registry/sub", SUBMODULE, head)]


def test_an_old_group_writable_mode_is_neither_regular_nor_a_folder(repo: Repository) -> None:
    blob = repo.blob(b"a: 1\n")
    repo.commit_registry(("100664", b"a.yaml", blob))
    found = opened(repo)
    (entry,) = found.tree(found.resolve("HEAD")).entries
    assert entry.mode not in (REGULAR, EXECUTABLE, SYMLINK, SUBMODULE)


def test_the_registry_can_be_a_file_and_then_says_so(repo: Repository) -> None:
    repo.commit_tree(repo.raw_tree(("100644", b"registry", repo.blob(b"x"))))
    assert paths(repo) == ["registry"]


def test_the_steps_of_a_file_are_where_it_changes(repo: Repository) -> None:
    """Beside it and above it, others change; it goes, comes back, becomes a folder, and a file again."""
    ids = []
    for step in ("a: 1\n", "a: 1\n", "a: 2\n", None, None, "a: 2\n", "/", "a: 3\n"):
        path = repo.path / A
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
        if step is not None:
            repo.write(A if step != "/" else f"{A}/inner.yaml", step)
        repo.write("registry/beside.yaml", f"turn: {len(ids)}\n")
        ids.append(repo.commit("step"))
    found = opened(repo)
    steps = list(found.steps(found.resolve("HEAD"), A))
    assert [step.commit.id for step in steps] == [ids[turn] for turn in (7, 6, 5, 3, 2, 0)]
    assert [step.parent and step.parent.id for step in steps] == [*(ids[turn] for turn in (6, 5, 4, 2, 1)), None]
    assert [step.after is None for step in steps] == [False, True, False, True, False, False]
    for step in steps:
        for commit, entry in ((step.commit, step.after), (step.parent, step.before)):
            if commit is not None:
                assert entry == found.tree(commit).entry(A)
    for absent in ("registry/b.yaml", f"{A}/b", "absent/a.yaml"):
        assert [step.after for step in found.steps(found.resolve("HEAD"), absent)] == [None]


def test_a_step_whose_folder_is_missing_is_no_step(repo: Repository) -> None:
    history(repo, *DATES)
    folder = repo.git("rev-parse", "HEAD~1:registry")
    (repo.path / ".git/objects" / folder[:2] / folder[2:]).unlink()
    found = opened(repo)
    with pytest.raises(RegistryError, match=f"object {folder[:10]} is not in this repository"):
        list(found.steps(found.resolve("HEAD"), A))


def test_what_a_commit_holds_does_not_depend_on_attributes_or_the_checkout(repo: Repository) -> None:
    repo.write(A, "a: 1\n")
    repo.commit()
    repo.write(".gitattributes", "* text eol=crlf ident export-subst\n")
    repo.commit()
    repo.write(A, "a: changed\r\n")
    found = opened(repo)
    tree = found.tree(found.resolve("HEAD"))
    assert read_path(tree, A) == b"a: 1\n"
    assert tree.size(tree.entries[0]) == 5


def test_replaced_objects_are_seen_as_they_were(repo: Repository) -> None:
    first, second = history(repo, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
    honest = repo.git("rev-parse", f"{second}:{A}")
    repo.git("replace", honest, repo.blob(b"a: forged\n"))
    assert repo.git("show", f"{second}:{A}") == "a: forged"
    repo.git("replace", second, first)
    assert repo.git("show", f"{second}:{A}") == "a: 0"
    found = opened(repo)
    commit = found.resolve(second)
    assert commit.parents == (first,)
    assert read_path(found.tree(commit), A) == b"a: 1\n"


# Trees that only a hostile writer makes.


def test_two_entries_of_one_name_are_a_defect_and_both_are_listed(repo: Repository) -> None:
    one, two = repo.blob(b"1"), repo.blob(b"2")
    repo.commit_registry(("100644", b"a.yaml", one), ("100644", b"a.yaml", two))
    found = opened(repo)
    tree = found.tree(found.resolve("HEAD"))
    assert [entry.blob for entry in tree.entries] == [one, two]
    assert "twice" in defects(repo)["registry/a.yaml"]


def test_a_file_and_a_folder_of_one_name_are_a_defect(repo: Repository) -> None:
    inner = repo.raw_tree(("100644", b"x.yaml", repo.blob(b"1")))
    repo.commit_registry(("100644", b"a", repo.blob(b"1")), ("40000", b"a", inner))
    assert "twice" in defects(repo)["registry/a"]
    repo.commit_registry(("100644", b"a", repo.blob(b"1")), ("100644", b"a-b", repo.blob(b"1")), ("40000", b"a", inner))
    assert "twice" in defects(repo)["registry/a"]


def test_entries_out_of_order_are_a_defect(repo: Repository) -> None:
    blob = repo.blob(b"1")
    repo.commit_registry(("100644", b"b.yaml", blob), ("100644", b"a.yaml", blob))
    assert "out of order" in defects(repo)["registry/a.yaml"]
    assert paths(repo) == ["registry/a.yaml", "registry/b.yaml"]


def test_a_folder_sorts_as_if_its_name_ended_in_a_slash(repo: Repository) -> None:
    blob = repo.blob(b"1")
    inner = repo.raw_tree(("100644", b"x.yaml", blob))
    repo.commit_registry(("100644", b"a-b", blob), ("40000", b"a", inner), ("100644", b"a0", blob))
    assert defects(repo) == {}
    repo.commit_registry(("40000", b"a", inner), ("100644", b"a-b", blob))
    assert "out of order" in defects(repo)["registry/a-b"]


FORBIDDEN = [b".", b"..", b".git", b".GIT", b".Git", b"a/b", b"../x", b"GIT~1", b".git. ", b".git::$INDEX_ALLOCATION"]
FORBIDDEN += [".g\u200cit".encode(), "\u200d.git".encode()]


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_name_that_no_checkout_may_create_is_a_defect(repo: Repository, name: bytes) -> None:
    repo.commit_registry(("100644", name, repo.blob(b"1")))
    assert "no checkout may create" in defects(repo)[f"registry/{name.decode()}"]


@pytest.mark.parametrize("name", [b"..", b".git", b"a/b"])
def test_a_forbidden_name_at_the_top_is_a_defect_as_well(repo: Repository, name: bytes) -> None:
    repo.commit_tree(repo.raw_tree(("100644", name, repo.blob(b"1"))))
    assert name.decode() in defects(repo)


def test_two_registries_in_one_commit_are_a_defect(repo: Repository) -> None:
    one = repo.raw_tree(("100644", b"a.yaml", repo.blob(b"1")))
    two = repo.raw_tree(("100644", b"b.yaml", repo.blob(b"2")))
    repo.commit_tree(repo.raw_tree(("40000", b"registry", one), ("40000", b"registry", two)))
    assert "twice" in defects(repo)["registry"]
    assert paths(repo) == ["registry/a.yaml", "registry/b.yaml"]


def test_folders_too_deep_are_a_defect_and_not_a_crash(repo: Repository) -> None:
    tree = repo.raw_tree(("100644", b"a.yaml", repo.blob(b"1")))
    for _ in range(MAX_FOLDER_DEPTH + 5):
        tree = repo.raw_tree(("40000", b"d", tree))
    repo.commit_tree(repo.raw_tree(("40000", b"registry", tree)))
    (what,) = defects(repo).values()
    assert f"more than {MAX_FOLDER_DEPTH} deep" in what
    assert paths(repo) == []


def test_a_name_that_is_not_utf8_comes_through_and_back(repo: Repository) -> None:
    repo.commit_registry(("100644", b"\xff.yaml", repo.blob(b"1")))
    (path,) = paths(repo)
    assert path.encode("utf-8", "surrogateescape") == b"registry/\xff.yaml"
    assert defects(repo) == {}


@pytest.mark.parametrize(
    "body",
    [b"100644 a.yaml\0" + b"\1" * 19, b"100644 a.yaml", b"100644a.yaml\0" + b"\1" * 20, b"9 a\0" + b"\1" * 20, b"x"],
)
def test_a_tree_object_that_is_malformed_is_a_registry_error(repo: Repository, body: bytes) -> None:
    inner = repo.git("hash-object", "-t", "tree", "--literally", "-w", "--stdin", stdin=body)
    repo.commit_tree(repo.raw_tree(("40000", b"registry", inner)))
    with pytest.raises(RegistryError):
        paths(repo)


# Elsewhere.


def test_a_tree_crosses_to_another_process_as_a_place_and_a_commit(repo: Repository) -> None:
    history(repo, "2026-01-01T00:00:00Z")
    found = opened(repo)
    tree = found.tree(found.resolve("HEAD"))
    again = pickle.loads(pickle.dumps(tree))
    assert again.entries == tree.entries
    assert isinstance(again.commit, Commit)
    assert again.read(again.entries[0]) == b"a: 0\n"


HOOK = """\
import sys
from nodespec.git import GitRepository
from nodespec.tree import read_path

old, new, ref = sys.stdin.readline().split()
repo = GitRepository.open(".")
tree = repo.tree(repo.resolve(new))
print("the gate reads", read_path(tree, "registry/a.yaml"), tree.size(tree.entries[0]))
sys.exit(1)
"""


def test_a_pre_receive_hook_reads_what_is_being_pushed(repo: Repository, tmp_path: Path) -> None:
    """Git keeps pushed objects in quarantine until the hook agrees; this one looks, tells and refuses."""
    (first,) = history(repo, "2026-01-01T00:00:00Z")
    bare = repo.clone(tmp_path / "bare.git", "--bare")
    (tmp_path / "hook.py").write_text(HOOK)
    hook = bare.path / "hooks" / "pre-receive"
    source = Path(nodespec.__file__).parents[1]
    hook.write_text(f"#!/bin/sh\nPYTHONPATH='{source}' exec '{sys.executable}' '{tmp_path / 'hook.py'}'\n")
    hook.chmod(0o755)
    repo.write(A, "a: pushed\n")
    repo.commit("pushed")
    with pytest.raises(RuntimeError, match=r"the gate reads b'a: pushed\\n' 10"):
        repo.git("push", f"file://{bare.path}", "main")
    assert bare.head == first
