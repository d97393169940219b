"""The gate, over commits of a real repository: what it judges, what it leaves alone, and what it says."""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from nodespec import commit as commit_module
from nodespec import criteria as grounds_module
from nodespec import document, seal
from nodespec import proposal as proposal_module
from nodespec.cli.common import lines_of
from nodespec.errors import RegistryError
from nodespec.gate import gate
from nodespec.git import GitRepository
from nodespec.policy import policies as policies_module
from nodespec.proposal import propose
from nodespec.report.junit import to_junit
from nodespec.report.sarif import to_sarif
from nodespec.tree import (
    NODE_SCHEMA_PATH,
    SEAL_PATH,
    SETTINGS_PATH,
    WAIVERS_PATH,
    attestation_path,
    node_path,
    tombstone_path,
)
from nodespec.waiver import Waiver
from tests.conftest import ROOT, Checkout
from tests.lab import CACHE, INDEX, LOOM, POLICY_PATH, WEAVER, WORKFLOW, Lab, Odd, People
from tests.society import new_keys

if TYPE_CHECKING:
    from pathlib import Path

    from jsonschema import Draft7Validator

    from nodespec.gate import Judgement
    from nodespec.tree import Defect, Entry

NEW = "lab.memory/new_v1"
REPORT = Draft202012Validator(json.loads((ROOT / "schemas/report.v1.schema.json").read_text()))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab.found(tmp_path_factory.mktemp("gate") / "registry")


def judged(lab: Lab, head: str, base: str = "") -> Judgement:
    git = GitRepository.open(str(lab.repository.path))
    return gate(propose(git, git.resolve(base or lab.base), git.resolve(head)), now=datetime.now(UTC))


def found(judgement: Judgement) -> list[tuple[str, str]]:
    return [(item.code, item.path) for item in judgement.report.findings]


def errors(judgement: Judgement) -> set[str]:
    return {item.code for item in judgement.report.findings if item.severity == "error"}


def run(lab: Lab, head: str, *words: str, base: str = "") -> tuple[int, str, str]:
    """Run the command in the repository; return its exit code, its answer, and what it says beside it."""
    done = Checkout(lab.repository.path).run("gate", "--base", base or lab.base, "--head", head, *words)
    return done.returncode, done.stdout, done.stderr


def updated(lab: Lab, identifier: str, **traits: object) -> People:
    people = lab.fork()
    people.update(identifier, **traits)
    return people


def test_a_signature_that_is_made_anew_changes_no_node(lab: Lab) -> None:
    """The file is what it was, so nobody says or sends anything else; and one that is taken away is just missing."""
    again = updated(lab, CACHE, version=lab.people.nodes[CACHE].version)
    path = node_path(CACHE)
    assert again.files[path] == lab.people.files[path]
    head = lab.act(again)
    judgement = judged(lab, head)
    assert (found(judgement), judgement.pairs, judgement.affected) == ([], (), ())
    _, said, _ = run(lab, head)
    assert "no node" not in said
    assert "would return other nodes: 0%" in said
    unsigned = judged(lab, lab.commit({attestation_path(path): None}, lab.base))
    assert errors(unsigned) == {"P008"}
    assert (unsigned.pairs, unsigned.affected) == ((), ())


# What is judged.


def test_a_change_beside_the_registry_is_none_of_its_business(lab: Lab) -> None:
    head = lab.commit({"docs/guide.md": b"Second.\n", "src/main.py": b"1\n"}, lab.base)
    judgement = judged(lab, head)
    assert judgement.untouched
    assert judgement.exit_code() == 0
    assert judgement.proposal.outside == ("docs/guide.md", "src/main.py")
    code, said, _ = run(lab, head)
    assert code == 0
    assert "nothing of the registry changes: 2 files outside of registry/ and schemas/ would differ" in said
    assert "no findings" not in said, "nothing was judged, so nothing was found clean"
    assert "passed" not in said
    assert [line.split()[1] for line in said.splitlines() if "nothing relevant changes" in line] == [
        "schema",
        "security",
        "performance",
        "governance",
    ]
    assert "0 of 53 sample queries would return other nodes: 0%" in said
    code, said, _ = run(lab, lab.base)
    assert code == 0
    assert "nothing of the registry changes: no file would differ" in said


def test_where_the_base_has_moved_on_what_merging_gives_is_judged(lab: Lab) -> None:
    main = lab.act(updated(lab, CACHE, version="1.2.0"))
    head = lab.act(updated(lab, WEAVER))
    judgement = judged(lab, head, main)
    assert judgement.proposal.is_merge
    assert judgement.proposal.inside == tuple(sorted([node_path(WEAVER), attestation_path(node_path(WEAVER))]))
    assert judgement.exit_code() == 0
    assert [change.id for change in judgement.nodes] == [WEAVER]


def test_two_changes_that_are_good_alone_are_judged_together(lab: Lab) -> None:
    people = lab.fork()
    people.register(NEW, by=people.ada, hears=("dream_woven",))
    hearing = lab.act(people)
    silent = lab.act(updated(lab, WEAVER, version="2.0.0", emits=("dream_ended",)))
    assert judged(lab, hearing).exit_code() == judged(lab, silent).exit_code() == 0
    for head, base in ((hearing, silent), (silent, hearing)):
        judgement = judged(lab, head, base)
        assert found(judgement) == [("G001", node_path(NEW))]
        advice = judgement.report.findings[0].fix
        assert ("Keep what sent it" in advice) == (head == silent), "whoever hears it has not changed anything"
        assert judgement.exit_code() == 1


def test_a_head_behind_its_base_changes_nothing(lab: Lab) -> None:
    judgement = judged(lab, f"{lab.base}~1")
    assert judgement.untouched
    assert judgement.proposal.paths == ()


