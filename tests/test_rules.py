"""Every rule against files on disk: the bad one is found at its line and nothing else is, the good one passes.

Fixtures stand in ``fixtures/rules`` and are named after the rule: ``N003.bad.yaml`` and ``N003.good.yaml``, with
further cases as ``N003-gap.bad.yaml``. ``good`` is ``bad`` with the one mistake corrected, often to the last value that
is still allowed. ``# <-- here`` stands on the line where the finding is expected; without it, line 1 is.

The small registry is unsigned on purpose: what is judged here needs no key, and families P and C are about nothing
else. Their rules are broken and mended in ``test_provenance.py`` and ``test_change.py``.

- ``.yaml`` is one spec, and replaces the specimen of the small registry in ``fixtures/base``.
- ``.cel.yaml`` is one policy, ``lab.extra``, and is added to the small registry.
- A folder holds several specs for family G; each stands in the registry at the path of its own id.
- ``.tree`` is a listing on top of that registry, one entry a line, for family T::

    100644 PATH               a file; its content is whatever is valid at that path
    100644 PATH = TEXT        a file with this content
    120000 PATH -> TARGET     a symbolic link
    unreadable PATH           a file that cannot be opened
    closed PATH               a folder that cannot be opened
    -PATH                     remove a file of the registry
    ! PATH WHAT               something that is malformed about the listing
"""

from __future__ import annotations

import ast
import errno
import re
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from nodespec import document, scalar, spec, text, tombstone, violation
from nodespec.document import reference, strict
from nodespec.judge import judge
from nodespec.rules import RULES, families_of
from nodespec.rules.format import CODES
from nodespec.rules.graph import look_alikes
from nodespec.tree import (
    POLICY_SUFFIX,
    SUBMODULE,
    SYMLINK,
    UNREADABLE,
    Defect,
    Entry,
    MemoryTree,
    is_node_path,
    is_policy_path,
    is_tombstone_path,
    node_id,
    node_path,
    policy_name,
)
from nodespec.verdict import Selection

if TYPE_CHECKING:
    from types import ModuleType

    from nodespec.finding import Finding
    from nodespec.rules import Rule
    from nodespec.verdict import Report

ROOT = Path(__file__).parents[1]
BASE = ROOT / "tests" / "fixtures" / "base"
FIXTURES = ROOT / "tests" / "fixtures" / "rules"
SPECIMEN = "registry/nodes/lab/probe/specimen.yaml"
EXTRA = "registry/policies/lab.extra.cel.yaml"
MARK = b"<-- here"
ELSEWHERE = "PCW"
"""Families whose cases need keys, or a base: test_provenance.py, test_change.py, test_evolution.py, test_waiver.py."""
UNSIGNED = Selection.parse(ignore=["P"])
"""Every family but the one that asks who signed."""


class Expected(NamedTuple):
    path: str
    line: int


class Case(NamedTuple):
    """A tree to judge, and the places of the marks in it."""

    tree: MemoryTree
    marks: list[Expected]


class Locked(MemoryTree):
    """A tree whose ``UNREADABLE`` files are listed as regular ones and fail when they are opened."""

    @property
    def entries(self) -> list[Entry]:
        listed = MemoryTree(self.files, modes={path: mode for path, mode in self.modes.items() if mode != UNREADABLE})
        return list(listed.entries)

    def read(self, entry: Entry) -> bytes:
        if self.modes.get(entry.path) == UNREADABLE:
            raise PermissionError(errno.EACCES, "Permission denied")
        return self.files[entry.path]


def judge_unsigned(tree: MemoryTree) -> Report:
    return judge(tree, selection=UNSIGNED)


def base_files() -> dict[str, bytes]:
    """The small registry, with the contracts that this repository ships."""
    files = {str(path.relative_to(BASE)): path.read_bytes() for path in BASE.rglob("*") if path.is_file()}
    for path in (ROOT / "schemas").glob("*.json"):
        files[f"schemas/{path.name}"] = path.read_bytes()
    return files


def mark_in(path: str, data: bytes) -> list[Expected]:
    lines = data.split(b"\n")
    return [Expected(path, number) for number, line in enumerate(lines, 1) if MARK in line]


