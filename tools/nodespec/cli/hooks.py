"""nodespec hooks: the same judgement, where Git asks for it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from nodespec.cli.believed import Rosters, check_pin
from nodespec.cli.common import echo, lines_of, note, repo_option
from nodespec.encoding import printable, quoted
from nodespec.errors import UsageError
from nodespec.gate import gate
from nodespec.git import PLACES, GitRepository
from nodespec.judge import judge
from nodespec.pin import fingerprint
from nodespec.proposal import Proposal, holds_registry, propose, propose_tree
from nodespec.provenance import Provenance
from nodespec.receive import NOTHING, RefusedError, Update, joined, parse, steps
from nodespec.registry import Registry, Snapshot
from nodespec.report.gate_text import closing
from nodespec.report.text import to_text
from nodespec.worktree import write_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodespec.commit import Commit, CommitTree
    from nodespec.tree import Tree
    from nodespec.verdict import Report

KINDS = ("pre-commit", "pre-receive", "post-receive")

MOST_SHOWN = 20
"""Findings that a push shows; a terminal has no room for more, and the first are enough to begin with."""

_MOST_LINKS = 5
"""Symbolic refs that git follows one after another."""

_REPLACING = "refs/replace/"
"""Refs by which git shows one object in place of another (git-replace)."""

_MARK = "# written by nodespec hooks install"


@click.group("hooks")
def hooks_command() -> None:
    """Install Git's hooks, so that the gate judges every commit, or every push."""


expect_option = click.option(
    "--expect", metavar="DIGEST", help="pre-receive: the fingerprint of the first trust root that may begin here."
)


base_option = click.option(
    "--base", metavar="REV", help="pre-commit: judge all of the branch, as a pull request to this.  [default: HEAD]"
)


@hooks_command.command("install")
@click.argument("kind", type=click.Choice(KINDS))
@repo_option
@base_option
@click.option("--branch", "branches", multiple=True, metavar="NAME", help="A branch that is judged.  [default: HEAD's]")
@expect_option
@click.option("--home", metavar="DIR", help="post-receive: the configuration folder with the checkpoint key.")
@click.option("--passphrase-file", metavar="FILE", help="post-receive: the file with its passphrase.")
@click.option("--key", default="main", show_default=True, help="post-receive: the name of the checkpoint key.")
def install_command(
    kind: str,
    repo: str,
    base: str | None,
    branches: tuple[str, ...],
    expect: str | None,
    home: str | None,
    passphrase_file: str | None,
    key: str,
) -> None:
    """Install a hook into a repository.

    \b
    pre-commit    judges what is staged, before it is committed (a clone)
    pre-receive   judges every push, and refuses what the gate refuses (a server's bare repository)
    post-receive  makes a checkpoint of every new tip (a server's bare repository)

    A hook that is there already, and that this command did not write, is never overwritten.
    """
    git = GitRepository.open(repo)
    if (kind != "pre-commit") != (git.work_dir is None):
        where = "a bare repository, where pushes arrive" if kind != "pre-commit" else "a clone with a work tree"
        raise UsageError(f"{kind} belongs in {where}", hint="name one with --repo DIR")
    words = ["hooks", "run", kind, *(word for ref in map(_ref_of, branches) for word in ("--branch", ref))]
    for branch in branches:
        _check_name(branch)
    if kind == "pre-commit" and base is not None:
        git.resolve(base)
        words += ["--base", base]
    if kind == "pre-receive" and expect is not None:
        words += ["--expect", expect]
    variables: dict[str, str] = {}
    if kind == "post-receive":
        words += ["--key", key]
        given = {"NODESPEC_HOME": home, "NODESPEC_PASSPHRASE_FILE": passphrase_file}
        variables = {name: os.path.abspath(value) for name, value in given.items() if value}
    path = os.path.join(_hooks_folder(git), kind)
    if os.path.lexists(path) and _MARK not in _text_of(path):
        hint = f"add to it: {_command(words)} || exit $?"
        if kind != "pre-commit":  # which is told what is pushed, once
            line = f"printf '%s\\n' \"$input\" | {_command(words)} || exit $?"
            hint = f"put input=$(cat) at its top, give that to whatever reads standard input, and add: {line}"
        raise UsageError(f"{printable(path)} exists, and is not ours", hint=hint)
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    write_file(path, f"#!/bin/sh\n{_MARK} {kind}\n{exports}exec {_command(words)}\n".encode())
    os.chmod(path, 0o755)
    echo(f"wrote {printable(path)}\n")
    if kind != "pre-commit":
        guarded = {_target_of(git, ref) for ref in map(_ref_of, branches)} or {_target_of(git, _head_of(git))}
        echo(f"it judges {', '.join(printable(ref.removeprefix('refs/heads/')) for ref in sorted(guarded))}\n")
        for ref in git.refs:
            if any(_shadows(ref, judged) for judged in guarded):
                note(f"warning: {ref} could be taken for a judged branch; rename or delete it")
            elif ref.startswith(_REPLACING):
                note(f"warning: by {ref}, git shows another object than the one that is judged; delete it")


