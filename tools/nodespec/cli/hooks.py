"""nodespec hooks: the same judgement, where Git asks for it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from nodespec.cli.believed import check_pin
from nodespec.cli.common import echo, lines_of, note, repo_option
from nodespec.encoding import printable, quoted
from nodespec.errors import UsageError
from nodespec.gate import gate
from nodespec.git import GitRepository
from nodespec.judge import judge
from nodespec.proposal import Proposal, propose, propose_tree
from nodespec.provenance import Provenance
from nodespec.recall import known_roster
from nodespec.receive import NOTHING, RefusedError, Update, parse, steps
from nodespec.registry import Registry, Snapshot
from nodespec.report.text import to_text
from nodespec.report.trial import closing
from nodespec.worktree import write_file

if TYPE_CHECKING:
    from nodespec.tree import Tree
    from nodespec.verdict import Report

KINDS = ("pre-commit", "pre-receive", "post-receive")

MOST_SHOWN = 20
"""Findings that a push shows; a terminal has no room for more, and the first are enough to begin with."""

_MARK = "# written by nodespec hooks install"


@click.group("hooks")
def hooks_command() -> None:
    """Install Git's hooks, so that the gate judges every commit, or every push."""


@hooks_command.command("install")
@click.argument("kind", type=click.Choice(KINDS))
@repo_option
@click.option("--branch", "branches", multiple=True, metavar="NAME", help="A branch that is judged.  [default: HEAD's]")
@click.option("--home", metavar="DIR", help="post-receive: the configuration folder with the checkpoint key.")
@click.option("--passphrase-file", metavar="FILE", help="post-receive: the file with its passphrase.")
@click.option("--key", default="main", show_default=True, help="post-receive: the name of the checkpoint key.")
def install_command(
    kind: str, repo: str, branches: tuple[str, ...], home: str | None, passphrase_file: str | None, key: str
) -> None:
    r"""Install a hook into a repository.

    \b
    pre-commit    judges what is staged, before it is committed (a clone)
    pre-receive   judges every push, and refuses what the gate refuses (a server's bare repository)
    post-receive  makes a checkpoint of every new tip (a server's bare repository)

    A hook that is there already, and that this command did not write, is never overwritten.
    """
    git = GitRepository.open(repo)
    if (kind != "pre-commit") != (git.work_dir is None):
        where = "a bare repository, where pushes arrive" if kind != "pre-commit" else "a clone with a work tree"
        raise UsageError(f"{kind} belongs into {where}", hint="name one with --repo DIR")
    words = ["hooks", "run", kind, *(word for ref in map(_ref_of, branches) for word in ("--branch", ref))]
    variables: dict[str, str] = {}
    if kind == "post-receive":
        words += ["--key", key]
        given = {"NODESPEC_HOME": home, "NODESPEC_PASSPHRASE_FILE": passphrase_file}
        variables = {name: os.path.abspath(value) for name, value in given.items() if value}
    path = os.path.join(_hooks_folder(git), kind)
    if os.path.lexists(path) and _MARK not in _text_of(path):
        raise UsageError(f"{printable(path)} exists, and is not ours", hint=f"add this line to it: {_command(words)}")
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    write_file(path, f"#!/bin/sh\n{_MARK} {kind}\n{exports}exec {_command(words)}\n".encode())
    os.chmod(path, 0o755)
    echo(f"wrote {printable(path)}\n")


def _command(words: list[str]) -> str:
    """Return the command line that runs this tool, whatever the hook's PATH."""
    return shlex.join([sys.executable, "-I", "-m", "nodespec", *words])


def _hooks_folder(git: GitRepository) -> str:
    asked = ["git", f"--git-dir={git.git_dir}", "rev-parse", "--git-path", "hooks"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=git.work_dir or git.git_dir)
    if done.returncode != 0:
        raise UsageError(f"git rev-parse failed: {printable(done.stderr.strip())}")
    return os.path.join(git.work_dir or git.git_dir, done.stdout.strip())


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(10_000)
    except OSError:
        return ""


