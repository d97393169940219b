"""`nodespec hooks`: where each may stand, and what is said before a commit; pushes are in ``end_to_end``."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.test_cli_register import PROBE_FILE, Clone, change, founded, with_a_node

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def ada(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = founded(tmp_path, tmp_path_factory, then=with_a_node)
    clone.says("hooks", "install", "pre-commit")
    return clone


def commits(clone: Clone, *words: str) -> tuple[bool, str]:
    """Try to commit what is staged; return whether that went well, and what was said."""
    before = clone.git("rev-parse", "HEAD")
    done = subprocess.run(["git", "commit", "-m", "x", *words], cwd=clone.path, capture_output=True, text=True)
    went_well = done.returncode == 0
    assert went_well == (clone.git("rev-parse", "HEAD") != before)
    return went_well, done.stdout + done.stderr


def test_what_is_staged_is_judged_and_not_what_lies_about(ada: Clone) -> None:
    change(ada, PROBE_FILE, "tier: 0", "tier: 1")
    ada.write("docs/a.md", "words\n")
    ada.git("add", "docs")
    went_well, said = commits(ada)
    assert went_well, said
    assert "nothing of the registry changes" in said
    ada.git("add", "-A")
    went_well, said = commits(ada)
    assert not went_well
    assert "P013" in said
    assert PROBE_FILE in said
    went_well, said = commits(ada, "-a")
    assert not went_well, "a commit of everything is judged by what it would hold"
    change(ada, PROBE_FILE, "version: 0.1.0", "version: 0.2.0")
    ada.says("update", PROBE_FILE)
    ada.git("add", "-A")
    went_well, said = commits(ada)
    assert went_well, said


def test_a_branch_that_is_signed_once_for_all_of_it_is_judged_so(ada: Clone) -> None:
    """A revision follows from main; as a step from HEAD, which holds an earlier signature, it follows from nothing."""
    ada.git("checkout", "-q", "-b", "work")
    for version in ("0.2.0", "0.3.0"):
        text = ada.read(PROBE_FILE)
        ada.write(PROBE_FILE, re.sub(r"version: 0\.[0-9]\.0", f"version: {version}", text, count=1))
        ada.says("update", PROBE_FILE, "--base", "main")
        ada.git("add", "-A")
        ada.says("hooks", "install", "pre-commit", "--base", "main")
        went_well, said = commits(ada)
        assert went_well, said
    assert "is called" in ada.says("hooks", "install", "pre-commit", "--base", "nowhere", code=2)


def test_the_first_commit_is_judged_whole(ada: Clone, tmp_path: Path) -> None:
    new = ada.at(tmp_path)
    new.says("init", "fresh", "--id", "lab.fresh")
    fresh = ada.at(tmp_path / "fresh")
    if not (fresh.path / ".git").exists():
        fresh.git("init", "-q", "-b", "main")
    fresh.says("hooks", "install", "pre-commit")
    fresh.write("registry/stray.txt", "x\n")
    fresh.git("add", "-A")
    done = subprocess.run(["git", "commit", "-m", "x"], cwd=fresh.path, capture_output=True, text=True)
    assert done.returncode != 0
    assert "T001" in done.stdout + done.stderr
    fresh.git("rm", "-q", "-f", "registry/stray.txt")
    fresh.git("commit", "-q", "-m", "x")


def test_a_tag_that_is_there_already_and_hides_the_branch_is_told(ada: Clone, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    ada.git("clone", "-q", "--bare", ".", str(bare))
    ada.git("--git-dir", str(bare), "tag", "v1")
    install = ("hooks", "install", "pre-receive", "--repo", str(bare))
    assert "warning" not in ada.says(*install)
    ada.git("--git-dir", str(bare), "tag", "main")
    assert "warning: refs/tags/main could be taken for a judged branch" in ada.says(*install)
    tip = ada.git("rev-parse", "HEAD").strip()
    ada.git("--git-dir", str(bare), "update-ref", f"refs/replace/{tip}", tip)
    assert f"warning: by refs/replace/{tip}, git shows another object" in ada.says(*install)


def test_each_hook_has_its_place_and_none_overwrites_anothers(ada: Clone, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    ada.git("clone", "-q", "--bare", ".", str(bare))
    for kind, where in (("pre-commit", bare), ("pre-receive", ada.path), ("post-receive", ada.path)):
        assert "belongs in" in ada.says("hooks", "install", kind, "--repo", str(where), code=2)
    own = bare / "hooks" / "pre-receive"
    own.parent.mkdir(exist_ok=True)
    own.write_text("#!/bin/sh\nexit 0\n")
    said = ada.says("hooks", "install", "pre-receive", "--repo", str(bare), code=2)
    assert "is not ours" in said
    assert "hooks run pre-receive" in said, "it says which line to add"
    assert own.read_text() == "#!/bin/sh\nexit 0\n"
    own.unlink()
    for _ in range(2):
        ada.says("hooks", "install", "pre-receive", "--repo", str(bare), "--branch", "main", "--branch", "next")
    assert own.stat().st_mode & 0o111
    assert "--branch refs/heads/main --branch refs/heads/next" in own.read_text()


@pytest.mark.parametrize("name", ["main", "refs/heads/main"])
def test_a_branch_is_judged_by_whichever_name_it_is_called(ada: Clone, tmp_path: Path, name: str) -> None:
    bare = tmp_path / "bare.git"
    ada.git("clone", "-q", "--bare", ".", str(bare))
    tip = ada.git("rev-parse", "main")
    line = f"{tip} {'0' * 40} refs/heads/main\n".encode()
    assert "never deleted" in ada.at(bare).says("hooks", "run", "pre-receive", "--branch", name, code=1, stdin=line)


def test_a_branch_that_begins_begins_with_the_registry_that_is_pinned(ada: Clone, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    ada.git("clone", "-q", "--bare", ".", str(bare))
    line = f"{'0' * 40} {ada.git('rev-parse', 'main')} refs/heads/main\n".encode()
    ada.git("-C", str(bare), "update-ref", "-d", "refs/heads/main")  # its commits are there, as those of a push are
    assert "no findings" in ada.at(bare).says("hooks", "run", "pre-receive", stdin=line)
    other = ada.by("ben").at(tmp_path)
    other.says("init", "other", "--id", "lab.test")
    other.at(tmp_path / "other").says("trust", "pin")
    said = other.at(bare).says("hooks", "run", "pre-receive", code=3, stdin=line)
    assert "pinned" in said


def test_a_hook_that_is_handed_nonsense_lets_nothing_through(ada: Clone, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    ada.git("clone", "-q", "--bare", ".", str(bare))
    at = ada.at(bare)
    assert "is no line of a push" in at.says("hooks", "run", "pre-receive", code=2, stdin=b"nonsense\n")
    line = b"%b %b refs/heads/main\n" % (b"1" * 40, b"2" * 40)
    assert at.run("hooks", "run", "pre-receive", stdin=line).returncode not in (0, 1)
    at.git("update-ref", "--no-deref", "HEAD", at.git("rev-parse", "main"))
    assert "HEAD is on no branch" in at.says("hooks", "run", "pre-receive", code=2, stdin=line)


def served(ada: Clone, tmp_path: Path, *words: str) -> Path:
    """A server that holds the registry and judges pushes; ``words`` are options of the hook."""
    bare = tmp_path / "served.git"
    ada.git("clone", "-q", "--bare", ".", str(bare))
    said = ada.says("hooks", "install", "pre-receive", "--repo", str(bare), *words)
    assert "it judges " in said
    return bare


def pushes(ada: Clone, bare: Path, refspec: str) -> tuple[bool, str]:
    done = subprocess.run(["git", "push", str(bare), refspec], cwd=ada.path, capture_output=True, text=True)
    return done.returncode == 0, done.stderr


def spoil(ada: Clone) -> None:
    """Commit what no gate lets through."""
    change(ada, PROBE_FILE, "tier: 0", "tier: 7")
    ada.git("commit", "-q", "--no-verify", "-a", "-m", "more trust")


def test_another_name_for_a_branch_is_that_branch(ada: Clone, tmp_path: Path) -> None:
    bare = served(ada, tmp_path)
    ada.git("-C", str(bare), "symbolic-ref", "refs/heads/master", "refs/heads/main")
    tip = ada.git("-C", str(bare), "rev-parse", "main")
    spoil(ada)
    went_well, said = pushes(ada, bare, "HEAD:refs/heads/master")
    assert not went_well
    assert "P013" in said
    assert ada.git("-C", str(bare), "rev-parse", "main") == tip


def test_a_judged_branch_that_is_made_goes_on_from_what_is_judged(ada: Clone, tmp_path: Path) -> None:
    bare = served(ada, tmp_path, "--branch", "main", "--branch", "stable")
    went_well, said = pushes(ada, bare, "HEAD:refs/heads/stable")
    assert went_well, said
    assert "begins at a commit that was judged before" in said
    ada.git("-C", str(bare), "branch", "-q", "-D", "stable")
    change(ada, "registry/registry.yaml", "max_nodes: 3", "max_nodes: 300")
    ada.git("commit", "-q", "--no-verify", "-a", "-m", "more for all")
    went_well, said = pushes(ada, bare, "HEAD:refs/heads/stable")
    assert not went_well
    assert "C012" in said


def test_a_branch_that_is_not_judged_is_named_and_takes_no_judged_one_s_place(ada: Clone, tmp_path: Path) -> None:
    bare = served(ada, tmp_path)
    went_well, said = pushes(ada, bare, "HEAD:refs/heads/draft")
    assert went_well
    assert "not judged: draft (judged here: main)" in said
    empty = tmp_path / "empty.git"
    ada.git("init", "-q", "--bare", "-b", "trunk", str(empty))
    ada.says("hooks", "install", "pre-receive", "--repo", str(empty))
    went_well, said = pushes(ada, empty, "HEAD:refs/heads/main")
    assert not went_well
    assert "trunk is what is judged here, and nobody has pushed it yet" in said


def test_silence_is_no_push(ada: Clone, tmp_path: Path) -> None:
    bare = served(ada, tmp_path)
    said = ada.says("hooks", "run", "pre-receive", "--repo", str(bare), code=2)
    assert "nothing on standard input" in said


def test_a_registry_begins_on_a_branch_that_held_code(ada: Clone, tmp_path: Path) -> None:
    nothing, main = "0" * 40, ada.git("rev-parse", "main")
    ada.git("checkout", "-q", "--orphan", "code")
    ada.git("rm", "-rfq", ".")
    ada.write("main.py", "print()\n")
    code = ada.commit("code, which the hook before a commit has nothing to say about")
    ada.write("main.py", "print(1)\n")
    more = ada.commit("more code")
    ada.git("checkout", "-q", main, "--", ".")
    founded = ada.commit("a registry")
    ada.git("rm", "-rq", "registry/owners")
    ada.git("-c", "core.hooksPath=/dev/null", "commit", "-qm", "bad")
    bad = ada.git("rev-parse", "HEAD")
    bare = tmp_path / "bare.git"
    ada.git("clone", "-q", "--bare", ".", str(bare))
    ada.git("-C", str(bare), "symbolic-ref", "HEAD", "refs/heads/main")
    ada.git("-C", str(bare), "update-ref", "-d", "refs/heads/main")
    server = ada.at(bare)

    def says(old: str, new: str, code: int) -> str:
        line = f"{old} {new} refs/heads/main\n".encode()
        return server.says("hooks", "run", "pre-receive", code=code, stdin=line)

    for old, new in ((nothing, code), (code, more)):
        said = says(old, new, 4)
        assert "refused: main holds no registry" in said
        assert "nodespec init ." in said
    assert "begins here; everything that it holds is judged" in says(more, founded, 0)
    assert "error[" in says(more, bad, 1)
    assert "stays at" in says(founded, bad, 1)


def test_before_a_commit_a_registry_is_judged_whole_where_none_was(ada: Clone) -> None:
    main = ada.git("rev-parse", "main")
    ada.git("checkout", "-q", "--orphan", "code")
    ada.git("rm", "-rfq", ".")
    ada.write("main.py", "print()\n")
    ada.git("add", "-A")
    assert "nothing is judged" in ada.says("hooks", "run", "pre-commit")
    ada.commit("code")
    ada.git("checkout", "-q", main, "--", ".")
    assert "no findings" in ada.says("hooks", "run", "pre-commit")
    ada.git("rm", "-rqf", "registry/registry.yaml")
    assert "T008" in ada.says("hooks", "run", "pre-commit", code=1)


NOTHING = "0" * 40


class Hub:
    """A bare repository, asked as git would ask its hook; what is accepted is there from then on."""

    def __init__(self, ada: Clone, path: Path, *branches: str) -> None:
        self.ada, self.path = ada, path
        self.options = [word for name in branches for word in ("--branch", name)]
        ada.git("clone", "-q", "--bare", ".", str(path))
        for ref in ada.git("-C", str(path), "for-each-ref", "--format=%(refname)").split():
            ada.git("-C", str(path), "update-ref", "-d", ref)
        ada.git("-C", str(path), "symbolic-ref", "HEAD", "refs/heads/main")

    def push(self, name: str, new: str, code: int = 0, *options: str) -> str:
        ref = f"refs/heads/{name}"
        self.ada.git("push", "-q", str(self.path), f"{new}:refs/tags/objects-{new}")  # as in quarantine
        old = self.ada.git("-C", str(self.path), "for-each-ref", "--format=%(objectname)", ref) or NOTHING
        server = self.ada.at(self.path)
        line = f"{old} {new} {ref}\n".encode()
        said = server.says("hooks", "run", "pre-receive", *self.options, *options, code=code, stdin=line)
        if code == 0:
            self.ada.git("-C", str(self.path), "update-ref", ref, new)
        return said


@pytest.fixture
def bad(ada: Clone) -> str:
    """A commit on top of main that nobody should accept."""
    ada.git("rm", "-rq", "registry/owners")
    ada.git("-c", "core.hooksPath=/dev/null", "commit", "-qm", "bad")
    tip = ada.git("rev-parse", "HEAD")
    ada.git("reset", "-q", "--hard", "HEAD~1")
    return tip


def test_what_stands_on_a_branch_that_is_not_judged_was_not_judged(ada: Clone, tmp_path: Path, bad: str) -> None:
    good = ada.git("rev-parse", "HEAD")
    hub = Hub(ada, tmp_path / "hub.git", "prod", "stable")
    hub.push("prod", good)
    assert "not judged: main" in hub.push("main", bad)
    assert "error[" in hub.push("stable", bad, 1)
    assert "judged before" in hub.push("stable", good)


def test_a_branch_that_is_made_goes_on_from_the_nearest_judged_one(ada: Clone, tmp_path: Path) -> None:
    first = ada.git("rev-parse", "HEAD")
    ada.write("docs.md", "two\n")
    second = ada.commit("second")
    hub = Hub(ada, tmp_path / "hub.git", "main", "zrel", "zhot")
    hub.push("main", first)
    hub.push("zrel", second)
    assert "judged before" in hub.push("zhot", second)


def test_the_side_of_a_merge_was_not_judged_by_itself(ada: Clone, tmp_path: Path, bad: str) -> None:
    first = ada.git("rev-parse", "HEAD")
    tree = ada.git("rev-parse", "HEAD^{tree}")
    mended = ada.git("commit-tree", tree, "-p", bad, "-m", "mended")
    merge = ada.git("commit-tree", tree, "-p", first, "-p", mended, "-m", "merge")
    hub = Hub(ada, tmp_path / "hub.git", "main", "other")
    hub.push("main", first)
    hub.push("main", merge)
    assert "only as a part of a merge" in hub.push("other", bad, 1)


def test_a_second_registry_begins_nowhere(ada: Clone, tmp_path: Path) -> None:
    registry = ada.git("rev-parse", "HEAD")
    ada.git("checkout", "-q", "--orphan", "code")
    ada.git("rm", "-rfq", ".")
    ada.write("main.py", "print()\n")
    code = ada.commit("code")
    tree = ada.git("rev-parse", f"{registry}^{{tree}}")
    ours = ada.git("commit-tree", tree, "-p", code, "-m", "our registry")
    theirs = ada.git("commit-tree", tree, "-p", code, "-m", "their registry")
    hub = Hub(ada, tmp_path / "hub.git", "main", "release")
    hub.push("main", ours)
    assert "before the registry" in hub.push("release", theirs, 1)
    assert "nothing in common" in hub.push("release", registry, 1)
    ada.git("-C", str(hub.path), "update-ref", "refs/heads/release", code)
    assert "another judged branch holds the registry" in hub.push("release", theirs, 1)


def test_code_and_a_registry_come_in_one_push_and_code_alone_does_not(ada: Clone, tmp_path: Path) -> None:
    registry = ada.git("rev-parse", "HEAD")
    ada.git("checkout", "-q", "--orphan", "code")
    ada.git("rm", "-rfq", ".")
    ada.write("registry/index.js", "the registry of something else\n")
    code = ada.commit("code")
    ada.write("main.py", "print()\n")
    more = ada.commit("more code")
    tree = ada.git("rev-parse", f"{registry}^{{tree}}")
    founded = ada.git("commit-tree", tree, "-p", more, "-m", "a registry")
    hub = Hub(ada, tmp_path / "hub.git")
    ada.git("push", "-q", str(hub.path), f"{code}:refs/heads/main")
    assert "holds no registry" in hub.push("main", more, 4)
    assert "begins here" in hub.push("main", founded)


def test_two_registries_do_not_begin_in_one_push(ada: Clone, tmp_path: Path) -> None:
    tip = ada.git("rev-parse", "HEAD")
    hub = Hub(ada, tmp_path / "hub.git", "main", "release")
    ada.git("push", "-q", str(hub.path), f"{tip}:refs/tags/objects")
    lines = "".join(f"{NOTHING} {tip} refs/heads/{name}\n" for name in ("main", "release")).encode()
    said = ada.at(hub.path).says("hooks", "run", "pre-receive", *hub.options, code=1, stdin=lines)
    assert "several branches at once" in said


def test_a_server_may_expect_one_trust_root(ada: Clone, tmp_path: Path) -> None:
    tip = ada.git("rev-parse", "HEAD")
    digest = re.search(r"[0-9a-f]{64}", ada.says("trust", "pin"))
    assert digest is not None
    hub = Hub(ada, tmp_path / "hub.git")
    assert "not the one that this server expects" in hub.push("main", tip, 1, "--expect", "0" * 64)
    hub.push("main", tip, 0, "--expect", digest[0])
    ada.at(hub.path).says("hooks", "install", "pre-receive", "--expect", digest[0])
    assert f"--expect {digest[0]}" in (hub.path / "hooks" / "pre-receive").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["release/*", "../x", "a b", "x..y", ""])
def test_a_branch_that_has_no_name_is_not_installed(ada: Clone, tmp_path: Path, name: str) -> None:
    hub = Hub(ada, tmp_path / "hub.git")
    said = ada.at(hub.path).says("hooks", "install", "pre-receive", "--branch", name, code=2)
    assert "no branch's name" in said
    assert not (hub.path / "hooks" / "pre-receive").exists()