def _check_name(branch: str) -> None:
    done = subprocess.run(["git", "check-ref-format", _ref_of(branch)], capture_output=True, check=False)
    if done.returncode != 0:
        raise UsageError(f"{quoted(branch)} is no branch's name", hint="name each branch; patterns are not known here")


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
@base_option
@click.option("--branch", "branches", multiple=True, metavar="NAME", help="A branch that is judged.  [default: HEAD's]")
@expect_option
@click.option("--key", default="main", show_default=True, help="post-receive: the name of the checkpoint key.")
def run_command(kind: str, repo: str, base: str | None, branches: tuple[str, ...], expect: str | None, key: str) -> int:
    """Do what a hook does; this is what the installed hooks call."""
    if kind == "pre-commit":
        return _before_commit(repo, base)
    git = GitRepository.open(repo)
    updates = [replace(one, ref=_target_of(git, one.ref)) for one in parse(_pushed())]
    guarded = {_target_of(git, ref) for ref in map(_ref_of, branches)} or {_target_of(git, _head_of(git))}
    chosen = [update for update in updates if update.ref in guarded]
    if kind == "post-receive":
        return max((_seal_tip(repo, update, key) for update in chosen if update.new != NOTHING), default=0)
    shown = ", ".join(printable(ref.removeprefix("refs/heads/")) for ref in sorted(guarded))
    for update in updates:
        if update.ref.startswith("refs/heads/") and update not in chosen:
            echo(f"not judged: {printable(update.ref.removeprefix('refs/heads/'))} (judged here: {shown})\n")
    shadow = next(
        (one for one in updates if one.new != NOTHING and any(_shadows(one.ref, ref) for ref in guarded)), None
    )
    if shadow is not None:
        echo(f"refused: {printable(shadow.ref)} could be taken for a branch that is judged here ({shown})\n")
        echo("hint: choose another name\n")
        return 1
    if any(one.new != NOTHING and one.ref.startswith(_REPLACING) for one in updates):
        echo(f"refused: refs under {_REPLACING} let git show other contents in place of those that were judged\n")
        echo("hint: push the commit itself, to a branch\n")
        return 1
    tips = _tips_of(git, guarded)
    if not chosen and not tips and any(one.new != NOTHING for one in updates):
        echo(f"refused: {shown} is what is judged here, and nobody has pushed it yet\n")
        echo("hint: push it first; or install the hook for another branch: nodespec hooks install --branch NAME\n")
        return 1
    if sum(_begins(git, update) for update in chosen) > 1:
        echo("refused: a registry would begin on several branches at once\nhint: push one of them first\n")
        return 1
    return max((_judge_push(git, update, tips, expect) for update in chosen), default=0)


def _shadows(ref: str, judged: str) -> bool:
    """Say whether git, asked for a judged branch by a shorter name, could take this ref for it.

    In a clone, it may be asked for as a branch of any remote; tags are what a clone takes over under their own names.

    >>> places = ("tags/main", "tags/origin/main", "heads/heads/main", "tags/refs/heads/main", "remotes/main/HEAD")
    >>> all(_shadows(f"refs/{place}", "refs/heads/main") for place in places)
    True
    >>> places = ("heads/main", "heads/fix/main", "tags/v1-main", "tags/release/2026/main", "remotes/origin/main")
    >>> any(_shadows(f"refs/{place}", "refs/heads/main") for place in places)
    False
    """
    name = judged.removeprefix("refs/heads/")
    taken = {place.format(asked) for place in PLACES for asked in (name, f"heads/{name}", judged)} - {judged}
    return ref in taken or re.fullmatch(f"refs/tags/[^/]+/{re.escape(name)}", ref) is not None


def _begins(git: GitRepository, update: Update) -> bool:
    """Say whether a branch would hold a registry that does not hold one yet."""
    old, new = (name != NOTHING and holds_registry(git.tree(git.resolve(name))) for name in (update.old, update.new))
    return new and not old


def _pushed() -> str:
    """Return what git says is pushed; raise ``UsageError`` for silence, which must not pass for a push of nothing."""
    text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    if not text.strip():
        hint = "git gives a hook the lines on its standard input once; another command in the hook may have read them"
        raise UsageError("there is nothing on standard input", hint=hint)
    return text


def _target_of(git: GitRepository, ref: str) -> str:
    """Return the branch that a push to ``ref`` would move: git updates what stands behind a symbolic one."""
    for _ in range(_MOST_LINKS):
        asked = ["git", f"--git-dir={git.git_dir}", "symbolic-ref", "--quiet", ref]
        done = subprocess.run(asked, capture_output=True, check=False)
        if done.returncode != 0:
            return ref
        ref = done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")
    raise UsageError(f"{printable(ref)} is a symbolic ref to itself")


