"""nodespec fmt."""

from __future__ import annotations

import os

import click

from nodespec.cli.common import echo, note, repo_option, tell_example
from nodespec.edit import repair
from nodespec.encoding import printable
from nodespec.errors import UsageError
from nodespec.registry import Registry
from nodespec.text import MAX_BYTES
from nodespec.tree import EXECUTABLE, POLICIES, POLICY_SUFFIX, REGULAR, SETTINGS_PATH, is_node_path
from nodespec.worktree import WorkTree, write_file


def _is_formatted(path: str) -> bool:
    return is_node_path(path) or path == SETTINGS_PATH or (path.startswith(POLICIES) and path.endswith(POLICY_SUFFIX))


@click.command("fmt")
@click.argument("paths", nargs=-1, metavar="[PATH…]")
@repo_option
@click.option("--check", is_flag=True, help="Write nothing; end with 1 when something would change.")
def fmt_command(paths: tuple[str, ...], repo: str, check: bool) -> int:
    """Repair what can be repaired without changing the meaning.

    Removes byte-order marks and Windows line ends, puts ambiguous text (yes, 007, 2025-10-24) in quotes, and
    writes the line that tells an editor which schema applies. Comments and layout stay. Everything else
    is for the author: nodespec validate says what.
    """
    registry = Registry.open(repo, index=False)
    tell_example(registry.at())  # says so, too, when there is no registry
    if registry.root is None:
        raise UsageError("a bare repository has no files to repair", hint="run it in a clone")
    tree = WorkTree(registry.root)
    chosen = [entry for entry in tree.entries if _is_formatted(entry.path)]
    chosen = [entry for entry in chosen if entry.mode in (REGULAR, EXECUTABLE)]
    if paths:
        wanted = [os.path.relpath(os.path.realpath(path), os.path.realpath(registry.root)) for path in paths]
        missing = next((path for path in paths if not os.path.exists(path)), None)
        if missing is not None:
            raise UsageError(f"{printable(missing)} does not exist")
        chosen = [e for e in chosen if any(w == "." or e.path == w or e.path.startswith(f"{w}/") for w in wanted)]
    if not chosen:
        note("no spec matched; give a file or a folder under registry/")
        return 4
    changed = 0
    for entry in chosen:
        if tree.size(entry) > MAX_BYTES:
            note(f"{entry.path}: left alone, because it has more than {MAX_BYTES:,} bytes")
            continue
        repaired = repair(tree.read(entry), entry.path)
        if not repaired.done:
            continue
        changed += 1
        echo(f"{printable(entry.path)}: {'would have ' if check else ''}{'; '.join(map(printable, repaired.done))}\n")
        if not check:
            write_file(os.path.join(registry.root, entry.path), repaired.data)
    verb = "would change" if check else "changed"
    echo(f"{changed} of {len(chosen)} files {verb}\n")
    return 1 if check and changed else 0
