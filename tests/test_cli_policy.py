"""nodespec policy check, test and list, and policies in validate and register, as people run them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ADAPTER, ADAPTER_FILE, Checkout

if TYPE_CHECKING:
    from pathlib import Path

GOVERNANCE = "registry/policies/matriz.governance.cel.yaml"
EXTRA = "registry/policies/lab.extra.cel.yaml"
CARE = """policy: lab.extra
rules:
  - id: terms-stated
    expr: has(node.consent)
    message: State the terms.
    path: /consent
"""
EXAMPLES = """examples:
  - name: without terms
    expect: [terms-stated]
  - name: with terms
    node: {consent: {purpose: Remember you., retention: P1Y, erasure: on-request}}
    expect: pass
"""


def test_the_shipped_policies_can_be_used_and_their_examples_hold(example: Checkout) -> None:
    done = example.run("policy", "check")
    assert done.returncode == 0
    assert done.stdout.startswith("no findings in 4 files")
    done = example.run("policy", "test")
    assert done.returncode == 0
    assert "  ok   a personal memory, attested at tier 5: pass\n" in done.stdout
    assert "  ok   the same one tier lower: memory-tier\n" in done.stdout
    assert done.stdout.endswith("24 of 24 examples came out as expected\n")
    assert "note no example breaks" not in done.stdout


def test_a_list_says_whom_each_policy_governs(example: Checkout) -> None:
    example.write(EXTRA, "policy: [\n")
    done = example.run("policy", "list")
    assert done.returncode == 0
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines()}
    assert rows["matriz.governance"][1:4] == ["registry", "all", "nodes"]
    assert rows["matriz.consent"][1] == "reference"
    assert "cannot be used" in " ".join(rows[EXTRA])


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "column"),
    [
        ("    path: /consent", "    paht: /consent", "S001", 6, 5),
        ("has(node.consent)", "has(node.consent) && oops", "L002", 4, 32),
        ("has(node.consent)", "size(node.consent)", "L002", 4, 11),
        ("expr: has(node.consent)", "expr: >-\n      has(node.consent)\n      && oops", "L002", 6, 10),
        ("policy: lab.extra", "policy: lab.other", "L002", 1, 9),
        ("policy: lab.extra", "policy: lab.extra\nscope: everybody", "S004", 2, 8),
        ("policy: lab.extra", "policy: lab.extra\nmatch: {names: [a]}", "S001", 2, 9),
    ],
)
def test_check_shows_what_is_wrong_at_its_line_and_column(
    example: Checkout, old: str, new: str, code: str, line: int, column: int
) -> None:
    example.write(EXTRA, CARE.replace(old, new, 1))
    for words in (["policy", "check"], ["policy", "check", EXTRA]):
        done = example.run(*words)
        assert done.returncode == 1
        assert f"error[{code}]" in done.stdout
        assert f"--> {EXTRA}:{line}:{column}\n" in done.stdout
    whole = example.run("validate")
    assert whole.returncode == 3
    assert f"--> {EXTRA}:{line}:{column}\n" in whole.stdout
    assert "L could not check every file" in whole.stderr
    assert example.run("policy", "test").returncode == 3


def test_check_speaks_to_machines_as_validate_does(example: Checkout) -> None:
    example.write(EXTRA, CARE.replace("has(node.consent)", "oops"))
    report = json.loads(example.run("policy", "check", "--format", "json").stdout)
    assert [(item["code"], item["path"], item["line"]) for item in report["findings"]] == [("L002", EXTRA, 4)]
    assert report["summary"]["exit_code"] == 1
    assert f"::error file={EXTRA},line=4" in example.run("policy", "check", "--format", "github").stdout
    sarif = json.loads(example.run("policy", "check", "--format", "sarif").stdout)
    assert [result["ruleId"] for result in sarif["runs"][0]["results"]] == ["L002"]


def test_a_policy_outside_of_any_registry_is_checked_and_tested(empty: Checkout, tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_text(CARE + EXAMPLES)
    assert empty.run("policy", "check", str(draft)).returncode == 0
    done = empty.run("policy", "test", str(draft))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "2 of 2 examples came out as expected")
    assert empty.run("policy", "check").returncode == 2
    assert empty.run("policy", "check", str(tmp_path / "nothing.yaml")).returncode == 2


def test_an_example_that_comes_out_otherwise_fails(example: Checkout) -> None:
    example.write(EXTRA, CARE + EXAMPLES.replace("expect: [terms-stated]", "expect: pass"))
    done = example.run("policy", "test", EXTRA)
    assert done.returncode == 1
    assert "  FAIL without terms: expected pass; it is terms-stated\n" in done.stdout
    assert done.stdout.endswith("1 of 2 examples came out as expected\n")


def test_an_example_without_an_answer_ends_with_3(example: Checkout) -> None:
    example.write(EXTRA, CARE.replace("has(node.consent)", "node.consent.purpose != ''") + EXAMPLES)
    done = example.run("policy", "test", EXTRA)
    assert done.returncode == 3
    assert 'FAIL without terms: no answer: terms-stated: Key not found in map : "consent"' in done.stdout


def test_an_example_whose_node_is_none_ends_with_3(example: Checkout) -> None:
    example.write(EXTRA, CARE + EXAMPLES.replace("retention: P1Y", "retention: long"))
    done = example.run("policy", "test", EXTRA)
    assert done.returncode == 3
    assert "FAIL with terms: no answer: the node is no NodeSpec: consent.retention" in done.stdout


def test_a_rule_that_no_example_breaks_is_named(example: Checkout) -> None:
    example.write(EXTRA, CARE + EXAMPLES.replace("  - name: without terms\n    expect: [terms-stated]\n", ""))
    assert "note no example breaks terms-stated\n" in example.run("policy", "test", EXTRA).stdout


def test_where_nothing_was_tested_or_checked_nothing_is_green(example: Checkout) -> None:
    example.write(EXTRA, CARE)
    assert example.run("policy", "test", EXTRA).returncode == 4
    for file in (example.path / "registry/policies").iterdir():
        file.unlink()
    assert [example.run("policy", word).returncode for word in ("check", "test", "list")] == [4, 4, 4]
    assert example.run("policy", "check", "--at", "HEAD").returncode == 0
    assert example.run("policy", "check", "--at", "HEAD", GOVERNANCE).returncode == 2


def test_validate_names_the_policy_the_rule_and_what_to_do(example: Checkout) -> None:
    example.replace(ADAPTER_FILE, "tier: 5", "tier: 4")
    done = example.run("validate", "--ignore", "P")
    assert done.returncode == 1
    found = "policy matriz.governance, rule memory-tier: Personal memories need tier 5 or higher."
    assert f"error[L001] policy-violated: {found}" in done.stdout
    assert f"--> {ADAPTER_FILE}:17:9" in done.stdout
    assert "error[L005] policy-unsigned: policy matriz.governance, rule memory-attested" in done.stdout
    assert example.run("validate", "--ignore", "P,L").returncode == 0


def test_advice_fails_only_when_strict(example: Checkout) -> None:
    example.replace(ADAPTER_FILE, "        governance_category: episodic-memory\n    subscribes", "    subscribes")
    found = example.run("validate", "--select", "L004")
    assert found.returncode == 0
    assert "warning[L004] policy-advised: policy matriz.governance, rule memory-categorised" in found.stdout
    assert example.run("validate", "--select", "L004", "--strict").returncode == 1


def test_one_file_is_judged_by_all_policies_and_a_broken_one_is_shown(example: Checkout) -> None:
    assert example.run("validate", ADAPTER_FILE).returncode == 0
    example.replace(GOVERNANCE, "node.identity.tier >= 5", "node.identity.teir >= 5")
    done = example.run("validate", ADAPTER_FILE)
    assert done.returncode == 3
    assert 'rule memory-tier gave no answer: Key not found in map : "teir"' in done.stdout
    example.replace(GOVERNANCE, "node.identity.teir", "nod.identity.tier")
    done = example.run("validate", ADAPTER_FILE)
    assert done.returncode == 3
    assert f"--> {GOVERNANCE}:" in done.stdout


def test_what_a_policy_says_is_remembered_as_everything_else(example: Checkout) -> None:
    """The second verdict is told from the first, so it must say the same."""
    example.replace(ADAPTER_FILE, "tier: 5", "tier: 4")
    example.commit()
    first, second = (example.run("validate", "--at", "HEAD") for _ in range(2))
    assert (first.stdout, first.returncode) == (second.stdout, second.returncode)
    assert "L001" in second.stdout
    example.replace(ADAPTER_FILE, "tier: 4", "tier: 6")
    example.commit()
    assert "L001" not in example.run("validate", "--at", "HEAD").stdout


def test_an_owner_registers_before_the_verifier_has_signed(example: Checkout, published: dict[str, str]) -> None:
    example.replace(ADAPTER_FILE, "tier: 5 ", "tier: 6 ")
    example.replace(ADAPTER_FILE, "version: 1.4.0", "version: 2.0.0")
    done = example.run("update", ADAPTER_FILE, **published)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "still to sign: the verifier" in done.stderr
    waiting = example.run("validate")
    assert waiting.returncode == 1
    assert "error[L005]" in waiting.stdout
    assert example.run("cosign", ADAPTER, **published).returncode == 0
    assert example.run("validate").returncode == 0


def test_whoever_does_not_comply_is_not_registered(example: Checkout, published: dict[str, str]) -> None:
    example.replace(ADAPTER_FILE, "tier: 5 ", "tier: 4 ")
    before = example.files()
    done = example.run("update", ADAPTER_FILE, **published)
    assert done.returncode == 1
    assert "error[L001]" in done.stdout
    example.replace(GOVERNANCE, "node.identity.tier >= 5", "node.identity.teir >= 5")
    assert example.run("update", ADAPTER_FILE, **published).returncode == 3
    assert example.files() == before | {GOVERNANCE: example.files()[GOVERNANCE]}
