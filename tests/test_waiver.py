"""Waivers: what they put up with, how long, and what becomes of those that nobody needs."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from nodespec.judge import judge
from nodespec.rules import RULES
from nodespec.tree import SETTINGS_PATH, WAIVERS_PATH, node_path
from nodespec.verdict import Selection
from tests.society import ABOUT_SIGNATURES, NOW, Society

CACHE = "lab.memory/cache"
PATH = node_path(CACHE)
CHOSEN = Selection.parse(ignore=["L"])


def waiving(society: Society, **fields: str) -> Society:
    """Let the maintainers waive one rule at one file, by default G001 at the cache, for another week."""
    one = {
        "code": "G001",
        "path": PATH,
        "reason": "Its emitter comes next week.",
        "owner": society.ada.handle,
        "until": f"{NOW + timedelta(days=7):%Y-%m-%d}",
        **fields,
    }
    society.files[WAIVERS_PATH] = json.dumps({"schema_version": "waivers.v1", "waivers": [one]}).encode() + b"\n"
    society.seal()
    return society


def waiting() -> Society:
    """A sealed registry with one node, which waits for a signal that nobody emits (G001)."""
    society = Society()
    path = society.register(CACHE, by=society.ada)
    text = society.files[path].replace(b"subscribes: []", b"subscribes: [{signal: rain_fell, handler: probe.on_rain}]")
    society.files[path] = text
    society.attest(society.claim(society.nodes[CACHE], "register", path, text))
    society.seal()
    return society


def codes(society: Society, base: Society | None = None, **options: object) -> list[str]:
    tree = base.tree() if base is not None else None
    report = judge(society.tree(), selection=CHOSEN, base=tree, now=NOW, **options)  # type: ignore[arg-type]
    return [item.code for item in report.findings]


def test_a_waiver_puts_up_with_one_rule_at_one_file() -> None:
    assert codes(waiting()) == ["G001"]
    report = judge(waiving(waiting()).tree(), selection=CHOSEN, now=NOW)
    assert report.findings == ()
    assert report.exit_code() == 0
    assert [(item.code, one.reason) for item, one in report.waived] == [("G001", "Its emitter comes next week.")]
    assert codes(waiving(waiting(), path=SETTINGS_PATH)) == ["G001", "W002"]
    assert codes(waiving(waiting(), code="G002")) == ["G001", "W002"]


def test_it_holds_to_the_end_of_its_last_day_and_no_longer() -> None:
    assert codes(waiving(waiting(), until=f"{NOW:%Y-%m-%d}")) == []
    assert codes(waiving(waiting(), until=f"{NOW - timedelta(days=1):%Y-%m-%d}")) == ["G001", "W001"]


def test_a_day_that_no_calendar_has_holds_nothing() -> None:
    assert codes(waiving(waiting(), until="2026-02-30")) == ["G001", "W001"]


@pytest.mark.parametrize("code", ["P013", "T003", "F018", "S001", "W001", "C003", "C008", "C012", "X001", "G999"])
def test_what_is_signed_and_how_a_tree_is_made_cannot_be_waived(code: str) -> None:
    assert codes(waiving(waiting(), code=code)) == ["G001", "W003"]


def test_a_broken_signature_stays_broken() -> None:
    society = waiving(waiting(), code="P013")
    society.files[PATH] += b"# more\n"
    assert sorted(codes(society)) == ["G001", "P013", "W003"]


POLICY = b"""policy: lab.two
scope: registry
rules:
  - {id: first, expr: "false", message: The first is never kept.}
  - {id: second, expr: "false", message: Nor is the second.}