def spec_case(path: Path) -> Case:
    data = path.read_bytes()
    return Case(MemoryTree(base_files() | {SPECIMEN: data}), mark_in(SPECIMEN, data) or [Expected(SPECIMEN, 1)])


def policy_case(path: Path) -> Case:
    data = path.read_bytes()
    return Case(MemoryTree(base_files() | {EXTRA: data}), mark_in(EXTRA, data))


def folder_case(path: Path) -> Case:
    files, marks = base_files(), []
    for file in sorted(path.iterdir()):
        data = file.read_bytes()
        value = document.parse(data).value
        assert value is not None
        home = node_path(f"{value['node_type']}/{value['metadata']['name']}")
        assert home not in files, f"{file.name} describes a node that another file describes"
        files[home] = data
        marks += mark_in(home, data)
    return Case(MemoryTree(files), marks)


def valid_content(path: str) -> bytes:
    """Whatever a path may hold without a finding."""
    if is_policy_path(path):
        rules = 'rules: [{id: nothing, expr: "true", message: Nothing is asked.}]'
        return f"policy: {policy_name(path)}\n{rules}\n".encode()
    if not (is_node_path(path) or is_tombstone_path(path)):
        return b"{}\n" if path.endswith(".json") else b"note: nothing to see\n"
    node_type, _, name = node_id(path).rpartition("/")
    data = (BASE / SPECIMEN).read_bytes()
    if is_tombstone_path(path):
        specimen = spec.from_value(document.parse(data).value or {})
        stone = tombstone.of_node(specimen, reason="It is not needed.", successor=None, dangling=None)
        return tombstone.dump(replace(stone, node_type=node_type, name=name))
    data = data.replace(b"node_type: lab.probe\n", f"node_type: {node_type}\n".encode())
    return data.replace(b"name: specimen\n", f"name: {name}\n".encode())


def tree_case(path: Path) -> Case:
    files, modes, defects, marks = base_files(), {}, [], []
    kind: type[MemoryTree] = MemoryTree
    for raw in path.read_text(encoding="utf-8").splitlines():
        line = raw.removesuffix(" <-- here")
        word, _, rest = line.partition(" ")
        home, _, content = rest.partition(" = ")
        home, _, target = home.partition(" -> ")
        if line.startswith("-"):
            home = line[1:]
            del files[home]
        elif word == "!":
            home, _, what = rest.partition(" ")
            defects.append(Defect(home, what))
        else:
            files[home] = (content or target).encode() or valid_content(home)
            modes[home] = UNREADABLE if word in ("unreadable", "closed") else int(word, 8)
            kind = Locked if word == "unreadable" else kind
        if line != raw:
            marks.append(Expected(home, 1))
    return Case(kind(files, modes=modes, defects=defects), marks)


def case_at(path: Path) -> Case:
    if path.is_dir():
        return folder_case(path)
    if path.name.endswith(POLICY_SUFFIX):
        return policy_case(path)
    return tree_case(path) if path.suffix == ".tree" else spec_case(path)


def fixtures(kind: str) -> list[Path]:
    return sorted(path for path in FIXTURES.iterdir() if f".{kind}" in path.name)


def code_of(path: Path) -> str:
    return path.name[:4]


def name_of(path: Path) -> str:
    return path.name.partition(".")[0]


def where(findings: tuple[Finding, ...]) -> list[tuple[str, str, int]]:
    return [(finding.code, finding.path, finding.line) for finding in findings]


@pytest.mark.parametrize("path", fixtures("bad"), ids=name_of)
def test_a_bad_file_has_one_finding_at_its_line(path: Path) -> None:
    case = case_at(path)
    assert len(case.marks) == 1, "a bad fixture marks one line"
    report = judge_unsigned(case.tree)
    explained = "\n".join(f"{finding.code}: {finding.message}" for finding in report.findings)
    assert where(report.findings) == [(code_of(path), *case.marks[0])], explained


