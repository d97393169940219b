"""What nodespec promises about speed: each a ratio against a command that a user would run instead.

Every pair does the same work on the same files. nodespec starts each run without its index, as on a
fresh clone; what it does beyond the schema (the YAML profile, the signatures, rules about the whole
registry) is in its time.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.generate import CHECKOUT, default_types, generate
from benchmarks.measure import Contender
from benchmarks.population import Population
from benchmarks.sign import sign
from benchmarks.validators import SCHEMA, validators

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.measure import Timing

SEED = 1
NAIVE_SHARE = 5
"""One file of so many is given to the naive loop, which takes 0.08 s for each: all would take longer than the rest."""

SIGNAL = "memory_stored"
"""Emitted and heard in the registry that this repository ships."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Other takes at least ``bar`` times as long as ours; or, ``at_most``, ours at most that times other.

    ``scale`` is how much of ours is compared with all of other's. Without a bar, the ratio is told and not judged.
    """

    work: str
    ours: str
    other: str
    bar: float | None
    at_most: bool = False
    scale: float = 1

    def ratio(self, times: dict[str, Timing]) -> float:
        """Return the measured ratio, in the direction of the bar."""
        ours, other = times[self.ours].median * self.scale, times[self.other].median
        return ours / other if self.at_most else other / ours

    def met(self, times: dict[str, Timing]) -> bool:
        """Say whether the promise holds for ``times``."""
        ratio = self.ratio(times)
        return self.bar is None or (ratio <= self.bar if self.at_most else ratio >= self.bar)

    @property
    def wanted(self) -> str:
        """The bar in words, such as ``at least 5``."""
        if self.bar is None:
            return "none"
        return f"{'at most' if self.at_most else 'at least'} {self.bar:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Contenders that take turns, how often each runs, and what is promised of them."""

    contenders: Sequence[Contender]
    promises: Sequence[Promise]
    turns: int


def validation(
    folder: Path, nodes: int, *, jobs: int, bar: float, naive_bar: float | None = None, share: int = 1
) -> Round:
    """Make a signed registry of ``nodes`` files under ``folder`` to validate with ours, and with what others use.

    check-jsonschema is given one file of ``share``, and compared with as much of our time.
    """
    registry = _signed(folder, nodes)
    files = sorted(str(path.relative_to(registry)) for path in (registry / "registry/nodes").rglob("*.yaml"))
    work = f"validate {nodes:,} files"
    given = files[::share]
    ours = f"nodespec validate --jobs {jobs}"
    check = "check-jsonschema" + (f", {len(given):,} of the files" if share > 1 else "")
    contenders = [
        Contender(
            name=ours,
            command=[program("nodespec"), "validate", "--jobs", str(jobs)],
            folder=registry,
            before=lambda: shutil.rmtree(registry / ".git/nodespec", ignore_errors=True),
        ),
        Contender(name=check, command=[program("check-jsonschema"), "--schemafile", SCHEMA, *given], folder=registry),
    ]
    promises = [Promise(work=work, ours=ours, other=check, bar=bar, scale=len(given) / nodes)]
    for other, words in validators():
        contenders.append(Contender(name=other, command=words, folder=registry))
        promises.append(Promise(work=work, ours=ours, other=other, bar=None, at_most=True))
    if naive_bar is not None:
        some = files[::NAIVE_SHARE]
        unsigned, naive = f"{ours} --ignore P", f"yaml.safe_load + jsonschema.validate, {len(some):,} of the files"
        command = [sys.executable, str(CHECKOUT / "benchmarks/naive_loop.py"), SCHEMA, *some]
        contenders += [
            Contender(name=unsigned, command=[*contenders[0].command, "--ignore", "P"], folder=registry),
            Contender(name=naive, command=command, folder=registry),
        ]
        work += ", not the signatures, time for each file"
        promises.append(Promise(work=work, ours=unsigned, other=naive, bar=naive_bar, scale=len(some) / nodes))
    return Round(contenders=contenders, promises=promises, turns=5)


def _signed(folder: Path, nodes: int) -> Path:
    """Return a signed registry of ``nodes`` nodes, made when it is first asked for."""
    registry = folder / f"registry-{nodes}"
    if not registry.exists():
        generate(registry, Population(seed=SEED, nodes=nodes, types=default_types(nodes)), 1)
        sign(registry)
    return registry


def provenance(folder: Path, nodes: int) -> Round:
    """Verify every attestation of a signed registry of ``nodes`` nodes, with one process and with two."""
    registry = _signed(folder, nodes)
    one, two = (f"nodespec verify --jobs {jobs}" for jobs in (1, 2))
    contenders = [
        Contender(name=name, command=[program("nodespec"), "verify", "--quiet", "--jobs", jobs], folder=registry)
        for name, jobs in ((one, "1"), (two, "2"))
    ]
    promises = [Promise(work=f"verify {nodes:,} attestations", ours=two, other=one, bar=1.5)]
    return Round(contenders=contenders, promises=promises, turns=5)


def start_up() -> Round:
    """Small commands on this repository's own registry, against the imports such a tool begins with."""
    imports = "python -c 'import click, pygit2'"
    shown, asked = "nodespec --help", f"nodespec query --signal {SIGNAL}"
    nodespec = program("nodespec")
    contenders = [
        Contender(name=shown, command=[nodespec, "--help"], folder=CHECKOUT),
        Contender(name=asked, command=[nodespec, "query", "--signal", SIGNAL], folder=CHECKOUT),
        Contender(name=imports, command=[sys.executable, "-c", "import click, pygit2"], folder=CHECKOUT),
    ]
    promises = [
        Promise(work=work, ours=ours, other=imports, bar=2.5, at_most=True)
        for work, ours in (("show help", shown), ("ask the example registry", asked))
    ]
    return Round(contenders=contenders, promises=promises, turns=15)


def program(name: str) -> str:
    """Return the path of a command installed beside the interpreter that runs this."""
    return str(Path(sys.executable).parent / name)
