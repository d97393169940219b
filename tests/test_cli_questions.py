"""`query`, `show`, `log`, `diff`, `graph` through real processes, at checkouts and commits."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from nodespec import document
from tests.conftest import ADAPTER, ADAPTER_FILE, NODESPEC, Checkout, as_mere_owner

if TYPE_CHECKING:
    from pathlib import Path


def ids(done_stdout: str) -> list[str]:
    return done_stdout.split()


def test_a_query_returns_a_registered_node_by_signal_name(example: Checkout) -> None:
    done = example.run("query", "--emits", "memory_stored", "--format", "ids")
    assert (done.returncode, ids(done.stdout)) == (0, [ADAPTER])


def test_filters_combine_with_and(example: Checkout) -> None:
    both = example.run("query", "--signal", "memory_stored", "--lane", "products", "--format", "ids")
    assert ADAPTER in ids(both.stdout)
    narrower = example.run("query", "--signal", "memory_stored", "--lane", "core", "--format", "ids")
    assert ids(narrower.stdout) == ["matriz.memory.eraser/forgetting_keeper_v1"]
    twice = example.run("query", "--signal", "memory_stored", "--signal", "kernel_tick", "--format", "ids")
    assert ids(twice.stdout) == ["matriz.dream.processor/lucid_weaver_v1"]


def test_capabilities_match_by_segment_and_deny_wins(example: Checkout) -> None:
    assert ADAPTER in example.run("query", "--capability", "read:memory/episodic", "--format", "ids").stdout
    assert ADAPTER not in example.run("query", "--capability", "read:memory/sealed/x", "--format", "ids").stdout
    assert example.run("query", "--capability", "read:mem").returncode == 4


@pytest.mark.parametrize(
    "question",
    [
        ["--lane", "prod"],
        ["--tier", "high"],
        ["--tier", "8"],
        ["--owner", "someone"],
        ["--capability", "read everything"],
        ["--signal", "Not A Signal"],
        ["--type", "*.memory"],
        ["--text", " "],
        ["--colour", "red"],
        ["stray"],
    ],
    ids=" ".join,
)
def test_a_filter_that_means_nothing_is_an_error_and_never_everything(example: Checkout, question: list[str]) -> None:
    done = example.run("query", *question)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") >= 2


def test_no_match_ends_with_4_and_suggests_the_near_signal(example: Checkout) -> None:
    done = example.run("query", "--signal", "memory_stord")
    assert done.returncode == 4
    assert "did you mean memory_stored?" in done.stderr


@pytest.mark.parametrize("question", [["--owner", "GLYMPH:09292fad"], ["--owner", "09292fad"], ["--role", "recall"]])
def test_owner_prefixes_and_roles(example: Checkout, question: list[str]) -> None:
    assert ADAPTER in example.run("query", *question, "--format", "ids").stdout


def test_tiers_types_and_text(example: Checkout) -> None:
    high = ids(example.run("query", "--tier", ">=6", "--format", "ids").stdout)
    assert high
    assert high == [
        node["id"]
        for node in json.loads(example.run("query", "--format", "json").stdout)
        if node["spec"]["identity"]["tier"] >= 6
    ]
    memory = ids(example.run("query", "--type", "matriz.memory.*", "--format", "ids").stdout)
    assert memory
    assert all(name.startswith("matriz.memory.") for name in memory)
    assert example.run("query", "--type", "matriz.memory").returncode == 4
    assert ADAPTER in example.run("query", "--text", "EPISODIC", "--format", "ids").stdout


def test_every_format_tells_the_same_nodes(example: Checkout) -> None:
    names = ids(example.run("query", "--format", "ids").stdout)
    assert len(names) >= 16
    assert [node["id"] for node in json.loads(example.run("query", "--format", "json").stdout)] == names
    lines = example.run("query", "--format", "ndjson").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == names
    documents = list(yaml.safe_load_all(example.run("query", "--format", "yaml").stdout))
    assert [f"{item['node_type']}/{item['metadata']['name']}" for item in documents] == names
    table = example.run("query").stdout
    assert all(name in table for name in names)


def test_yaml_output_is_within_the_profile_and_says_the_same(example: Checkout) -> None:
    for name in ids(example.run("query", "--format", "ids").stdout)[:6]:
        shown = example.run("show", name, "--format", "yaml").stdout
        parsed = document.parse(shown.encode())
        assert parsed.problems == ()
        assert parsed.value == json.loads(example.run("show", name, "--format", "json").stdout)["spec"]


def test_time_travel_by_revision_and_by_date(example: Checkout) -> None:
    example.git("rm", "-q", ADAPTER_FILE)
    example.commit("retire it", date="2026-03-01T09:00:00Z")
    assert example.run("query", "--emits", "memory_stored").returncode == 4
    for moment in ("HEAD~1", "2026-02-28", "2026-03-01T08:59:59Z", "main~1"):
        done = example.run("query", "--emits", "memory_stored", "--at", moment, "--format", "ids")
        assert ids(done.stdout) == [ADAPTER], moment
    assert example.run("query", "--emits", "memory_stored", "--at", "2026-03-01").returncode == 4
    assert example.run("query", "--at", "2025-12-31").returncode == 2
    assert example.run("query", "--at", "2026-02-31").returncode == 2


def test_an_answer_that_may_be_incomplete_ends_with_3(example: Checkout) -> None:
    example.write("registry/nodes/matriz/memory/adapter/broken_v1.yaml", "node_type: [\n")
    done = example.run("query", "--emits", "memory_stored", "--format", "ids")
    assert done.returncode == 3
    assert ids(done.stdout) == [ADAPTER]
    assert "broken_v1.yaml:1: " in done.stderr
    assert "may be incomplete" in done.stderr


def test_show_tells_whom_a_node_talks_to(example: Checkout) -> None:
    done = example.run("show", ADAPTER)
    assert done.returncode == 0
    assert "matriz.memory.index/associative_index_v1" in done.stdout
    assert "percept_formed ← matriz.perception.fusion/percept_weaver_v1" in done.stdout


def test_show_of_a_name_that_is_not_there_suggests_one(example: Checkout) -> None:
    done = example.run("show", "matriz.memory.adaptor/memoria_adapter_v1")
    assert done.returncode == 2
    assert f"did you mean {ADAPTER}?" in done.stderr


def test_log_lists_the_versions_in_words_newest_first(example: Checkout) -> None:
    example.replace(ADAPTER_FILE, "version: 1.4.0", "version: 1.5.0")
    example.replace(ADAPTER_FILE, "tier: 5", "tier: 6")
    example.commit("raise it", date="2026-02-01T12:00:00Z")
    example.git("mv", ADAPTER_FILE, "elsewhere.yaml")
    example.commit("retire it", date="2026-03-01T12:00:00Z")
    done = example.run("log", ADAPTER)
    assert done.returncode == 0
    heads = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert ["removed (was 1.5.0)" in heads[0], "1.4.0 → 1.5.0" in heads[1], "added 1.4.0" in heads[2]] == [True] * 3
    assert "    tier raised from 5 to 6" in done.stdout
    rows = json.loads(example.run("log", ADAPTER, "--format", "json").stdout)
    assert [row["kind"] for row in rows] == ["removed", "changed", "added"]
    assert len(example.run("log", ADAPTER, "-n", "1", "--format", "ndjson").stdout.splitlines()) == 1


def test_log_follows_what_was_admitted_not_every_draft(example: Checkout) -> None:
    example.git("checkout", "-q", "-b", "work")
    example.replace(ADAPTER_FILE, "version: 1.4.0", "version: 1.4.1")
    example.commit("draft")
    example.replace(ADAPTER_FILE, "version: 1.4.1", "version: 1.5.0")
    example.commit("final")
    example.git("checkout", "-q", "main")
    example.git("merge", "-q", "--no-ff", "-m", "Admit 1.5.0", "work")
    rows = json.loads(example.run("log", ADAPTER, "--format", "json").stdout)
    assert [(row["before"], row["after"]) for row in rows] == [("1.4.0", "1.5.0"), (None, "1.4.0")]


def test_log_of_a_shallow_clone_says_that_history_is_cut(example: Checkout, tmp_path: Path) -> None:
    example.replace(ADAPTER_FILE, "version: 1.4.0", "version: 1.5.0")
    example.commit("raise it")
    example.git("clone", "-q", "--depth", "1", f"file://{example.path}", str(tmp_path / "shallow"))
    shallow = Checkout(tmp_path / "shallow", example.environment)
    done = shallow.run("log", ADAPTER)
    assert done.returncode == 0
    assert "shallow" in done.stderr
    assert "1.5.0, the oldest version in this shallow clone" in done.stdout
    assert shallow.run("validate", "--at", "HEAD", "--ignore", "P,L").returncode == 0
    assert "--unshallow" in shallow.run("query", "--at", "HEAD~1").stderr


def test_diff_speaks_of_nodes_and_fields(example: Checkout) -> None:
    example.replace(ADAPTER_FILE, "version: 1.4.0", "version: 1.5.0")
    example.replace(ADAPTER_FILE, "- name: memory_recalled", "- name: memory_remembered")
    example.git("rm", "-q", "registry/nodes/matriz/gateway/console/operator_console_v0.yaml")
    example.commit("changes")
    done = example.run("diff", "HEAD~1", "HEAD")
    assert done.returncode == 0
    assert f"~ {ADAPTER} (1.4.0 → 1.5.0)" in done.stdout
    assert "    no longer emits memory_recalled" in done.stdout
    assert "    now emits memory_remembered" in done.stdout
    assert "- matriz.gateway.console/operator_console_v0" in done.stdout
    assert "0 added, 1 changed, 1 removed" in done.stdout
    assert example.run("diff", "HEAD").returncode == 4
    assert len(json.loads(example.run("diff", "HEAD~1", "--format", "json").stdout)) == 2


@pytest.mark.parametrize("form", ["mermaid", "dot", "json"])
def test_graph_draws_every_edge(example: Checkout, form: str) -> None:
    whole = example.run("graph", "--format", form).stdout
    around = example.run("graph", ADAPTER, "--format", form).stdout
    assert "memory_stored" in around
    assert "speech_heard" in whole
    assert "speech_heard" not in around
    if form == "json":
        edges = json.loads(whole)["edges"]
        edge = {"from": ADAPTER, "signal": "memory_stored", "to": "matriz.memory.index/associative_index_v1"}
        assert edge in edges
        assert {"from": None, "signal": "solar_weather_changed", "to": "matriz.gateway.relay/orbital_relay_v1"} in edges


def test_a_registry_that_the_work_tree_no_longer_holds_can_still_be_asked(example: Checkout) -> None:
    example.git("rm", "-q", "-r", "registry", "schemas")
    example.commit("gone")
    assert example.run("query").returncode == 2
    assert ADAPTER in example.run("query", "--at", "HEAD~1", "--format", "ids").stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("show matriz.memory.a", ADAPTER),
        ("query --signal memory_st", "memory_stored"),
        ("explain N00", "N001"),
        ("val", "validate"),
    ],
)
def test_the_shell_completes_commands_ids_and_signals(example: Checkout, words: str, expected: str) -> None:
    parts = ["nodespec", *words.split()]
    done = example.run(_NODESPEC_COMPLETE="bash_complete", COMP_WORDS=" ".join(parts), COMP_CWORD=str(len(parts) - 1))
    assert expected in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_printed(example: Checkout, shell: str) -> None:
    done = example.run("completion", shell)
    assert done.returncode == 0
    assert "_NODESPEC_COMPLETE" in done.stdout


@pytest.mark.parametrize("option", [["--lane", "core"], ["--tier", "4"], ["--owner", "09292fad"], ["--text", "x"]])
def test_a_filter_of_one_value_given_twice_is_an_error(example: Checkout, option: list[str]) -> None:
    done = example.run("query", *option, *option)
    assert done.returncode == 2
    assert f"{option[0]} is given 2 times" in done.stderr


@pytest.mark.parametrize("hiding", ["a linked folder", "a submodule", "another suffix", "a locked folder"])
def test_nothing_that_may_hide_a_node_is_left_out_silently(example: Checkout, hiding: str) -> None:
    folder = example.path / "registry/nodes/matriz/kernel"
    owner: list[str] = []
    if hiding == "a linked folder":
        folder.rename(example.path / "elsewhere")
        folder.symlink_to("../../../elsewhere")
    elif hiding == "a submodule":
        example.git("init", "-q", str(folder))
    elif hiding == "another suffix":
        (folder / "pulse_v1.yaml").rename(folder / "pulse_v1.yml")
    else:
        owner = as_mere_owner()
        folder.chmod(0)
    done = subprocess.run(
        [*owner, NODESPEC, "query", "--signal", "kernel_tick"], cwd=example.path, capture_output=True, text=True
    )
    folder.chmod(0o755)
    assert done.returncode == 3, done.stderr
    assert "the answer may be incomplete: registry/nodes/matriz/kernel" in done.stderr


def test_a_tree_that_names_a_node_twice_is_no_complete_answer(example: Checkout) -> None:
    blob = example.git("rev-parse", f"HEAD:{ADAPTER_FILE}")
    twice = f"100644 blob {blob}\tmemoria_adapter_v1.yaml\n" * 2
    tree = example.git_input("mktree", text=twice)
    for name in ("adapter", "memory", "matriz", "nodes", "registry"):
        tree = example.git_input("mktree", text=f"040000 tree {tree}\t{name}\n")
    commit = example.git("commit-tree", "-m", "twice", tree)
    done = example.run("query", "--at", commit)
    assert done.returncode == 3
    assert "the tree names this twice" in done.stderr


def test_a_registry_below_another_repository_is_not_mistaken_for_it(example: Checkout) -> None:
    assert example.run("init", "acme").returncode == 0
    inner = Checkout(example.path / "acme", example.environment)
    assert inner.run("query").returncode == 4
    assert inner.run("query", "--at", "HEAD").returncode == 2
    inner.commit("first")
    assert inner.run("query", "--at", "HEAD").returncode == 4
    example.git("clone", "-q", "--bare", str(inner.path), "mirror.git")
    assert "commit" in example.run("query", "--repo", "mirror.git").stderr
    (example.path / "plain").mkdir()
    plain = Checkout(example.path / "plain", example.environment)
    plain.git("init", "-q")
    assert plain.run("query").returncode == 2


def test_a_registry_that_is_not_the_top_of_its_repository_has_no_commits_of_its_own(empty: Checkout) -> None:
    empty.git("init", "-q")
    empty.write("sub/registry/registry.yaml", "schema_version: registry.v1\nregistry_id: sub\n")
    empty.commit()
    done = empty.run("validate", "--at", "HEAD", "--repo", "sub")
    assert done.returncode == 2
    assert "is not the top of its Git repository" in done.stderr


def test_hostile_commit_headers_do_not_stop_the_reader(example: Checkout) -> None:
    head = example.git("rev-parse", "HEAD")
    tree = example.git("rev-parse", "HEAD^{tree}")
    for header in ("encoding nonsense", "encoding UTF-8"):
        for time in ("1700000000 +0000", "-5000000000000 +0000", "99999999999999999 +0000"):
            text = f"tree {tree}\nparent {head}\nauthor A <a@b> {time}\ncommitter A <a@b> {time}\n{header}\n\nm\n"
            commit = example.git_input("hash-object", "-t", "commit", "--literally", "-w", "--stdin", text=text)
            assert example.run("query", "--at", commit).returncode in (0, 2), header
            assert example.run("log", ADAPTER, "--at", commit).returncode in (0, 2), header