def test_what_both_sides_changed_is_a_conflict(lab: Lab) -> None:
    one, other = (lab.act(updated(lab, CACHE, version=version)) for version in ("1.2.0", "1.3.0"))
    path = node_path(CACHE)
    judgement = judged(lab, other, one)
    assert found(judgement) == [("C019", attestation_path(path)), ("C019", path)]
    assert judgement.exit_code() == 1
    assert judgement.is_unjudged
    assert judged(lab, one, one).untouched, "the same change on both sides is none"
    gone = lab.commit({path: None, attestation_path(path): None}, lab.base)
    assert ("C019", path) in found(judged(lab, gone, one)), "neither is one side's change lost in the other's removal"


@pytest.mark.parametrize(
    ("path", "code"),
    [("docs/long.md", 0), (WORKFLOW, 1), (node_path(CACHE), 1)],
    ids=["docs", "a workflow", "a node"],
)
def test_only_what_is_not_protected_is_merged_line_by_line(lab: Lab, path: str, code: int) -> None:
    text = b"".join(b"# line %d\n" % number for number in range(20))
    start = lab.commit({path: text}, lab.base)
    one, other = (lab.commit({path: text.replace(old, b"new")}, start) for old in (b"line 1\n", b"line 18\n"))
    assert judged(lab, other, one).exit_code() == code
    assert ("C019" in errors(judged(lab, other, one))) == bool(code)


def test_what_cannot_be_merged_is_said_wherever_it_is(lab: Lab) -> None:
    one, other = (lab.commit({"docs/guide.md": text}, lab.base) for text in (b"one\n", b"other\n"))
    assert found(judged(lab, other, one)) == [("C019", "docs/guide.md")]


def test_a_file_that_moves_outside_of_the_registry_is_for_the_host_to_merge(lab: Lab) -> None:
    text = b"".join(b"# line %d\n" % number for number in range(20))
    start = lab.commit({"src/a.py": text}, lab.base)
    edited = lab.commit({"src/a.py": text + b"# more\n"}, start)
    moved = {"src/a.py": None, "src/b.py": text}
    for head, base in ((lab.commit(moved, start), edited), (edited, lab.commit(moved, start))):
        code, said, _ = run(lab, head, base=base)
        assert code == 0
        assert 'the merge of 1 file outside of the registry that both sides changed ("src/a.py")' in said
    people = lab.fork()
    people.register(NEW, by=people.ada)
    both = lab.commit(lab.changes(people) | moved, start)
    assert judged(lab, both, edited).exit_code() == 0, "a node in the same span is no place where it moved to"
    for place in ("registry/moved.yaml", ".github/moved.yml"):
        head = lab.commit({"src/a.py": None, "src/b.py": text, place: text}, start)
        judgement = judged(lab, head, edited)
        assert found(judgement) == [("C019", "src/a.py")]
        assert f'Git would carry along ("{place}")' in judgement.report.findings[0].message, "not src/b.py"


def test_a_node_comes_into_a_folder_out_of_which_the_last_one_went(lab: Lab) -> None:
    people = lab.fork()
    path = people.register("lab.memory.attic/old", by=people.ada)
    start = lab.act(people)
    gone, come = people.fork(), people.fork()
    gone.deregister("lab.memory.attic/old")
    come.register("lab.memory.attic/new", by=people.ada)
    one = lab.commit(lab.changes(gone) | {path: None, attestation_path(path): None}, start)
    other = lab.act(come, start)
    for head, base in ((one, other), (other, one)):
        judgement = judged(lab, head, base)
        assert (found(judgement), judgement.exit_code()) == ([], 0)


def test_a_change_of_a_draft_does_not_follow_it_into_the_registry(lab: Lab) -> None:
    """Git would: it merges the two without a word, and the policy says something else than its seal."""
    path = "registry/policies/lab.wide.cel.yaml"
    policy = lab.people.files[POLICY_PATH].replace(b"lab.care", b"lab.wide")
    start = lab.commit({"docs/draft.yaml": policy}, lab.base)
    people = lab.fork()
    people.files[path] = policy
    main = lab.commit(lab.changes(sealed(people)) | {"docs/draft.yaml": None}, start)
    head = lab.commit({"docs/draft.yaml": policy.replace(b"<= 6", b"<= 9")}, start)
    judgement = judged(lab, head, main)
    assert found(judgement) == [("C019", "docs/draft.yaml")]
    assert judgement.exit_code() == 1


def test_a_file_in_the_place_of_a_folder_is_a_conflict(lab: Lab) -> None:
    folder = "registry/nodes/lab/memory/sub_v1"
    inside = lab.commit({f"{folder}.yaml/x_v1.yaml": b"{}\n"}, lab.base)
    instead = lab.commit({f"{folder}.yaml": b"{}\n"}, lab.base)
    assert "C019" in errors(judged(lab, inside, instead))
    assert "C019" in errors(judged(lab, instead, inside))


def test_histories_that_cross_are_not_judged(lab: Lab) -> None:
    one, other = (lab.commit({f"docs/{name}.md": b"x\n"}, lab.base) for name in ("a", "b"))
    both = {"docs/a.md": b"x\n", "docs/b.md": b"x\n"}
    left, right = lab.commit(both, one, other), lab.commit(both | {"docs/c.md": b"x\n"}, other, one)
    code, _, said = run(lab, right, base=left)
    assert code == 3
    assert "can be merged in more than one way" in said


# Judging everything.


def sealed(people: People) -> People:
    people.seal()
    return people


def with_old_trouble(lab: Lab) -> tuple[People, str]:
    """A base that came about without a gate: a node that hears what nobody sends."""
    people = lab.fork()
    people.register(NEW, by=people.ada, hears=("nobody_calls",))
    return people, lab.act(people)


def following(lab: Lab, people: People, before: dict[str, bytes], base: str) -> str:
    changes = {path: data for path, data in people.files.items() if before.get(path) != data}
    return lab.commit({**dict.fromkeys(before.keys() - people.files.keys()), **changes}, base)


