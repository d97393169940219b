"""A policy that attacks its judge.

Mallory may write a policy: it is on trial itself, or was merged by somebody careless. It doubles a text until no
memory is left, walks over a list a million times, keeps a regular expression busy, nests until a stack would end. Or it
takes its time, a little of it at each node; or it is written so that a node gets around it. The judgement ends soon,
with 3, says which policy it was, and goes on with everybody else's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from nodespec import spec
from nodespec.judge import judge
from nodespec.policy.examples import SPECIMEN
from nodespec.policy.limits import SECONDS
from nodespec.policy.standing import Standing
from nodespec.settings import Settings
from nodespec.tree import POLICIES, POLICY_SUFFIX, MemoryTree
from nodespec.verdict import Selection
from tests.society import NOW
from tests.test_policy import extra, judged, policies, policy_text
from tests.test_rules import base_files

if TYPE_CHECKING:
    from nodespec.policy.policies import Ruling

SOON = 20 * SECONDS
"""Seconds on the clock, on the busiest machine, for what is cut off after one of processor time."""


def grown(levels: int, times: int = 20) -> str:
    """An expression that asks for a text ``times`` to the power of ``levels`` as long as a description."""
    inner = "true"
    for level in reversed(range(levels)):
        before = f"v{level - 1}" if level else "node['x-text']"
        inner = f"[{'+'.join([before] * times)}].exists(v{level}, {inner})"
    return inner


MANY = {**SPECIMEN, "x-many": list(range(99)), "x-text": "a" * 30_000, "x-big": {f"k{n}": [n] * 9 for n in range(900)}}
TWICE = "node['x-many'].all(a, node['x-many'].all(b, {}))"

BUSY = {
    "text that grows without end": grown(5),
    "a list that grows without end": grown(5).replace("node['x-text']", "node['x-many']"),
    "ten thousand comparisons of everything": TWICE.format("node['x-big'] == node['x-big']"),
    "ten thousand regular expressions": TWICE.format("!node['x-text'].matches('(.*a.{99}b)|(x+x+)+y|' + string(a))"),
    "classes of characters": TWICE.format(r"!node['x-text'].matches('(\\pL|\\pN|\\pM){300}q')"),
}


def asked(*texts: bytes) -> list[Ruling]:
    return policies(*texts).judge(spec.from_value(MANY), Standing(), Settings())


@pytest.mark.parametrize("rule", BUSY.values(), ids=list(BUSY))
def test_what_would_take_hours_or_terabytes_is_cut_off_and_others_go_on(rule: str) -> None:
    assert len(rule) <= 2048
    start = time.monotonic()
    first, *rest = asked(policy_text(rule, name="lab.mallory"), policy_text("false", name="lab.other"))
    assert time.monotonic() - start < SOON
    assert (first.policy, first.outcome) == ("lab.mallory", "undecided")
    assert "more processor time than it may" in first.reason or "MiB of memory" in first.reason
    assert [(item.policy, item.outcome) for item in rest] == [("lab.other", "violated")]


BOUNDED = {
    "a regular expression that backtracks": "!'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'.matches('^(a+)+$')",
    "one as long as the text": "!node['x-text'].matches('(a|aa)+b')",
    "a text twice the text": "size(node['x-text'] + node['x-text']) == 60000",
    "as many steps as there may be": "node['x-many'].all(a, node['x-many'].all(b, true))",
}


@pytest.mark.parametrize("rule", BOUNDED.values(), ids=list(BOUNDED))
def test_what_only_looks_dangerous_is_answered(rule: str) -> None:
    assert asked(policy_text(rule)) == []


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("node['x-many'].all(a, node['x-many'].all(b, node['x-many'].all(c, true)))", "Iteration budget exceeded"),
        ("node['x-text'].matches('((a{100}){100}){100}')", "invalid repetition size"),
        ("node['x-text'].matches('" + r"(\\pL|\\pN|\\pM){900}" * 9 + "')", "too large"),
    ],
)
def test_a_limit_that_was_reached_is_no_answer(rule: str, reason: str) -> None:
    (found,) = asked(policy_text(rule))
    assert found.outcome == "undecided"
    assert reason in found.reason


REFUSED = {
    "parentheses": "(" * 1000 + "true" + ")" * 1000,
    "lists": "[" * 200 + "]" * 200 + " == []",
    "comparisons": "true" + " == true" * 200,
    "comprehensions": "[1].all(a, " * 40 + "true" + ")" * 40,
    "fields": "node" + ".a" * 300,
    "a file": "open('/etc/passwd') == ''",
    "the clock": "now() > timestamp('2026-01-01T00:00:00Z')",
    "the environment": "getenv('HOME') == ''",
    "another kind of number": "uuid() == random()",
}


@pytest.mark.parametrize("rule", REFUSED.values(), ids=list(REFUSED))
def test_what_is_too_deep_or_reaches_outside_is_refused_before_any_node(rule: str) -> None:
    report = judged(extra(policy_text(rule)))
    assert {item.code for item in report.findings} == {"L002"}
    assert report.exit_code() == 3


SLOW = {
    "too much at once": TWICE.format("node['x-big'] == node['x-big']"),
    "memory, again and again": grown(5),
    "a little too much each time": "[1, 2, 3].all(a, node['x-many'].all(b, node['x-big'] == node['x-big']))",
}


@pytest.mark.parametrize("rule", SLOW.values(), ids=list(SLOW))
def test_a_policy_has_ten_milliseconds_a_node_in_the_long_run(rule: str) -> None:
    both = policies(policy_text(rule, name="lab.mallory"), policy_text("false", name="lab.other"))
    about = spec.from_value(MANY)
    start = time.monotonic()
    reasons = []
    for _ in range(300):
        *mallory, other = both.judge(about, Standing(), Settings())
        assert (other.policy, other.outcome) == ("lab.other", "violated")
        reasons += [item.reason for item in mallory if item.outcome == "undecided"]
    assert "more processor time than it may" in reasons[-1]
    assert time.monotonic() - start < SOON


def test_an_expression_that_is_too_long_and_a_bomb_of_aliases_are_refused_by_the_profile() -> None:
    long = judged(extra(policy_text("true" + " && true" * 300)))
    assert {item.code for item in long.findings} == {"S007"}
    bomb = b"policy: lab.extra\na: &a [1,1]\nb: &b [*a,*a]\nrules: [*b]\n"
    assert {item.code for item in judged(extra(bomb)).findings} == {"F011"}
    assert long.exit_code() == judged(extra(bomb)).exit_code() == 3


WIDE = policy_text("!emits.exists(s, s.sensitivity == 'personal')", name="lab.wide")


@pytest.mark.parametrize(
    "trick",
    [
        b"governance_policy_ref: lab.weak\n",
        b"x-lab: {scope: reference}\n",
        b"policy_min_scores: {privacy: 1}\n",
    ],
)
def test_a_node_does_not_choose_a_weaker_policy(trick: bytes) -> None:
    files = {
        f"{POLICIES}lab.wide{POLICY_SUFFIX}": WIDE,
        f"{POLICIES}lab.weak{POLICY_SUFFIX}": policy_text("true", name="lab.weak", scope="reference"),
    }
    specimen = base_files()["registry/nodes/lab/probe/specimen.yaml"]
    spoken = specimen.replace(b"bench_measured", b"voice_heard\n        sensitivity: public") + trick
    files["registry/nodes/lab/probe/specimen.yaml"] = spoken
    report = judge(MemoryTree(base_files() | files), selection=Selection.parse(["L"]), now=NOW)
    assert [(item.code, "lab.wide" in item.message) for item in report.findings] == [("L001", True)]


def test_a_policy_cannot_forge_what_is_printed() -> None:
    hidden = judged(extra(policy_text("true").replace(b'"Heed one."', b'"Heed \\u202eone."')))
    assert {item.code for item in hidden.findings} == {"F006"}
    for rule in (r"node['\x1b[31m'] == 1", r"node.metadata['\u202e'] == 1", r"node['\n::error::'] == 1"):
        (found,) = judged(extra(policy_text(rule))).findings
        assert found.code == "L003"
        assert found.message.isprintable()
