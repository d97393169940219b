"""nodespec stats."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from nodespec import fsmonitor, stats
from nodespec.cli.common import (
    at_option,
    color_option,
    colored,
    echo,
    index_options,
    note,
    open_registry,
    painter,
    repo_option,
    tell_example,
)
from nodespec.cli.terminal import Progress, table
from nodespec.encoding import counted, json_text, printable
from nodespec.errors import NodespecError
from nodespec.index.file_states import count_younger, is_most
from nodespec.quorum import short
from nodespec.spec import LANES, MAX_TIER
from nodespec.tree import NODES
from nodespec.worktree import WorkTree

if TYPE_CHECKING:
    from nodespec.registry import Registry
    from nodespec.stats import Month, Stats

_LARGE = 10_000
"""Nodes from which a question to a work tree is noticeably quicker with a file system monitor."""
_SHOWN = 5
"""Lines of a list that people see; JSON has them all."""


@click.command("stats")
@repo_option
@at_option
@index_options
@click.option(
    "--months", type=click.IntRange(min=0), default=12, show_default=True, metavar="N", help="Months of churn."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@color_option
def stats_command(repo: str, at: str | None, months: int, form: str, color: str) -> None:
    """Count nodes by lane, tier, owner and type; name signals that lead nowhere; show how much changes.

    Churn is along the first-parent line of history: what was admitted, month by month.
    """
    registry = open_registry(repo)
    snapshot = registry.at(at, progress=Progress("reading"))
    tell_example(snapshot)
    found = stats.of(snapshot)
    history = _churn(registry, at or "HEAD", months)
    index = _index(registry)
    if form == "json":
        echo(
            json_text(
                {**_fields(found), "churn": history and [_month(item) for item in history], "index": index}, indent=2
            )
            + "\n"
        )
    else:
        echo(_text(found, history, index, color))
        unwatched = at is None and index and not index["monitor"] and found.nodes >= _LARGE
        if unwatched and registry.root and fsmonitor.may_watch(registry.root):
            how = "git config core.fsmonitor true && git status (on Linux from Git 2.55 on)"
            note(f"hint: questions to a work tree of this size are quicker while Git watches it: {how}")
    snapshot.require_complete()


def _churn(registry: Registry, revision: str, months: int) -> list[Month] | None:
    """Return the churn; None where there are no commits to look at."""
    if not months:
        return None
    try:
        with Progress("looking back") as progress:
            return stats.churn(registry, revision, months=months, progress=progress)
    except NodespecError:
        return None


def _index(registry: Registry) -> dict[str, Any] | None:
    """Return where the index is, its size, when it was last written, and how a monitor helps; None without one."""
    path = registry.index_path
    if path is None or not os.path.isfile(path):
        return None
    states = [os.stat(path + suffix) for suffix in ("", "-wal") if os.path.exists(path + suffix)]
    written = max(state.st_mtime for state in states if state.st_size or state is states[0])  # a reader's log is empty
    return {
        "path": path,
        "bytes": sum(state.st_size for state in states),
        "written": datetime.fromtimestamp(written, UTC).isoformat(timespec="seconds"),
        "monitor": None if registry.root is None else _monitor(registry.root),
    }


def _monitor(root: str) -> dict[str, int] | None:
    """Return how many folders a file system monitor is not believed about, and how many there are; None without one."""
    seen = fsmonitor.changed_since(root, None)
    if seen is None:
        return None
    try:
        younger, folders = count_younger(WorkTree(root), NODES.rstrip("/"), seen.began or 0)
    except OSError:  # there are none, or they are just being moved
        return None
    return {"folders": folders, "younger": younger}


def _fields(found: Stats) -> dict[str, Any]:
    return {
        "version": 1,
        "nodes": found.nodes,
        **{f"by_{by}": {str(key): counts[key] for key in sorted(counts)} for by, counts in found.counts.items()},
        "signals_without_subscriber": list(found.unheard),
        "signals_without_emitter": list(found.unsent),
    }


def _month(item: Month) -> dict[str, Any]:
    return {name: getattr(item, name) for name in ("month", "commits", "added", "changed", "removed")}


def _text(found: Stats, history: list[Month] | None, index: dict[str, Any] | None, color: str) -> str:
    paint = painter(color)
    owners, types = found.counts["owner"], found.counts["type"]
    lines = [
        paint(
            f"{counted(found.nodes, 'node')}, {counted(len(owners), 'owner')}, {counted(len(types), 'type')}", "strong"
        )
    ]
    lines.append("lane     " + ", ".join(f"{lane} {found.counts['lane'].get(lane, 0):,}" for lane in LANES))
    lines.append(
        "tier     " + ", ".join(f"{tier}: {found.counts['tier'].get(tier, 0):,}" for tier in range(MAX_TIER + 1))
    )
    lines += _ranked("owner", {short(owner): count for owner, count in owners.items()}) + _ranked("type", types)
    for what, names in (("no subscriber", found.unheard), ("no emitter", found.unsent)):
        some = f": {', '.join(names[:_SHOWN])}{_more(len(names))}" if names else ""
        lines.append(f"signals with {what}: {len(names):,}{printable(some)}")
    text = "\n".join(lines) + "\n"
    if history:
        rows = [[str(value) for value in _month(item).values()] for item in history]
        text += table(("month", "commits", "added", "changed", "removed"), rows, color=colored(color))
    if index is not None:
        text += f"index: {index['bytes'] / 1e6:,.1f} MB, written {index['written']}, {printable(index['path'])}\n"
        text += _helped(index["monitor"])
    return text


def _helped(monitor: dict[str, int] | None) -> str:
    if monitor is None:
        return ""
    younger, folders = monitor["younger"], monitor["folders"]
    if is_most(younger, folders):
        again = "git fsmonitor--daemon stop && git fsmonitor--daemon start"
        return f"Git's file system monitor: no help, {younger:,} of {folders:,} folders are younger than it; {again}\n"
    spared = f"questions to the work tree look at {younger:,} of {folders:,} folders, and at what has changed"
    return f"Git's file system monitor: {spared}\n"


def _ranked(what: str, counts: dict[str, int]) -> list[str]:
    """Return a line for each of the most frequent, aligned below one another."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    lines = [
        f"{'' if number else what:<8} {count:>7,}  {printable(name)}" for number, (name, count) in enumerate(ranked)
    ]
    return lines[:_SHOWN] + ([f"{'':<8} {_more(len(ranked)).strip()}"] if len(ranked) > _SHOWN else [])


def _more(number: int) -> str:
    return f" … and {number - _SHOWN:,} more" if number > _SHOWN else ""