@pytest.mark.parametrize("path", fixtures("good"), ids=name_of)
def test_the_corrected_file_has_none(path: Path) -> None:
    case = case_at(path)
    assert MARK not in b"".join(case.tree.files.values())
    report = judge_unsigned(case.tree)
    assert [f"{finding.path}:{finding.line}: {finding.code}: {finding.message}" for finding in report.findings] == []
    assert {report.families[letter] for letter in "TFSNGL"} == {"run"}
    assert report.exit_code(strict=True) == 0


@pytest.mark.parametrize("path", fixtures("bad"), ids=name_of)
def test_a_finding_says_what_where_and_what_to_do(path: Path) -> None:
    for finding in judge_unsigned(case_at(path).tree).findings:
        rule = RULES[finding.code]
        assert (finding.slug, finding.severity) == (rule.slug, rule.severity)
        assert finding.doc == f"docs/rules.md#{finding.code.lower()}-{finding.slug}"
        assert finding.message
        assert finding.fix
        assert max(len(finding.message), len(finding.fix)) < 400
        assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u202e]", finding.message + finding.fix)
        assert finding.line >= 1
        assert finding.column >= 1
        assert finding.width >= 1


SPEAKER = "registry/nodes/lab/probe/speaker.yaml"
LISTENER = "registry/nodes/lab/probe/listener.yaml"


def pair_of_nodes() -> dict[str, bytes]:
    """The small registry with a speaker, and a listener that subscribes to what only the speaker emits."""
    return dict(folder_case(FIXTURES / "G001.good").tree.files)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (MemoryTree(pair_of_nodes(), modes={SPEAKER: SYMLINK}), ("T002", SPEAKER)),
        (MemoryTree(pair_of_nodes(), modes={SPEAKER: SUBMODULE}), ("T002", SPEAKER)),
        (Locked(pair_of_nodes(), modes={SPEAKER: UNREADABLE}), ("T009", SPEAKER)),
        (MemoryTree(pair_of_nodes() | {SPEAKER: b"emits: [\n"}), ("F007", SPEAKER)),
        (MemoryTree(pair_of_nodes() | {SPEAKER: b"x" * 70_000}), ("F001", SPEAKER)),
    ],
    ids=["a symbolic link", "a submodule", "a locked file", "a syntax error", "a file too large"],
)
def test_when_a_spec_is_illegible_nobody_else_is_blamed(tree: MemoryTree, expected: tuple[str, str]) -> None:
    report = judge_unsigned(tree)
    assert [(finding.code, finding.path) for finding in report.findings] == [expected]
    assert report.families["G"] == "not run", "nobody knows what the illegible node emits"


def test_when_a_folder_is_closed_nobody_else_is_blamed() -> None:
    files = pair_of_nodes()
    files = {path: data for path, data in files.items() if path != SPEAKER} | {"registry/nodes/lab/tower": b""}
    report = judge_unsigned(MemoryTree(files, modes={"registry/nodes/lab/tower": UNREADABLE}))
    assert [(finding.code, finding.path) for finding in report.findings] == [("T009", "registry/nodes/lab/tower")]
    assert report.families["G"] == "not run"


def test_the_subscribers_of_a_misshapen_node_are_not_to_blame() -> None:
    files = pair_of_nodes()
    files[SPEAKER] = files[SPEAKER].replace(b"tier: 1", b"tier: 9")
    report = judge_unsigned(MemoryTree(files))
    assert [(finding.code, finding.path) for finding in report.findings] == [("S006", SPEAKER)]


def test_the_subscribers_of_a_buried_node_are_blamed_unless_its_tombstone_owns_up() -> None:
    files = pair_of_nodes()
    speaker = spec.from_value(document.parse(files.pop(SPEAKER)).value or {})
    unsent = {emit.name for emit in speaker.emits}
    report = judge_unsigned(MemoryTree(files))
    assert [(finding.code, finding.path) for finding in report.findings] == [("G001", LISTENER)]
    left = tombstone.Dangling(reason="Its listeners go next week.", signals=tuple(sorted(unsent)))
    for dangling, codes in ((None, ["G001"]), (left, [])):
        stone = tombstone.of_node(speaker, reason="It shouted.", successor=None, dangling=dangling)
        tree = MemoryTree(files | {stone.path: tombstone.dump(stone)})
        for only in (None, frozenset([LISTENER])):
            report = judge(tree, selection=UNSIGNED, only=only)
            assert [finding.code for finding in report.findings] == codes