@pytest.mark.parametrize("what", [SETTINGS_PATH, POLICY_PATH, "an owner", "trust"])
def test_what_decides_about_all_makes_all_be_judged_and_old_trouble_is_not_held_against_it(lab: Lab, what: str) -> None:
    people, base = with_old_trouble(lab)
    before = dict(people.files)
    if what == "an owner":
        people.rotate(people.bob)
    elif what == "trust":
        people.grant(people.newt, "lab.open")
    else:
        people.files[what] += b"# a remark\n"
        people.seal()
    judgement = judged(lab, following(lab, people, before, base), base)
    assert judgement.everywhere
    assert judgement.report.files > 20
    assert found(judgement) == []
    assert judgement.exit_code() == 0


def test_a_narrower_contract_is_held_against_nodes_that_nobody_touched(lab: Lab) -> None:
    people = lab.fork()
    contract = json.loads(people.files[NODE_SCHEMA_PATH])
    contract["properties"]["identity"] = {"allOf": [contract["properties"]["identity"], {"required": ["lane_reason"]}]}
    people.files[NODE_SCHEMA_PATH] = json.dumps(contract, indent=2).encode() + b"\n"
    judgement = judged(lab, lab.act(sealed(people)))
    assert {path for code, path in found(judgement) if code == "S002"} >= {node_path(CACHE), node_path(WEAVER)}
    assert judgement.exit_code() == 1


def test_a_policy_that_goes_is_missed_by_the_node_that_refers_to_it(lab: Lab) -> None:
    people = lab.fork()
    del people.files[POLICY_PATH]
    judgement = judged(lab, lab.act(sealed(people)))
    assert found(judgement) == [("N010", node_path(CACHE))]


def test_a_stricter_quota_is_held_against_who_holds_more_already(lab: Lab) -> None:
    people = lab.fork()
    people.files[SETTINGS_PATH] = people.files[SETTINGS_PATH].replace(b"nodes_per_owner: 5", b"nodes_per_owner: 1")
    assert errors(judged(lab, lab.act(sealed(people)))) == {"G005"}


def test_what_a_change_opens_is_open_for_the_next_one_only(lab: Lab) -> None:
    people = lab.fork()
    people.files[SETTINGS_PATH] = people.files[SETTINGS_PATH].replace(b"max_tier: 1", b"max_tier: 2")
    people.seal()
    before, base = dict(people.files), lab.act(people)
    people.register("lab.open/high_v1", by=people.newt, tier=2)
    assert errors(judged(lab, lab.act(people))) == {"P026"}
    assert found(judged(lab, following(lab, people, before, base), base)) == []


def test_a_waiver_holds_once_it_is_in_the_base(lab: Lab) -> None:
    people = lab.fork()
    until = f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}"
    one = {"code": "G001", "path": node_path(NEW), "reason": "soon", "owner": people.ada.handle, "until": until}
    people.files[WAIVERS_PATH] = json.dumps({"schema_version": "waivers.v1", "waivers": [one]}).encode() + b"\n"
    people.seal()
    before, base = dict(people.files), lab.act(people)
    assert errors(judged(lab, base)) == set()
    people.register(NEW, by=people.ada, hears=("nobody_calls",))
    head = following(lab, people, before, base)
    judgement = judged(lab, head, base)
    assert found(judgement) == []
    assert [(item.code, waiver.reason) for item, waiver in judgement.report.waived] == [("G001", "soon")]
    assert errors(judged(lab, lab.act(people))) == {"G001"}
    code, said, _ = run(lab, head, "--format", "json", base=base)
    assert code == 0
    REPORT.validate(json.loads(said))
    assert json.loads(said)["waived"][0]["until"] == until
    assert f"waived: G001 at {node_path(NEW)}, until {until}: soon" in run(lab, head, base=base)[1]
    for form in ("github", "text"):
        assert "\nwaived: 1 finding (G001)\n" in run(lab, head, "--format", form, base=base)[1]
    (result,) = json.loads(run(lab, head, "--format", "sarif", base=base)[1])["runs"][0]["results"]
    assert result["ruleId"] == "G001"
    assert result["suppressions"][0]["justification"] == f"soon (until {until}, registry/waivers.yaml)"


# Judging the difference.


def test_old_trouble_elsewhere_is_not_held_against_a_change_and_in_a_touched_file_it_is(lab: Lab) -> None:
    people, base = with_old_trouble(lab)
    before = dict(people.files)
    people.update(WEAVER)
    judgement = judged(lab, following(lab, people, before, base), base)
    assert not judgement.everywhere
    assert found(judgement) == []
    people.update(NEW, version="2.0.0", hears=("nobody_calls", "nobody_writes"))
    assert errors(judged(lab, following(lab, people, before, base), base)) == {"G001"}


def test_a_tombstone_that_was_broken_before_stands_in_nobodys_way(lab: Lab) -> None:
    base = lab.commit({tombstone_path(NEW): b"a: memory_stored\n"}, lab.base)
    people = updated(lab, CACHE, version="1.2.0", emits=("memory_stored", "memory_lost"))
    judgement = judged(lab, lab.act(people, base), base)
    assert found(judgement) == []
    assert judgement.exit_code() == 0


def test_a_sender_that_goes_is_missed_by_those_who_hear_it(lab: Lab) -> None:
    people = lab.fork()
    people.deregister(CACHE)
    judgement = judged(lab, lab.act(people))
    assert found(judgement) == [("G001", node_path(WEAVER)), ("G001", node_path(INDEX))]
    (affected,) = judgement.affected
    assert affected.signal == "memory_stored"
    assert set(affected.subscribers) == {INDEX, WEAVER}
    assert affected.what.endswith("→ nobody")


