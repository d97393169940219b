"""Objects through git's own command: the same as through libgit2, or left to it."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from nodespec import cat_file
from nodespec.cat_file import AT_ONCE, FEW, LARGE, CatFile
from nodespec.errors import RegistryError, UsageError
from nodespec.git import GitRepository
from nodespec.registry import Registry
from tests.simulator import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from nodespec.commit import Objects

A = "registry/registry.yaml"
DAY = "2026-01-01T00:00:00Z"


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    made = Repository.init(tmp_path / "repo")
    made.write(A, "a: 1\n")
    made.write("registry/nodes/a/b.yaml", "b: 1\n")
    made.commit("first", DAY)
    return made


class Both:
    """The objects of a repository; ``opened`` says how often libgit2 was asked for."""

    def __init__(self, repo: Repository) -> None:
        self.opened = 0
        self.git = GitRepository.open(str(repo.path))
        self.quick = CatFile(str(repo.path), str(repo.path / ".git"), self._many)

    def _many(self, place: str) -> Objects:
        self.opened += 1
        return GitRepository.open(place).objects


def loose(repo: Repository, oid: str) -> Path:
    return repo.path / ".git" / "objects" / oid[:2] / oid[2:]


def ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


# The same.

NAMES = [
    "Ada",
    "Ada Lovelace",
    "Ørjan Å",
    ".hidden.",
    "O'Brien",
    "a",
    "名前",
    "x,y",
    "J. R. (Bob) \\ Dobbs;",
    '"Quoted"',
]
ZONES = ["+0000", "-0330", "+1345", "+1400", "-1200", "+0001"]


def test_every_plain_commit_is_read_as_libgit2_reads_it(repo: Repository) -> None:
    for number, name in enumerate(NAMES):
        zone = ZONES[number % len(ZONES)]
        date = f"{1_700_000_000 + number} {zone}"
        tree = repo.git("rev-parse", "HEAD^{tree}")
        text = f"subject {name} {number}\n\nbody\n"
        who = f"{name} <a@b> {date}"
        body = f"tree {tree}\nparent {repo.head}\nauthor {who}\ncommitter {who}\n\n{text}"

        made = repo.git("hash-object", "-t", "commit", "--literally", "-w", "--stdin", stdin=body.encode())
        repo.git("update-ref", "refs/heads/main", made)
    both = Both(repo)
    plain = set[str]()
    for revision in ("HEAD", *(f"HEAD~{number}" for number in range(1, len(NAMES) + 1)), repo.head, f"{repo.head}~2"):
        found, wanted = both.quick.commit(revision), both.git.resolve(revision)
        plain |= {wanted.author} if found is not None else set()
        assert found in (None, wanted), revision
    assert plain == set(NAMES[:3] + NAMES[4:8]), "only what libgit2 strips or doubts is left to it"
    assert both.opened == 0


ODD = {
    "a name in brackets": b"author <x> 1 +0000",
    "no author": b"author  <x@y> 1 +0000",
    "a time that no calendar has": b"author A <x@y> 99999999999999 +0000",
    "a zone that no place has": b"author A <x@y> 1 +9900",
    "two addresses": b"author A <x@y> <z@w> 1 +0000",
}


@pytest.mark.parametrize("author", ODD.values(), ids=ODD.keys())
def test_a_commit_that_looks_odd_is_left_to_libgit2(repo: Repository, author: bytes) -> None:
    tree = repo.git("rev-parse", "HEAD^{tree}").encode()
    committer = author.replace(b"author", b"committer")
    body = b"tree %b\n%b\n%b\n\nodd\n" % (tree, author, committer)
    made = repo.git("hash-object", "-t", "commit", "--literally", "-w", "--stdin", stdin=body)
    repo.git("update-ref", "refs/heads/main", made)
    assert Both(repo).quick.commit("HEAD") is None


@pytest.mark.parametrize("message", [b"\n\nlate subject", b"", b"nul \0 inside\n"])
def test_a_message_that_looks_odd_is_left_to_libgit2(repo: Repository, message: bytes) -> None:
    tree = repo.git("rev-parse", "HEAD^{tree}").encode()
    body = b"tree %b\nauthor A <x@y> 1 +0000\ncommitter A <x@y> 1 +0000\n\n%b" % (tree, message)
    made = repo.git("hash-object", "-t", "commit", "--literally", "-w", "--stdin", stdin=body)
    repo.git("update-ref", "refs/heads/main", made)
    assert Both(repo).quick.commit("HEAD") is None


def test_a_signed_merge_with_an_encoding_is_read_as_libgit2_reads_it(repo: Repository) -> None:
    tree, head = repo.git("rev-parse", "HEAD^{tree}"), repo.head
    who = "Ada <a@b> 1700000000 -0030"
    extra = "encoding ISO-8859-1\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----\n"
    body = f"tree {tree}\nparent {head}\nparent {head}\nauthor {who}\ncommitter {who}\n{extra}\nmerge\n"
    made = repo.git("hash-object", "-t", "commit", "--literally", "-w", "--stdin", stdin=body.encode())
    both = Both(repo)
    found = both.quick.commit(made)
    assert found is not None
    assert found == both.git.resolve(made)
    assert found.time.isoformat() == "2023-11-14T21:43:20-00:30"


def test_a_tree_lists_and_reads_the_same(repo: Repository) -> None:
    first = repo.head
    raw = repo.raw_tree(
        ("100644", b"b.yaml", repo.blob(b"one")), ("100644", b"b.yaml", repo.blob(b"two")), ("40000", b"..", first)
    )
    repo.commit_tree(repo.raw_tree(("40000", b"registry", repo.raw_tree(("40000", b"nodes", raw)))))
    both = Both(repo)
    for revision in (first, "HEAD"):
        found = both.quick.commit(revision)
        assert found is not None
        quick, slow = both.quick.tree(found), both.git.tree(both.git.resolve(revision))
        if revision == "HEAD":
            for tree in (quick, slow):
                with pytest.raises(RegistryError, match="is not a tree"):
                    _ = tree.entries
            assert quick.folder("registry/nodes") == slow.folder("registry/nodes")
            continue
        assert (quick.entries, quick.defects) == (slow.entries, slow.defects)
        assert [quick.read(entry) for entry in quick.entries] == [slow.read(entry) for entry in slow.entries]
        assert [quick.size(entry) for entry in quick.entries] == [slow.size(entry) for entry in slow.entries]
        assert quick.differing(slow) == slow.differing(quick) == []
    assert both.opened == 0, "nothing had to be asked twice"


OTHERS = ["", "-x", "nothing", "HEAD:registry", "a\nHEAD", "2026-01-01", "HEAD^{tree}", "é\t", "HEAD^{/}", "main", "@"]


@pytest.mark.parametrize("name", OTHERS)
def test_what_names_no_commit_is_left_to_whoever_says_so(repo: Repository, name: str) -> None:
    both = Both(repo)
    assert both.quick.commit(name) is None
    assert both.quick.commit("HEAD") is not None, "the conversation goes on"


def test_a_blob_that_looks_like_a_commit_is_none(repo: Repository) -> None:
    repo.write("x^{commit}", repo.git("cat-file", "commit", "HEAD") + "\n")
    repo.write("x", "")
    repo.commit("odd", DAY)
    assert Both(repo).quick.commit("HEAD:x") is None
    blob = repo.git("rev-parse", "HEAD:x^{commit}")
    assert Both(repo).quick.commit(blob) is None
    with pytest.raises(UsageError, match="no commit is called"):
        Registry.open(repo.path, index=False).at("HEAD:x")


# Never something else.


def test_objects_that_were_replaced_are_seen_as_they_were(repo: Repository) -> None:
    repo.write(A, "a: 2\n")
    second = repo.commit("second", DAY)
    repo.git("replace", repo.git("rev-parse", f"{second}:{A}"), repo.blob(b"a: forged\n"))
    repo.git("replace", second, repo.git("rev-parse", "HEAD~1"))
    both = Both(repo)
    found = both.quick.commit("HEAD")
    assert found == both.git.resolve("HEAD")
    assert found is not None
    tree = both.quick.tree(found)
    entry = tree.entry(A)
    assert entry is not None
    assert tree.read(entry) == b"a: 2\n"


def test_an_object_that_is_not_what_its_id_says_is_not_there(repo: Repository) -> None:
    honest, forged = repo.git("rev-parse", f"HEAD:{A}"), b"a: 9\n"
    place = loose(repo, honest)
    place.chmod(0o644)
    place.write_bytes(zlib.compress(b"blob %d\0" % len(forged) + forged))
    both = Both(repo)
    assert repo.git("cat-file", "blob", honest) == "a: 9", "git itself does not look"
    with pytest.raises(LookupError):
        both.quick.read(honest)


def test_variables_that_name_another_repository_are_not_heeded(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Repository.init(tmp_path / "other")
    other.write(A, "other: 1\n")
    other.commit("other", DAY)
    wanted = Both(repo).quick.commit("HEAD")
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other.path / ".git" / "objects"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.worktree")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(other.path))
    found = CatFile(str(repo.path), str(repo.path / ".git"), lambda place: GitRepository.open(place).objects)
    assert found.commit("HEAD") == wanted


@pytest.mark.parametrize("name", ["outer", "a:b"])
def test_a_repository_around_this_one_is_not_looked_into(tmp_path: Path, name: str) -> None:
    outer = Repository.init(tmp_path / name)
    outer.write("inner/registry/registry.yaml", "a: 1\n")
    outer.commit("outer", DAY)
    inner = outer.path / "inner"
    (inner / ".git").mkdir()  # none that git would take for one
    found = CatFile(str(inner), str(inner / ".git"), lambda place: GitRepository.open(place).objects)
    assert found.commit("HEAD") is None
    with pytest.raises(UsageError):
        Registry.open(inner, index=False).at("HEAD")


def test_a_clone_without_blobs_fetches_none(repo: Repository, tmp_path: Path) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    partial = repo.clone(tmp_path / "partial", "--filter=blob:none", "--no-checkout")
    before = partial.git("count-objects", "-v")
    both = Both(partial)
    found = both.quick.commit("HEAD")
    assert found is not None
    tree = both.quick.tree(found)
    with pytest.raises(OSError, match="is not in this repository"):
        tree.read(tree.entries[0])
    assert partial.git("count-objects", "-v") == before


@pytest.mark.parametrize("what", ["shallow", "grafts"])
def test_a_history_that_is_cut_or_mended_is_read_by_libgit2(repo: Repository, tmp_path: Path, what: str) -> None:
    repo.write(A, "a: 2\n")
    repo.commit("second", DAY)
    place = repo
    if what == "shallow":
        place = repo.clone(tmp_path / "shallow", "--depth=1")
    else:
        (repo.path / ".git" / "info" / "grafts").write_text(f"{repo.head}\n")
    commit = Registry.open(place.path, index=False).at("HEAD").commit
    assert commit == GitRepository.open(str(place.path)).resolve("HEAD")
    assert commit is not None
    assert commit.parents == ()


# Many, large, or no command.


def test_the_first_few_objects_are_read_without_libgit2_and_the_others_with_it(repo: Repository) -> None:
    both = Both(repo)
    commit = both.quick.commit("HEAD")
    assert commit is not None
    wanted = both.git.objects.read(commit.tree), both.git.objects.read(commit.id)
    for _ in range(FEW):
        assert (both.quick.read(commit.tree), both.quick.read(commit.id)) == wanted
    assert both.opened == 1
    assert "_child" in vars(both.quick)
    assert both.quick._child is not None
    assert both.quick._child.process.returncode is not None, "the command has ended"


def test_a_large_object_is_left_to_libgit2_and_not_read_twice(repo: Repository) -> None:
    large = repo.blob(b"x" * (LARGE + 1))
    both = Both(repo)
    assert both.quick.commit("HEAD") is not None
    assert both.quick.size(large) == LARGE + 1
    assert both.opened == 1
    assert both.quick.read(large) == both.git.objects.read(large)
    assert both.quick.commit("HEAD") is None, "its conversation is over"


def test_an_object_whose_size_was_asked_is_at_hand(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[object] = []
    heard = CatFile._heard
    monkeypatch.setattr(
        CatFile, "_heard", lambda self, child, number: answers.append(number) or heard(self, child, number)
    )
    both = Both(repo)
    oid = repo.git("rev-parse", f"HEAD:{A}")
    assert (both.quick.size(oid), both.quick.read(oid)) == (5, ("blob", b"a: 1\n"))
    assert len(answers) == 1


def test_objects_that_are_expected_are_asked_for_at_once(repo: Repository) -> None:
    oids = [repo.blob(f"{number}".encode() * 50) for number in range(AT_ONCE + 20)]
    both = Both(repo)
    both.quick.prefetch([*oids, "1" * 40, *oids])
    assert sorted(both.quick._held) == sorted(oids[:AT_ONCE]), "so many that both sides can write before they read"
    both.quick.prefetch(["1" * 40, oids[AT_ONCE]])
    assert oids[AT_ONCE] in both.quick._held, "what is not there is not in the way"
    assert [both.quick.read(oid) for oid in oids] == [both.git.objects.read(oid) for oid in oids]
    assert not both.quick._held
    assert both.opened == 0


def test_without_the_command_everything_comes_from_libgit2(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("PATH", str(tmp_path))
        both = Both(repo)
        assert both.quick.commit("HEAD") is None
        assert Registry.open(repo.path, index=False).at("HEAD").commit == both.git.resolve("HEAD")


def test_a_command_that_is_not_git_is_believed_in_nothing(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    liar = tmp_path / "bin" / "git"
    liar.parent.mkdir()
    answer = "print('0' * 40, 'blob', 3, flush=True); print('abc', flush=True)"
    liar.write_text(f"#!{sys.executable}\nimport sys\nfor line in sys.stdin: {answer}\n")
    liar.chmod(0o755)
    oid = repo.git("rev-parse", f"HEAD:{A}")
    with monkeypatch.context() as patched:
        patched.setenv("PATH", str(liar.parent))
        both = Both(repo)
        assert both.quick.commit("HEAD") is None
        assert both.quick.read(oid) == ("blob", b"a: 1\n")
    assert both.opened == 1


def test_a_command_that_says_nothing_is_given_up(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = tmp_path / "bin" / "git"
    silent.parent.mkdir()
    silent.write_text("#!/bin/sh\nexec cat > /dev/null\n")
    silent.chmod(0o755)
    monkeypatch.setattr(cat_file, "PATIENCE", 0.1)
    wanted = GitRepository.open(str(repo.path)).resolve("HEAD")
    monkeypatch.setenv("PATH", f"{silent.parent}{os.pathsep}{os.environ['PATH']}")
    assert Registry.open(repo.path, index=False).at("HEAD").commit == wanted


@pytest.mark.parametrize("entry", ["", ".", "bin", "./bin"])
def test_a_program_of_the_registry_is_not_taken_for_git(
    repo: Repository, entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("git", "bin/git"):
        repo.write(place, f"#!/bin/sh\ntouch {repo.path.parent}/ran\n", mode=0o755)
    monkeypatch.setenv("PATH", f"{entry}{os.pathsep}{os.environ['PATH']}")
    assert Both(repo).quick.commit("HEAD") is not None
    assert not (repo.path.parent / "ran").exists()


def test_an_interrupted_question_is_not_answered_to_the_next(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.write(A, "a: 2\n")
    repo.commit("second", DAY)
    registry = Registry.open(repo.path, index=False)
    wanted = [registry.git.resolve(name) for name in ("HEAD", "HEAD~1")]
    del vars(registry)["git"]
    heard = CatFile._heard

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(CatFile, "_heard", interrupted)
        with pytest.raises(KeyboardInterrupt):
            registry.at("HEAD~1")
    assert CatFile._heard is heard
    assert [registry.at(name).commit for name in ("HEAD", "HEAD~1")] == wanted


def test_threads_get_each_their_own_answers(repo: Repository) -> None:
    for number in range(4):
        repo.write(A, f"a: {number}\n")
        repo.commit(f"commit {number}", DAY)
    names = [f"HEAD~{number}" for number in range(4)]
    both = Both(repo)
    wanted = {name: both.git.resolve(name) for name in names}
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(both.quick.commit, names * 60))
    assert found == [wanted[name] for name in names * 60]


def test_a_registry_that_is_closed_holds_no_command(repo: Repository) -> None:
    registry = Registry.open(repo.path, index=False)
    commit = registry.at("HEAD").commit
    assert registry._quick is not None
    assert registry._quick._child is not None
    pid = registry._quick._child.process.pid
    registry.close()
    assert ended(pid)
    assert registry.at("HEAD").commit == commit


def test_a_command_that_is_killed_is_missed_by_nobody(repo: Repository) -> None:
    both = Both(repo)
    commit = both.quick.commit("HEAD")
    assert commit is not None
    assert both.quick._child is not None
    both.quick._child.process.kill()
    both.quick._child.process.wait()
    assert both.quick.read(commit.tree) == both.git.objects.read(commit.tree)
    assert both.opened == 1


def test_the_command_ends_with_its_holder(repo: Repository) -> None:
    both = Both(repo)
    assert both.quick.commit("HEAD") is not None
    assert both.quick._child is not None
    pid = both.quick._child.process.pid
    del both
    gc.collect()
    assert ended(pid)


def test_it_crosses_to_another_process_as_a_place(repo: Repository) -> None:
    registry = Registry.open(repo.path, index=False)
    tree = pickle.loads(pickle.dumps(registry.at("HEAD").tree))
    assert [tree.read(entry) for entry in tree.entries] == [b"b: 1\n", b"a: 1\n"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_does_not_take_part_in_the_conversation(repo: Repository) -> None:
    script = f"""
