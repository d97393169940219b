"""The Python API: open, at, query, get, iterate."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from nodespec import NodeSpec, Registry, RegistryError, UsageError
from tests.conftest import ADAPTER, ADAPTER_FILE, Checkout

if TYPE_CHECKING:
    from pathlib import Path


def test_a_snapshot_is_iterated_counted_and_asked(example: Checkout) -> None:
    snapshot = Registry.open(example.path).at("HEAD")
    nodes = list(snapshot)
    assert len(snapshot) == len(nodes) >= 16
    assert all(isinstance(node, NodeSpec) for node in nodes)
    assert [node.path for node in nodes] == sorted(node.path for node in nodes)
    assert ADAPTER in snapshot
    assert "no/body" not in snapshot
    assert [node.id for node in snapshot.query(emits="memory_stored")] == [ADAPTER]
    assert snapshot.query() == tuple(nodes)


def test_the_example_covers_every_lane_and_tier(example: Checkout) -> None:
    nodes = list(Registry.open(example.path).at())
    assert {node.lane for node in nodes} == {"candidate", "core", "lukhas", "products"}
    assert {node.tier for node in nodes} == set(range(8))


def test_the_work_tree_and_a_commit_are_different_snapshots(example: Checkout) -> None:
    registry = Registry.open(example.path)
    example.replace(ADAPTER_FILE, "tier: 5", "tier: 6")
    assert registry.at().get(ADAPTER).tier == 6
    assert registry.at("HEAD").get(ADAPTER).tier == 5
    assert registry.at().commit is None
    assert registry.at("HEAD").commit is not None


def test_results_are_typed_and_frozen(example: Checkout) -> None:
    node = Registry.open(example.path).at().get(ADAPTER)
    assert (node.lane, node.tier, node.version) == ("products", 5, "1.4.0")
    assert {emit.name for emit in node.emits} <= node.signals
    with pytest.raises(dataclasses.FrozenInstanceError):
        node.tier = 7  # type: ignore[misc]


def test_several_values_of_one_filter_must_all_hold(example: Checkout) -> None:
    snapshot = Registry.open(example.path).at()
    both = snapshot.query(signal=("memory_stored", "kernel_tick"))
    assert {node.id for node in both} == {node.id for node in snapshot.query(signal="memory_stored")} & {
        node.id for node in snapshot.query(signal="kernel_tick")
    }


def test_an_unknown_filter_is_an_error(example: Checkout) -> None:
    snapshot = Registry.open(example.path).at()
    with pytest.raises(TypeError):
        snapshot.query(colour="red")  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="is not a lane"):
        snapshot.query(lane="prod")


def test_what_cannot_be_read_is_listed_and_makes_the_answer_incomplete(example: Checkout) -> None:
    example.write("registry/nodes/lab/a.yaml", "a: *x\n")
    example.write("registry/nodes/lab/b.yaml", example.read(ADAPTER_FILE))
    snapshot = Registry.open(example.path).at()
    assert [item.path for item in snapshot.unreadable] == ["registry/nodes/lab/a.yaml", "registry/nodes/lab/b.yaml"]
    assert f"its id is {ADAPTER}" in snapshot.unreadable[1].reason
    with pytest.raises(RegistryError, match="may be incomplete"):
        snapshot.require_complete()
    with pytest.raises(RegistryError, match="an alias"):
        snapshot.get("lab/a")


def test_get_reads_one_file_only(example: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    from nodespec import registry as module

    read: list[str] = []
    original = module.load
    monkeypatch.setattr(module, "load", lambda tree, entry: read.append(entry.path) or original(tree, entry))
    Registry.open(example.path).at("HEAD").get(ADAPTER)
    assert read == [ADAPTER_FILE]


def test_a_registry_is_found_from_below(example: Checkout) -> None:
    assert ADAPTER in Registry.open(example.path / "registry" / "nodes" / "matriz").at()


def test_a_worktree_of_git_is_a_checkout_like_any_other(example: Checkout, tmp_path: Path) -> None:
    example.git("worktree", "add", "-q", str(tmp_path / "second"), "-b", "second")
    assert ADAPTER in Registry.open(tmp_path / "second").at("HEAD")
    second = Checkout(tmp_path / "second", example.environment)
    assert second.run("validate", "--at", "second").returncode == 0
