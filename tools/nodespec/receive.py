"""What a server is about to receive, branch by branch, and the steps by which each would go on.

A hook sees a push as ``old new ref`` lines (githooks, pre-receive). The branch of a registry goes on one commit after
another along first parents, never back and never aside, so that whoever replays the gate over its history judges the
same steps as the server did. A commit that came by way of a merge is judged as part of the merge.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nodespec.encoding import printable
from nodespec.errors import UsageError
from nodespec.proposal import holds_registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodespec.commit import Commit
    from nodespec.git import GitRepository

NOTHING = "0" * 40
"""The object id that stands for no commit: a branch that is made, or deleted."""

MOST_STEPS = 200
"""Commits that one push may add to a branch, each of which is judged; more come in several pushes, or as one merge."""

_LINE = re.compile(r"([0-9a-f]{40}) ([0-9a-f]{40}) (refs/[^\x00-\x20\x7f]+)\Z")


class RefusedError(Exception):
    """An update that is refused whatever it holds; ``hint`` says what to do instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Update:
    """One ref of a push."""

    old: str
    new: str
    ref: str


def parse(text: str) -> list[Update]:
    """Read what a hook is given on its standard input; raise ``UsageError`` for anything else."""
    matches = [(line, _LINE.match(line)) for line in text.split("\n") if line]
    bad = next((line for line, match in matches if match is None), None)
    if bad is not None:
        hint = "this is called by git, with lines of: old id, new id, ref"
        raise UsageError(f"{printable(bad[:100])} is no line of a push", hint=hint)
    return [Update(match[1], match[2], match[3]) for _, match in matches if match is not None]


def joined(git: GitRepository, tips: Sequence[Commit], update: Update) -> list[tuple[Commit, Commit]]:
    """Return the steps of a branch that is made, from where it left the nearest of the branches that were judged.

    Raises ``RefusedError`` where it left none of them at a commit that was judged.
    """
    lines, refusals = [], []
    for tip in tips:
        try:
            lines.append(steps(git, replace(update, old=_left(git, tip, update).id)))
        except RefusedError as refusal:
            refusals.append(refusal)
    if not lines:
        raise refusals[0]
    return min(lines, key=len)


def _left(git: GitRepository, tip: Commit, update: Update) -> Commit:
    """Return the commit at which a branch that is made left a judged one; only its own line was judged."""
    name = printable(update.ref.removeprefix("refs/heads/"))
    fork = git.fork(tip, git.resolve(update.new))
    hint = "begin the branch at a commit of a judged branch that holds the registry"
    if fork is None:
        raise RefusedError(f"{name} has nothing in common with {tip.short}, which was judged here", hint)
    if not any(commit.id == fork.id for commit in git.first_parents(tip)):
        raise RefusedError(f"{name} begins at {fork.short}, which was judged only as a part of a merge", hint)
    if holds_registry(git.tree(tip)) and not holds_registry(git.tree(fork)):
        raise RefusedError(f"{name} begins at {fork.short}, before the registry of {tip.short} did", hint)
    return fork


def steps(git: GitRepository, update: Update) -> list[tuple[Commit, Commit]]:
    """Return each step of a branch as (before, after), the oldest first; raise ``RefusedError`` where it may not go.

    A branch that is made has no steps.
    """
    name = printable(update.ref.removeprefix("refs/heads/"))
    if update.new == NOTHING:
        raise RefusedError(f"branch {name} holds the registry, and is never deleted", "push to another branch")
    if update.old == NOTHING:
        return []
    line = []
    for commit in git.first_parents(git.resolve(update.new)):
        line.append(commit)
        if commit.id == update.old:
            return list(zip(line[:0:-1], line[-2::-1], strict=True))
        if len(line) > MOST_STEPS:
            break
    old = git.resolve(update.old)
    if not git.descends(git.resolve(update.new), old.id):
        message = f"{name} would lose {old.short}; a registry's history only goes on"
        raise RefusedError(message, f"rebase onto {old.short} and push again")
    if len(line) > MOST_STEPS:
        raise RefusedError(
            f"more than {MOST_STEPS} commits at once; each of them is judged", "push them in parts, or as one merge"
        )
    raise RefusedError(
        f"{name} would go on from another parent than {old.short}",
        f"merge your branch into {name} (git merge --no-ff), and not the other way around",
    )