import os, sys
from nodespec.registry import Registry
tree = Registry.open({str(repo.path)!r}, index=False).at("HEAD").tree
entries = tree.entries
child = os.fork()
if child == 0:
    os._exit(0 if all(tree.read(entry) in (b"a: 1\\n", b"b: 1\\n") for entry in entries * 20) else 1)
mine = all(tree.read(entry) in (b"a: 1\\n", b"b: 1\\n") for entry in entries * 20)
sys.exit(0 if mine and os.waitpid(child, 0)[1] == 0 else 1)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_linked_work_tree_reads_its_own_head(repo: Repository, tmp_path: Path) -> None:
    repo.write(A, "a: 2\n")
    repo.commit("second", DAY)
    repo.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"), "HEAD~1")
    registry = Registry.open(tmp_path / "linked", index=False)
    assert registry._quick is not None
    commit = registry.at("HEAD").commit
    assert commit == GitRepository.open(str(tmp_path / "linked")).resolve("HEAD")
    assert commit != Registry.open(repo.path, index=False).at("HEAD").commit


def test_a_repository_of_sha256_ids_is_refused_as_ever(tmp_path: Path) -> None:
    made = Repository.init(tmp_path / "repo", "--object-format=sha256")
    made.write(A, "a: 1\n")
    made.commit("first", DAY)
    with pytest.raises(RegistryError, match="SHA-256"):
        Registry.open(made.path, index=False).at("HEAD")


def test_the_command_has_no_say_in_what_it_is_asked(repo: Repository) -> None:
    """No hook, filter, helper or alias of the repository's own configuration is run."""
    flag = repo.path.parent / "ran"
    for name in ("core.fsmonitor", "core.sshCommand", "core.pager", "diff.external", "core.editor", "filter.x.smudge"):
        repo.git("config", name, f"touch {flag}")
    repo.git("config", "alias.cat-file", f"!touch {flag}")
    both = Both(repo)
    commit = both.quick.commit("HEAD")
    assert commit is not None
    assert both.quick.tree(commit).entries
    assert not flag.exists()
