"""What may change in a node from one version to the next: every rule is broken once, alone, beside its correction.

A case is an edit of the specimen of the small registry, as it is in the base, and two edits on top of it: the wrong one
and the right one. Nothing here is signed; what C says about signatures is in ``test_change.py``.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from nodespec.judge import judge
from nodespec.rules import RULES, families_of
from nodespec.rules import evolution as rules
from nodespec.spec import LANES
from nodespec.tree import EXECUTABLE, SEAL_PATH, SETTINGS_PATH, SYMLINK, MemoryTree, node_path
from nodespec.verdict import Selection
from tests.society import NOW, Society, findings
from tests.test_rules import SPECIMEN, base_files

OWN = sorted(rule.code for rule in families_of("C") if rule.check.__module__ == rules.__name__)
CHOSEN = Selection.parse(["F", "S", "N", *OWN], [])
LANE, VERSION = "/identity/lane", "/metadata/version"
METRICS = ("security: {}", "security: {}\nobservability: {metrics: {seen: probe_seen_total}}")

Edit = tuple[str, str]


class Case(NamedTuple):
    code: str
    before: tuple[Edit, ...]
    wrong: tuple[Edit, ...]
    right: tuple[Edit, ...]
    pointer: str
    says: str


def version(number: str) -> Edit:
    return ("version: 1.0.0", f"version: {number}")


CASES = [
    Case(
        "C013",
        (),
        (("authors: [Ada]", "authors: [Ben]"),),
        (("authors: [Ada]", "authors: [Ben]"), version("1.0.1")),
        VERSION,
        "is still 1.0.0",
    ),
    Case("C013", (), (version("0.9.0"),), (version("1.0.1"),), VERSION, "not higher"),
    Case("C013", (), (version("1.0.0-rc.1"),), (version("1.0.1-rc.1"),), VERSION, "not higher"),
    Case("C013", (), (version("1.0.0+build.2"),), (version("1.0.1+build.2"),), VERSION, "not higher"),
    Case(
        "C013", (), (("node_type: lab.probe\n", "node_type: lab.probe # a remark\n"),), (), VERSION, "the file changes"
    ),
    Case(
        "C014",
        (),
        (("- name: bench_measured", "- name: bench_weighed"), version("1.1.0")),
        (("- name: bench_measured", "- name: bench_weighed"), version("2.0.0")),
        VERSION,
        'no longer emits "bench_measured"',
    ),
    Case(
        "C014",
        (),
        (("- signal: clock_ticked", "- signal: bench_measured2"), version("1.1.0")),
        (version("1.1.0"),),
        VERSION,
        'no longer hears "clock_ticked"',
    ),
    Case(
        "C014",
        (("inputs: []", "inputs: [{name: sample}]"),),
        (("inputs: [{name: sample}]", "inputs: [{name: samples}]"), version("1.9.9")),
        (("inputs: [{name: sample}]", "inputs: [{name: sample}, {name: more}]"), version("1.1.0")),
        VERSION,
        'has no input "sample"',
    ),
    Case(
        "C014",
        (("outputs: []", "outputs: [{name: sample}]"),),
        (("outputs: [{name: sample}]", "outputs: []"), version("1.1.0")),
        (("outputs: [{name: sample}]", "outputs: []"), version("2.0.0-alpha")),
        VERSION,
        'has no output "sample"',
    ),
    Case(
        "C014",
        (),
        (("tier: 1", "tier: 2"), version("1.1.0")),
        (("tier: 1", "tier: 0"), version("1.1.0")),
        VERSION,
        "raises the tier from 1 to 2",
    ),
    Case(
        "C014",
        (("roles: [probe]", "roles: [probe]\n  capabilities_policy: {allow: [read:bench/*]}"),),
        (("read:bench/*", "read:bench/one"), version("1.1.0")),
        (("read:bench/*", "read:*"), version("1.1.0")),
        VERSION,
        'narrows "read:bench/*"',
    ),
    Case(
        "C014",
        (("roles: [probe]", "roles: [probe]\n  capabilities_policy: {allow: [read:bench/*]}"),),
        (("allow: [read:bench/*]", "allow: [read:bench/*], deny: [read:bench/two]"), version("1.1.0")),
        (("allow: [read:bench/*]", "allow: [read:bench/*], deny: [read:attic/*]"), version("1.1.0")),
        VERSION,
        'narrows "read:bench/*"',
    ),
    Case(
        "C014",
        (version("0.3.0"),),
        (("version: 0.3.0", "version: 0.3.1"), ("tier: 1", "tier: 2")),
        (("version: 0.3.0", "version: 0.4.0"), ("tier: 1", "tier: 2")),
        VERSION,
        "0.3.0 to 0.3.1",
    ),
    Case(
        "C014",
        (version("2.1.0-rc.1"),),
        (("version: 2.1.0-rc.1", "version: 2.1.0"), ("tier: 1", "tier: 2")),
        (("version: 2.1.0-rc.1", "version: 3.0.0-rc.1"), ("tier: 1", "tier: 2")),
        VERSION,
        "raises the tier",
    ),
    Case(
        "C015",
        (),
        (('created_at: "2026-01-31"', 'created_at: "2026-01-30"'), version("2.0.0")),
        (version("2.0.0"),),
        "/metadata/created_at",
        'was "2026-01-31" and is "2026-01-30"',
    ),
    Case(
        "C016",
        (),
        (("lane: candidate", "lane: lukhas"), METRICS, version("1.1.0")),
        (version("1.1.0"),),
        LANE,
        "the next one is core",
    ),
    Case(
        "C017",
        (("lane: candidate", "lane: lukhas"), METRICS),
        (("lane: lukhas", "lane: candidate"), version("1.1.0")),
        (("lane: lukhas", "lane: candidate\n  lane_reason: It drifts."), version("1.1.0")),
        LANE,
        "lane_reason is missing",
    ),
    Case(
        "C017",
        (("lane: candidate", "lane: lukhas\n  lane_reason: It drifts."), METRICS),
        (("lane: lukhas", "lane: candidate"), version("1.1.0")),
        (
            ("lane: lukhas\n  lane_reason: It drifts.", "lane: candidate\n  lane_reason: It drifts again."),
            version("1.1.0"),
        ),
        LANE,
        "of an earlier change",
    ),
]


def edited(text: bytes, edits: tuple[Edit, ...]) -> bytes:
    for old, new in edits:
        assert text.count(old.encode()) == 1, old
        text = text.replace(old.encode(), new.encode())
    return text


def found(base: dict[str, bytes], head: dict[str, bytes], **options: object) -> list[tuple[str, str, str]]:
    report = judge(MemoryTree(head, **options), selection=CHOSEN, base=MemoryTree(base))  # type: ignore[arg-type]
    return [(item.code, item.path, item.pointer) for item in report.findings]


def test_every_rule_about_the_next_version_has_a_case() -> None:
    assert {case.code for case in CASES} | {"C012", "C018"} == set(OWN)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}-{case.says[:24]}")
def test_the_wrong_step_is_found_in_its_place_and_the_right_one_passes(case: Case) -> None:
    base = base_files()
    base[SPECIMEN] = edited(base[SPECIMEN], case.before)
    assert found(base, base) == []
    head = base | {SPECIMEN: edited(base[SPECIMEN], case.wrong)}
    report = judge(MemoryTree(head), selection=CHOSEN, base=MemoryTree(base))
    codes = [(item.code, item.path, item.pointer) for item in report.findings]
    assert codes == [(case.code, SPECIMEN, case.pointer)]
    assert case.says in report.findings[0].message
    assert found(base, base | {SPECIMEN: edited(base[SPECIMEN], case.right)}) == []


def test_each_lane_is_one_step_up_and_never_two() -> None:
    base = base_files()
    text = edited(base[SPECIMEN], (METRICS,))
    for was, now in ((was, now) for was in LANES for now in LANES):
        before = base | {SPECIMEN: text.replace(b"lane: candidate", f"lane: {was}".encode())}
        after = edited(text, (version("1.1.0"),)).replace(
            b"lane: candidate", f"lane: {now}\n  lane_reason: Why.".encode()
        )
        only = Selection.parse(["C016", "C017"], [])
        report = judge(MemoryTree(base | {SPECIMEN: after}), selection=only, base=MemoryTree(before))
        expected = ["C016"] if LANES.index(now) > LANES.index(was) + 1 else []
        assert [item.code for item in report.findings] == expected


def test_a_new_node_begins_as_a_candidate() -> None:
    base = base_files()
    path = node_path("lab.probe/another")
    for lane, expected in (("candidate", []), ("lukhas", [("C016", path, LANE)])):
        text = edited(
            base[SPECIMEN], (("name: specimen", "name: another"), ("lane: candidate", f"lane: {lane}"), METRICS)
        )
        assert found(base, base | {path: text}) == expected


def test_a_mode_alone_is_no_new_text() -> None:
    base = base_files()
    assert found(base, base, modes={SPECIMEN: EXECUTABLE}) == []


# C012: what decides about everybody.


def test_a_protected_file_changes_with_a_new_seal_only() -> None:
    society = Society()
    society.seal()
    base = society.tree()
    chosen = Selection.parse(["C012", "P"], [])
    for path, data in ((SETTINGS_PATH, society.files[SETTINGS_PATH] + b"# more\n"), (".gitattributes", b"* text\n")):
        trial = society.fork()
        trial.files[path] = data
        report = judge(trial.tree(), selection=chosen, base=base, now=NOW)
        assert {item.code for item in report.findings} >= {"C012"}
        assert [item.path for item in report.findings if item.code == "C012"] == [path]
        trial.seal()
        assert judge(trial.tree(), selection=chosen, base=base, now=NOW).findings == ()


def test_without_a_seal_the_first_one_is_what_it_takes() -> None:
    society = Society()
    base = society.tree()
    society.files[".gitattributes"] = b"* text\n"
    chosen = Selection.parse(["C012", "P"], [])
    assert [item.code for item in judge(society.tree(), selection=chosen, base=base, now=NOW).findings] == ["C012"]
    society.seal()
    assert judge(society.tree(), selection=chosen, base=base, now=NOW).findings == ()


def test_what_registry_yaml_lists_is_protected_too_and_so_is_what_stands_in_its_place() -> None:
    society = Society()
    society.files[SETTINGS_PATH] += b"protected: [.github/**]\n"
    society.files[".github/workflows/gate.yml"] = b"on: push\n"
    society.seal()
    assert findings(society.tree()) == ()
    base = society.tree()
    chosen = Selection.parse(["C012", "P"], [])
    society.files[".github/workflows/gate.yml"] = b"on: never\n"
    codes = [item.code for item in judge(society.tree(), selection=chosen, base=base, now=NOW).findings]
    assert sorted(codes) == ["C012", "P031"]
    society.seal()
    assert judge(society.tree(), selection=chosen, base=base, now=NOW).findings == ()
    gone = {path: data for path, data in society.files.items() if not path.startswith(".github")}
    linked = MemoryTree(gone | {".github": b"elsewhere"}, modes={".github": SYMLINK})
    assert ("C012", ".github") in {
        (item.code, item.path) for item in judge(linked, selection=chosen, base=base, now=NOW).findings
    }


def test_a_pattern_that_is_dropped_still_holds_for_the_change_that_drops_it() -> None:
    society = Society()
    plain = society.files[SETTINGS_PATH]
    society.files[SETTINGS_PATH] = plain + b"protected: [Makefile]\n"
    society.files["Makefile"] = b"all:\n"
    society.seal()
    base = society.tree()
    society.files |= {SETTINGS_PATH: plain, "Makefile": b"all: nothing\n"}
    society.seal()
    chosen = Selection.parse(["C012", "P"], [])
    assert [
        (item.code, item.path) for item in judge(society.tree(), selection=chosen, base=base, now=NOW).findings
    ] == [("C012", "Makefile")]
    society.files["Makefile"] = b"all:\n"
    assert judge(society.tree(), selection=chosen, base=base, now=NOW).findings == ()


def test_an_unchanged_seal_does_not_cover_a_mode() -> None:
    society = Society()
    society.files[SETTINGS_PATH] += b"protected: [run.sh]\n"
    society.files["run.sh"] = b"true\n"
    society.seal()
    base = society.tree()
    report = judge(
        MemoryTree(society.files, modes={"run.sh": EXECUTABLE}), selection=Selection.parse(["C012"], []), base=base
    )
    assert [(item.code, item.path) for item in report.findings] == [("C012", "run.sh")]
    assert SEAL_PATH in society.files


# C018: how much.


def test_one_change_touches_no_more_nodes_than_the_quota() -> None:
    base = base_files()
    base[SETTINGS_PATH] = base[SETTINGS_PATH].replace(b"quotas: {", b"quotas: {nodes_per_pull_request: 2, ")
    more = {}
    for name in ("alpha", "bravo", "tango"):
        more[node_path(f"lab.probe/{name}")] = edited(base[SPECIMEN], (("name: specimen", f"name: {name}"),))
    two = dict(list(more.items())[:2])
    assert found(base, base | two) == []
    assert found(base, base | more) == [("C018", SETTINGS_PATH, "/quotas/nodes_per_pull_request")]
    assert found(base | more, base) == [("C018", SETTINGS_PATH, "/quotas/nodes_per_pull_request")]


def test_no_more_owners_come_at_once_than_nodes_may() -> None:
    base = base_files()
    base[SETTINGS_PATH] = base[SETTINGS_PATH].replace(b"quotas: {", b"quotas: {nodes_per_pull_request: 2, ")
    come = {f"registry/owners/{number:064x}/0000.dsse.json": b"{}\n" for number in range(3)}
    chosen = Selection.parse(["C018"], [])
    for some, expected in ((dict(list(come.items())[:2]), []), (come, ["C018"])):
        report = judge(MemoryTree(base | some), selection=chosen, base=MemoryTree(base))
        assert [item.code for item in report.findings] == expected


def test_the_smaller_of_both_quotas_counts() -> None:
    base = base_files()
    strict = base[SETTINGS_PATH].replace(b"quotas: {", b"quotas: {nodes_per_pull_request: 1, ")
    more = {
        node_path(f"lab.probe/{name}"): edited(base[SPECIMEN], (("name: specimen", f"name: {name}"),))
        for name in ("alpha", "tango")
    }
    chosen = Selection.parse(["C018"], [])
    for before, after in ((strict, base[SETTINGS_PATH]), (base[SETTINGS_PATH], strict)):
        head = MemoryTree(base | more | {SETTINGS_PATH: after})
        report = judge(head, selection=chosen, base=MemoryTree(base | {SETTINGS_PATH: before}))
        assert [item.code for item in report.findings] == ["C018"]


def test_every_rule_says_what_is_and_what_to_do() -> None:
    for code in OWN:
        assert 20 < len(RULES[code].fix) < 400
