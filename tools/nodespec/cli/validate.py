"""nodespec validate.

What judges is loaded where it is called, and not above: the sandbox of policies gets ready meanwhile.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from nodespec.cli.common import (
    FORMATS,
    at_option,
    color_option,
    echo,
    index_options,
    lines_of,
    note,
    open_registry,
    painter,
    printed,
    read_input,
    repo_option,
    tell_example,
    telling,
)
from nodespec.cli.terminal import Progress
from nodespec.encoding import printable
from nodespec.errors import RegistryError, UsageError
from nodespec.policy.policies import start_early
from nodespec.registry import Registry
from nodespec.text import MAX_BYTES
from nodespec.tree import REGISTRY, SCHEMAS
from nodespec.workers import check_jobs
from nodespec.worktree import absolute

if TYPE_CHECKING:
    from nodespec.registry import Snapshot
    from nodespec.tree import Tree
    from nodespec.verdict import Report

    _Chosen = tuple[tuple[str, ...], tuple[str, ...]]
    """What to report, and what not to: codes and families."""


@click.command("validate")
@click.argument("paths", nargs=-1, metavar="[PATH…]")
@repo_option
@at_option
@click.option("--base", metavar="REV", help="The commit that this one follows: judges what may change (family C).")
@click.option("--format", "form", type=click.Choice(["text", *FORMATS]), default="text", show_default=True)
@click.option("--select", multiple=True, metavar="CODES", help="Report only these codes or families, as in N,G.")
@click.option("--ignore", multiple=True, metavar="CODES", help="Do not report these codes or families.")
@click.option("--strict", is_flag=True, help="Let warnings fail, too.")
@click.option("--jobs", "-j", type=int, default=None, metavar="N", help="Processes; 0 is one for each core.")
@index_options
@color_option
def validate_command(
    paths: tuple[str, ...],
    repo: str,
    at: str | None,
    base: str | None,
    form: str,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    strict: bool,
    jobs: int | None,
    color: str,
) -> int:
    """Judge node specs against the rules.

    Without PATH the whole registry is judged: the work tree, or the commit named by --at. With paths
    (files or folders of the registry) only what concerns them is reported. A file outside the
    registry, or - for standard input, is judged as a spec by itself. With --base, what may change from
    that commit to this one is judged, too.

    \b
    Exit codes: 0 clean, 1 findings, 2 usage, 3 could not judge,
                4 nothing matched (a run that checked nothing is never green).
    """
    with telling(form):
        workers = None if jobs is None else check_jobs(jobs)
        alone = "-" if paths == ("-",) else _loose_file(paths, repo, at)
        report, origin = (
            _judged(paths, repo, at, base, (select, ignore), workers)
            if alone is None
            else _judged_alone(alone, repo, at, base, (select, ignore))
        )
    return _finish(report, form, strict, color, origin)


def _judged(
    paths: tuple[str, ...], repo: str, at: str | None, base: str | None, chosen: _Chosen, jobs: int | None
) -> tuple[Report, Tree | dict[str, bytes]]:
    """Judge a registry, or what paths concern of it; return its files, too."""
    registry = open_registry(_start(paths, repo, at))
    snapshot = registry.at(at, index=False)  # it would read everything first
    if not paths and not chosen[0]:
        start_early(snapshot.tree)
    from nodespec.judge import judge
    from nodespec.verdict import Selection
    from nodespec.verdict_cache import judge_anew

    selection = Selection.parse(*chosen)
    tell_example(snapshot)
    if "P" in selection.families:
        _check_pinned(snapshot, older=at is not None)
    only = _only(paths, registry, snapshot) if paths else None
    now, tree = datetime.now(UTC), snapshot.tree
    with Progress("judging") as progress:
        if only is None and base is None:
            return judge_anew(registry, snapshot, selection=selection, now=now, jobs=jobs, progress=progress), tree
        before = registry.at(base).tree if base is not None else None
        report = judge(tree, selection=selection, only=only, base=before, now=now, jobs=jobs, progress=progress)
        return report, tree


def _judged_alone(
    path: str, repo: str, at: str | None, base: str | None, chosen: _Chosen
) -> tuple[Report, dict[str, bytes]]:
    """Judge a spec by itself; return its file, too."""
    from nodespec.judge import judge_text
    from nodespec.verdict import Selection

    selection = Selection.parse(*chosen)
    if base is not None:
        raise UsageError("a spec by itself follows nothing", hint="leave out --base, or judge the registry")
    data = read_input(path, MAX_BYTES)
    return judge_text(data, tree=_tree_around(repo, at), path=path, selection=selection), {path: data}


def _check_pinned(snapshot: Snapshot, *, older: bool) -> None:
    """Raise ``RegistryError`` when the trust root is another than the user has pinned."""
    from nodespec.cli.believed import check_pin
    from nodespec.provenance import Provenance

    try:
        knobs = snapshot.settings
    except RegistryError:
        return  # a finding will say what is wrong with them
    check_pin(Provenance(snapshot.tree, knobs, datetime.now(UTC)), older=older)


def _start(paths: tuple[str, ...], repo: str, at: str | None) -> str:
    """Return where to look for the registry: --repo, else around the first path, as git does for -C."""
    if repo != "." or not paths or at is not None or os.path.isdir(os.path.join(repo, REGISTRY)):
        return repo
    first = absolute(paths[0])
    return first if os.path.isdir(first) else os.path.dirname(first)


def _tree_around(repo: str, at: str | None) -> Tree | None:
    """Return the registry that gives a loose spec its contract and settings; None outside of one."""
    try:
        return Registry.open(repo, index=False).at(at).tree
    except UsageError:
        if at is not None or repo != ".":
            raise
        return None


def _loose_file(paths: tuple[str, ...], repo: str, at: str | None) -> str | None:
    if len(paths) != 1 or at is not None or not os.path.isfile(paths[0]):
        return None
    try:
        root = Registry.open(_start(paths, repo, at), index=False).root
    except UsageError:
        return paths[0]
    if root is None:
        return paths[0]
    return None if _below(paths[0], root).split(os.sep)[0] in (REGISTRY, SCHEMAS) else paths[0]


def _below(path: str, root: str) -> str:
    """Return a path relative to the registry's top; links on the way to it are followed, the last name is not."""
    real = os.path.join(os.path.realpath(os.path.dirname(path) or "."), os.path.basename(path))
    return os.path.normpath(os.path.relpath(real, os.path.realpath(root)))


