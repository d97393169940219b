"""A commit judged by what differs from one that was judged before: the same report, for less work, from nobody else."""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.generate import generate
from benchmarks.population import Population
from nodespec import Registry, document, verdict_cache
from nodespec.child_process import Child
from nodespec.commit import CommitTree
from nodespec.judge import judge
from nodespec.tree import WAIVERS_PATH
from nodespec.verdict import ALL, Selection
from nodespec.verdict_cache import judge_anew
from tests.conduct import FALSE, HONEST, carry_out
from tests.conftest import ADAPTER_FILE, Checkout
from tests.lab import WEAVER, Lab
from tests.simulator import Repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nodespec.spec import NodeSpec
    from nodespec.verdict import Report

INDEX = ".git/nodespec/index.sqlite3"
UNSIGNED = Selection.parse(ignore=["P"])


@pytest.fixture
def grown(tmp_path: Path, home: dict[str, str]) -> Checkout:
    """An unsigned registry of 120 nodes."""
    generate(tmp_path / "grown", Population(seed=5, nodes=120, types=6), 1)
    return Checkout(tmp_path / "grown", home)


class Counter:
    """Says how often a whole tree was judged."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.whole = 0

        def counted(*arguments: Any, **options: Any) -> Report:
            self.whole += 1
            return judge(*arguments, **options)

        monkeypatch.setattr(verdict_cache, "judge", counted)


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    return Counter(monkeypatch)


def both(checkout: Checkout, selection: Selection, now: datetime | None = None, at: str | None = "HEAD") -> Report:
    """Judge a tree by memory and as a whole; they must say the same."""
    now = now or datetime.now(UTC)
    remembered = judge_anew(
        (registry := Registry.open(checkout.path)),
        registry.at(at),
        selection=selection,
        now=now,
        environment=checkout.environment,
    )
    assert remembered == judge(Registry.open(checkout.path, index=False).at(at).tree, selection=selection, now=now)
    return remembered


# What may happen to a registry from one commit to the next.


def reworded(rng: random.Random, checkout: Checkout) -> None:
    path = some_node(rng, checkout)
    path.write_text(path.read_text() + f"# {rng.random()}\n")


def replaced(old: str, *new: str) -> Callable[[random.Random, Checkout], None]:
    def change(rng: random.Random, checkout: Checkout) -> None:
        path = some_node(rng, checkout)
        text = path.read_text()
        spots = [n for n in range(len(text)) if text.startswith(old, n)]
        if spots:
            spot = rng.choice(spots)
            path.write_text(text[:spot] + rng.choice(new) + text[spot + len(old) :])

    return change


def healed(checkout: Checkout, report: Report) -> None:
    """Take out every file that is no spec, so that there is a whole again."""
    for path in {item.path for item in report.findings if item.code[0] in "FST" and "/nodes/" in item.path}:
        (checkout.path / path).unlink(missing_ok=True)


def some_node(rng: random.Random, checkout: Checkout) -> Path:
    paths = sorted(checkout.path.glob("registry/nodes/**/*.yaml"))
    return rng.choice([path for path in paths if path.is_file() and not path.is_symlink()])


def shuffled(rng: random.Random, checkout: Checkout) -> None:
    """Swap two lines, so that positions change, or the file breaks."""
    path = some_node(rng, checkout)
    lines = path.read_text().splitlines(keepends=True)
    spot = rng.randrange(len(lines) - 1)
    lines[spot], lines[spot + 1] = lines[spot + 1], lines[spot]
    path.write_text("".join(lines))


def look_alike(rng: random.Random, checkout: Checkout) -> None:
    path = some_node(rng, checkout)
    name = path.stem.replace("o", "0", 1) if rng.random() < 0.5 else f"{path.stem}x"
    path.with_name(f"{name}.yaml").write_text(path.read_text().replace(f"name: {path.stem}", f"name: {name}", 1))


def gone(rng: random.Random, checkout: Checkout) -> None:
    some_node(rng, checkout).unlink()


def moved(rng: random.Random, checkout: Checkout) -> None:
    path = some_node(rng, checkout)
    path.rename(some_node(rng, checkout).with_name(path.name))


def as_before(rng: random.Random, checkout: Checkout) -> None:
    count = len(checkout.git("rev-list", "HEAD").split())
    checkout.git("checkout", "-q", f"HEAD~{rng.randrange(min(count, 6))}", "--", "registry/nodes")


def attestation_changed(rng: random.Random, checkout: Checkout) -> None:
    signed = sorted(checkout.path.glob("registry/nodes/**/*.dsse.json"))
    if signed:
        one, other = rng.choice(signed), rng.choice(signed)
        rng.choice([one.unlink, lambda: shutil.copy(other, one), lambda: one.write_bytes(one.read_bytes() + b" ")])()


def bury(checkout: Checkout, path: Path, signal: str) -> Path:
    """Put a tombstone for a node that leaves a signal dangling; return where it stands."""
    text, inside = path.read_text(), path.relative_to(checkout.path / "registry/nodes")
    stone = checkout.path / "registry/tombstones" / inside
    stone.parent.mkdir(parents=True, exist_ok=True)
    owner = text.partition("owner_id: ")[2].partition("\n")[0]
    stone.write_text(
        f"schema_version: tombstone.v1\nnode_type: {'.'.join(inside.parts[:-1])}\nname: {path.stem}\nversion: 1.0.0\n"
        f"owner_id: {owner}\nreason: it was time\ndangling:\n  reason: it had to be\n  signals: [{signal}]\n"
    )
    return stone


def buried(rng: random.Random, checkout: Checkout) -> None:
    """Put a tombstone where a node stands, or stood, that leaves a signal dangling."""
    path = some_node(rng, checkout)
    words = path.read_text().partition("emits:\n")[2].partition("name: ")[2].partition("\n")[0]
    bury(checkout, path, words or "nothing_at_all")
    if rng.random() < 0.7:
        path.unlink()


def odd(rng: random.Random, checkout: Checkout) -> None:
    path = some_node(rng, checkout)
    rng.choice(
        [
            lambda: path.chmod(0o755),
            lambda: path.with_suffix(".yml").write_text("a: 1\n"),
            lambda: path.with_name(path.name.upper()).write_text(path.read_text()),
            lambda: (path.unlink(), path.symlink_to("elsewhere")),
        ]
    )()


def settings_changed(rng: random.Random, checkout: Checkout) -> None:
    path = checkout.path / "registry/registry.yaml"
    path.write_text(path.read_text() + f"# {rng.random()}\n")


def renamed_in_place(rng: random.Random, checkout: Checkout) -> None:
    path = some_node(rng, checkout)
    path.write_text(path.read_text().replace(f"name: {path.stem}", f"name: {path.stem}x", 1))


def folder_replaced(rng: random.Random, checkout: Checkout) -> None:
    """Put a link where a folder of the registry should be."""
    place = checkout.path / rng.choice(["registry/tombstones", "registry/policies"])
    if place.is_symlink():
        place.unlink()
    elif place.exists():
        place.rename(checkout.path / f"moved-{rng.random()}")
    place.symlink_to("nowhere")


HAPPENINGS = [
    reworded,
    renamed_in_place,
    replaced("lane: candidate", "lane: products", "lane: core"),
    replaced("lane: core", "lane: candidate"),
    replaced("name: ", "name: x"),
    replaced("signal: ", "signal: y"),
    replaced("sensitivity: public", "sensitivity: internal"),
    replaced("tier: 2", "tier: 3", "tier: 9"),
    replaced("owner_id: GLYMPH:", "owner_id: GLYMPH:0"),
    replaced(": ", ":", ": &a "),
    shuffled,
    look_alike,
    gone,
    moved,
    as_before,
    as_before,
    attestation_changed,
    buried,
]


def walk(rng: random.Random, checkout: Checkout, turns: int, selection: Selection) -> set[str]:
    """Let things happen, commit by commit; return the codes that were found."""
    report, codes = both(checkout, selection), set()
    first = checkout.git("rev-parse", "HEAD").strip()
    for turn in range(turns):
        if turn % 3 == 1:  # all is well again, and is judged, before something happens that nobody else can see
            checkout.git("read-tree", "-u", "--reset", first)
            checkout.git("clean", "-f", "-d", "-q")
            checkout.git("commit", "-q", "--allow-empty", "-m", "as at first")
            both(checkout, selection)
        elif rng.random() < 0.6:
            healed(checkout, report)
        possible = [*HAPPENINGS, odd, settings_changed, folder_replaced] if turn % 8 == 7 else HAPPENINGS
        possible = [reworded, attestation_changed] if turn % 3 == 1 else possible
        for happening in rng.choices(possible, k=rng.randint(1, 3)):
            happening(rng, checkout)
        codes |= {item.code for item in both(checkout, selection, at=None).findings}
        checkout.git("add", "-A")
        checkout.git("commit", "-q", "--allow-empty", "-m", "whatever")
        report = both(checkout, selection)
        codes |= {item.code for item in report.findings}
    return codes


@pytest.mark.parametrize("seed", range(6))
def test_in_a_society_the_report_is_that_of_the_whole(
    tmp_path: Path, home: dict[str, str], counter: Counter, seed: int
) -> None:
    """Newcomers, quotas, tombstones, owners who come and rotate; what thieves do stays until the next honest turn."""
    lab = Lab.found(tmp_path / "registry")
    checkout = Checkout(lab.repository.path, home)
    rng, now, people, commit, codes = random.Random(seed), datetime.now(UTC), lab.people, lab.base, set()
    both(checkout, ALL, now, commit)
    for turn in range(20):
        acting = people.fork()
        acts = rng.sample(HONEST, rng.choice([1, 1, 2])) + rng.sample(FALSE, int(turn % 4 == 3))
        head = lab.commit(carry_out(acts, rng, acting, lab), commit)
        found = both(checkout, ALL, now, head).findings
        codes |= {item.code for item in found}
        if not found:
            people, commit = acting, head
    assert counter.whole < 16, "not every tree is judged as a whole"
    assert {code[0] for code in codes} & {"G", "P"}


OTHERS = [UNSIGNED, Selection.parse(ignore=["P,N001,T"]), Selection.parse(select=["G"])]
SOME = [Selection.parse(ignore=["P005"]), Selection.parse(select=["P013"]), Selection.parse(select=["P013,P008,G,W"])]


@pytest.mark.parametrize("selection", OTHERS, ids=["all but P", "nor what is odd", "G"])
@pytest.mark.parametrize("seed", range(2))
def test_whatever_changes_the_report_is_that_of_the_whole(
    grown: Checkout, counter: Counter, seed: int, selection: Selection
) -> None:
    codes = walk(random.Random(seed), grown, 24, selection)
    assert counter.whole < 52, "not every tree is judged as a whole"
    assert "G" in {code[0] for code in codes}


@pytest.mark.parametrize("seed", range(3))
def test_with_signatures_the_report_is_that_of_the_whole(example: Checkout, counter: Counter, seed: int) -> None:
    codes = walk(random.Random(seed), example, 16, ALL)
    assert counter.whole < 34, "not every tree is judged as a whole"
    assert "P" in {code[0] for code in codes}


@pytest.mark.parametrize("selection", SOME, ids=["all but P005", "P013", "a few"])
def test_with_some_rules_of_a_family_the_report_is_that_of_the_whole(
    example: Checkout, counter: Counter, selection: Selection
) -> None:
    walk(random.Random(7), example, 12, selection)
    assert counter.whole < 30, "not every tree is judged as a whole"


@pytest.mark.parametrize("selection", SOME, ids=["all but P005", "P013", "a few"])
def test_an_owner_who_comes_back_is_asked_about_everything_signed(example: Checkout, selection: Selection) -> None:
    """What the owner's absence hid was found then, and not asked for; it has not become right."""
    path = ADAPTER_FILE
    (owner,) = re.findall(r"owner_id: GLYMPH:([0-9a-f]{64})", example.read(path))
    example.write(path, example.read(path) + "# edited\n")
    example.git("rm", "-rq", f"registry/owners/{owner}")
    example.commit("The owner is gone, and somebody edits a node")
    both(example, selection)
    example.git("checkout", "-q", "HEAD~1", "--", f"registry/owners/{owner}")
    example.commit("The owner is back")
    assert ("P013", path) in {(item.code, item.path) for item in both(example, selection).findings}