@hooks_command.command("run")
@click.argument("kind", type=click.Choice(KINDS))
@repo_option
@click.option("--branch", "branches", multiple=True, metavar="NAME", help="A branch that is judged.  [default: HEAD's]")
@click.option("--key", default="main", show_default=True, help="post-receive: the name of the checkpoint key.")
def run_command(kind: str, repo: str, branches: tuple[str, ...], key: str) -> int:
    """Do what a hook does; this is what the installed hooks call."""
    if kind == "pre-commit":
        return _before_commit(repo)
    git = GitRepository.open(repo)
    judged = {*map(_ref_of, branches)} or {_head_of(git)}
    updates = [
        update for update in parse(sys.stdin.buffer.read().decode("utf-8", "surrogateescape")) if update.ref in judged
    ]
    if kind == "post-receive":
        return max((_seal_tip(repo, update, key) for update in updates if update.new != NOTHING), default=0)
    return max((_judge_push(git, update) for update in updates), default=0)


def _ref_of(branch: str) -> str:
    """Return a branch's full name, whichever was given: one that no push has would let every push through."""
    return f"refs/heads/{branch.removeprefix('refs/heads/')}"


def _head_of(git: GitRepository) -> str:
    done = subprocess.run(
        ["git", f"--git-dir={git.git_dir}", "symbolic-ref", "HEAD"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise UsageError("HEAD is on no branch, so no branch is known to be judged", hint="name one with --branch NAME")
    return done.stdout.strip()


# Before a commit.


def _before_commit(repo: str) -> int:
    git = GitRepository.open(repo)
    asked = ["git", "-C", git.work_dir or repo, "write-tree"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UsageError(f"git write-tree failed: {printable(done.stderr.strip())}")
    staged = done.stdout.strip()
    base = git.current()
    if base is None:
        report = judge(git.staged(staged), jobs=None)
        return _shown(report, git.staged(staged))
    return _shown_proposal(git, propose_tree(git, base, staged))


# Before a push is received.


def _judge_push(git: GitRepository, update: Update) -> int:
    """Judge one branch of a push, step by step; stop at the first that is refused."""
    name = update.ref.removeprefix("refs/heads/")
    try:
        line = steps(git, update)
    except RefusedError as error:
        echo(f"refused: {error}\nhint: {error.hint}\n")
        return 1
    if update.old == NOTHING:
        tree = git.tree(git.resolve(update.new))
        echo(f"{quoted(name)} begins here; everything that it holds is judged\n")
        code = _shown(judge(tree, jobs=None), tree)
        if code == 0:  # a registry in itself; whether it is the one that this server knows is for the pin
            check_pin(Provenance(tree, Snapshot(lambda: tree).settings, datetime.now(UTC)))
        return code
    for before, after in line:
        code = _shown_proposal(git, propose(git, before, after))
        if code:
            last = line[0][0].short
            echo(f"refused: {printable(name)} stays at {last}; the gate does not let {after.short} through\n")
            return code
    return 0


def _shown_proposal(git: GitRepository, proposal: Proposal) -> int:
    """Judge a proposal as the gate does, say what came of it, and return the exit code."""
    now = datetime.now(UTC)
    before = Snapshot(lambda: proposal.before)
    check_pin(Provenance(proposal.before, before.settings, now))
    judgement = gate(proposal, now=now, roster=partial(known_roster, Registry.open(git.git_dir).index_path))
    if judgement.untouched:
        echo(closing(judgement) + "\n")
        return judgement.exit_code()
    return _shown(judgement.report, proposal.tree)


def _shown(report: Report, tree: Tree) -> int:
    from dataclasses import replace

    cut = replace(report, findings=report.findings[:MOST_SHOWN])
    echo(to_text(cut, lambda path: lines_of(tree, path)))
    if len(report.findings) > MOST_SHOWN:
        echo(f"{len(report.findings) - MOST_SHOWN:,} more findings: nodespec gate shows them all\n")
    return report.exit_code()


# After a push was received.


def _seal_tip(repo: str, update: Update, key: str) -> int:
    """Make a checkpoint of a branch's new tip; what goes wrong is said, for the push can no longer be refused."""
    command = [sys.executable, "-I", "-m", "nodespec", "checkpoint", "create", update.new, "--repo", repo, "--key", key]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    echo(done.stdout)
    if done.returncode:
        note(done.stderr.strip())
        note(f"hint: the push is received; make the checkpoint by hand: nodespec checkpoint create {update.new[:10]}")
    return done.returncode