def _tips_of(git: GitRepository, refs: set[str]) -> list[Commit]:
    """Return the newest commits of those judged branches that are there already."""
    found = []
    for ref in sorted(refs):
        with suppress(UsageError):
            found.append(git.resolve(ref))
    return found


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


def _before_commit(repo: str, target: str | None) -> int:
    """Judge what is staged as the step from HEAD, or from where the branch left what it will be merged into."""
    git = GitRepository.open(repo)
    asked = ["git", "-C", git.work_dir or repo, "write-tree"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UsageError(f"git write-tree failed: {printable(done.stderr.strip())}")
    staged = done.stdout.strip()
    base, tree = git.current(), git.staged(staged)
    if base is not None and target is not None:
        base = git.fork(base, git.resolve(target)) or base
    if base is None or not holds_registry(git.tree(base)):
        if not holds_registry(tree):
            echo("nothing of a registry is staged, and nothing is judged\n")
            return 0
        return _shown(judge(tree, jobs=None), tree)
    return _shown_proposal(git, propose_tree(git, base, staged))


# Before a push is received.


def _judge_push(git: GitRepository, update: Update, tips: Sequence[Commit], expect: str | None) -> int:
    """Judge one branch of a push, step by step; stop at the first that is refused.

    ``tips`` are those of the judged branches that are there: a branch that is made goes on from what one of them holds.
    A registry begins only where none of them holds one, with one commit that is judged whole.
    """
    name = update.ref.removeprefix("refs/heads/")
    try:
        line = joined(git, tips, update) if update.old == NOTHING and tips else steps(git, update)
    except RefusedError as error:
        echo(f"refused: {error}\nhint: {error.hint}\n")
        return 1
    if update.old == NOTHING and not tips:
        return _shown_beginning(git.tree(git.resolve(update.new)), name, expect)
    if not line:
        echo(f"{quoted(name)} begins at a commit that was judged before\n")
        return 0
    begun = any(holds_registry(git.tree(tip)) for tip in tips)
    stays = f"refused: {printable(name)} stays at {line[0][0].short}"
    for before, after in line:
        if holds_registry(git.tree(before)):
            code = _shown_proposal(git, propose(git, before, after))
        elif begun:
            echo(f"{stays}; another judged branch holds the registry\nhint: begin at a commit of that branch\n")
            return 1
        elif holds_registry(git.tree(after)):
            code = _shown_beginning(git.tree(after), name, expect)
        else:
            continue  # code, from before a registry began
        if code:
            echo(f"{stays}; the gate does not let {after.short} through\n")
            if len(line) > 1:
                echo("note: each commit of a push is judged; squashed, or merged with --no-ff, they are one step\n")
            return code
    return 0 if holds_registry(git.tree(line[-1][1])) else _shown_beginning(git.tree(line[-1][1]), name, expect)


def _shown_beginning(tree: CommitTree, name: str, expect: str | None) -> int:
    """Judge all of a commit with which a registry begins, say what came of it, and return the exit code.

    Whether it is the one that this server is for, ``expect`` says: the fingerprint of its first trust root.
    """
    if not holds_registry(tree):
        echo(f"refused: {printable(name)} holds no registry\n")
        echo("hint: make one in the clone (nodespec init .), commit it, and push again\n")
        return 4
    echo(f"the registry of {quoted(name)} begins here; everything that it holds is judged\n")
    code = _shown(judge(tree, jobs=None), tree)
    if code:
        return code
    provenance = Provenance(tree, Snapshot(tree).settings, datetime.now(UTC))
    check_pin(provenance)
    found = fingerprint(provenance.roots[0]) if provenance.roots else "missing"
    if expect not in (None, found):
        echo(f"refused: the fingerprint of its first trust root is {found}, and not the one that this server expects\n")
        return 1
    return 0


def _shown_proposal(git: GitRepository, proposal: Proposal) -> int:
    """Judge a proposal as the gate does, say what came of it, and return the exit code."""
    now = datetime.now(UTC)
    before = Snapshot(proposal.before)
    believed = Provenance(proposal.before, before.settings, now)
    check_pin(believed)
    rosters = Rosters(git, Registry.open(git.git_dir).index_path, believed, note)
    judgement = gate(proposal, now=now, roster=rosters)
    if judgement.untouched:
        echo(closing(judgement) + "\n")
        return judgement.exit_code()
    return _shown(judgement.report, proposal.tree)


def _shown(report: Report, tree: Tree) -> int:
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
        for text in done.stderr.strip().splitlines():
            note(text)
        note(f"hint: the push is received; make the checkpoint by hand: nodespec checkpoint create {update.new[:10]}")
    return done.returncode
