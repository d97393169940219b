"""A change is written whole or not at all: to the work tree, wherever it is interrupted, and to a commit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from nodespec import journal, worktree
from nodespec.publish import pull_request_address
from tests.test_cli_register import PROBE, PROBE_FILE, PROBE_SIGNED, STONE, Clone, founded

if TYPE_CHECKING:
    from pathlib import Path

JOURNAL = ".git/nodespec/journal.json"

DIES = """
import os, sys
left = [int(sys.argv[1])]
def mortal(function):
    def call(*arguments, **options):
        left[0] -= 1
        if left[0] == 0:
            os._exit(137)
        return function(*arguments, **options)
    return call
os.replace, os.unlink, os.rmdir = map(mortal, (os.replace, os.unlink, os.rmdir))
from nodespec.cli import main
main(sys.argv[2:])
"""
"""The command in a process that is gone, as by SIGKILL, at its n-th renaming or removing of a file or a folder."""


@pytest.fixture
def ada(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A registry of Ada's."""
    return founded(tmp_path, tmp_path_factory)


def registered(clone: Clone) -> dict[str, bytes]:
    """Return the files of the work tree, without the drafts (.nodespec-…) of files that were being written."""
    return {path: data for path, data in clone.files().items() if ".nodespec-" not in path}


def killed(clone: Clone, moment: int, *arguments: str) -> bool:
    """Run a command that dies at this moment; return whether it lived to see it."""
    environment = {**os.environ, **clone.environment}
    command = [sys.executable, "-c", DIES, str(moment), *arguments]
    done = subprocess.run(command, cwd=clone.path, env=environment, capture_output=True, text=True)
    assert done.returncode in (0, 137), done.stderr
    return done.returncode == 137


# Interrupted.


@pytest.mark.parametrize("action", ["register", "deregister"])
def test_whoever_is_killed_at_whatever_moment_leaves_all_or_nothing(ada: Clone, action: str) -> None:
    words: tuple[str, ...] = ("register", str(ada.draft()))
    expected, gone = {PROBE_FILE, PROBE_SIGNED}, set[str]()
    if action == "deregister":
        ada.says(*words, "--commit")
        words = ("deregister", PROBE, "--reason", "It rusted")
        expected, gone = {STONE, STONE.replace(".yaml", ".dsse.json")}, expected
    before = registered(ada)
    moment, completed = 1, 0
    while killed(ada, moment, *words):
        done = ada.run("verify", PROBE)  # the next command, whichever it is, completes what was begun
        if registered(ada) != before:
            completed += 1
            assert registered(ada).keys() == (before.keys() | expected) - gone
            assert "1 of 1 verified" in done.stdout
            assert not (ada.path / JOURNAL).exists()
        else:
            assert moment == 1, "before the journal has its name, nothing has happened; afterwards everything will"
        ada.git("checkout", "-q", ".")
        ada.git("clean", "-fdq")
        moment += 1
    assert completed == moment - 2
    assert completed >= 3
    assert "1 of 1 verified" in ada.says("verify", PROBE)
    assert ada.codes("--base", "HEAD") == []


def test_the_next_change_completes_the_one_before(ada: Clone) -> None:
    assert killed(ada, 3, "register", str(ada.draft()))
    assert (ada.path / JOURNAL).exists()
    assert not (ada.path / PROBE_SIGNED).exists()
    for draft in (ada.path / "registry").rglob(".nodespec-*"):
        draft.unlink()  # of the file that was being written
    ada.says("register", str(ada.draft(("sonde_v1", "rain_gauge"), ("depth_read", "rain_fell"))))
    assert "2 of 2 verified" in ada.says("verify")


def test_a_linked_work_tree_has_a_journal_of_its_own(ada: Clone) -> None:
    linked = ada.at(ada.people / "linked")
    ada.git("worktree", "add", "-q", str(linked.path))
    assert killed(linked, 3, "register", str(ada.draft()))
    assert (ada.path / ".git" / "worktrees" / "linked" / "nodespec" / "journal.json").exists()
    before = ada.files()
    ada.says("owner", "list")
    assert ada.files() == before
    linked.says("owner", "list")
    assert "1 of 1 verified" in linked.says("verify", PROBE)


