"""What a policy can see of a node: what looks the same is asked about once, and the answer is the same."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from nodespec import spec
from nodespec.policy.examples import SPECIMEN
from nodespec.policy.field_access import Sight
from nodespec.policy.policies import MOST_ANSWERS, Policies
from nodespec.policy.standing import Standing
from nodespec.settings import Settings
from tests.test_policy import SHIPPED, policies, policy_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodespec.spec import NodeSpec

ALL = None
TIER = (("identity", "tier"), True)


@pytest.mark.parametrize(
    ("expression", "looks"),
    [
        ("true", ()),
        ("node.identity.tier > 3", (TIER,)),
        ("node . identity\n.tier > 3", (TIER,)),
        (".node.identity.tier > 3", (TIER,)),
        ("has(node.identity.tier)", ((("identity", "tier"), False),)),
        ("has ( node.identity.tier ) && node.identity.tier > 3", ((("identity", "tier"), False), TIER)),
        ("has(node.consent.purpose) || node.roles.size() > 1", ((("consent", "purpose"), False), (("roles",), True))),
        ("has(node.consent.purpose.x['y'])", ((("consent", "purpose", "x"), True),)),
        ("node.identity['tier'] > 3", ((("identity",), True),)),
        ("'tier' in node.identity", ((("identity",), True),)),
        ("node.interfaces.signals.emits.all(s, s.name != '')", ((("interfaces", "signals", "emits"), True),)),
        ("[{'a': 1}].exists(node, node.a == 1)", ALL),
        ("node['identity'].tier > 3", ALL),
        ("node.?identity.tier.orValue(1) > 3", ALL),
        ("size(node) > 3", ALL),
        ("node.size() > 3", ALL),
        ("dyn(node).identity.tier > 3", ALL),
        ("[node].exists(n, n.identity.tier > 3)", ALL),
        ("node // all of it\n.identity.tier > 3", ALL),
        ("'the node is here' == ''", ALL),
        ("emits.size() > 0", ALL),
        (".emits.size() > 0", ALL),
        ("registry.id == 'a'", ALL),
        ("has(node.identity) && // who signed\n.provenance.verified", ALL),
        ("true && // of every node\n.node.identity.tier < 3", ALL),
        ("true && ( // has(\nnode.x_flag\n)", ALL),
        ("node.interfaces.size // n\n() <= 3", ALL),
        ("node.x_map.exists // c\n(k, k == 'b')", ALL),
        ("true && // node\n.emits.size() == 0", ALL),
        ("node.identity.owner_id == 'https://a'", ALL),
        ("nodes.identity > 3 || my_node.identity > 3", ()),
    ],
)
def test_a_chain_of_fields_is_what_is_looked_at_and_all_else_is_everything(expression: str, looks: Any) -> None:
    assert Sight([expression]).looks == looks


def test_a_chain_ends_with_its_expression() -> None:
    assert Sight(["has(node.a) && node.b", ".emits.size() > 0"]).looks is ALL
    assert Sight(["node.b", ".identity.tier"]).looks == ((("b",), True),)


def test_who_signed_counts_where_a_policy_asks_for_it() -> None:
    about = spec.from_value(SPECIMEN)
    asks, asks_not = Sight(["provenance.verified"]), Sight(["node.provenance_manifest.glymph_enabled"])
    assert asks.of(about, Standing()) != asks.of(about, Standing(verified=True))
    assert asks.of(about, Standing(owner="a")) != asks.of(about, Standing(owner="b"))
    assert asks_not.of(about, Standing()) == asks_not.of(about, Standing(verified=True))


VALUES: list[Any] = [None, 0, 1, 1.0, "", "a", [], ["a"], {}, {"b": 1}, {"b": {"c": 1}}, {"b": {"c": {}}}, {"b": []}]
EXPRESSIONS = [
    "has(node.a)",
    "has(node.a) && has(node.a.b)",
    "has(node.a.b.c)",
    "node.a.b.c == 1",
    "node.a == node.d",
    "node.a.size() > 0",
    "'b' in node.a",
    "node.a['b'] == 1",
    "has(node.a) ? node.a.b == 1 : node.d == 1",
    "node.a.b.size() == 0 || provenance.verified",
    "size(node) > 8",
    "[node.a, node.d].exists(x, x == 1)",
    "[1, 2].all(node, node > 0) && node.a == 1",
    "node.a.exists(b, b == 'a')",
    "has(node.a) && // whatever\n.provenance.verified",
    "true && // of every node\n.node.a == 1",
    "node.a.size // n\n() > 0",
    "true && ( // has(\nnode.a == 1\n)",
    "node.a == 1.0 || node.d == 1",
    "node.a == {'b': 1}",
]


def some(number: int) -> Iterator[tuple[NodeSpec, Standing]]:
    dice = random.Random(20261124)
    for _ in range(number):
        odd = {name: value for name in ("a", "d") if (value := dice.choice([*VALUES, ...])) is not ...}
        yield spec.from_value({**SPECIMEN, **odd}), Standing(verified=dice.random() < 0.5)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_remembered_is_what_would_be_said(expression: str) -> None:
    text = policy_text(expression)
    remembering, forgetful = policies(text), policies(text)
    forgetful._forms[0].sight = None
    for about, standing in some(150):
        wanted = forgetful.judge(about, standing, Settings())
        assert remembering.judge(about, standing, Settings()) == wanted, (about.value.get("a"), about.value.get("d"))


def test_shipped_policies_say_the_same_with_and_without_a_memory() -> None:
    texts = [path.read_bytes() for path in SHIPPED if path.name.endswith(".cel.yaml")]
    remembering, forgetful = policies(*texts), policies(*texts)
    for form in forgetful._forms:
        form.sight = None
    dice = random.Random(3)
    for _ in range(200):
        value: dict[str, Any] = {**SPECIMEN, "identity": {**SPECIMEN["identity"], "tier": dice.randrange(8)}}
        for part, choices in {
            "consent": [{"purpose": "a"}, {"purpose": "b"}],
            "policy_min_scores": [{"privacy": 0.95}, {"safety": 0.9}, {"explainability": 0.7}, {}],
            "extraplanetary_policy": [{"max_payload_bytes": 1}, {}],
            "security": [{}, {"encryption": {"envelope": "none"}}, {"encryption": {"kem": "ml-kem-768"}}],
            "governance_policy_ref": ["matriz.consent", "matriz.egress"],
        }.items():
            if dice.random() < 0.6:
                value[part] = dice.choice(choices)
        about, standing = spec.from_value(value), Standing(verified=dice.random() < 0.5)
        assert remembering.judge(about, standing, Settings()) == forgetful.judge(about, standing, Settings())


def test_nodes_that_look_the_same_are_asked_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    ask = Policies._ask
    monkeypatch.setattr(Policies, "_ask", lambda self, number, what: asked.append(what) or ask(self, number, what))
    own = policies(policy_text("has(node.consent)", "node.identity.tier >= 0"))
    for number in range(50):
        own.judge(spec.from_value({**SPECIMEN, "governance_policy_ref": f"lab.p{number}"}), Standing(), Settings())
    assert len([what for what in asked if "judge" in what]) == 1


def test_a_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_ANSWERS == 10_000
    monkeypatch.setattr("nodespec.policy.policies.MOST_ANSWERS", 5)
    own = policies(policy_text("node.metadata.version != ''"))
    for number in range(12):
        value = {**SPECIMEN, "metadata": {**SPECIMEN["metadata"], "version": f"1.0.{number}"}}
        assert own.judge(spec.from_value(value), Standing(), Settings()) == []
        assert len(own._answers) <= 5