def _only(paths: tuple[str, ...], registry: Registry, snapshot: Snapshot) -> frozenset[str]:
    """Turn paths and folders into paths of the tree; a path that is not there is a mistake, an empty folder is not."""
    known = [entry.path for entry in snapshot.tree.entries]
    chosen: set[str] = set()
    for path in paths:
        inside = _inside(path, registry, snapshot)
        found = [other for other in known if other == inside or other.startswith(f"{inside}/") or inside == "."]
        exists = snapshot.commit is None and os.path.exists(path)
        if not found and exists and not os.path.isdir(path):
            hint = "a draft outside the registry is judged alone: nodespec validate FILE"
            raise UsageError(f"{printable(path)} is no file of the registry", hint=hint)
        if not found and not exists:
            hint = "paths are relative to the current folder; with --at, to the top of the repository"
            raise UsageError(f"{printable(path)} does not exist in {snapshot.tree.label}", hint=hint)
        chosen.update(found)
    return frozenset(chosen)


def _inside(path: str, registry: Registry, snapshot: Snapshot) -> str:
    if snapshot.commit is not None or registry.root is None:
        return os.path.normpath(path)
    inside = _below(path, registry.root)
    if inside.split(os.sep)[0] == "..":
        raise UsageError(
            f"{printable(path)} is outside the registry at {printable(registry.root)}", hint="judge it alone"
        )
    return inside


def _finish(report: Report, form: str, strict: bool, color: str, origin: Tree | dict[str, bytes]) -> int:
    code = report.exit_code(strict=strict)
    if form == "text":
        from nodespec.report.text import to_text

        echo(to_text(report, lambda path: lines_of(origin, path), painter(color)))
    else:
        echo(printed(report, form, code, command="nodespec validate"))
    if code == 4:
        note("hint: nothing was judged. Are there files under registry/, and does the path name them?")
    if code == 3:
        cause = f"{', '.join(report.blocked)} could not check every file" if report.blocked else "no family could run"
        note(f"hint: {cause}, and what was not checked has not passed; nodespec validate without options says why")
    return code