BROKEN_JOURNALS = [
    "",
    "{",
    "[]",
    '{"head": "main"}',
    '{"head": "main", "files": []}',
    *(
        f'{{"head": "main", "files": {files}}}'
        for files in (
            '{"registry/a.yaml": null}',
            '{"registry/a.yaml": {"before": null, "after": "%"}}',
            '{"registry/a.yaml": {"before": "0", "after": "aGk="}}',
            '{"registry/a.yaml": {"before": null, "after": "aGk=", "more": 1}}',
            '{"a": {"before": null, "after": null}}',
            '{"README.md": {"before": null, "after": "aGk="}}',
            '{"registry/../README.md": {"before": null, "after": "aGk="}}',
            '{"registry": {"before": null, "after": null}}',
            '{"/etc/hosts": {"before": null, "after": "aGk="}}',
            '{"registry/a.yaml": {}, "registry/a.yaml": {}}',
        )
    ),
]


def test_a_broken_journal_stops_everything_and_the_remedy_is_said(ada: Clone) -> None:
    draft = str(ada.draft())
    before = ada.files()
    for text in BROKEN_JOURNALS:
        ada.write(JOURNAL, text)
        said = ada.says("register", draft, code=3)
        assert "journal.json" in said
        assert "delete it" in said
        assert ada.files() == before
        assert ada.read(JOURNAL) == text
    (ada.path / JOURNAL).unlink()
    ada.says("register", draft)


def test_what_somebody_changed_since_is_not_overwritten(ada: Clone) -> None:
    ada.says("register", str(ada.draft()))
    mine = "# mine\n"
    ada.write(PROBE_FILE, mine)
    entry = {"before": None, "after": "aGk="}
    ada.write(JOURNAL, json.dumps({"head": "main", "files": {PROBE_FILE: entry}}))
    said = ada.says("validate", code=3)
    assert f"{PROBE_FILE} was changed by somebody else since" in said
    assert "journal.json" in said
    assert ada.read(PROBE_FILE) == mine


def test_what_was_interrupted_on_another_branch_waits_for_it_and_what_is_completed_is_said(ada: Clone) -> None:
    entry = {"before": None, "after": b64encode(b"hi\n").decode()}
    ada.write(JOURNAL, json.dumps({"head": "main", "files": {PROBE_FILE: entry}}))
    ada.git("checkout", "-q", "-b", "other")
    before = ada.files()
    said = ada.says("query", code=3)
    assert "interrupted while HEAD was main" in said
    assert "delete" in said
    assert ada.files() == before
    ada.git("checkout", "-q", "main")
    assert f"is completed now: {PROBE_FILE}" in ada.run("query").stderr
    assert ada.read(PROBE_FILE) == "hi\n"