def test_a_sender_that_goes_down_a_lane_drags_those_who_hear_it_along(lab: Lab) -> None:
    people = lab.fork()
    vera = people.vera.handle
    for identifier in (CACHE, INDEX):
        people.update(identifier, version="2.0.0", lane="core", verifier=vera, verified=True)
    before, base = dict(people.files), lab.act(people)
    assert errors(judged(lab, base)) == set()
    people.update(CACHE, version="3.0.0", lane="candidate", why="It forgets")
    judgement = judged(lab, following(lab, people, before, base), base)
    assert ("G002", node_path(INDEX)) in found(judgement)


def test_a_newcomer_enters_alone_and_a_maintainer_reads_what_is_new(lab: Lab) -> None:
    people = lab.fork()
    nora = people.join("Nora")
    people.register("lab.fresh/first_v1", by=nora, emits=("first_seen",))
    head = lab.act(people)
    judgement = judged(lab, head)
    assert judgement.owners == ((nora.handle, "Nora"),)
    assert not judgement.everywhere, "whoever is new decides about nobody else"
    code, said, _ = run(lab, head)
    assert code == 0
    assert "+ lab.fresh/first_v1 (1.0.0)" in said
    assert f"    lane candidate, tier 1, probe; owner {nora.handle}" in said
    assert "    emits first_seen (" in said
    assert f'new owner: "Nora", {nora.handle}' in said
    assert "no findings in 3 files, 1 spec among them" in said
    assert re.search(r"4 security +passed", said)


def registry_of(tmp_path: Path, others: int) -> tuple[Lab, str]:
    """A registry with so many nodes by the way, and a change of ten of Ada's."""
    lab = Lab.found(tmp_path / "registry")
    people = lab.fork()
    people.files[SETTINGS_PATH] = people.files[SETTINGS_PATH].replace(b"nodes_per_owner: 5", b"nodes_per_owner: 900")
    people.files[SETTINGS_PATH] = people.files[SETTINGS_PATH].replace(b"request: 8", b"request: 20")
    people.seal()
    for number in range(10):
        people.register(f"lab.memory/n{number}_v1", by=people.ada, emits=(f"seen_{number}",))
    for number in range(others):
        people.register(f"lab.dream/other_{number}_v1", by=people.bob, emits=(f"woven_{number}",))
    before, lab.base = dict(people.files), lab.act(people)
    for number in range(10):
        people.update(f"lab.memory/n{number}_v1", version="2.0.0", emits=(f"heard_{number}",))
    return lab, following(lab, people, before, lab.base)


@pytest.mark.parametrize("others", [10, 150])
def test_the_work_grows_with_the_change_and_not_with_the_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    lab, head = registry_of(tmp_path, others)
    parsed: list[bytes] = []
    original = document.parse
    monkeypatch.setattr(document, "parse", lambda data: parsed.append(data) or original(data))
    judgement = judged(lab, head)
    assert found(judgement) == []
    assert len(judgement.nodes) == 10
    nodes = [data for data in parsed if b"node_type" in data]
    assert len(nodes) <= 20, "each as it is and as it was, once"
    assert len(parsed) - len(nodes) <= 6, "settings, of both sides"


# What it says.


def mixed(lab: Lab) -> str:
    """A change with twelve errors, a warning, and paths that would forge what they can."""
    people = lab.fork()
    people.register("lab.memory/cashe_v1", by=people.ada)
    odd = [
        f"registry/nodes/lab/\x1b[2J\n::error::{number}|<b>@ada</b>`x`\u202e##[error]\uffff.yaml"
        for number in range(11)
    ]
    people.files[WORKFLOW] = b"on: never\n"
    return lab.commit({**lab.changes(people), **dict.fromkeys(odd, b"a: b\n")}, lab.base)


FORGED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\uffff]|\x1b|##\\[|^\\s*::(?!(error|warning) file=)", re.MULTILINE
)


@pytest.mark.parametrize("form", ["text", "json", "github", "gitlab", "junit", "sarif", "markdown"])
def test_no_form_can_be_forged_and_each_says_that_it_failed(lab: Lab, form: str) -> None:
    code, said, beside = run(lab, mixed(lab), "--format", form)
    assert code == 1
    assert not FORGED.search(said), FORGED.search(said)
    assert not FORGED.search(beside)
    assert "C012" in said


def test_json_fulfils_its_contract_whatever_was_judged(lab: Lab) -> None:
    conflict = lab.act(updated(lab, CACHE, version="1.3.0")), lab.act(updated(lab, CACHE, version="1.4.0"))
    docs = lab.commit({"docs/a.md": b"x\n"}, lab.base)
    for head, base, expected in ((mixed(lab), "", 1), (docs, "", 0), (*conflict, 1), (lab.base, f"{lab.base}~1", 0)):
        code, said, _ = run(lab, head, "--format", "json", base=base)
        report = json.loads(said)
        REPORT.validate(report)
        assert code == report["summary"]["exit_code"] == expected
        assert [gate["number"] for gate in report["gate"]["gates"]] == ["1", "2", "3", "4", "5", "6", "7", "+1"]
    assert json.loads(run(lab, docs, "--format", "json")[1])["gate"]["registry_touched"] is False
    assert len(json.loads(run(lab, mixed(lab), "--format", "json")[1])["gate"]["outside"]) == 1


def test_sarif_fulfils_its_schema_with_what_was_waived(lab: Lab, sarif: Draft7Validator) -> None:
    report = judged(lab, mixed(lab)).report
    first = report.findings[0]
    held = Waiver(code=first.code, path=first.path, reason="soon", owner="", until=date(2030, 1, 1))
    log = json.loads(to_sarif(replace(report, findings=report.findings[1:], waived=((first, held),))))
    sarif.validate(log)
    assert [result["ruleId"] for result in log["runs"][0]["results"] if "suppressions" in result] == [first.code]


