"""What a policy is asked, what it answers, and that no answer is never a pass."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodespec import document, spec
from nodespec.document import dump
from nodespec.judge import judge
from nodespec.policy import examples
from nodespec.policy.examples import SPECIMEN, merged
from nodespec.policy.model import existing, from_value
from nodespec.policy.policies import Policies, Ruling, said
from nodespec.policy.position import within_scalar
from nodespec.policy.source import Source
from nodespec.policy.standing import Standing, subject
from nodespec.schema import builtin
from nodespec.settings import Settings
from nodespec.spec import SENSITIVITIES
from nodespec.tree import NODE_SCHEMA_PATH, POLICIES, POLICY_SCHEMA_PATH, POLICY_SUFFIX, MemoryTree, node_path
from nodespec.verdict import Selection
from tests.conftest import ROOT
from tests.society import NOW, Society
from tests.test_rules import base_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodespec.spec import NodeSpec
    from nodespec.verdict import Report

SHIPPED = sorted((ROOT / "registry/policies").iterdir())
UNSIGNED = Selection.parse(ignore=["P"])
TICK = {"signal": "tick", "handler": "clock.on_tick"}
ENTER = "registry/nodes/lab/probe/specimen.yaml"


def node(**patch: Any) -> NodeSpec:
    """The plainest node, but for this."""
    value = merged(SPECIMEN, patch)
    assert builtin(NODE_SCHEMA_PATH).violations(value) == []
    return spec.from_value(value)


def policy_text(*rules: str, name: str = "lab.extra", **parts: Any) -> bytes:
    """A policy of these expressions, called one, two …, with these further parts."""
    ids = ("one", "two", "three", "four")
    written = [{"id": key, "expr": rule, "message": f"Heed {key}."} for key, rule in zip(ids, rules, strict=False)]
    return dump({"policy": name, "scope": "registry", **parts, "rules": written}).encode()


def policies(*texts: bytes) -> Policies:
    named = ((from_value(document.parse(text).value or {}).name, text) for text in texts)
    return Policies([Source(f"{POLICIES}{name}{POLICY_SUFFIX}", text) for name, text in named])


def rulings(text: bytes, about: NodeSpec, standing: Standing | None = None, **sensitive: str) -> list[Ruling]:
    return policies(text).judge(about, standing or Standing(), Settings(sensitive_signals=sensitive))


def outcomes(found: Sequence[Ruling]) -> list[tuple[str, str]]:
    return [(item.rule.id if item.rule else "", item.outcome) for item in found]


def emitting(*signals: dict[str, str]) -> NodeSpec:
    return node(interfaces={"signals": {"emits": list(signals)}})


# Whom a policy governs.


def test_a_policy_of_the_registry_governs_whoever_names_another() -> None:
    wide, narrow = policy_text("false", name="lab.wide"), policy_text("false", name="lab.narrow", scope="reference")
    both = policies(wide, narrow)
    nodes = {ref: node(governance_policy_ref=ref) for ref in ("lab.wide", "lab.narrow", "lab.other")} | {"": node()}
    names = {ref: [item.policy for item in both.judge(one, Standing(), Settings())] for ref, one in nodes.items()}
    assert names == {
        "": ["lab.wide"],
        "lab.wide": ["lab.wide"],
        "lab.narrow": ["lab.wide", "lab.narrow"],
        "lab.other": ["lab.wide"],
    }


@pytest.mark.parametrize(
    ("match", "patch", "governed"),
    [
        ({"lanes": ["core", "candidate"]}, {}, True),
        ({"lanes": ["core"]}, {}, False),
        ({"node_types": ["example"]}, {}, True),
        ({"node_types": ["example.node"]}, {}, True),
        ({"node_types": ["exam", "example.nod", "example.node.more", "node"]}, {}, False),
        ({"tiers": {"min": 3}}, {"identity": {"tier": 3}}, True),
        ({"tiers": {"min": 3}}, {"identity": {"tier": 2}}, False),
        ({"tiers": {"max": 3}}, {"identity": {"tier": 3}}, True),
        ({"tiers": {"max": 3}}, {"identity": {"tier": 4}}, False),
        ({"signals": ["something_happened", "x"]}, {}, True),
        ({"signals": ["something"]}, {}, False),
        ({"signals": ["tick"]}, {"interfaces": {"signals": {"subscribes": [TICK]}}}, True),
        ({"lanes": ["candidate"], "tiers": {"min": 1}}, {}, False),
    ],
)
def test_every_condition_of_a_match_must_fit_and_fits_whole_names(
    match: dict[str, Any], patch: dict[str, Any], governed: bool
) -> None:
    assert bool(rulings(policy_text("false", match=match), node(**patch))) is governed


# What expressions see.


@given(st.sampled_from(SENSITIVITIES), st.sampled_from([*SENSITIVITIES[1:], None]))
def test_the_higher_sensitivity_counts_of_the_label_and_the_registrys(label: str, least: str | None) -> None:
    settings = Settings(sensitive_signals={"tick": least} if least else {})
    seen = subject(emitting({"name": "tick", "sensitivity": label}), Standing(), settings)["emits"][0]["sensitivity"]
    assert seen == max(label, least or label, key=SENSITIVITIES.index)


def test_an_emitted_signal_always_has_a_name_a_sensitivity_and_a_category() -> None:
    rule = "emits.all(s, s.sensitivity == 'internal' && s.category == '' && s.name == 'tick')"
    assert rulings(policy_text(rule), emitting({"name": "tick"})) == []


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (5, "type(node['x-n']) == int && node['x-n'] == 5"),
        (5.0, "type(node['x-n']) == int && node['x-n'] + 1 == 6"),
        (0.5, "type(node['x-n']) == double && node['x-n'] < 1"),
        (2**53 - 1, "node['x-n'] == 9007199254740991"),
        (-(2**53) + 1, "node['x-n'] == -9007199254740991"),
        (1.0e300, "type(node['x-n']) == double && node['x-n'] > 1.0e299"),
        ("2026-01-31", "node['x-n'] == '2026-01-31'"),
        (None, "node['x-n'] == null"),
        ({"a": [1, {"b": True}]}, "node['x-n'].a[1].b"),
    ],
)
def test_values_are_what_json_means(value: Any, rule: str) -> None:
    about = spec.from_value({**SPECIMEN, "x-n": value})
    assert rulings(policy_text(rule), about) == []


def test_variables_build_upon_those_above_them() -> None:
    variables = [
        {"name": "names", "expr": "emits.map(s, s.name)"},
        {"name": "loud", "expr": "variables.names.filter(n, n.startsWith('shout_'))"},
    ]
    text = policy_text("variables.loud == ['shout_now']", "size(variables.names) == 2", variables=variables)
    assert rulings(text, emitting({"name": "whisper"}, {"name": "shout_now"})) == []


def test_a_variable_without_a_value_is_missed_only_where_it_is_needed() -> None:
    variables = [{"name": "purpose", "expr": "node.consent.purpose"}]
    text = policy_text("!has(node.consent) || variables.purpose != ''", "variables.purpose != ''", variables=variables)
    found = rulings(text, node())
    assert outcomes(found) == [("two", "undecided")]
    assert 'variables.purpose has no value: Key not found in map : "consent"' in found[0].reason


# Answers that are none.


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("node.consent.purpose != ''", 'Key not found in map : "consent"'),
        ("node.metadata.name", "it is STRING, neither true nor false"),
        ("node['x-n']", "it is INT, neither true nor false"),
        ("node.identity.tier / 0 == 1", "divide by zero"),
        ("node.metadata.name < 1", "No matching overloads found"),
        ("node.identity.roles[9] == 'x'", "Index error"),
        ("node.metadata.name.matches('(')", "invalid regular expression"),
        ("node['x-many'].all(a, node['x-many'].all(b, true))", "Iteration budget exceeded"),
        ("dyn(node) == dyn(node) ? 1 : 2", "this is INT"),
    ],
)
def test_whatever_is_not_plainly_true_or_false_is_no_answer(rule: str, reason: str) -> None:
    about = spec.from_value({**SPECIMEN, "x-n": 1, "x-many": [0] * 101})
    text = policy_text(rule, "true")
    (found,) = rulings(text, about)
    if "this is" in reason:  # it can be told without a node
        assert found.outcome == "unusable"
        assert reason in policies(text).problems(f"{POLICIES}lab.extra{POLICY_SUFFIX}")[0].message
    else:
        assert outcomes([found]) == [("one", "undecided")]
        assert reason in found.reason


def test_a_reason_repeats_what_the_policy_says_and_not_what_the_node_says() -> None:
    about = spec.from_value({**SPECIMEN, "x-key": "s3cret"})
    (found,) = rulings(policy_text("{'known': true}[node['x-key']]"), about)
    assert "s3cret" not in said(found)
    assert 'Key not found in map : "…"' in said(found)


ANSWERS = {
    "true": ([], 0),
    "false": (["L001"], 1),
    "node.consent.purpose != ''": (["L003"], 3),
    "node.metadata.name": (["L003"], 3),
    "nod.metadata": (["L002"], 3),
    "'yes'": (["L002"], 3),
    "true &&": (["L002"], 3),
}


def judged(files: dict[str, bytes], **options: Any) -> Report:
    return judge(MemoryTree(base_files() | files), **{"selection": UNSIGNED, "now": NOW, **options})


def extra(text: bytes) -> dict[str, bytes]:
    return {f"{POLICIES}lab.extra{POLICY_SUFFIX}": text}


@pytest.mark.parametrize("rule", ANSWERS)
def test_no_answer_ends_with_3_and_is_shown(rule: str) -> None:
    codes, exit_code = ANSWERS[rule]
    report = judged(extra(policy_text(rule)))
    assert sorted({item.code for item in report.findings}) == codes
    assert report.exit_code() == exit_code
    assert ("L" in report.blocked) is (exit_code == 3)


@pytest.mark.parametrize("ignored", ["L002,L003", "F,S,N,G", "L001,L002,L003,L004,L005"])
def test_no_answer_ends_with_3_although_its_finding_is_ignored(ignored: str) -> None:
    for rule in ("node.consent.purpose != ''", "nod"):
        report = judged(extra(policy_text(rule)), selection=Selection.parse(ignore=["P", ignored]))
        expected = 0 if ignored.count("L") == 5 else 3  # family L as a whole was not asked for
        assert report.exit_code() == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"policy: lab.extra\nrules: []\n", "S007"),
        (b"policy: lab.extra\nruls: []\n", "S001"),
        (b"policy: &a lab.extra\n", "F011"),
        (b"policy: [\n", "F007"),
        (b"x" * 70_000, "F001"),
        (policy_text("true", name="lab.other"), "L002"),
    ],
)
def test_a_policy_that_says_nothing_legible_may_govern_everybody(text: bytes, code: str) -> None:
    for only in (None, frozenset([ENTER])):
        report = judged(extra(text), only=only)
        assert code in {item.code for item in report.findings if item.path.startswith(POLICIES)}
        assert report.exit_code() == 3
    assert judged(extra(text), selection=Selection.parse(["N", "G"])).exit_code() == 0


def test_a_node_that_names_no_existing_policy_is_not_passed_by_any() -> None:
    text = base_files()[ENTER] + b"governance_policy_ref: lab.gone\n"
    report = judged({ENTER: text})
    assert [item.code for item in report.findings] == ["N010"]


# Who stands behind a node.

MEMORY = "lab.memory.store/cache_v1"
SEES = policy_text("provenance.verified", "provenance.attested", "provenance.delegated", "provenance.owner != ''")


def seen_of(society: Society, path: str) -> list[tuple[str, str]]:
    """What families P and L find about a node, as (code, rule)."""
    society.files |= extra(SEES)
    report = judge(society.tree(), selection=Selection.parse(["P", "L"]), now=NOW)
    found = [item for item in report.findings if item.path == path]
    rules = {rule: f"rule {rule}: " for rule in ("one", "two", "three", "four")}
    names = {item: next((rule for rule, words in rules.items() if words in item.message), "") for item in found}
    return sorted(((item.code, names[item]) for item in found), key=lambda pair: ("", *rules).index(pair[1]))


def test_a_signed_node_is_verified_and_delegated_and_not_attested() -> None:
    society = Society()
    path = society.register(MEMORY, by=society.ada)
    assert seen_of(society, path) == [("L005", "two")]


def test_a_cosigned_node_is_attested() -> None:
    society = Society()
    path = society.register(MEMORY, by=society.ada, tier=5, verifier=society.vera.handle, verified=True)
    assert seen_of(society, path) == []


def test_a_newcomers_node_is_verified_and_not_delegated() -> None:
    society = Society()
    path = society.register("lab.open/first_v0", by=society.newt)
    assert [rule for _, rule in seen_of(society, path)] == ["two", "three"]


def test_what_the_file_says_of_itself_counts_for_nothing() -> None:
    society = Society()
    path = society.register(MEMORY, by=society.ada, tier=5, verifier=society.vera.handle, verified=True)
    society.sign(path, society.ada.key)
    codes = seen_of(society, path)
    assert [code for code, _ in codes if code[0] == "P"] == ["P023"]
    assert [rule for code, rule in codes if code == "L005"] == ["one", "two", "three", "four"]


def test_without_a_trust_root_nothing_is_verified() -> None:
    society = Society()
    path = society.register(MEMORY, by=society.ada)
    for file in [path for path in society.files if path.startswith("registry/trust/")]:
        del society.files[file]
    assert [rule for _, rule in seen_of(society, path)] == ["one", "two", "three", "four"]


def test_where_p_is_not_judged_nothing_is_verified() -> None:
    society = Society()
    society.register(MEMORY, by=society.ada)
    society.files |= extra(SEES)
    report = judge(society.tree(), selection=UNSIGNED, now=NOW)
    assert [item.code for item in report.findings] == ["L005"] * 4
    assert report.exit_code() == 1


def test_a_rule_that_signatures_would_not_mend_is_violated() -> None:
    text = policy_text("provenance.verified", "provenance.verified && node.identity.tier > 4", "node.identity.tier > 4")
    assert outcomes(rulings(text, node())) == [("one", "unsigned"), ("two", "violated"), ("three", "violated")]


# Where a finding stands.


def test_a_finding_stands_at_what_its_rule_is_about_or_at_what_is_there_of_it() -> None:
    rule = {"id": "one", "expr": "false", "message": "Heed."}
    specimen = base_files()[ENTER].decode()
    places = {}
    for pointer in ("/identity/tier", "/interfaces/signals/emits/0/level", "/security/attestation", "/consent", ""):
        text = dump({"policy": "lab.extra", "scope": "registry", "rules": [{**rule, "path": pointer}]})
        (found,) = judged(extra(text.encode())).findings
        places[pointer] = (found.pointer, specimen.splitlines()[found.line - 1].strip())
    assert places == {
        "/identity/tier": ("/identity/tier", "tier: 1"),
        "/interfaces/signals/emits/0/level": ("/interfaces/signals/emits/0", "- name: bench_measured"),
        "/security/attestation": ("/security", "security: {}"),
        "/consent": ("", "node_type: lab.probe"),
        "": ("", "node_type: lab.probe"),
    }


def test_a_pointer_leads_to_keys_with_signs_and_not_past_the_end() -> None:
    assert existing({"a/b": [0, {"~": 1}]}, ("a/b", "1", "~")) == ("a/b", 1, "~")
    assert existing({"a": [0]}, ("a", "1")) == ("a",)
    assert existing({"a": [0]}, ("a", "-1")) == ("a",)
    assert existing({"a": "text"}, ("a", "0")) == ("a",)


WORDS = st.text(alphabet="ab &|'\"é", min_size=1, max_size=8).filter(lambda text: text == text.strip())
LINES = st.lists(WORDS, min_size=1, max_size=3)


@given(LINES, st.sampled_from(["|", "|-", ">", ">-", "'", '"']), st.integers(0, 6))
def test_a_place_inside_of_a_scalar_is_the_place_in_the_file(lines: list[str], style: str, indent: int) -> None:
    if style in "'\"":
        lines = [" ".join(lines)]
        inner = lines[0].replace("'", "''") if style == "'" else lines[0].replace('"', '\\"')
        data = f"a:\n  - expr: {style}{inner}{style}\n"
    else:
        margin = " " * (5 + indent)
        data = f"a:\n  - expr: {style}\n" + "".join(f"{margin}{line}\n" for line in lines)
    parsed = document.parse(data.encode())
    assert parsed.value is not None
    text = parsed.value["a"][0]["expr"]
    for number, line in enumerate(text.rstrip("\n").split("\n"), 1):
        for column, character in enumerate(line, 1):
            span = within_scalar(data.encode(), parsed, ("a", 0, "expr"), number, column)
            written = data.split("\n")[span.line - 1][span.column - 1 :]
            assert (written or " ").removeprefix("\\")[0] == character


@pytest.mark.parametrize("data", [b"a: b\n  c\nd: e\n", b"a: 'b\n  c'\n", b"a: >\n  b\n\n  c\n", b"a: |\n  b\n"])
def test_what_is_unsure_is_shown_where_the_scalar_begins(data: bytes) -> None:
    parsed = document.parse(data)
    span = within_scalar(data, parsed, ("a",), 9, 9)
    assert (span.line, span.column) == (1, 4)


# Several policies, and several processes.


def test_nodes_comply_with_two_sets_of_policies_and_what_is_in_both_counts_once() -> None:
    base = policies(policy_text("false", name="lab.same"), policy_text("node.identity.tier > 0", name="lab.tier"))
    head = policies(policy_text("false", name="lab.same"), policy_text("node.identity.tier > 1", name="lab.tier"))
    both = base.joined(head)
    for tier, expected in ((0, ["same", "tier", "tier"]), (1, ["same", "tier"]), (2, ["same"])):
        found = both.judge(node(identity={"tier": tier}), Standing(), Settings())
        assert [item.policy.removeprefix("lab.") for item in found] == expected


def test_many_policies_are_too_many() -> None:
    texts = [policy_text("true", name=f"lab.p{number:03}") for number in range(65)]
    files = {f"{POLICIES}lab.p{number:03}{POLICY_SUFFIX}": text for number, text in enumerate(texts)}
    files = {path: text for path, text in files.items() if not path.endswith("lab.p064.cel.yaml")}
    assert judged(files).exit_code() == 3, "lab.care is the first, so these are one too many"
    last = list(files)[-1]
    assert {item.path for item in judged(files).findings if item.code == "L002"} == {last}
    del files[last]
    assert judged(files).exit_code() == 0


def test_several_processes_find_what_one_finds() -> None:
    specimen = base_files()[ENTER].decode()
    files = {}
    for number in range(230):
        text = specimen.replace("name: specimen", f"name: probe_{number}").replace("tier: 1", f"tier: {number % 4}")
        files[node_path(f"lab.probe/probe_{number}")] = text.encode()
    files |= extra(policy_text("node.identity.tier != 2", "node.identity.tier < 3 || node.metadata.nickname != ''"))
    tree = MemoryTree(base_files() | files)
    alone, together = (judge(tree, selection=Selection.parse(["L"]), now=NOW, jobs=jobs) for jobs in (1, 2))
    assert alone == together
    assert {item.code for item in alone.findings} == {"L001", "L003"}
    assert alone.exit_code() == 3


# The registry's own.


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_rule_of_a_shipped_policy_has_examples_that_keep_and_break_it(path: Any) -> None:
    text = path.read_bytes()
    assert document.parse(text).problems == ()
    own = Policies([Source(f"{POLICIES}{path.name}", text)])
    assert own.problems(f"{POLICIES}{path.name}") == []
    found = examples.run(own, 0)
    assert [trial.example.name for trial in found if not trial.held] == []
    rules = {rule.id for rule in own.policy(0).rules}
    assert set().union(*(trial.found or () for trial in found)) == rules
    assert any(trial.found == frozenset() for trial in found)


def test_the_policy_of_the_guide_can_be_used_and_its_example_holds() -> None:
    guide = (ROOT / "docs/policies.md").read_text(encoding="utf-8")
    text = guide.partition("```yaml\n")[2].partition("```")[0].encode()
    own = policies(text)
    assert own.problems(f"{POLICIES}lab.care{POLICY_SUFFIX}") == []
    assert [trial.held for trial in examples.run(own, 0)] == [True]


def test_there_are_four_and_they_show_every_field() -> None:
    values = [document.parse(path.read_bytes()).value or {} for path in SHIPPED]
    assert [value["policy"] for value in values] == [
        "matriz.consent",
        "matriz.egress",
        "matriz.explainability",
        "matriz.governance",
    ]
    assert {value["scope"] for value in values} == {"registry", "reference"}
    shown = json.dumps(values)
    for key in ("lanes", "node_types", "variables", "severity", "provenance", "sensitive", "unmatched"):
        assert f'"{key}"' in shown


def test_the_contract_is_optional_and_a_registry_may_narrow_it() -> None:
    files = extra(policy_text("true", description="A policy."))
    assert judged(files).exit_code() == 0
    bare = {path: data for path, data in (base_files() | files).items() if path != POLICY_SCHEMA_PATH}
    assert judge(MemoryTree(bare), selection=UNSIGNED, now=NOW).exit_code() == 0
    contract = json.loads(base_files()[POLICY_SCHEMA_PATH])
    contract["required"] += ["description"]
    narrow = {POLICY_SCHEMA_PATH: json.dumps(contract).encode()}
    (found,) = judged(narrow | extra(policy_text("true"))).findings
    assert (found.code, found.path) == ("S002", f"{POLICIES}lab.extra{POLICY_SUFFIX}")
    wide = {POLICY_SCHEMA_PATH: b'{"$schema": "https://json-schema.org/draft/2020-12/schema"}'}
    assert [item.code for item in judged(wide | extra(policy_text("true", vendor=1))).findings] == ["S001"]
    broken = judged({POLICY_SCHEMA_PATH: b"{}"} | files)
    assert (broken.families["L"], broken.blocked) == ("not run", ("L",))


# A base.


def with_base(base: bytes | None, head: bytes | None) -> Report:
    trees = [base_files() | (extra(text) if text is not None else {}) for text in (base, head)]
    return judge(MemoryTree(trees[1]), base=MemoryTree(trees[0]), selection=UNSIGNED, now=NOW)


def policy_findings(report: Report) -> list[tuple[str, bool]]:
    """What family L finds, and whether it is about the policy as it was before."""
    return [(item.code, "as it was before" in item.message) for item in report.findings if item.code[0] == "L"]


KEPT, BROKEN, NO_ANSWER = policy_text("true"), policy_text("false"), policy_text("node.consent.purpose != ''")


@pytest.mark.parametrize(
    ("base", "head", "found", "exit_code"),
    [
        (KEPT, KEPT, [], 0),
        (BROKEN, BROKEN, [("L001", False)], 1),
        (BROKEN, KEPT, [("L001", True)], 1),
        (BROKEN, None, [("L001", True)], 1),
        (KEPT, BROKEN, [("L001", False)], 1),
        (None, BROKEN, [("L001", False)], 1),
        (NO_ANSWER, KEPT, [], 0),
        (KEPT, NO_ANSWER, [("L003", False)], 3),
        (policy_text("oops"), KEPT, [], 0),
        (policy_text("oops"), BROKEN, [("L001", False)], 1),
        (policy_text("oops"), policy_text("oops"), [("L002", False)], 3),
    ],
)
def test_with_a_base_nodes_comply_with_both_and_a_policy_can_be_put_right(
    base: bytes | None, head: bytes | None, found: list[tuple[str, bool]], exit_code: int
) -> None:
    report = with_base(base, head)
    assert policy_findings(report) == found
    assert report.undecided is (exit_code == 3)
    assert [item.code for item in report.findings if item.code[0] not in "LPC"] == []


def test_a_change_does_not_push_out_what_base_asks_by_many_policies_or_a_narrower_contract() -> None:
    many = {f"{POLICIES}lab.p{n:03}{POLICY_SUFFIX}": policy_text("true", name=f"lab.p{n:03}") for n in range(63)}
    contract = json.loads(base_files()[POLICY_SCHEMA_PATH])
    contract["required"] += ["description"]
    narrow = {POLICY_SCHEMA_PATH: json.dumps(contract).encode()}
    lax = extra(policy_text("true", description="Anything goes."))
    for more in (many, narrow):
        files = base_files() | lax | more
        del files[f"{POLICIES}lab.care{POLICY_SUFFIX}"]
        before = base_files() | extra(BROKEN)
        report = judge(MemoryTree(files), base=MemoryTree(before), selection=UNSIGNED, now=NOW)
        assert ("L001", True) in policy_findings(report)