def test_a_waiver_of_what_was_not_asked_for_is_not_called_unused(tmp_path: Path, home: dict[str, str]) -> None:
    lab = Lab.found(tmp_path / "registry")
    checkout = Checkout(lab.repository.path, home)
    people = lab.fork()
    path = people.register("lab.memory/deaf_v1", by=people.ada, hears=("rain_fell",))
    one = {"code": "G001", "path": path, "reason": "Soon.", "owner": people.ada.handle, "until": "2099-12-31"}
    people.files[WAIVERS_PATH] = json.dumps({"schema_version": "waivers.v1", "waivers": [one]}).encode() + b"\n"
    people.seal()
    waived = lab.act(people)
    selection = Selection.parse(ignore=["G001"])
    assert both(checkout, selection, at=waived).findings == ()
    more = people.fork()
    more.update(WEAVER, version="1.1.0")
    changes = {name: data for name, data in more.files.items() if people.files.get(name) != data}
    assert both(checkout, selection, at=lab.commit(changes, waived)).findings == ()


# What is not believed, and what is not remembered.


@pytest.fixture
def judged(grown: Checkout, counter: Counter) -> Checkout:
    """A registry that was judged once, and has one commit more since."""
    both(grown, UNSIGNED)
    reworded(random.Random(1), grown)
    grown.commit("one file")
    counter.whole = 0
    return grown