def test_an_interrupt_takes_everything_back(ada: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    ada.write("registry/nodes/lab/b.yaml", "old\n")
    before = ada.files()
    for moment in range(1, 5):
        written: list[str] = []

        def stop(path: str, data: bytes, *, moment: int = moment, written: list[str] = written) -> None:
            written.append(path)
            if len(written) == moment:
                raise KeyboardInterrupt
            worktree.write_file(path, data)

        monkeypatch.setattr(journal, "write_file", stop)
        files = {"registry/nodes/lab/a.yaml": b"new\n", "registry/nodes/lab/b.yaml": b"new\n"}
        if moment < 4:
            with pytest.raises(KeyboardInterrupt):
                journal.apply(str(ada.path), files)
            assert ada.files() == before
            assert not (ada.path / JOURNAL).exists()
        else:
            journal.apply(str(ada.path), files)
            assert ada.files() != before


# Links.


def test_nothing_is_written_through_a_link_to_another_folder(ada: Clone) -> None:
    outside = ada.people / "outside"
    (outside / "probe").mkdir(parents=True)
    (ada.path / "registry" / "nodes").mkdir(exist_ok=True)
    link = ada.path / "registry" / "nodes" / "lab"
    link.symlink_to(outside)
    assert ada.run("register", str(ada.draft())).returncode in (1, 2, 3)
    assert list(outside.rglob("*")) == [outside / "probe"]
    link.unlink()
    owners = ada.path / "registry" / "owners"
    owners.rename(outside / "owners")
    owners.symlink_to(outside / "owners")
    before = sorted(outside.rglob("*"))
    said = ada.says("owner", "create", "Ada Two", code=2)
    assert "registry/owners is a symbolic link, and nothing is written through one" in said
    assert sorted(outside.rglob("*")) == before
    assert not (ada.path / JOURNAL).exists()


def test_neither_does_a_journal_lead_outside(ada: Clone) -> None:
    outside = ada.people / "outside"
    outside.mkdir()
    (ada.path / "registry" / "out").symlink_to(outside)
    ada.write(
        JOURNAL, json.dumps({"head": "main", "files": {"registry/out/a.yaml": {"before": None, "after": "aGk="}}})
    )
    said = ada.says("owner", "list", code=2)
    assert "symbolic link" in said
    assert list(outside.iterdir()) == []


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(ada: Clone) -> None:
    target = ada.people / "target.yaml"
    target.write_text("mine\n")
    (ada.path / PROBE_FILE).parent.mkdir(parents=True)
    (ada.path / PROBE_FILE).symlink_to(target)
    (ada.path / PROBE_SIGNED).symlink_to(ada.people / "nowhere")
    ada.says("register", str(ada.draft()))
    assert target.read_text() == "mine\n"
    assert not (ada.path / PROBE_FILE).is_symlink()
    assert not (ada.people / "nowhere").exists()
    assert "1 of 1 verified" in ada.says("verify")


# Commits.


def test_a_commit_is_made_of_objects_and_moves_one_branch(ada: Clone) -> None:
    ada.git("config", "core.autocrlf", "true")
    ada.git("config", "core.hooksPath", str(ada.people / "hooks"))
    ada.says("register", str(ada.draft()), "--branch", "x")
    assert "\r" not in ada.git("show", f"x:{PROBE_FILE}"), "no filter touches what is signed"
    assert ada.git("ls-tree", "x", PROBE_FILE).startswith("100644 blob ")
    assert (
        ada.git("log", "-1", "--format=%an <%ae>%n%P", "x") == f"Ada <ada@example.org>\n{ada.git('rev-parse', 'HEAD')}"
    )
    assert ada.git("reflog", "-1", "--format=%gs", "x").endswith(f"Register {PROBE} 0.1.0")

    # A hook of the repository has the last word about its branches.
    hook = ada.people / "hooks" / "reference-transaction"
    hook.parent.mkdir()
    hook.write_text('#!/bin/sh\n[ "$1" != prepared ] || { echo "closed today" >&2; exit 1; }\n')
    hook.chmod(0o755)
    said = ada.refuses("register", str(ada.draft()), "--branch", "y")
    assert "closed today" in said or "hook" in said


def test_where_nothing_is_committed_there_is_nothing_to_follow(ada: Clone, tmp_path: Path) -> None:
    ada.at(tmp_path).says("init", "new")
    new = ada.at(tmp_path / "new")
    said = new.says("owner", "create", "Ada Lovelace")
    assert "there is no base to compare with: the repository has no commits yet" in said
    files = new.files()
    said = new.says("register", str(new.draft()), "--branch", "x", code=2)
    assert "git commit" in said
    assert new.files() == files
    new.says("register", str(new.draft()))
    assert new.codes() == []
    new.commit("All at once")
    assert "no findings" in new.says("validate", "--at", "HEAD")


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("git@github.com:acme/registry.git", "https://github.com/acme/registry/compare/register/lab.a/b?expand=1"),
        ("https://github.com/acme/registry", "https://github.com/acme/registry/compare/register/lab.a/b?expand=1"),
        (
            "https://ada@github.com/acme/registry.git/",
            "https://github.com/acme/registry/compare/register/lab.a/b?expand=1",
        ),
        (
            "ssh://git@github.com/acme/registry.git",
            "https://github.com/acme/registry/compare/register/lab.a/b?expand=1",
        ),
        (
            "git@gitlab.com:acme/sub/registry.git",
            "https://gitlab.com/acme/sub/registry/-/merge_requests/new?merge_request%5Bsource_branch%5D=register%2Flab.a%2Fb",
        ),
        (
            "https://gitlab.acme.org/acme/registry.git",
            "https://gitlab.acme.org/acme/registry/-/merge_requests/new?merge_request%5Bsource_branch%5D=register%2Flab.a%2Fb",
        ),
        ("git@codeberg.org:acme/registry.git", "https://codeberg.org/acme/registry/compare/main...register/lab.a/b"),
        ("https://gitea.acme.org/a/r.git", "https://gitea.acme.org/a/r/compare/main...register/lab.a/b"),
        ("/srv/git/registry.git", ""),
        ("../registry", ""),
        ("file:///srv/git/registry.git", ""),
        ("https://git.acme.org/registry.git", ""),
        ("", ""),
    ],
)
def test_the_address_where_a_pull_request_is_opened(remote: str, address: str) -> None:
    assert pull_request_address(remote, "register/lab.a/b") == address


def test_a_secret_in_a_remotes_address_is_not_repeated() -> None:
    address = pull_request_address("https://ada:hunter2@github.com/acme/registry.git", "x")
    assert address == "https://github.com/acme/registry/compare/x?expand=1"
