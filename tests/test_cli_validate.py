"""`nodespec validate` through real processes: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from jsonschema import Draft7Validator

from tests.conftest import ADAPTER_FILE, NODESPEC, ROOT, Checkout

REPORT_SCHEMA = json.loads((ROOT / "schemas" / "report.v1.schema.json").read_text())


def test_the_example_registry_is_clean_and_says_what_was_not_judged(example: Checkout) -> None:
    done = example.run("validate")
    assert done.returncode == 0
    assert "no findings in" in done.stdout
    assert "judged: T tree, F format, S schema, N node, P provenance, G graph, L policy, W waivers" in done.stdout
    assert "not run: C change" in done.stdout
    assert "matriz.example is an example registry" in done.stderr


def test_a_mistake_is_shown_with_its_line_a_caret_and_the_remedy(example: Checkout) -> None:
    example.replace(ADAPTER_FILE, "lane: products", "lane: product")
    done = example.run("validate")
    assert done.returncode == 1
    assert 'identity.lane is "product"; expected one of candidate, core, lukhas, products' in done.stdout
    lines = done.stdout.splitlines()
    row = next(number for number, line in enumerate(lines) if "lane: product" in line and "|" in line)
    assert lines[row + 1].rstrip().endswith("^" * len("product"))
    assert lines[row + 1].index("^") == lines[row].index("product")
    assert f"{ADAPTER_FILE}:" in done.stdout
    assert "did you mean products?" in done.stdout
    assert "nodespec explain S004" in done.stdout


def test_json_follows_its_schema(example: Checkout) -> None:
    example.replace(ADAPTER_FILE, "lane: products", "lane: product")
    done = example.run("validate", "--format", "json")
    report = json.loads(done.stdout)
    jsonschema.validate(report, REPORT_SCHEMA)
    (finding,) = [item for item in report["findings"] if item["code"] == "S004"]
    assert finding["pointer"] == "/identity/lane"
    assert finding["path"] == ADAPTER_FILE
    assert finding["line"] == 1 + example.read(ADAPTER_FILE).split("\n").index("  lane: product")
    assert report["summary"]["families"]["P"] == {"name": "provenance", "status": "not run on everything"}
    assert report["summary"]["families"]["C"] == {"name": "change", "status": "not run"}
    assert report["summary"]["exit_code"] == done.returncode == 1


def test_a_commit_is_judged_by_its_own_objects(example: Checkout) -> None:
    example.replace(ADAPTER_FILE, "lane: products", "lane: product")
    assert example.run("validate", "--at", "HEAD").returncode == 0
    bad = example.commit("break it")
    example.git("checkout", "-q", "HEAD~1")
    assert example.run("validate").returncode == 0
    done = example.run("validate", "--at", bad)
    assert done.returncode == 1
    assert f"commit {bad[:10]}" in done.stdout


def test_a_bare_repository_is_judged_at_head(example: Checkout, tmp_path: Path) -> None:
    example.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    done = example.run("validate", "--repo", str(tmp_path / "bare.git"))
    assert done.returncode == 0
    assert "no findings" in done.stdout


def test_one_file_is_judged_in_the_light_of_the_whole(example: Checkout) -> None:
    example.replace(ADAPTER_FILE, "signal: percept_formed", "signal: percept_formd")
    done = example.run("validate", ADAPTER_FILE, "--ignore", "P,L", "--format", "json")
    assert [item["code"] for item in json.loads(done.stdout)["findings"]] == ["G001"]
    other = "registry/nodes/matriz/kernel/pulse_v1.yaml"
    assert example.run("validate", other).returncode == 0


def test_one_file_of_a_newcomer_is_judged_beside_all_the_others(example: Checkout) -> None:
    console = "registry/nodes/matriz/gateway/console/operator_console_v0.yaml"
    text = re.sub("GLYMPH:[0-9a-f]{64}", "GLYMPH:" + "5" * 64, example.read(console))
    files = [f"registry/nodes/lab/console/own_v{number}.yaml" for number in range(4)]
    for number, file in enumerate(files):
        own = text.replace("matriz.gateway.console", "lab.console").replace("operator_console_v0", f"own_v{number}")
        example.write(file, own)
        done = example.run("validate", "--select", "P027", files[0])
        assert ("error[P027] newcomer-quota" in done.stdout) is (number == 3), "three are open to newcomers"


def test_paths_are_relative_to_the_current_folder(example: Checkout) -> None:
    inside = Checkout(example.path / "registry" / "nodes", example.environment)
    assert inside.run("validate", "matriz/memory").returncode == 0
    assert inside.run("validate", "nowhere").returncode == 2


def test_standard_input_is_judged_as_a_spec_by_itself(example: Checkout, empty: Checkout) -> None:
    spec = (ROOT / ADAPTER_FILE).read_bytes()
    done = example.run("validate", "-", stdin=spec)
    assert done.returncode == 0
    assert "judged: F format, S schema, N node" in done.stdout
    assert example.run("validate", "-", stdin=spec.replace(b"tier: 5", b"tier: 9")).returncode == 1


def test_standard_input_needs_no_registry_but_says_what_it_could_not_judge(empty: Checkout) -> None:
    done = empty.run("validate", "-", stdin=(ROOT / ADAPTER_FILE).read_bytes())
    assert done.returncode == 0
    assert "N node" in next(line for line in done.stdout.splitlines() if line.startswith("not run"))


def test_a_draft_outside_the_registry_is_judged_by_itself(example: Checkout, tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_bytes((ROOT / ADAPTER_FILE).read_bytes().replace(b"tier: 5", b"tier: 9"))
    done = example.run("validate", str(draft))
    assert done.returncode == 1
    assert "expected at most 7" in done.stdout


def test_what_matched_nothing_ends_with_4_and_what_is_not_there_with_2(example: Checkout) -> None:
    (example.path / "registry" / "nodes" / "vacant").mkdir()
    assert example.run("validate", "registry/nodes/vacant").returncode == 4
    assert example.run("validate", "registry/nodes/missing.yaml").returncode == 2


def test_families_and_codes_are_selected_and_ignored(example: Checkout) -> None:
    example.replace(ADAPTER_FILE, "lane: products", "lane: product")
    for ignored in ("S", "s004,T", "value-not-allowed", "F,S"):
        done = example.run("validate", "--ignore", ignored)
        assert done.returncode == 3, "a spec that N never saw has not passed N"
        assert "N, P, G, L could not check every file" in done.stderr
    assert example.run("validate", "--select", "N").returncode == 3
    assert example.run("validate", "--select", "P").returncode == 3
    assert example.run("validate", "--ignore", "S,N,P,G,L").returncode == 0
    assert example.run("validate", "--select", "T,F").returncode == 0
    done = example.run("validate", "--select", "S004")
    assert done.returncode == 1
    assert "ignored: T tree" in done.stdout
    assert example.run("validate", "--select", "Z9").returncode == 2


def test_a_family_that_cannot_run_alone_is_never_green(example: Checkout) -> None:
    done = example.run("validate", "--select", "C")
    assert done.returncode == 3
    assert "not judged" in done.stdout
    done = example.run("validate", "--select", "C", "--base", "HEAD")
    assert done.returncode == 0, "with a base, C can run"
    assert "judged: C change" in done.stdout


def test_warnings_fail_only_when_strict(example: Checkout) -> None:
    example.replace(ADAPTER_FILE, "timeout_ms: ", "timeout_ms: 1 # was ")
    done = example.run("validate", "--ignore", "P,L")
    assert "warning[N004]" in done.stdout
    assert done.returncode == 0
    assert example.run("validate", "--ignore", "P,L", "--strict").returncode == 1


def test_github_annotations_stop_at_ten_of_a_level_and_point_to_the_rest(example: Checkout) -> None:
    for number in range(12):
        example.write(f"registry/nodes/stray{number:02}.txt", "lost")
    done = example.run("validate", "--format", "github")
    annotations = [line for line in done.stdout.splitlines() if line.startswith("::error ")]
    assert len(annotations) == 10
    assert "2 more errors are not shown as annotations" in done.stdout
    assert annotations[0].startswith(
        "::error file=registry/nodes/stray00.txt,line=1,col=1,title=T001 unexpected-file::"
    )


def test_a_hostile_file_name_cannot_forge_output(example: Checkout) -> None:
    example.write("registry/nodes/evil\n::error file=x::forged\x1b[31m.yaml", "a: 1\n")
    for form in ("text", "github", "json", "sarif"):
        out = example.run("validate", "--format", form).stdout
        assert "\x1b" not in out
        assert not any(line.startswith("::error file=x") for line in out.splitlines())


def test_no_form_says_that_a_family_ran_which_did_not_see_everything(example: Checkout) -> None:
    example.write(ADAPTER_FILE, "a: [\n")
    done = example.run("validate")
    assert done.returncode == 1
    assert "not run on everything: S schema, N node" in done.stdout
    assert not re.search(r"^judged: .*schema", done.stdout, re.MULTILINE)
    families = json.loads(example.run("validate", "--format", "json").stdout)["summary"]["families"]
    assert families["S"]["status"] == families["N"]["status"] == "not run on everything"
    log = json.loads(example.run("validate", "--format", "sarif").stdout)
    assert "schema" in log["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    root = ET.fromstring(example.run("validate", "--format", "junit").stdout)
    for name in ("S schema", "N node"):
        suite = root.find(f"testsuite[@name='{name}']")
        assert suite is not None
        assert suite.attrib["skipped"] == "1"
        assert suite.find("testcase/skipped") is not None


def test_sarif_fulfils_its_schema(example: Checkout, sarif: Draft7Validator) -> None:
    assert [error.message for error in sarif.iter_errors({"version": "2.1.0", "runs": [{}]})], "it has something to say"
    sarif.validate(json.loads(example.run("validate", "--format", "sarif").stdout))
    example.replace(ADAPTER_FILE, "lane: products", "lane: product")
    example.write("registry/nodes/odd \x1b name\u202e.yml", "a: 1\r\n")
    (example.path / "registry" / "registry.yaml").unlink()
    for options in ((), ("--ignore", "T"), ("--select", "P")):
        done = example.run("validate", "--format", "sarif", *options)
        assert done.returncode in (1, 3), options
        sarif.validate(json.loads(done.stdout))


@pytest.mark.parametrize("form", ["json", "github", "gitlab", "junit", "sarif"])
def test_every_form_says_that_nothing_could_be_judged(example: Checkout, form: str, sarif: Draft7Validator) -> None:
    done = example.run("validate", "--at", "v9", "--format", form)
    assert done.returncode == 2
    assert "no commit is called" in done.stdout
    if form == "sarif":
        sarif.validate(json.loads(done.stdout))


def test_sarif_has_the_shape_that_code_scanning_reads(example: Checkout) -> None:
    example.replace(ADAPTER_FILE, "lane: products", "lane: product")
    log = json.loads(example.run("validate", "--format", "sarif").stdout)
    (run,) = log["runs"]
    result = next(item for item in run["results"] if item["ruleId"] == "S004")
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "S004"
    assert run["invocations"][0]["executionSuccessful"]
    assert "change" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == ADAPTER_FILE
    assert place["region"]["endColumn"] - place["region"]["startColumn"] == len("product")


@pytest.mark.parametrize(
    ("options", "counted"),
    [(["--ignore", "P"], {"S006": 5, "L005": 1}), ([], {"S006": 5, "P008": 245})],
    ids=["unsigned", "attestations, too"],
)
def test_several_processes_find_the_same_as_one(example: Checkout, options: list[str], counted: dict[str, int]) -> None:
    template = example.read("registry/nodes/matriz/gateway/console/operator_console_v0.yaml")
    for number in range(250):
        text = template.replace("name: operator_console_v0", f"name: copy_v{number}")
        if number % 50 == 0:
            text = text.replace("tier: 0", "tier: 8")
        example.write(f"registry/nodes/matriz/gateway/console/copy_v{number}.yaml", text)
    command = ["validate", *options, "--format", "json", "--jobs"]
    one, two = (example.run(*command, jobs) for jobs in ("1", "2"))
    assert Counter(item["code"] for item in json.loads(one.stdout)["findings"]) == counted
    assert one.stdout == two.stdout
    example.commit("many")
    at = example.run(*command, "2", "--at", "HEAD")
    assert json.loads(at.stdout)["findings"] == json.loads(one.stdout)["findings"]


def test_no_index_is_accepted(example: Checkout) -> None:
    assert example.run("validate", "--no-index").returncode == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("missing", "T008"),
        ("not json", "T010"),
        ("reaches out", "T010"),
    ],
)
def test_a_contract_that_cannot_be_used_is_a_finding_and_what_needs_it_is_not_run(
    example: Checkout, change: str, code: str
) -> None:
    schema = example.path / "schemas" / "nodespec.v1.schema.json"
    if change == "missing":
        schema.unlink()
    elif change == "not json":
        schema.write_text("{")
    else:
        fields = json.loads(schema.read_text()) | {"allOf": [{"$ref": "https://example.org/other.json"}]}
        schema.write_text(json.dumps(fields))
    done = example.run("validate", "--format", "json")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert [item["code"] for item in report["findings"]] == [code]
    assert {letter: report["summary"]["families"][letter]["status"] for letter in "SNG"} == dict.fromkeys(
        "SNG", "not run"
    )


def test_a_registry_cannot_widen_its_contract(example: Checkout) -> None:
    schema = example.path / "schemas" / "nodespec.v1.schema.json"
    schema.write_text('{"$schema": "https://json-schema.org/draft/2020-12/schema"}')
    example.replace(ADAPTER_FILE, "lane: products", "lane: product")
    assert "error[S004]" in example.run("validate").stdout


def test_a_registry_may_narrow_its_contract(example: Checkout) -> None:
    schema = example.path / "schemas" / "nodespec.v1.schema.json"
    fields = json.loads(schema.read_text())
    fields["required"].append("consent")
    schema.write_text(json.dumps(fields))
    assert 'missing key "consent"' in example.run("validate").stdout


def test_broken_settings_are_a_finding_and_what_needs_them_is_not_run(example: Checkout) -> None:
    example.replace("registry/registry.yaml", "registry_id:", "registry_name:")
    report = json.loads(example.run("validate", "--format", "json").stdout)
    assert {item["code"] for item in report["findings"]} >= {"S001"}
    assert report["summary"]["families"]["N"]["status"] == "not run"


def test_nothing_is_written_by_judging(example: Checkout) -> None:
    before = example.files()
    example.replace(ADAPTER_FILE, "lane: products", "lane: product")
    example.run("validate")
    example.replace(ADAPTER_FILE, "lane: product", "lane: products")
    assert example.files() == before
    assert example.git("status", "--porcelain") == ""


def test_a_reader_that_goes_away_is_no_error_message(example: Checkout) -> None:
    command = f"{NODESPEC} query --format yaml | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=example.path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "141\n"
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_an_interrupt_ends_with_130_and_one_line(example: Checkout) -> None:
    process = subprocess.Popen(
        [NODESPEC, "validate", "-"],
        cwd=example.path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    # It has opened standard input once its own process group answers; SIGINT before that would be Python's start-up.
    _wait_until_reading(process.pid)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert b"interrupted" in err
    assert b"Traceback" not in err


def _wait_until_reading(pid: int) -> None:
    """Wait until the process sleeps in a read from its pipe (Linux: /proc)."""
    import time

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/syscall").read_text().startswith("0 0x0 "):
                return
        except OSError:
            pytest.skip("needs /proc to see that the process is reading")
    pytest.fail("the command never read its standard input")


@pytest.mark.parametrize(
    ("variables", "options", "colours"),
    [
        ({}, [], True),
        ({"NO_COLOR": "1"}, [], False),
        ({"NO_COLOR": "1"}, ["--color", "always"], True),
        ({}, ["--color", "never"], False),
    ],
    ids=["a terminal", "NO_COLOR", "--color always", "--color never"],
)
def test_colours_on_a_real_terminal(
    example: Checkout, variables: dict[str, str], options: list[str], colours: bool
) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm"} | variables
    leader, follower = pty.openpty()
    process = subprocess.Popen([NODESPEC, "validate", *options], cwd=example.path, env=environment, stdout=follower)
    os.close(follower)
    output = b""
    while select.select([leader], [], [], 30)[0]:
        try:
            part = os.read(leader, 65536)
        except OSError:  # the other side closed: the end of the output on Linux
            break
        if not part:
            break
        output += part
    assert process.wait(timeout=30) == 0
    assert (b"\x1b[" in output) is colours
    assert b"no findings" in output


def test_colour_is_off_in_a_pipe(example: Checkout) -> None:
    assert "\x1b" not in example.run("validate", NO_COLOR="").stdout
    assert "\x1b" in example.run("validate", "--color", "always").stdout


def test_ignoring_the_cause_never_turns_what_could_not_run_green(example: Checkout) -> None:
    (example.path / "schemas" / "nodespec.v1.schema.json").unlink()
    done = example.run("validate", "--ignore", "T")
    assert done.returncode == 3
    assert "S, N, P, G, L could not check every file" in done.stderr


def test_ignoring_the_format_does_not_hide_what_the_schema_says(example: Checkout) -> None:
    example.replace(ADAPTER_FILE, "tier: 5", "tier: 0x5")
    assert "S003" not in example.run("validate").stdout
    done = example.run("validate", "--ignore", "F")
    assert done.returncode == 1
    assert "error[S003]" in done.stdout


@pytest.mark.parametrize("broken", ["{", None], ids=["broken", "missing"])
def test_a_draft_is_not_passed_by_a_contract_that_cannot_be_used(example: Checkout, broken: str | None) -> None:
    schema = example.path / "schemas" / "nodespec.v1.schema.json"
    schema.unlink() if broken is None else schema.write_text(broken)
    done = example.run("validate", "-", stdin=(ROOT / ADAPTER_FILE).read_bytes())
    assert done.returncode == 3
    assert "S schema" in next(line for line in done.stdout.splitlines() if line.startswith("not run"))


PULSE = "registry/nodes/matriz/kernel/pulse_v1.yaml"


def test_a_file_outside_the_registry_is_not_dropped_from_a_list(example: Checkout) -> None:
    example.write("draft.yaml", "a: [")
    done = example.run("validate", "draft.yaml", PULSE)
    assert done.returncode == 2
    assert "draft.yaml is no file of the registry" in done.stderr


@pytest.mark.parametrize("hiding", ["a link", "another suffix", "a submodule"])
def test_what_no_family_opened_has_not_passed_it(example: Checkout, hiding: str) -> None:
    if hiding == "a link":
        (example.path / PULSE).rename(example.path / "p.yaml")
        (example.path / PULSE).symlink_to("../../../../p.yaml")
    elif hiding == "another suffix":
        example.write("registry/nodes/matriz/kernel/bad_v1.yml", "a: [")
    else:
        example.write("registry/nodes/sub/x.yaml", "a: [")
        (example.path / "registry/nodes/sub/.git").mkdir()
    for selected in ("F", "S", "N", "G", "S,N,G"):
        assert example.run("validate", "--select", selected).returncode == 3, selected
    orphaned = hiding == "a link"  # its attestation stands beside no file any more, which is a finding
    assert example.run("validate", "--select", "P").returncode == (1 if orphaned else 3)


def test_a_misshapen_neighbour_does_not_turn_the_whole_green(example: Checkout) -> None:
    example.replace(PULSE, "tier: 7", "tier: 9")
    done = example.run("validate", ADAPTER_FILE)
    assert done.returncode == 3
    assert "G could not check every file" in done.stderr


def test_a_path_through_a_link_is_the_same_file(example: Checkout) -> None:
    example.write("registry/nodes/wrong/place.yaml", example.read(PULSE))
    link = example.path.parent / "link"
    link.symlink_to(example.path)
    for path in ("registry/nodes/wrong/place.yaml", str(link / "registry/nodes/wrong/place.yaml")):
        assert "error[N001]" in example.run("validate", path).stdout, path


@pytest.mark.parametrize("damage", ["broken", "missing"])
def test_settings_that_nobody_saw_have_not_passed(example: Checkout, damage: str) -> None:
    settings = example.path / "registry" / "registry.yaml"
    settings.write_text("a: [") if damage == "broken" else settings.unlink()
    assert example.run("validate", "--select", "S").returncode == 3