@pytest.mark.parametrize("letters", ["ab", "abc"])
def test_every_name_with_a_look_alike_is_reported_with_one(letters: str) -> None:
    """All sets of three names over a small alphabet, against the plain comparison of all pairs."""
    words = ["".join(word) for word in product(letters, repeat=3)]
    for names in combinations(words, 3):
        reported = {name for pair in look_alikes(names) for name in pair}
        alike = {name for pair in combinations(names, 2) if one_letter_apart(*pair) for name in pair}
        assert alike <= reported, f"{names}: {sorted(alike)} look alike"


def one_letter_apart(one: str, other: str) -> bool:
    return sum(left != right for left, right in zip(one, other, strict=True)) == 1


def test_a_decoy_does_not_hide_two_names_that_look_alike() -> None:
    assert ("camera", "camerb") in look_alikes(["acamer", "camera", "camerb"])


def test_the_small_registry_by_itself_is_clean() -> None:
    report = judge_unsigned(MemoryTree(base_files()))
    assert (report.findings, report.specs) == ((), 1)


def test_every_rule_that_needs_no_signature_has_a_bad_and_a_good_file() -> None:
    expected = {code for code in RULES if code[0] not in ELSEWHERE}
    for kind in ("bad", "good"):
        assert {code_of(path) for path in fixtures(kind)} == expected
    pairs = {path.name.replace(".bad", ".good") for path in fixtures("bad")}
    assert pairs == {path.name for path in fixtures("good")}


def test_good_and_bad_differ_in_little() -> None:
    for bad in fixtures("bad"):
        good = bad.with_name(bad.name.replace(".bad", ".good"))
        if bad.suffix == ".yaml" and code_of(bad) not in ("F001", "F004", "F008", "F009", "F010"):
            bad_lines, good_lines = set(bad.read_bytes().split(b"\n")), set(good.read_bytes().split(b"\n"))
            assert len(bad_lines - good_lines) <= 4, bad.name


def test_codes_have_no_gaps() -> None:
    letters = dict.fromkeys(code[0] for code in RULES)
    for letter in letters:
        codes = sorted(code for code in RULES if code[0] == letter)
        assert codes == [f"{letter}{number:03d}" for number in range(1, len(codes) + 1)]


def test_slugs_are_unique_words() -> None:
    slugs = [rule.slug for rule in RULES.values()]
    assert len(slugs) == len(set(slugs))
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) for slug in slugs)


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_a_rule_says_why_in_a_sentence_and_how_to_fix_it(rule: Rule) -> None:
    assert rule.severity in ("error", "warning")
    assert re.search(r"[.)]\Z", rule.why)
    assert not re.match(r"[a-z]+ ", rule.why), "a sentence begins with a capital, unless with the name of a file"
    assert rule.fix[0].isupper()
    # A fix is a sentence, or it ends in a command.
    assert re.search(r"\.\Z|\A(.*: )(git|nodespec) \S.*\Z|[Rr]un: .+\Z", rule.fix), rule.fix


def test_rules_with_a_check_say_what_holds() -> None:
    for rule in families_of("TNG"):
        assert rule.check is not None
        assert (rule.check.__doc__ or "").rstrip().endswith(".")


def words_given_as(keyword: str, module: ModuleType) -> set[str]:
    """The texts that a module may pass as this keyword."""
    tree = ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))
    given = (node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == keyword)
    return {part.value for value in given for part in ast.walk(value) if isinstance(part, ast.Constant)}


def test_every_slug_that_the_loader_gives_is_declared_and_every_declared_one_is_given() -> None:
    source = "".join(
        Path(module.__file__ or "").read_text(encoding="utf-8") for module in (reference, strict, scalar, text)
    )
    assert words_given_as("slug", reference) <= set(CODES)
    for slug in CODES:
        assert f'"{slug}"' in source, f"the loader never says {slug}"


def test_every_code_that_the_schema_gives_is_declared_and_every_declared_one_is_given() -> None:
    assert words_given_as("code", violation) == {code for code in RULES if code[0] == "S"}