def test_a_verdict_is_built_upon(judged: Checkout, counter: Counter) -> None:
    assert both(judged, UNSIGNED).findings == ()
    assert counter.whole == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE verdict SET body = replace(body, '\"specs\": 120', '\"specs\": 121')",
        "UPDATE verdict SET tag = zeroblob(32)",
        "UPDATE verdict SET tag = ''",
        "UPDATE verdict SET folders = 'f' || folders",
        "UPDATE verdict SET body = '{}'",
        "UPDATE verdict SET circumstances = circumstances || ' '",
        "DELETE FROM verdict",
    ],
)
def test_a_verdict_that_somebody_else_wrote_is_not_believed(judged: Checkout, counter: Counter, statement: str) -> None:
    database = sqlite3.connect(judged.path / INDEX)
    database.execute(statement)
    database.commit()
    database.close()
    both(judged, UNSIGNED)
    assert counter.whole == 1


@pytest.mark.parametrize("table", ["fact", "signal", "file", "document"])
def test_nothing_else_in_the_index_has_a_say(judged: Checkout, table: str) -> None:
    judged.run("query", "--at", "HEAD")
    database = sqlite3.connect(judged.path / INDEX)
    database.execute(f"DELETE FROM {table}")
    database.commit()
    database.close()
    path = next(path for path in sorted(judged.path.glob("registry/nodes/**/*.yaml")) if "signal: " in path.read_text())
    path.write_text(path.read_text().replace("signal: ", "signal: nobody_sends_", 1))
    judged.commit("worse")
    assert "G001" in {item.code for item in both(judged, UNSIGNED).findings}


