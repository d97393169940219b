"""A query: each filter alone, all together, and no filter that lets everything pass by mistake."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodespec.errors import UsageError
from nodespec.question import MIN_OWNER_DIGITS, ask
from nodespec.spec import LANES, MAX_TIER, NodeSpec, from_value

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)

ADA = "GLYMPH:" + "ab12cd34" * 8
BOB = "GLYMPH:" + "ab12cd35" * 8


def node(**fields: Any) -> NodeSpec:
    """Return a node that differs from the usual one in the fields that are named."""
    value: dict[str, Any] = {
        "node_type": fields.get("type", "matriz.memory.adapter"),
        "metadata": {
            "name": fields.get("name", "memoria_v1"),
            "version": "1.0.0",
            "created_at": "2026-03-14",
            "description": fields.get("description", "Keeps Episodes"),
        },
        "identity": {
            "owner_id": fields.get("owner", ADA),
            "lane": fields.get("lane", "core"),
            "tier": fields.get("tier", 4),
            "roles": fields.get("roles", ["archivist"]),
            "capabilities_policy": {
                "allow": fields.get("allow", ["memory:read/*"]),
                "deny": fields.get("deny", ["memory:read/private/*"]),
            },
        },
        "interfaces": {
            "inputs": [],
            "outputs": [],
            "signals": {
                "emits": [{"name": name} for name in fields.get("emits", ["memory_stored"])],
                "subscribes": [{"signal": name, "handler": "on"} for name in fields.get("subscribes", ["dream_ended"])],
            },
        },
    }
    return from_value(value)


NODE = node()

MATCHES: list[tuple[str, Any]] = [
    ("signal", "memory_stored"),
    ("signal", "dream_ended"),
    ("signal", ["memory_stored", "dream_ended"]),
    ("emits", "memory_stored"),
    ("subscribes", "dream_ended"),
    ("capability", "memory:read/episodic"),
    ("capability", "read/episodic"),
    ("capability", "memory:*"),
    ("capability", "*"),
    ("capability", ["memory:read/a", "memory:read/b/c"]),
    ("owner", ADA),
    ("owner", ADA.removeprefix("GLYMPH:")),
    ("owner", "ab12cd34"),
    ("owner", "GLYMPH:ab12cd34"),
    ("lane", "core"),
    ("tier", "4"),
    ("tier", 4),
    ("tier", "=4"),
    ("tier", ">=4"),
    ("tier", "<=4"),
    ("tier", ">3"),
    ("tier", "<5"),
    ("tier", "2..5"),
    ("tier", "4..4"),
    ("tier", " >= 4 "),
    ("role", "archivist"),
    ("type", "matriz.memory.adapter"),
    ("type", "matriz.memory.*"),
    ("type", "matriz.*"),
    ("type", "*"),
    ("text", "EPISODES"),
    ("text", "memoria"),
    ("text", "archi"),
    ("text", "adapter/mem"),
]

MISSES: list[tuple[str, Any]] = [
    ("signal", "memory"),
    ("signal", "memory_stored2"),
    ("signal", ["memory_stored", "absent"]),
    ("emits", "dream_ended"),
    ("emits", "stored"),
    ("subscribes", "memory_stored"),
    ("subscribes", "dream"),
    ("capability", "memory:read"),
    ("capability", "memory:rea"),
    ("capability", "memory:read/private/diary"),
    ("capability", "mem:read/episodic"),
    ("capability", ["memory:read/a", "memory:write"]),
    ("owner", BOB),
    ("owner", "ab12cd35"),
    ("owner", "b12cd34a"),
    ("lane", "candidate"),
    ("tier", "3"),
    ("tier", ">4"),
    ("tier", "<4"),
    ("tier", "0..3"),
    ("role", "archi"),
    ("role", "Archivist"),
    ("type", "matriz.memory"),
    ("type", "matriz.memory.adapt"),
    ("type", "matriz.mem.*"),
    ("type", "matriz.memory.adapter.*"),
    ("type", "memory.adapter"),
    ("text", "absent"),
]


@pytest.mark.parametrize(("name", "wanted"), MATCHES)
def test_a_filter_finds_the_node(name: str, wanted: Any) -> None:
    assert ask(**{name: wanted}).matches(NODE)


@pytest.mark.parametrize(("name", "wanted"), MISSES)
def test_a_filter_passes_the_node_by(name: str, wanted: Any) -> None:
    assert not ask(**{name: wanted}).matches(NODE)


def test_no_filter_matches_every_node() -> None:
    assert ask().matches(NODE)
    assert ask(signal=(), capability=[], role=()).matches(node(emits=[], subscribes=[], allow=[], roles=[]))


@given(st.lists(st.sampled_from(MATCHES), max_size=5), st.sampled_from(MISSES))
@EXAMPLES
def test_a_node_must_pass_every_filter(passed: list[tuple[str, Any]], missed: tuple[str, Any]) -> None:
    filters = dict(passed)
    assert ask(**filters).matches(NODE)
    assert not ask(**{**filters, missed[0]: missed[1]}).matches(NODE)


def test_several_words_of_one_filter_must_all_be_true() -> None:
    both = node(emits=["a", "b"], roles=["x", "y"])
    assert ask(emits=["a", "b"], role=("x", "y")).matches(both)
    assert not ask(emits=["a", "c"]).matches(both)
    assert not ask(role=["x", "z"]).matches(both)


@pytest.mark.parametrize("field", ["emits", "subscribes"])
def test_a_part_of_a_signal_is_not_the_signal(field: str) -> None:
    name = "memory_stored"
    one = node(**{"emits": [], "subscribes": [], field: [name]})
    parts = {name[start:end] for start in range(len(name)) for end in range(start + 1, len(name) + 1)} - {name}
    for part in sorted(parts):
        try:
            question = ask(signal=part)
        except UsageError:
            continue
        assert not question.matches(one), part


@pytest.mark.parametrize("tier", range(MAX_TIER + 1))
def test_every_comparison_of_tiers_is_what_it_says(tier: int) -> None:
    one = node(tier=tier)
    for limit in range(MAX_TIER + 1):
        answers = {"": tier == limit, "=": tier == limit, ">=": tier >= limit, "<=": tier <= limit}
        answers |= {">": tier > limit} if limit < MAX_TIER else {}
        answers |= {"<": tier < limit} if limit else {}
        for sign, answer in answers.items():
            assert ask(tier=f"{sign}{limit}").matches(one) == answer
        for top in range(limit, MAX_TIER + 1):
            assert ask(tier=f"{limit}..{top}").matches(one) == (limit <= tier <= top)


def test_every_lane_is_told_apart() -> None:
    for lane in LANES:
        assert [other for other in LANES if ask(lane=lane).matches(node(lane=other))] == [lane]


def test_the_beginning_of_an_owner_is_enough_from_eight_digits_on() -> None:
    digits = ADA.removeprefix("GLYMPH:")
    for length in range(MIN_OWNER_DIGITS, 65):
        assert ask(owner=digits[:length]).matches(NODE)
        assert not ask(owner=digits[:length]).matches(node(owner=BOB))


def test_text_ignores_case_in_every_script() -> None:
    assert ask(text="STRASSE").matches(node(description="an der Straße"))
    assert ask(text="ÉTÉ").matches(node(description="en été"))


INVALID: list[tuple[str, Any]] = [
    *[("signal", text) for text in ("", " ", "Memory", "a-b", "a b", "1a", "a.", "a..b", "a\n", "*", "a*", "%", "é")],
    *[(name, "") for name in ("emits", "subscribes", "role", "capability", "owner", "lane", "tier", "type", "text")],
    ("emits", ["a", ""]),
    *[("capability", text) for text in ("memory:", "re*", "**", "Memory:read", "memory:read/", "a:b:c", "read\n")],
    *[
        ("owner", text)
        for text in ("ab12cd3", "GLYMPH:", "AB12CD34", "glymph:ab12cd34", "ab12cd34" * 8 + "0", "*", "GLYMPH:*")
    ],
    *[("owner", text) for text in ("GLYMPH:*", "ab12cd34\n", "ab12cd3g", "OTHER:ab12cd34")],
    *[("lane", text) for text in ("Core", "cor", "core ", "*", "lane")],
    *[
        ("tier", text)
        for text in ("8", "-1", "x", "4-5", ">7", "<0", "5..2", "2..", "..5", "=>4", "==4", "4.0", "44", "٤")
    ],
    *[("tier", text) for text in ("4.0", "44", "٤", ">=8", "8..9", ">", "1...3", 8, -1)],
    *[
        ("type", text)
        for text in ("Matriz", "matriz.", ".matriz", "matriz..x", "*.x", "matriz.*.x", "matriz*", "a/b", "a\n")
    ],
    *[("text", text) for text in (" ", "\t\n")],
]


@pytest.mark.parametrize(("name", "wanted"), INVALID)
def test_a_filter_that_cannot_be_understood_is_a_usage_error(name: str, wanted: Any) -> None:
    with pytest.raises(UsageError) as refusal:
        ask(**{name: wanted})
    assert str(refusal.value).isprintable()
    assert refusal.value.hint


@given(st.sampled_from(["signal", "capability", "owner", "lane", "tier", "type", "role", "text"]), st.text(max_size=12))
@EXAMPLES
def test_any_text_is_a_filter_or_a_usage_error(name: str, text: str) -> None:
    try:
        question = ask(**{name: text})
    except UsageError:
        return
    assert question.matches(NODE) in (True, False)
