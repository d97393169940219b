"""Policies in Rego: the same questions and answers, the same sandbox, and what Rego has beyond that is kept out."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from nodespec import spec
from nodespec.judge import judge
from nodespec.policy import examples
from nodespec.policy.examples import SPECIMEN, merged
from nodespec.policy.policies import Policies, said
from nodespec.policy.source import Source
from nodespec.policy.standing import Standing
from nodespec.schema import builtin
from nodespec.settings import Settings
from nodespec.spec import SENSITIVITIES
from nodespec.tree import NODE_SCHEMA_PATH, POLICIES, REGO_SUFFIX, MemoryTree
from nodespec.verdict import Selection
from tests.attacks.test_hostile_policy import MANY, SOON
from tests.conftest import ROOT, Checkout
from tests.society import NOW
from tests.test_policy import extra, judged, policy_text
from tests.test_rules import base_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodespec.policy.policies import Ruling
    from nodespec.spec import NodeSpec

GOVERNANCE = "matriz.governance"
TWIN = (ROOT / "tests/fixtures/rego/matriz.governance.rego").read_bytes()
PATH = f"{POLICIES}lab.extra{REGO_SUFFIX}"

HEAD = """package lab.extra

policy := {"policy": "lab.extra", "scope": "registry", "rules": [{"id": "one", "expr": "one", "message": "Heed."}]}

