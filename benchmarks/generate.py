"""Write a realistic registry of any size into a new Git repository, the same for the same seed.

    python -m benchmarks.generate DIR --nodes 100000 --commits 50 --seed 1

The commits go through ``git fast-import``, which takes 100,000 files in seconds, and carry fixed
authors and dates: the same arguments, the same contracts, the same commit ids. Every commit is free
of findings of the families T, F, S, N and G; nothing is signed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from benchmarks.history import Commit, commits
from benchmarks.population import Population

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CHECKOUT = Path(__file__).resolve().parent.parent

_NODES_PER_TYPE = 200  # a folder that size still compares and commits quickly
_FEWEST_TYPES = 5
_AUTHOR = "Benchmark <benchmark@example.invalid>"


def default_types(nodes: int) -> int:
    """Return how many node types, and so folders, a registry of ``nodes`` nodes gets."""
    return max(_FEWEST_TYPES, nodes // _NODES_PER_TYPE)


def generate(directory: Path, population: Population, count: int, *, bare: bool = False) -> str:
    """Write ``count`` commits into a new repository at ``directory``; return the id of the last.

    Without ``bare`` the work tree is checked out. Raises CalledProcessError when git fails.
    """
    directory.mkdir(parents=True, exist_ok=True)
    # SHA-1 by name: a user's Git may prefer SHA-256, which libgit2 cannot open.
    options = ["--quiet", "--template=", "--initial-branch=main", "--object-format=sha1"]
    _git(directory, "init", *options, *(["--bare"] if bare else []))
    _import(directory, commits(population, count, _contracts()))
    if not bare:
        _git(directory, "-c", "core.autocrlf=false", "reset", "--quiet", "--hard", "main")
    return _git(directory, "rev-parse", "main").strip()


def _contracts() -> dict[str, bytes]:
    folder = CHECKOUT / "schemas"
    return {f"schemas/{path.name}": path.read_bytes() for path in sorted(folder.glob("*.json"))}


def _import(directory: Path, history: Iterable[Commit]) -> None:
    command = ["git", "fast-import", "--quiet", "--done"]
    with subprocess.Popen(command, cwd=directory, env=_environment(), stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            for commit in history:
                _write(process.stdin, commit)
            process.stdin.write(b"done\n")
            process.stdin.close()
        except BrokenPipeError:
            pass  # fast-import has said why on standard error, and its exit code says that it failed
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def _write(stream: IO[bytes], commit: Commit) -> None:
    subject = commit.subject.encode()
    stream.write(f"commit refs/heads/main\ncommitter {_AUTHOR} {commit.time} +0000\n".encode())
    stream.write(b"data %d\n%s\n" % (len(subject), subject))
    for path, data in commit.files:
        if data is None:
            stream.write(f"D {path}\n".encode())
        else:
            stream.write(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))


def _git(directory: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=directory, env=_environment(), check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def _environment() -> dict[str, str]:
    """Return the environment without Git's own variables: in a hook they would name another repository."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected 1 or more")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description="Write a registry.")
    parser.add_argument("directory", type=Path, metavar="DIR", help="new or empty folder for the repository")
    parser.add_argument("--nodes", type=_count, default=1000, metavar="N", help="nodes in the first commit")
    parser.add_argument("--commits", type=_count, default=10, metavar="K", help="commits in all")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="same seed, same commit ids")
    parser.add_argument("--types", type=_count, metavar="T", help="node types, by default N/200, at least 5")
    parser.add_argument("--bare", action="store_true", help="make a bare repository, without a work tree")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 when ``DIR`` is taken."""
    options = _parser().parse_args(arguments)
    directory: Path = options.directory
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        print(f"{directory} exists and is not an empty folder; name a new one", file=sys.stderr)
        return 2
    types = options.types or default_types(options.nodes)
    population = Population(seed=options.seed, nodes=options.nodes, types=types)
    begin = time.perf_counter()
    head = generate(directory, population, options.commits, bare=options.bare)
    seconds = time.perf_counter() - begin
    print(
        f"{directory}: {options.nodes} nodes of {types} types, {options.commits} commits, "
        f"head {head[:12]}, seed {options.seed}, {seconds:.1f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
