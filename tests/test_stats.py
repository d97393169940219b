"""`nodespec stats`: a registry in numbers, with the index and without it."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from benchmarks.generate import generate
from benchmarks.population import Population
from nodespec import Registry, stats
from tests.conftest import Checkout

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grown") / "registry"
    generate(folder, Population(seed=21, nodes=120, types=6), 60)
    return folder


@pytest.mark.parametrize("revision", [None, "HEAD", "HEAD~30"])
def test_the_counts_are_the_same_both_ways(grown: Path, revision: str | None) -> None:
    mine, plain = Registry.open(grown).at(revision), Registry.open(grown, index=False).at(revision)
    found = stats.of(mine)
    assert found == stats.of(plain)
    nodes = list(plain)
    assert found.nodes == len(nodes)
    assert found.counts["lane"] == Counter(node.lane for node in nodes)
    assert found.counts["owner"] == Counter(node.owner for node in nodes)
    assert found.counts["tier"] == Counter(node.tier for node in nodes)
    assert found.counts["type"] == Counter(node.node_type for node in nodes)
    emitted = {emit.name for node in nodes for emit in node.emits}
    assert list(found.unsent) == sorted({item.signal for node in nodes for item in node.subscribes} - emitted)


def test_the_age_of_the_index_is_that_of_what_was_written(grown: Path, tmp_path: Path, home: dict[str, str]) -> None:
    Checkout(grown, home).git("clone", "-q", str(grown), str(tmp_path / "clone"))
    registry = Checkout(tmp_path / "clone", home)
    registry.run("stats", "--at", "HEAD")  # which has no more to write from now on
    index = registry.path / ".git/nodespec/index.sqlite3"
    os.utime(index, (1_750_000_000, 1_750_000_000))
    told = json.loads(registry.run("stats", "--at", "HEAD", "--format", "json").stdout)["index"]
    assert told["written"] == "2025-06-15T15:06:40+00:00"
    assert told["bytes"] >= index.stat().st_size > 0


def test_a_pipe_in_the_place_of_the_index_has_no_age(grown: Path, tmp_path: Path, home: dict[str, str]) -> None:
    Checkout(grown, home).git("clone", "-q", str(grown), str(tmp_path / "clone"))
    registry = Checkout(tmp_path / "clone", home)
    (registry.path / ".git/nodespec").mkdir()
    os.mkfifo(registry.path / ".git/nodespec/index.sqlite3")
    done = registry.run("stats", "--format", "json")
    assert (done.returncode, json.loads(done.stdout)["index"]) == (0, None)


def test_churn_is_what_git_says(grown: Path, home: dict[str, str]) -> None:
    registry = Checkout(grown, home)
    expected: dict[str, Counter[str]] = {}
    for line in registry.git("log", "--first-parent", "--format=%H %cd", "--date=format-local:%Y-%m").splitlines():
        commit, month = line.split()
        counts = expected.setdefault(month, Counter(commits=0))
        counts["commits"] += 1
        shown = registry.git(
            "show", "--format=", "--name-status", "--no-renames", "--root", commit, "--", "registry/nodes"
        )
        counts.update(row[0] for row in shown.splitlines() if row.endswith(".yaml"))
    found = stats.churn(Registry.open(grown), "HEAD")
    assert [item.month for item in found] == sorted(expected, reverse=True)
    for item in found:
        counts = expected[item.month]
        assert (item.commits, item.added, item.changed, item.removed) == tuple(
            counts[name] for name in ("commits", "A", "M", "D")
        )
    assert stats.churn(Registry.open(grown), "HEAD", months=1) == found[:1]


def test_people_and_programs_can_read_it(example: Checkout) -> None:
    done = example.run("stats", "--color", "never")
    assert done.returncode == 0
    assert done.stdout.startswith("23 nodes, 4 owners, 18 types\n")
    assert "signals with no emitter: 2: operator_acknowledged, solar_weather_changed\n" in done.stdout
    assert "index: " in done.stdout
    value = json.loads(example.run("stats", "--format", "json").stdout)
    assert value["nodes"] == 23
    assert value["churn"][0]["added"] == 23
    assert value["index"]["bytes"] > 0
    without = json.loads(example.run("stats", "--format", "json", "--no-index", "--months", "0").stdout)
    assert without == {**value, "churn": None, "index": None}


def test_a_difference_reads_what_differs(grown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nodespec import difference, registry

    read: list[str] = []
    original = registry.load
    monkeypatch.setattr(registry, "load", lambda tree, entry: read.append(entry.path) or original(tree, entry))
    for base, head in (("HEAD~20", "HEAD"), ("HEAD~50", "HEAD~7"), ("HEAD~3", None), ("HEAD", None)):
        opened = Registry.open(grown)
        mine = difference.between(opened.at(base), opened.at(head))
        assert len(set(read)) <= 3 * len(mine) + 60
        plain = Registry.open(grown, index=False)
        assert mine == difference.between(plain.at(base), plain.at(head))
        read.clear()