"""


def module(body: str) -> dict[str, bytes]:
    """A policy of one rule, called one."""
    return {PATH: (HEAD + body + "\n").encode()}


def ruled(body: str, about: dict[str, Any] = SPECIMEN) -> list[Ruling]:
    own = Policies([Source(path, data) for path, data in module(body).items()])
    return own.judge(spec.from_value(about), Standing(), Settings())


def outcomes(found: list[Ruling]) -> list[str]:
    return [item.outcome for item in found]


# The shipped policy in both languages.


def some_nodes(number: int) -> Iterator[tuple[NodeSpec, Standing, Settings]]:
    """So many specs, as different as the policy can see them; the same at every run."""
    dice = random.Random(20260314)
    names = ["memory_stored", "memory_recalled", "memory", "speech_heard", "face_recognised", "in.memory_"]
    categories = [None, "episodic-memory", "-memory", "memory", "voice"]
    for _ in range(number):
        emits = []
        for name in dice.sample(names, dice.randrange(4)):
            emit = {"name": name, "sensitivity": dice.choice([*SENSITIVITIES, None])}
            emit["governance_category"] = dice.choice(categories)
            emits.append({key: value for key, value in emit.items() if value is not None})
        tier: int | float = dice.choice([0, 3, 4, 5, 6, 7, 5.0, 4.0])
        yield (
            spec.from_value(
                merged(SPECIMEN, {"identity": {"tier": tier}, "interfaces": {"signals": {"emits": emits}}})
            ),
            Standing(verified=dice.random() < 0.7, attested=dice.random() < 0.7),
            Settings(sensitive_signals={name: dice.choice(SENSITIVITIES[1:]) for name in dice.sample(names, 2)}),
        )


def test_rego_and_cel_say_the_same_of_a_thousand_specs() -> None:
    cel = (ROOT / f"{POLICIES}{GOVERNANCE}.cel.yaml").read_bytes()
    ours = Policies([Source(f"{POLICIES}{GOVERNANCE}.cel.yaml", cel)])
    theirs = Policies([Source(f"{POLICIES}{GOVERNANCE}.rego", TWIN)])
    assert ours.problems(ours.sources[0].path) == theirs.problems(theirs.sources[0].path) == []
    assert ours.policy(0).rules != theirs.policy(0).rules, "they have other expressions"
    seen = set()
    for node, standing, settings in some_nodes(1000):
        one, other = (policies.judge(node, standing, settings) for policies in (ours, theirs))
        assert [(item.rule and item.rule.id, item.outcome, said(item)) for item in one] == [
            (item.rule and item.rule.id, item.outcome, said(item)) for item in other
        ]
        seen.add(tuple((item.rule.id if item.rule else "", item.outcome) for item in one))
    assert len(seen) >= 8, "the specs differ in what comes of them"


def test_the_specs_are_what_the_contract_allows() -> None:
    contract = builtin(NODE_SCHEMA_PATH)
    good = [node for node, _, _ in some_nodes(200) if contract.accepts(node.value)]
    assert len(good) > 50


def test_its_examples_hold_and_every_rule_is_broken_by_one() -> None:
    own = Policies([Source(f"{POLICIES}{GOVERNANCE}.rego", TWIN)])
    found = examples.run(own, 0)
    assert [trial.held for trial in found] == [True, True]
    assert {name for trial in found for name in trial.found or ()} == {rule.id for rule in own.policy(0).rules}


# Answers, and those that are none.


@pytest.mark.parametrize(
    ("body", "outcome", "reason"),
    [
        ("one := input.node.identity.lane == `candidate`", [], ""),
        ("one := input.node.identity.lane == `core`", ["violated"], ""),
        ("default one := false\none if input.node.consent.purpose", ["violated"], ""),
        ("one if input.node.consent.purpose", ["undecided"], "one is undefined"),
        ("one := input.node.consent.purpose", ["undecided"], "one is undefined"),
        ("one := input.node.identity.tier", ["undecided"], "one is neither true nor false"),
        ('one := "true"', ["undecided"], "one is neither true nor false"),
        ("one := 1 / (input.node.identity.tier - input.node.identity.tier) == 1", ["undecided"], "divide by zero"),
        ("one := startswith(input.node.identity.tier, `x`)", ["undecided"], "`startswith` expects string argument"),
        ('one := regex.match("(", "a")', ["undecided"], "invalid regex"),
    ],
)
def test_only_true_and_false_are_answers(body: str, outcome: list[str], reason: str) -> None:
    found = ruled(body)
    assert outcomes(found) == outcome
    assert [reason in item.reason for item in found] == [True] * len(found)
    report = judged(module(body))
    assert report.exit_code() == {"": 0, "violated": 1, "undecided": 3}["".join(outcome)]


def test_a_reason_does_not_repeat_what_the_node_says() -> None:
    secret = {**SPECIMEN, "x-key": "s3cret"}
    (found,) = ruled('one := input.node["x-key"] + 1 == 2', secret)
    assert "expects numeric argument" in found.reason
    assert "s3cret" not in said(found)


REFUSED = {
    "another version": ("one { true }", "`if` keyword is required", 5, 5),
    "no expression": ("one :=", "expecting expression", 6, 1),
    "an unknown name": ("one := oops", "var oops is unsafe", 5, 8),
    "true by default": ("default one := true", "the default of one must be false", 5, 9),
    "no boolean by default": ("default one := 1", "the default of one must be false", 5, 9),
    "the time": ("one := time.now_ns() > 0", "time.now_ns is no function that a policy may call", 5, 8),
    "the environment": ("one := opa.runtime().env.HOME != ``", "opa.runtime is no function", 5, 8),
    "another machine": ("one := http.send({}).status == 200", "http.send is no function", 5, 8),
    "chance": ("one := rand.intn(`a`, 2) == 1", "rand.intn is no function", 5, 8),
    "a name that nobody knows": ("one := uuid.rfc4122(`a`) != ``", "uuid.rfc4122 is no function", 5, 8),
    "its own function of another's name": (
        "opa.runtime() := 1\n\none := opa.runtime()",
        "opa.runtime is no function",
        7,
        8,
    ),
    "printing": ("one if print(`hello`)", "print is no function", 5, 8),
    "a rule of another name": ("two := true", "one is no rule of the module", 1, 1),
}


@pytest.mark.parametrize(("body", "reason", "line", "column"), REFUSED.values(), ids=list(REFUSED))
def test_what_a_policy_may_not_say_is_refused_at_its_line(body: str, reason: str, line: int, column: int) -> None:
    report = judged(module(body))
    assert [item.code for item in report.findings] == ["L002"]
    assert reason in report.findings[0].message
    (found,) = report.findings
    assert (found.path, found.line, found.column) == (PATH, line, column)
    assert report.exit_code() == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"package lab.other\n\nx := 1\n", 'the package is "lab.other", and the file "lab.extra"'),
        (b"package lab.extra\n\nx := 1\n", "there is no rule called policy"),
        (b'package lab.extra\n\npolicy := "x"\n', "there is no rule called policy"),
        (HEAD.replace('"rules": [', '"ruls": [').encode(), 'unknown key "ruls"'),
        (HEAD.replace('"registry"', '"everybody"').encode() + b"one := true\n", 'scope is "everybody"'),
        (
            HEAD.replace('"policy": "lab.extra"', '"policy": "lab.x"').encode() + b"one := true\n",
            "the policy is called",
        ),
        (HEAD.encode() + b"one := `\xff`\n", "the file is not UTF-8"),
        (HEAD.encode() + "one := `\u202e`\n".encode(), "U+202E hides or reorders text"),
        (HEAD.encode() + b"# " + b"x" * 70_000 + b"\n", "has more than 65,536 bytes"),
        (
            HEAD.replace("\n\n", "\n\nimport data.secrets\n\n", 1).encode() + b"one := secrets.x\n",
            "must not be imported",
        ),
        (b"", "expecting `package`"),
    ],
)
def test_a_module_that_is_no_policy_may_govern_everybody(text: bytes, reason: str) -> None:
    report = judged({PATH: text})
    assert {item.code for item in report.findings} == {"L002"}
    assert any(reason in item.message for item in report.findings)
    assert all(item.message.isprintable() for item in report.findings)
    assert report.exit_code() == 3


def test_two_files_of_one_name_are_an_error_of_both() -> None:
    report = judged(extra(policy_text("true")) | module("one := true"))
    assert [(item.code, item.path.rpartition("lab.extra")[2]) for item in report.findings] == [
        ("L002", ".cel.yaml"),
        ("L002", ".rego"),
    ]
    assert report.exit_code() == 3


def test_a_node_refers_to_it_by_the_same_reference() -> None:
    files = module("one := false")
    files[PATH] = files[PATH].replace(b'"scope": "registry", ', b"")
    specimen = "registry/nodes/lab/probe/specimen.yaml"
    assert judged(files).findings == ()
    named = judged(files | {specimen: base_files()[specimen] + b"governance_policy_ref: lab.extra\n"})
    assert [item.code for item in named.findings] == ["L001"]


# The sandbox.

DOUBLED = "\n".join(f"v{n} := concat(v{n - 1}, [v{n - 1}, v{n - 1}])" for n in range(1, 15))
WALK = "\n".join(f'\tsome {name} in input.node["x-many"]' for name in "abc")
HOSTILE = {
    "recursion": "f(x) := f(x + 1)\n\none := f(0) == 1",
    "rules that go round": "one if two\n\ntwo if one",
    "growth": f'v0 := input.node["x-text"]\n{DOUBLED}\none := count(v14) > 0',
    "a walk over everything": f'one if {{\n{WALK}\n\tinput.node["x-big"] == [a, b, c]\n}}',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=list(HOSTILE))
def test_what_never_ends_is_cut_off_and_others_go_on(body: str) -> None:
    sources = [*module(body).items(), *extra(policy_text("false", name="lab.other")).items()]
    named = [(path.replace("lab.extra.cel", "lab.other.cel"), data) for path, data in sources]
    both = Policies([Source(path, data) for path, data in named])
    start = time.monotonic()
    found = both.judge(spec.from_value(MANY), Standing(), Settings())
    assert time.monotonic() - start < SOON
    assert [(item.policy, item.outcome) for item in found if item.policy == "lab.other"] == [("lab.other", "violated")]
    assert {item.outcome for item in found if item.policy == "lab.extra"} <= {"undecided", "unusable"}
    assert len(found) == 2


WITHOUT = """
import sys
sys.modules["regorus"] = None
from nodespec.policy import sandbox_child
sandbox_child.main()
"""


def test_without_the_extra_a_policy_in_rego_is_broken_and_others_go_on() -> None:
    """The sandbox is run as it is where the library is not installed."""
    questions = (
        '{"languages": ["cel", "rego"]}\n'
        '{"load": 0, "language": "rego", "name": "lab.extra", "text": "package lab.extra"}\n'
        '{"load": 1, "language": "cel", "variables": [], "rules": ["true"]}\n'
    )
    done = subprocess.run([sys.executable, "-c", WITHOUT], input=questions, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert "pip install 'nodespec[rego]'" in first
    assert '"problems": []' in second


def test_policies_in_rego_are_checked_tested_and_listed(example: Checkout) -> None:
    example.write(PATH, HEAD + "one := true\n")
    assert example.run("policy", "check").returncode == 0
    assert example.run("validate").returncode == 0
    assert "lab.extra" in example.run("policy", "list").stdout
    assert example.run("policy", "test", PATH).returncode == 4
    example.write(PATH, HEAD + "one := opa.runtime()\n")
    done = example.run("policy", "check", PATH)
    assert done.returncode == 1
    assert f"--> {PATH}:5:8\n" in done.stdout
    assert example.run("validate").returncode == 3
    example.write(PATH, TWIN)
    assert example.run("fmt", "--check").returncode == 0


def test_a_registry_with_rego_is_judged_alike_in_several_processes() -> None:
    specimen = base_files()["registry/nodes/lab/probe/specimen.yaml"].decode()
    files = module("one := input.node.identity.tier != 2")
    for number in range(220):
        text = specimen.replace("name: specimen", f"name: p{number}").replace("tier: 1", f"tier: {number % 4}")
        files[f"registry/nodes/lab/probe/p{number}.yaml"] = text.encode()
    tree = MemoryTree(base_files() | files)
    alone, together = (judge(tree, selection=Selection.parse(["L"]), now=NOW, jobs=jobs) for jobs in (1, 2))
    assert alone == together
    assert {item.code for item in alone.findings} == {"L001"}