"""


def policed(**fields: str) -> Society:
    """A sealed registry in which a node breaks two rules of one policy (L001), and one waiver."""
    society = Society()
    society.register(CACHE, by=society.ada)
    society.files["registry/policies/lab.two.cel.yaml"] = POLICY
    return waiving(society, **{"code": "L001", **fields})


def left(society: Society) -> list[str]:
    report = judge(society.tree(), now=NOW)
    return sorted(item.policy or f"{item.code} {item.message}" for item in report.findings)


def test_of_a_policy_one_rule_is_waived_and_no_more() -> None:
    assert left(policed(policy="lab.two/first")) == ["lab.two/second"]
    unneeded = f'W002 there is no L001 of lab.three/first at "{PATH}" to be waived'
    assert left(policed(policy="lab.three/first")) == [unneeded, "lab.two/first", "lab.two/second"]


def test_a_waiver_of_all_policies_is_none() -> None:
    found = left(policed())
    assert found[1:] == ["lab.two/first", "lab.two/second"]
    assert found[0].startswith("W003 L001 is what every policy finds")


def test_a_policy_stands_in_waivers_of_policies_alone() -> None:
    assert codes(waiving(waiting(), policy="lab.two/first")) == ["G001", "W003"]


@pytest.mark.parametrize("code", ["L002", "L003"])
def test_a_policy_without_an_answer_cannot_be_waived(code: str) -> None:
    found = left(policed(code=code, policy="lab.two/first"))
    assert (
        found[0]
        == f"W003 {code} cannot be waived: a policy that cannot be used, or gave no answer, has not judged anything yet"
    )
    assert found[1:] == ["lab.two/first", "lab.two/second"]


def test_that_a_path_is_an_id_cannot_be_waived() -> None:
    """All that is remembered of a node goes by its path."""
    society = Society()
    path = society.register(CACHE, by=society.ada)
    astray = path.replace("cache", "cash")
    society.files[astray] = society.files.pop(path)
    found = left(waiving(society, code="N001", path=astray))
    assert any(item.startswith("W003 N001 cannot be waived: every other rule") for item in found)
    assert any(item.startswith("N001 the id is lab.memory/cache") for item in found)


def test_somebody_of_the_registry_answers_for_it() -> None:
    assert codes(waiving(waiting(), owner="GLYMPH:" + "ab" * 32)) == ["W004"]


def test_a_waiver_that_is_not_needed_is_a_warning() -> None:
    society = Society()
    society.register(CACHE, by=society.ada)
    report = judge(waiving(society).tree(), selection=CHOSEN, now=NOW)
    assert [(item.code, item.severity) for item in report.findings] == [("W002", "warning")]
    assert report.exit_code() == 0


def test_whether_it_is_needed_is_not_said_by_whoever_did_not_look() -> None:
    society = Society()
    society.register(CACHE, by=society.ada)
    tree = waiving(society).tree()
    chosen = Selection.parse(["W", "F"], [])
    assert judge(tree, selection=chosen, now=NOW).findings == ()


def test_base_s_waivers_count_and_head_s_only_as_far() -> None:
    """Who brings a mistake does not bring the leave to make it."""
    base = Society()
    base.seal()
    head = base.fork()
    path = head.register(CACHE, by=head.ada)
    text = head.files[path].replace(b"subscribes: []", b"subscribes: [{signal: rain_fell, handler: probe.on_rain}]")
    head.files[path] = text
    head.attest(head.claim(head.nodes[CACHE], "register", path, text))
    waiving(head)
    assert "G001" in codes(head, base)
    longer = head.fork()
    waiving(longer, until=f"{NOW + timedelta(days=70):%Y-%m-%d}")
    assert "G001" in codes(longer, head)
    assert "G001" not in codes(head, head)
    assert "W002" not in codes(head, base), "a waiver that begins with a change was of no use to it yet"


def test_a_misshapen_file_waives_nothing() -> None:
    society = waiting()
    society.files[WAIVERS_PATH] = b"schema_version: waivers.v1\nwaivers: everything\n"
    society.seal()
    assert codes(society) == ["G001", "S003"]


def test_every_rule_about_waivers_says_what_to_do() -> None:
    for code in ("W001", "W002", "W003", "W004"):
        assert 10 < len(RULES[code].fix) < 400


def test_every_rule_about_signatures_and_seals_is_beyond_waiving() -> None:
    unwaivable = {code for code, rule in RULES.items() if rule.family == "C" and rule.unwaivable}
    assert unwaivable == {*ABOUT_SIGNATURES, "C012", "C019"}