def test_sarif_fulfils_its_schema_whatever_was_judged(lab: Lab, sarif: Draft7Validator, tmp_path: Path) -> None:
    failed = tmp_path / "unit.xml"
    failed.write_text("<testsuite><testcase name='a'><failure/></testcase></testsuite>", encoding="utf-8")
    conflict = lab.act(updated(lab, CACHE, version="1.3.0")), lab.act(updated(lab, CACHE, version="1.4.0"))
    docs = lab.commit({"docs/b.md": b"x\n"}, lab.base)
    for head, base in ((mixed(lab), ""), (docs, ""), conflict, (lab.base, f"{lab.base}~1")):
        for options in ((), ("--unit", str(failed))):
            sarif.validate(json.loads(run(lab, head, "--format", "sarif", *options, base=base)[1]))


def test_github_shows_ten_of_each_level_and_says_where_the_others_are(lab: Lab) -> None:
    _, said, _ = run(lab, mixed(lab), "--format", "github")
    lines = said.split("\n")
    assert sum(line.startswith("::error file=") for line in lines) == 10
    assert sum(line.startswith("::warning file=") for line in lines) == 1
    (rest,) = (line for line in lines if "not shown as annotations" in line)
    assert re.match(r"\d+ more errors are not shown as annotations; run nodespec gate --base", rest)


def test_junit_is_well_formed_and_counts_what_failed(lab: Lab) -> None:
    _, said, _ = run(lab, mixed(lab), "--format", "junit")
    root = ET.fromstring(said)
    _, whole, _ = run(lab, mixed(lab), "--format", "json")
    assert len(root.findall(".//failure")) == json.loads(whole)["summary"]["errors"]
    assert sum(int(suite.attrib["failures"]) for suite in root) == len(root.findall(".//failure"))


def test_junit_skips_what_is_waived(lab: Lab) -> None:
    judgement = judged(lab, mixed(lab))
    (item, *others) = judgement.report.findings
    one = Waiver(code=item.code, path=item.path, reason="soon", owner="GLYMPH:…", until=date(2099, 12, 31))
    suites = ET.fromstring(to_junit(replace(judgement.report, findings=tuple(others), waived=((item, one),))))
    skipped = {case.get("name"): case.find("skipped") for case in suites.iter("testcase")}[item.path]
    assert skipped is not None
    assert skipped.get("message") == "waived until 2099-12-31: soon"


def test_tests_of_others_are_in_the_forms_that_machines_read(lab: Lab, tmp_path: Path) -> None:
    report = tmp_path / "unit.xml"
    report.write_text("<testsuite><testcase name='a'><failure/></testcase></testsuite>", encoding="utf-8")
    head = lab.commit({"docs/tested.md": b"x\n"}, lab.base)
    code, said, _ = run(lab, head, "--format", "junit", "--unit", str(report))
    suite = ET.fromstring(said).find("testsuite[@name='tests of others']")
    assert code == 1
    assert suite is not None
    assert (suite.attrib["failures"], suite.attrib["skipped"]) == ("1", "1")
    _, said, _ = run(lab, head, "--format", "sarif", "--unit", str(report))
    notes = json.loads(said)["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert [note["message"]["text"] for note in notes if note["level"] == "error"] == [
        "gate 2 unit: 1 test, 1 failed, 0 skipped"
    ]
    _, said, _ = run(lab, head, "--format", "github", "--unit", str(report))
    assert "::error title=gate 2 unit::1 test, 1 failed, 0 skipped" in said
    (issue,) = json.loads(run(lab, head, "--format", "gitlab", "--unit", str(report))[1])
    assert (issue["check_name"], issue["severity"]) == ("gate 2 unit", "major")
    assert issue["description"] == "gate 2 unit: 1 test, 1 failed, 0 skipped"
    assert issue["location"] == {"path": SETTINGS_PATH, "lines": {"begin": 1}}


def test_a_node_that_cannot_be_read_any_more_is_not_said_to_be_removed(lab: Lab) -> None:
    path = node_path(CACHE)
    head = lab.commit({path: lab.past[-1][path] + b"lane: {}\n\t"}, lab.base)
    code, said, _ = run(lab, head)
    assert code == 1
    assert f"! {CACHE} (1.1.0, now a file that is no node)" in said
    report = json.loads(run(lab, head, "--format", "json")[1])
    assert [(node["id"], node["kind"], node["after"]) for node in report["gate"]["nodes"]] == [(CACHE, "broken", None)]
    assert f"- broken: **{CACHE.replace('_', '&#95;')}**" in run(lab, head, "--format", "markdown")[1]


def test_gitlab_and_sarif_have_the_shape_that_their_readers_ask_for(lab: Lab) -> None:
    issues = json.loads(run(lab, mixed(lab), "--format", "gitlab")[1])
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    for issue in issues:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert issue["location"]["lines"]["begin"] >= 1
    log = json.loads(run(lab, mixed(lab), "--format", "sarif")[1])
    assert log["version"] == "2.1.0"
    (only,) = log["runs"]
    rules = [rule["id"] for rule in only["tool"]["driver"]["rules"]]
    for result in only["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        region = result["locations"][0]["physicalLocation"]["region"]
        assert region["endColumn"] >= region["startColumn"] >= 1
        assert re.fullmatch(r"[!-~]+", result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])


def test_nothing_in_a_page_of_markdown_is_more_than_letters(lab: Lab) -> None:
    people = lab.fork()
    name = "https://evil.example www.evil.example GH-1 #1 @ada | <script> [a](b) ![c](d) `e` *f* _g_ ~h~"
    path = people.register(NEW, by=people.ada)
    text = people.files[path].replace(b"authors: [The society]", f'authors: ["{name}"]'.encode())
    head = lab.commit({path: text, "registry/www.evil.example/GH-1": b""}, lab.base)
    code, said, _ = run(lab, head, "--format", "markdown")
    assert code == 1
    for forged in ("https://", "www.evil", "GH-1", "#1 ", "@ada", "<script", "](", "`e`", "*f*", "_g_", "~h~"):
        assert forged not in said.replace("&#", ""), forged
    rows = [line for line in said.split("\n") if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}