def test_a_work_tree_that_changes_while_it_is_judged_leaves_no_verdict_about_its_commit(
    grown: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor saves, or a checkout happens, between the comparison with the commit and the judgement."""
    path = some_node(random.Random(5), grown)
    good = path.read_text()
    path.write_text(good.replace("tier: ", "tier: 7", 1))
    grown.commit("broken")

    def saved(*arguments: Any, **options: Any) -> Report:
        path.write_text(good)
        return judge(*arguments, **options)

    monkeypatch.setattr(verdict_cache, "judge", saved)
    opened = Registry.open(grown.path)
    now, environment = datetime.now(UTC), grown.environment
    report = judge_anew(opened, opened.at(), selection=UNSIGNED, now=now, environment=environment)
    assert report.errors, "what was compared is what is judged"
    assert both(grown, UNSIGNED).errors
    assert not both(grown, UNSIGNED, at=None).errors


def test_a_commit_that_is_gone_is_no_hindrance(judged: Checkout, counter: Counter) -> None:
    judged.git("checkout", "-q", "--orphan", "fresh")
    reworded(random.Random(9), judged)
    judged.commit("elsewhere")
    judged.git("branch", "-q", "-D", "main")
    judged.git("reflog", "expire", "--expire=now", "--all")
    judged.git("gc", "-q", "--prune=now")
    assert both(judged, UNSIGNED).findings == ()
    assert counter.whole == 1


@pytest.mark.parametrize("where", ["registry/tombstones", "registry/nodes", "schemas"])
def test_a_link_in_a_folders_place_is_seen(judged: Checkout, where: str) -> None:
    both(judged, UNSIGNED)
    place = judged.path / where
    if place.exists():
        place.rename(judged.path / "elsewhere")
    place.symlink_to("../elsewhere")
    judged.git("add", "-A")
    judged.git("commit", "-q", "-m", "a link")
    assert both(judged, UNSIGNED).findings


def test_a_name_that_stands_twice_in_a_tree_is_seen(judged: Checkout) -> None:
    both(judged, UNSIGNED)
    registry = Repository(judged.path)
    inside = [line.split(maxsplit=3) for line in judged.git("ls-tree", "HEAD:registry").splitlines()]
    twice = [
        (mode.lstrip("0"), name.encode(), oid) for mode, _, oid, name in inside for _ in range(1 + (name == "nodes"))
    ]
    made = registry.raw_tree(*twice)
    above = [line.split(maxsplit=3) for line in judged.git("ls-tree", "HEAD").splitlines()]
    tree = registry.raw_tree(
        *((mode.lstrip("0"), name.encode(), made if name == "registry" else oid) for mode, _, oid, name in above)
    )
    registry.commit_tree(tree)
    assert "T007" in {item.code for item in both(judged, UNSIGNED, at="main").findings}
    both(judged, UNSIGNED, at=None)
    assert "T007" in {item.code for item in both(judged, UNSIGNED, at="main").findings}


def test_another_user_believes_nothing_of_it(judged: Checkout, counter: Counter, tmp_path: Path) -> None:
    elsewhere = Checkout(judged.path, judged.environment | {"NODESPEC_HOME": str(tmp_path / "other")})
    both(elsewhere, UNSIGNED)
    assert counter.whole == 1


def test_a_secret_that_others_can_read_is_none(judged: Checkout, counter: Counter, home: dict[str, str]) -> None:
    key = next(iter((judged.path / home["NODESPEC_HOME"]).glob("recall.key")))
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    both(judged, UNSIGNED)
    assert counter.whole == 1


@pytest.mark.parametrize("selection", [ALL, Selection.parse(select=["G"]), Selection.parse(ignore=["P", "F001"])])
def test_another_question_has_another_verdict(judged: Checkout, counter: Counter, selection: Selection) -> None:
    both(judged, selection)
    assert counter.whole == 1


def test_time_passes_for_what_is_remembered(example: Checkout, counter: Counter) -> None:
    """A trust root that has expired since is found, though no file has changed."""
    assert both(example, ALL).findings == ()
    counter.whole = 0
    later = datetime.now(UTC) + timedelta(days=365 * 100)
    assert {item.slug for item in both(example, ALL, later).findings} == {"trust-root-expired"}
    assert {item.slug for item in both(example, ALL, later).findings} == {"trust-root-expired"}
    assert both(example, ALL).findings == ()
    assert counter.whole == 0


def test_what_decides_about_everybody_is_judged_with_everybody(example: Checkout, counter: Counter) -> None:
    both(example, ALL)
    for path in sorted(example.path.glob("registry/**/*")):
        inside = path.relative_to(example.path).as_posix()
        if path.is_file() and not inside.startswith(("registry/nodes", "registry/tombstones")):
            counter.whole = 0
            path.write_bytes(path.read_bytes() + b"\n")
            example.commit(inside)
            both(example, ALL)
            assert counter.whole == 1, inside
            example.git("reset", "-q", "--hard", "HEAD~1")


def test_the_command_says_the_same_with_and_without(judged: Checkout) -> None:
    for arguments in ((), ("--format", "json"), ("--select", "G"), ("--ignore", "P")):
        command = ("validate", "--at", "HEAD", *arguments)
        first, second, plain = judged.run(*command), judged.run(*command), judged.run(*command, "--no-index")
        assert (first.stdout, first.returncode) == (plain.stdout, plain.returncode)
        assert (second.stdout, second.returncode) == (plain.stdout, plain.returncode)


def test_a_home_next_to_us_is_one(judged: Checkout, counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(judged.path.parent)
    nearby = Checkout(judged.path, {"NODESPEC_HOME": "nearby"})
    both(nearby, UNSIGNED)
    assert (judged.path.parent / "nearby" / "recall.key").is_file()
    counter.whole = 0
    both(nearby, UNSIGNED)
    assert counter.whole == 0


def test_without_a_home_everything_is_judged(judged: Checkout, counter: Counter) -> None:
    nowhere = judged.path / "registry/registry.yaml"  # a file: no folder can be made there
    both(Checkout(judged.path, {"NODESPEC_HOME": str(nowhere)}), UNSIGNED)
    assert counter.whole == 1


def test_a_work_tree_is_judged_by_its_bytes_whatever_git_was_told(judged: Checkout) -> None:
    """Neither a filter, nor an ignored path, nor a file that Git is told not to look at hides a change."""
    both(judged, UNSIGNED)
    path = some_node(random.Random(3), judged)
    inside = path.relative_to(judged.path).as_posix()
    judged.git("update-index", "--assume-unchanged", inside)
    (judged.path / ".gitignore").write_text("*.yaml\n")
    (judged.path / ".gitattributes").write_text("*.yaml text eol=lf\n")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert {item.code for item in both(judged, UNSIGNED, at=None).findings} == {"F004"}
    path.write_text(path.read_text().replace("lane: ", "lane: x", 1))
    path.with_name("extra.yaml").write_text("a: 1\n")
    found = both(judged, UNSIGNED, at=None).findings
    assert {item.path for item in found} >= {inside, inside.rpartition("/")[0] + "/extra.yaml"}


def test_a_protected_file_beside_the_registry_is_looked_at_in_the_work_tree(
    example: Checkout, counter: Counter, published: dict[str, str]
) -> None:
    """It is no file that a tree lists, and it is sealed all the same: what HEAD holds says nothing about it."""
    example.write(".gitattributes", "*.yaml text\n")
    assert example.run("seal", **published).returncode == 0
    example.commit("sealed")
    both(example, ALL)
    assert both(example, ALL, at=None).findings == ()
    counter.whole = 0
    for text in ("*.yaml text eol=crlf\n", "*.yaml text eol=lf\n"):
        example.write(".gitattributes", text)
        assert [item.code for item in both(example, ALL, at=None).findings] == ["P031"], text
    example.git("checkout", "-q", ".")
    assert both(example, ALL, at=None).findings == ()
    assert both(example, ALL).findings == ()
    assert counter.whole == 0


# The work that is done.


@dataclass
class Work:
    """What a judgement took: specs that were parsed, folders that were read, what was sent to programs each time,
    statements of SQL, and programs that were started."""

    specs: list[bytes] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    programs: list[Child] = field(default_factory=list)


def work_of(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Judge HEAD by memory, and find nothing; return what that took."""
    work, parse, read, begin, send = Work(), document.parse, CommitTree._read_object, Child.__init__, Child.send
    opened = Registry.open(checkout.path)
    assert opened.store is not None
    opened.store.trace(work.statements.append)
    with monkeypatch.context() as patch:
        patch.setattr(document, "parse", lambda data: work.specs.append(data) or parse(data))
        patch.setattr(
            CommitTree, "_read_object", lambda tree, oid, kind: work.folders.append(oid) or read(tree, oid, kind)
        )
        patch.setattr(Child, "send", lambda own, data: work.sent.append(data) or send(own, data))
        patch.setattr(Child, "__init__", lambda own, *a, **k: work.programs.append(own) or begin(own, *a, **k))
        report = judge_anew(
            opened, opened.at("HEAD"), selection=UNSIGNED, now=datetime.now(UTC), environment=checkout.environment
        )
    assert report.findings == ()
    assert report.specs == len(list(checkout.path.glob("registry/nodes/**/*.yaml")))
    work.specs = [data for data in work.specs if b"node_type" in data]
    return work


def a_twin_comes(rng: random.Random, checkout: Checkout) -> None:
    path = some_node(rng, checkout)
    twin = path.with_name(f"{path.stem}-zz9.yaml")
    twin.write_text(path.read_text().replace(f"name: {path.stem}", f"name: {path.stem}-zz9", 1))


def the_twin_goes(_rng: random.Random, checkout: Checkout) -> None:
    next(iter(checkout.path.glob("registry/nodes/**/*-zz9.yaml"))).unlink()


@pytest.mark.parametrize("nodes", [60, 600])
def test_a_commit_of_one_file_costs_what_it_was_and_what_it_is_whatever_the_size(
    tmp_path: Path, home: dict[str, str], nodes: int, monkeypatch: pytest.MonkeyPatch, counter: Counter
) -> None:
    generate(tmp_path / "registry", Population(seed=3, nodes=nodes, types=8), 1)
    registry = Checkout(tmp_path / "registry", home)
    assert registry.run("query", "--signal", "nothing").returncode == 4  # so that there is an index
    both(registry, UNSIGNED)
    counter.whole = 0
    for happening, specs in ((a_twin_comes, 1), (reworded, 2), (the_twin_goes, 1)):
        happening(random.Random(2), registry)
        registry.commit("one file")
        work = work_of(registry, monkeypatch)
        assert len(work.specs) == specs, "what it was, and what it is"
        assert len(work.statements) <= 25, work.statements
        assert len(work.programs) <= 2, "git, for objects, and the sandbox, for policies"
        assert len(work.folders) <= 40, "the folders on the way to the file, in both commits, and of the settings"
    assert counter.whole == 0


def test_what_is_read_together_is_asked_for_at_once(
    tmp_path: Path, home: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question to git is a round trip: a commit of ten files in ten folders takes hardly more than one of one."""
    generate(tmp_path / "registry", Population(seed=3, nodes=200, types=40), 1)
    registry = Checkout(tmp_path / "registry", home)
    assert registry.run("query", "--signal", "nothing").returncode == 4  # so that there is an index
    both(registry, UNSIGNED)
    firsts = [sorted(folder.glob("*.yaml"))[:1] for folder in sorted(registry.path.glob("registry/nodes/**/"))]
    chosen = [path for found in firsts for path in found][:10]
    assert len(chosen) == 10
    trips = []
    for paths in (chosen[:1], chosen):
        for path in paths:
            path.write_text(path.read_text() + "# a change\n")
        registry.commit(f"{len(paths)} files")
        work = work_of(registry, monkeypatch)
        assert len(work.specs) == 2 * len(paths)
        trips.append(len(work.sent))
    assert trips[1] <= trips[0] + 2, trips
    assert trips[1] <= 16, trips


def test_a_newcomer_costs_what_a_node_costs(example: Checkout, counter: Counter, tmp_path: Path) -> None:
    """An owner who comes with a first node is judged with it, and with nobody else."""
    lab = Lab.found(tmp_path / "registry")
    checkout = Checkout(lab.repository.path, example.environment)
    both(checkout, ALL, at=lab.base)
    counter.whole = 0
    people = lab.fork()
    people.register("lab.guest/first_v1", by=people.join("A guest"), emits=("rain_fell",))
    assert both(checkout, ALL, at=lab.act(people)).findings == ()
    assert counter.whole == 0


def test_an_owner_who_was_missed_makes_everything_be_judged(
    example: Checkout, counter: Counter, tmp_path: Path
) -> None:
    """A node came before its owner; when the owner comes, what was wrong with the node is wrong no more."""
    lab = Lab.found(tmp_path / "registry")
    checkout = Checkout(lab.repository.path, example.environment)
    both(checkout, ALL, at=lab.base)
    people = lab.fork()
    guest = people.join("A guest")
    people.register("lab.guest/first_v1", by=guest)
    alone = lab.changes(people)
    record = alone.pop(guest.path())
    early = lab.commit(alone, lab.base)
    assert {item.slug for item in both(checkout, ALL, at=early).findings} == {"owner-unknown"}
    assert both(checkout, ALL, at=lab.commit({guest.path(): record}, early)).findings == ()


def heard_of_one(checkout: Checkout) -> tuple[Path, str]:
    """Return a node and the one signal that it sends, which somebody hears and nobody else sends."""
    registry = Registry.open(checkout.path, index=False).at("HEAD")
    senders: dict[str, list[NodeSpec]] = {}
    for node in registry:
        for emit in node.emits:
            senders.setdefault(emit.name, []).append(node)
    heard = {item.signal for node in registry for item in node.subscribes}
    for signal, nodes in sorted(senders.items()):
        if signal in heard and len(nodes) == 1 and len(nodes[0].emits) == 1:
            return checkout.path / nodes[0].path, signal
    raise AssertionError("every node sends several signals")


def test_a_tombstone_is_followed_with_what_it_leaves(grown: Checkout, counter: Counter) -> None:
    """While a tombstone says that its signals may dangle, they may; when it is gone, they may not."""
    both(grown, UNSIGNED)
    path, signal = heard_of_one(grown)
    stone = bury(grown, path, signal)
    path.unlink()
    grown.commit("buried")
    assert both(grown, UNSIGNED).findings == ()
    stone.unlink()
    grown.commit("the stone is gone")
    assert any(signal in item.message for item in both(grown, UNSIGNED).findings if item.code == "G001")
    assert counter.whole == 1


def test_a_name_that_looks_like_another_is_found_where_it_stands_now(grown: Checkout, counter: Counter) -> None:
    path = some_node(random.Random(4), grown)
    path.with_name(f"{path.stem}x.yaml").write_text(path.read_text().replace(path.stem, f"{path.stem}x", 1))
    grown.commit("two names")
    (found,) = both(grown, UNSIGNED).findings
    assert found.code == "G003"
    path = grown.path / found.path
    path.write_text(f"# A line more.\n{path.read_text()}")
    grown.commit("one line further down")
    assert [item.line for item in both(grown, UNSIGNED).findings] == [found.line + 1]
    assert counter.whole == 1


def test_a_node_at_the_wrong_path_looks_like_those_at_the_right_one(grown: Checkout, counter: Counter) -> None:
    both(grown, UNSIGNED)
    path = some_node(random.Random(4), grown)
    astray = path.parent.parent / "elsewhere" / path.name
    astray.parent.mkdir()
    astray.write_text(path.read_text().replace(f"name: {path.stem}", f"name: {path.stem}x", 1))
    grown.commit("astray")
    assert {item.code for item in both(grown, UNSIGNED).findings} >= {"N001", "G003"}
    assert counter.whole == 1


def test_what_only_the_commit_below_has_is_nobody_s_neighbour(grown: Checkout, counter: Counter) -> None:
    """HEAD, which was never judged, buries a node; the work tree has neither the node nor its tombstone."""
    both(grown, UNSIGNED)
    path, signal = heard_of_one(grown)
    stone = bury(grown, path, signal)
    path.unlink()
    grown.commit("buried")
    stone.unlink()
    assert any(signal in item.message for item in both(grown, UNSIGNED, at=None).findings if item.code == "G001")
    assert counter.whole == 1
