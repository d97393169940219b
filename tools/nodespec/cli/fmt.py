"""nodespec fmt."""

from __future__ import annotations

import os

import click

from nodespec import document
from nodespec.cli.common import echo, note, repo_option, tell_example
from nodespec.edit import repair
from nodespec.encoding import counted, printable
from nodespec.errors import UsageError
from nodespec.registry import Registry
from nodespec.text import MAX_BYTES
from nodespec.tree import EXECUTABLE, POLICIES, POLICY_SUFFIX, REGULAR, ROOTS, SETTINGS_PATH, is_node_path
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
    is for the author: nodespec validate says what. A file outside the registry is repaired as a draft.

    Ends with 1 when a file cannot be read as YAML, and with 4 when no file matches.
    """
    registry = Registry.open(repo, index=False)
    tell_example(registry.at())  # says so, too, when there is no registry
    if registry.root is None:
        raise UsageError("a bare repository has no files to repair", hint="run it in a clone")
    chosen = _chosen(registry.root, paths)
    if not chosen:
        note("no spec matched; give a draft, or a file or folder under registry/")
        return 4
    changed, broken = 0, 0
    for place, path in chosen.items():
        with open(place, "rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            note(f"{path}: left alone, because it has more than {MAX_BYTES:,} bytes")
            continue
        repaired = repair(data, path)
        if document.parse(repaired.data).value is None:
            broken += 1
            note(f"{path}: left alone, because it cannot be read; nodespec validate {path} says why")
        elif repaired.done:
            changed += 1
            echo(f"{printable(path)}: {'would have ' if check else ''}{'; '.join(map(printable, repaired.done))}\n")
            if not check:
                write_file(place, repaired.data)
    echo(f"{changed} of {counted(len(chosen), 'file')} {'would change' if check else 'changed'}\n")
    return 1 if broken or (check and changed) else 0


def _chosen(root: str, paths: tuple[str, ...]) -> dict[str, str]:
    """Return the files to repair, and what each is called; its path in the registry says which schema applies."""
    top = os.path.realpath(root)
    known = [entry.path for entry in WorkTree(root).entries if entry.mode in (REGULAR, EXECUTABLE)]
    formatted = {os.path.join(top, path): path for path in known if _is_formatted(path)}
    if not paths:
        return formatted
    missing = next((path for path in paths if not os.path.exists(path)), None)
    if missing is not None:
        raise UsageError(f"{printable(missing)} does not exist")
    chosen: dict[str, str] = {}
    for path in paths:
        inside = os.path.relpath(os.path.realpath(path), top)
        if os.path.isfile(path) and inside.split(os.sep)[0] not in ROOTS:
            found = {os.path.realpath(path): path}
        else:
            found = {place: name for place, name in formatted.items() if f"{name}/".startswith(f"{inside}/")}
            found = formatted if inside == "." else found
        if not found:
            note(f"{printable(path)}: left alone, because there is no spec in it")
        chosen |= found
    return chosen