def test_a_summary_is_the_page_beside_any_other_form(lab: Lab, tmp_path: Path) -> None:
    head = lab.act(updated(lab, CACHE, version="1.2.0"))
    page = tmp_path / "summary.md"
    code, said, _ = run(lab, head, "--format", "github", "--summary", str(page))
    assert code == 0
    assert "no findings" in said
    assert page.read_text() == run(lab, head, "--format", "markdown")[1]
    assert page.read_text().startswith("## Registry gate")
    assert run(lab, head, "--summary", str(tmp_path))[0] == 3, "a page that cannot be written is not there"


# Tests that somebody else has run.


@pytest.mark.parametrize(
    ("suite", "code", "status"),
    [
        ("<testsuites><testsuite><testcase/><testcase/></testsuite></testsuites>", 0, "passed"),
        ("<testsuite><testcase/><testcase><failure/></testcase></testsuite>", 1, "failed"),
        ("<testsuite tests='9' failures='0'><testcase><error/></testcase></testsuite>", 1, "failed"),
        ("<testsuite tests='9'/>", 0, "not run"),
        ("<testsuite tests='9' failures='1'/>", 1, "failed"),
        ("<testsuite><testcase><skipped/></testcase></testsuite>", 0, "not run"),
        ("<html/>", 2, "holds no test suites"),
        ("<testsuite>", 2, "is not XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><testsuite><testcase name="&b;"/></testsuite>', 2, "is refused"),
    ],
)
@pytest.mark.parametrize("which", ["unit", "integration"])
def test_a_report_of_tests_counts_and_is_never_taken_for_more(
    lab: Lab, tmp_path: Path, which: str, suite: str, code: int, status: str
) -> None:
    (tmp_path / "report.xml").write_text(suite)
    head = lab.act(updated(lab, CACHE, version="1.2.0"))
    got, said, beside = run(lab, head, f"--{which}", str(tmp_path / "report.xml"))
    assert got == code
    if code == 2:
        assert status in beside
    else:
        assert re.search(rf"[23] {which} +{status} ", said)
        other = {"unit": "integration", "integration": "unit"}[which]
        assert re.search(rf"[23] {other} +not run ", said)


def test_a_page_is_never_longer_than_a_host_shows(lab: Lab) -> None:
    names = [
        f"registry/nodes/lab/{number}/{'<' * 250}/{'&' * 250}/{'>' * 250}/{'(' * 240}.yaml" for number in range(200)
    ]
    head = lab.commit(dict.fromkeys(names, b"a: 1\n"), lab.base)
    page = run(lab, head, "--format", "markdown")[1]
    assert 500_000 < len(page.encode()) < 1 << 20
    assert page.endswith("… and more: this page is as long as a host shows. In all: 1,801 findings, 0 changes.\n")


# How it ends.


def test_warnings_fail_only_when_they_are_asked_to(lab: Lab) -> None:
    people = lab.fork()
    people.register("lab.memory/cashe_v1", by=people.ada)
    head = lab.act(people)
    assert [code for code, _ in found(judged(lab, head))] == ["G003"]
    assert run(lab, head)[0] == 0
    assert run(lab, head, "--strict")[0] == 1


def test_a_revision_that_is_none_is_a_mistake_of_whoever_asks(lab: Lab, tmp_path: Path) -> None:
    for base, head in (
        (lab.base, "nowhere"),
        ("nowhere", lab.base),
        (lab.base, ""),
        (lab.base, f"{lab.base}:registry"),
    ):
        code, said, beside = run(lab, head, base=base)
        assert code == 2, (base, head)
        assert said == ""
        assert "no commit is called" in beside
    assert Checkout(lab.repository.path).run("gate", "--base", "main").returncode == 2
    assert Checkout(tmp_path).run("gate", "--base", "a", "--head", "b").returncode == 2


def test_a_base_that_is_no_registry_judges_nobody(lab: Lab) -> None:
    empty = lab.commit({"README.md": b"x\n"})
    head = lab.commit(dict(lab.past[-1]), empty)
    code, said, beside = run(lab, head, base=empty)
    assert code == 3
    assert said == ""
    assert "holds no registry, so there is nothing to believe" in beside
    broken = lab.commit({SETTINGS_PATH: b"{}\n"}, lab.base)
    assert run(lab, lab.base, base=broken)[0] == 3


def test_a_clone_that_ends_too_early_says_so(lab: Lab, tmp_path: Path) -> None:
    side = lab.commit({"docs/a.md": b"x\n"}, f"{lab.base}~1")
    lab.repository.git("update-ref", "refs/heads/side", side)
    shallow = lab.repository.clone(tmp_path / "shallow", "--depth=1", "--no-single-branch")
    done = Checkout(shallow.path).run("gate", "--base", "origin/main", "--head", "origin/side")
    assert done.returncode == 3
    assert "git fetch --unshallow" in done.stderr


@pytest.mark.parametrize("form", ["json", "github", "gitlab", "junit", "sarif", "markdown"])
def test_whoever_reads_a_report_and_not_the_log_sees_that_nothing_was_judged(
    lab: Lab, form: str, tmp_path: Path, sarif: Draft7Validator
) -> None:
    head = lab.commit({"README.md": b"alone\n"})
    page, other = tmp_path / "page.md", tmp_path / "other"
    code, said, beside = run(lab, head, "--format", form, "--summary", str(page), "--write", f"{form}={other}")
    assert code == 3
    why = f"{head[:10]} and {lab.base[:10]} share no commit that is here"
    assert f"error: {why}" in beside
    assert why in said
    assert other.read_text() == said
    assert f"**Could not judge:** {why}\n" in page.read_text()
    if form == "json":
        REPORT.validate(json.loads(said))
        assert json.loads(said)["summary"]["exit_code"] == 3
    elif form == "junit":
        suites = ET.fromstring(said)
        assert (suites[0].attrib["errors"], [error.get("message") for error in suites.iter("error")]) == ("1", [why])
    elif form == "sarif":
        sarif.validate(json.loads(said))
        assert json.loads(said)["runs"][0]["invocations"][0]["executionSuccessful"] is False
    elif form == "gitlab":
        assert [issue["severity"] for issue in json.loads(said)] == ["blocker"]


@pytest.mark.parametrize("mistake", [("--unit", "nowhere.xml"), ("--as-of", "yesterday"), ("--jobs", "-1")])
def test_a_mistake_in_the_options_leaves_its_page(lab: Lab, mistake: tuple[str, str], tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    code, _, _ = run(lab, lab.base, *mistake, "--summary", str(page))
    assert code == 2
    assert "**Could not judge:**" in page.read_text()


def test_a_replay_judges_as_of_then(lab: Lab) -> None:
    head = lab.act(updated(lab, CACHE, version="1.2.0"))
    assert run(lab, head)[0] == 0
    code, said, _ = run(lab, head, "--as-of", "2199-01-01T00:00:00Z")
    assert (code, "P003" in said) == (1, True)
    assert "as of 2026-03-14T00:00:00Z" in run(lab, head, "--as-of", "2026-03-14T00:00:00Z")[2]
    code, _, beside = run(lab, head, "--as-of", "yesterday")
    assert (code, "must be a moment such as" in beside) == (2, True)


def test_what_cannot_be_read_is_not_passed(lab: Lab) -> None:
    people = updated(lab, CACHE, version="1.2.0")
    people.files[node_path(CACHE)] = b"\xff\xfe\n"
    judgement = judged(lab, lab.act(people))
    assert judgement.exit_code() == 1
    assert judgement.report.families["G"] == "not run"
    head = lab.commit({"registry/nodes/lab/memory/x_v1.yaml": Odd.link("y")}, lab.base)
    assert "T002" in errors(judged(lab, head))


# What is only there to cost.


class Read:
    """Counts the entries of Git's trees that are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entries = 0
        original = commit_module.raw_entries

        def counted(data: bytes, folder: str, defects: list[Defect]) -> list[tuple[str, int, str]]:
            found = original(data, folder, defects)
            self.entries += len(found)
            return found

        monkeypatch.setattr(commit_module, "raw_entries", counted)


def test_many_files_that_come_with_a_merge_into_a_full_folder_are_looked_up_in_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = lab.commit({f"docs/old{number}.md": b"x\n" for number in range(300)}, lab.base)
    main = lab.commit({"docs/more.md": b"x\n"}, full)
    head = lab.commit({f"docs/new{number}.md": b"x\n" for number in range(300)}, full)
    read = Read(monkeypatch)
    assert judged(lab, head, main).untouched
    assert read.entries < 10 * 600, "not each of them for each of them"


def test_many_owners_that_come_at_once_are_looked_up_one_by_one(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    people = lab.fork()
    wallet = new_keys(1)
    for number in range(60):
        people.join(f"Guest {number}", *wallet)
    head = lab.act(people)
    read = Read(monkeypatch)
    assert errors(judged(lab, head)) == {"C018"}
    assert read.entries < 20 * 60


def test_a_contract_is_run_once_its_seal_has_been_seen(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    people = lab.fork()
    people.files[NODE_SCHEMA_PATH] = people.files[NODE_SCHEMA_PATH].rstrip() + b"\n\n"
    strange, agreed = lab.act(people), lab.act(sealed(people))
    run_with: list[bytes] = []
    original = grounds_module.Contract
    monkeypatch.setattr(grounds_module, "Contract", lambda data: run_with.append(data) or original(data))
    judgement = judged(lab, strange)
    assert found(judgement) == [("C012", NODE_SCHEMA_PATH)]
    assert judgement.is_unjudged
    assert run_with == []
    assert judged(lab, agreed).exit_code() == 0
    assert people.files[NODE_SCHEMA_PATH] in run_with


def test_a_policy_is_evaluated_once_its_seal_has_been_seen(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    people, path = lab.fork(), "registry/policies/lab.slow.cel.yaml"
    people.files[path] = people.files[POLICY_PATH].replace(b"lab.care", b"lab.slow")
    strange, agreed = lab.act(people), lab.act(sealed(people))
    asked: list[str] = []
    judge_by = policies_module.Policies.judge_by

    def noted(self: policies_module.Policies, *words: Any) -> Any:
        asked.extend(source.path for source in self.sources)
        return judge_by(self, *words)

    monkeypatch.setattr(policies_module.Policies, "judge_by", noted)
    judgement = judged(lab, strange)
    assert found(judgement) == [("C012", path)]
    assert judgement.is_unjudged
    assert path not in asked
    assert judged(lab, agreed).exit_code() == 0
    assert path in asked


def test_a_contract_sealed_by_a_trust_root_of_one_s_own_is_not_run(lab: Lab) -> None:
    people = lab.fork()
    people.files[NODE_SCHEMA_PATH] = people.files[NODE_SCHEMA_PATH].rstrip() + b"\n\n"
    other = People()
    people.files |= {path: data for path, data in other.files.items() if path.startswith("registry/trust/")}
    people.roots, people.keyrings = other.roots, other.keyrings
    people.seal()
    judgement = judged(lab, lab.act(people))
    assert found(judgement) == [("C012", NODE_SCHEMA_PATH)]
    assert judgement.exit_code() == 1


ANYWHERE = [
    node_path(CACHE),
    attestation_path(node_path(CACHE)),
    tombstone_path(LOOM),
    node_path(NEW),
    tombstone_path(NEW),
    POLICY_PATH,
    SETTINGS_PATH,
    WAIVERS_PATH,
    SEAL_PATH,
    WORKFLOW,
    NODE_SCHEMA_PATH,
    "registry",
    "schemas",
    "registry/nodes",
    "registry/owners",
    "registry/trust/0001.dsse.json",
    "registry/trust/0003.dsse.json",
    f"registry/owners/{'ab' * 32}",
    f"registry/owners/{'ab' * 32}/0000.dsse.json",
    ".github",
    ".gitattributes",
]
ODD = {
    "a submodule": Odd.module("ab" * 20),
    "a link": Odd.link("x"),
    "a program": Odd.executable(b"{}\n"),
    "nothing": b"",
    "a zero byte": b"\0",
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("path", ANYWHERE)
def test_nothing_odd_stands_anywhere_and_whatever_does_is_a_finding(lab: Lab, path: str, kind: str) -> None:
    below = dict.fromkeys(name for name in lab.past[-1] if name.startswith(f"{path}/"))
    head = lab.commit({**below, path: ODD[kind]}, lab.base)
    aside = lab.commit({"docs/aside.md": b"x\n"}, lab.base)
    for base in (lab.base, aside):
        judgement = judged(lab, head, base)
        assert judgement.report.errors
        assert judgement.exit_code() == (3 if judgement.report.undecided else 1)  # a policy that cannot be used


def test_a_name_that_no_disk_can_hold_is_told_and_not_shown(lab: Lab) -> None:
    name = b"x" * 1_000_000
    entries = [*lab.tree(lab.base, "docs"), ("100644", name, lab.repository.blob(b"x"))]
    head = lab.graft(lab.with_folder(lab.base, "docs", lab.repository.raw_tree(*entries)))
    code, said, beside = run(lab, head)
    assert code == 1
    assert "T007" in said
    assert "a name of 1,000,000 bytes" in said
    assert len(said + beside) < 5000


def test_a_mode_at_which_git_gives_up_is_not_read(lab: Lab) -> None:
    blob = lab.repository.blob(b"x\n")
    for mode in ("1_00644", "0o100644", "+100644", "100648"):
        head = lab.graft(lab.with_folder(lab.base, "docs", lab.repository.raw_tree((mode, b"a", blob))))
        code, _, beside = run(lab, head)
        assert code == 3
        assert "is malformed" in beside


# What is larger than it looks.


def bomb(lab: Lab, levels: int, path: str = "docs") -> str:
    """Commit a folder that holds itself ten times over, level by level: few objects, and more paths than people."""
    tree = lab.repository.raw_tree(("100644", b"a", lab.repository.blob(b"a")))
    for _ in range(levels):
        tree = lab.repository.raw_tree(*(("40000", b"f%d" % number, tree) for number in range(10)))
    return lab.graft(lab.with_folder(lab.base, path, tree), lab.base)


@pytest.mark.parametrize("path", ["docs", "registry/nodes"])
def test_a_tree_of_a_billion_paths_is_given_up(lab: Lab, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposal_module, "MOST", 500)
    monkeypatch.setattr(commit_module, "MOST_LISTED", 500)
    assert judged(lab, bomb(lab, 2)).proposal.outside
    with pytest.raises(RegistryError, match="more than 500 files and folders"):
        judged(lab, bomb(lab, 9, path))


def test_the_command_says_so(lab: Lab) -> None:
    code, said, why = run(lab, bomb(lab, 9))
    assert (code, said) == (3, "")
    assert "there are more than 100,000 files and folders to look at" in why


class Sized:
    """Notes which blobs are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most = 0
        read = commit_module.CommitTree.read

        def counted(tree: commit_module.CommitTree, entry: Entry) -> bytes:
            data = read(tree, entry)
            self.most = max(self.most, len(data))
            return data

        monkeypatch.setattr(commit_module.CommitTree, "read", counted)


@pytest.mark.parametrize("path", [node_path(CACHE), NODE_SCHEMA_PATH, WAIVERS_PATH, POLICY_PATH, SETTINGS_PATH])
def test_what_is_too_large_is_not_read_to_be_shown(lab: Lab, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    head = lab.commit({path: b"a: 1\n" * 300_000}, lab.base)
    monkeypatch.setattr(seal, "MOST_BYTES", 1_000_000)
    sized = Sized(monkeypatch)
    with suppress(RegistryError):
        assert judged(lab, head).exit_code() in (1, 3)
    tree = GitRepository.open(str(lab.repository.path))
    assert lines_of(tree.tree(tree.resolve(head)), path) == []
    assert sized.most < 300_000


def test_a_summary_goes_into_what_is_no_plain_file(lab: Lab, tmp_path: Path) -> None:
    page, link = tmp_path / "page.md", tmp_path / "link.md"
    link.symlink_to(page)
    head = lab.commit({"docs/guide.md": b"Second.\n"}, lab.base)
    assert run(lab, head, "--summary", str(link))[0] == 0
    assert link.is_symlink()
    assert page.read_text().startswith("## Registry gate")
    code, said, _ = run(lab, head, "--format", "json", "--write", "markdown=/dev/null")
    assert code == 0
    assert json.loads(said)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_no_path_writes_a_line_of_the_self_report(lab: Lab) -> None:
    head = lab.commit({"docs/a); nothing: every file was read (0 left": b"1\n"}, lab.base)
    _, said, _ = run(lab, head)
    assert not any(line.strip().startswith("nothing: every") for line in said.splitlines())
    assert '"docs/a); nothing: every file was read (0 left"' in said


def test_an_owner_s_name_does_not_pass_for_a_handle(lab: Lab) -> None:
    people = lab.fork()
    guest = people.join(f"Ben, {people.ada.handle}")
    people.register("lab.fresh/first_v1", by=guest)
    _, said, _ = run(lab, lab.act(people))
    assert 'new owner: "Ben, GLYMPH:' in said
    assert f'", {guest.handle}' in said
