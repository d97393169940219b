"""How many answers of a registry become others, when some of its nodes do."""

from __future__ import annotations

from itertools import product

import pytest

from nodespec import document, spec
from nodespec.drift import QUESTIONS, drift
from nodespec.spec import LANES, NodeSpec
from tests.lab import CACHE, Talker


def node(**traits: object) -> NodeSpec:
    made = Talker(id=CACHE, owner="GLYMPH:" + "0" * 64, **traits)
    value = document.parse(made.text()).value
    assert value is not None
    return spec.from_value(value, "registry/nodes/lab/memory/cache_v1.yaml")


def test_a_correction_that_moves_nobody_moves_nothing() -> None:
    assert drift([]).share == 0
    assert drift([(node(), node(remark="a correction", version="1.0.1"))]).changed == ()


def test_a_new_node_moves_every_question_that_names_it_and_as_many_when_it_goes() -> None:
    come, gone = drift([(None, node())]), drift([(node(), None)])
    assert come == gone
    assert come.changed == (
        "--lane candidate",
        "--tier 1",
        "--lane candidate --tier 1",
        "emits nothing",
        "subscribes to nothing",
    )
    assert come.share == 5 / len(QUESTIONS)


@pytest.mark.parametrize(("before", "after"), [pair for pair in product(LANES, LANES) if pair[0] != pair[1]])
def test_another_lane_moves_the_questions_about_both(before: str, after: str) -> None:
    moved = drift([(node(lane=before), node(lane=after))])
    assert set(moved.changed) == {f"--lane {lane}{more}" for lane in (before, after) for more in ("", " --tier 1")}


def test_two_nodes_that_change_places_are_two_changes() -> None:
    low, high = node(tier=1), node(tier=2)
    moved = drift([(low, high), (high, low)])
    assert "--tier 1" in moved.changed
    assert "--tier 2" in moved.changed
