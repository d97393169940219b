"""The pipelines: they are what ``nodespec ci`` writes, and every step of them is run here as it is written.

A step that uses an action is done by hand: a checkout is a clone, Python is a new environment. Everything else is the
text of the step, given to the shell that the host would give it to, with the values that the host would fill in.
"""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from nodespec import ci
from tests.conftest import ADAPTER_FILE, ROOT, Checkout

WORKFLOWS = ROOT / ".github" / "workflows"
HOSTED = "${{"


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps_of(path: Path) -> list[dict[str, Any]]:
    return [step for job in load(path)["jobs"].values() for step in job["steps"]]


def test_the_workflows_are_what_the_command_writes() -> None:
    for path, data in ci.files("github", ci.IN_TREE).items():
        assert (ROOT / path).read_bytes() == data, f"run: nodespec ci github --force (it writes {path})"


def test_the_command_writes_all_files_or_none(tmp_path: Path) -> None:
    new = Checkout(tmp_path)
    new.git("init", "-q")
    (tmp_path / ".github/workflows").mkdir(parents=True)
    other = tmp_path / ".github/workflows/checkpoint.yml"
    other.write_text("on: push\n")
    done = new.run("ci", "github")
    assert (done.returncode, done.stdout) == (2, "")
    assert "says something else" in done.stderr
    assert not (tmp_path / ".github/workflows/gate.yml").exists()
    other.unlink()
    assert new.run("ci", "github").returncode == 0
    assert new.run("ci", "github").returncode == 0, "what is there already is what is written"
    other.unlink()
    other.symlink_to("nowhere")
    done = new.run("ci", "github", "--force")
    assert (done.returncode, done.stdout) == (2, "")
    assert "a link leads to it" in done.stderr
    said = new.run("ci", "gitlab").stderr
    assert ".gitlab/nodespec.lock" in said
    assert ".github" not in said


@pytest.mark.parametrize("arguments", [["--pedantic", "--offline", "--quiet", str(WORKFLOWS)]])
def test_an_auditor_of_workflows_finds_nothing(arguments: list[str]) -> None:
    done = subprocess.run([Path(sys.executable).with_name("zizmor"), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_they_fulfil_the_schemas_of_their_hosts(tmp_path: Path) -> None:
    check = Path(sys.executable).with_name("check-jsonschema")
    gitlab = tmp_path / "gate.yml"
    gitlab.write_bytes(ci.files("gitlab", ci.locked("gitlab"))[".gitlab/nodespec.yml"])
    hosts = (("vendor.github-workflows", sorted(WORKFLOWS.glob("*.yml"))), ("vendor.gitlab-ci", [gitlab]))
    for schema, files in hosts:
        done = subprocess.run([check, "--builtin-schema", schema, *files], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.stem)
def test_nothing_is_allowed_by_default_and_no_text_of_a_pull_request_reaches_a_command(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        writes = [what for what, how in job["permissions"].items() if how != "read"]
        assert writes == (["contents"] if (path.name, name) == ("checkpoint.yml", "roster") else [])
        if writes:  # who may write has no keys, and runs nothing but git
            assert "secrets" not in yaml.safe_dump([job, workflow.get("env")])
            assert "environment" not in job
            used = [step.get("uses", step.get("run", "")).partition("@")[0] for step in job["steps"]]
            assert used[:2] == ["actions/checkout", "actions/download-artifact"]
            assert len(used) == 3
            assert "nodespec " not in used[2]
    for step in steps_of(path):
        assert HOSTED not in step.get("run", "")
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"]), "an action is named by its commit"
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_the_gate_takes_nothing_over_that_a_pull_request_could_have_written() -> None:
    """A cache or an artifact is unpacked by the host, to wherever its names say: over the tool, for instance."""
    used = [step["uses"].partition("@")[0] for step in steps_of(WORKFLOWS / "gate.yml") if "uses" in step]
    assert used == ["actions/checkout", "actions/setup-python"]


def test_the_gate_never_checks_out_what_is_proposed() -> None:
    checkouts = [step for step in steps_of(WORKFLOWS / "gate.yml") if "checkout" in step.get("uses", "")]
    assert [step["with"]["ref"] for step in checkouts] == [
        "${{ github.event.pull_request.base.sha || github.event.merge_group.base_sha }}"
    ]
    assert set(load(WORKFLOWS / "gate.yml")[True]) == {"pull_request", "merge_group"}  # YAML 1.1 reads "on" as true


@dataclass
class Host:
    """A repository on a server, and an environment in which the base's tool is installed as the pipeline does it."""

    origin: Path
    author: Checkout
    python: Path
    installed: set[str] = field(default_factory=set)

    def propose(self, message: str) -> tuple[str, str]:
        """Commit what the author has written, push it as a pull request, and return (base, head)."""
        base = self.author.git("rev-parse", "main")
        head = self.author.commit(message)
        self.author.git("push", "-q", "origin", f"{head}:refs/pull/1/head", "--force")
        self.author.git("reset", "-q", "--hard", base)
        return base, head

    def check_out(self, folder: Path, revision: str) -> Path:
        workspace = folder / "workspace"
        subprocess.run(["git", "clone", "-q", f"file://{self.origin}", workspace], check=True)
        subprocess.run(["git", "checkout", "-q", "--detach", revision], cwd=workspace, check=True)
        return workspace

    def run(self, text: str, workspace: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.python.parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", text],
            cwd=workspace,
            env={"PATH": path, "HOME": str(workspace.parent), **variables},
            capture_output=True,
            text=True,
            timeout=300,
        )


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    """This repository on a server, as far as its pipelines need it."""
    folder = tmp_path_factory.mktemp("host")
    author = Checkout(folder / "author")
    author.path.mkdir()
    for name in ("registry", "schemas", "tools", "locks", ".github"):
        shutil.copytree(ROOT / name, author.path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".gitattributes", author.path)
    author.git("init", "-q", "-b", "main")
    author.commit("The base")
    origin = folder / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", origin], check=True)
    subprocess.run(["git", "config", "uploadpack.allowAnySHA1InWant", "true"], cwd=origin, check=True)  # as hosts do
    author.git("remote", "add", "origin", str(origin))
    author.git("push", "-q", "origin", "main")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    return Host(origin, author, folder / "venv" / "bin" / "python")


def judged(host: Host, folder: Path, base: str, head: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run every step of gate.yml; return the last, and the page that it wrote."""
    workspace = host.check_out(folder, base)
    summary = folder / "summary.md"
    variables = {"BASE": base, "HEAD": head, "GITHUB_STEP_SUMMARY": str(summary), "TOKEN": "none"}
    steps = [step["run"] for step in steps_of(WORKFLOWS / "gate.yml") if "run" in step]
    assert len(steps) == 3
    for text in steps[:-1]:
        done = host.run(text, workspace, **variables)
        assert done.returncode == 0, done.stderr
    done = host.run(steps[-1], workspace, **variables)
    status = subprocess.run(["git", "status", "--porcelain"], cwd=workspace, capture_output=True, text=True)
    assert [line for line in status.stdout.splitlines() if "__pycache__" not in line] == []
    return done, summary.read_text(encoding="utf-8")


def test_a_change_of_documents_passes_and_says_that_nothing_else_changed(host: Host, tmp_path: Path) -> None:
    host.author.write("docs/more.md", "more\n")
    done, page = judged(host, tmp_path, *host.propose("docs"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing of the registry changes: 1 file outside" in done.stdout
    assert "nothing of the registry changes" in page


def test_an_edited_node_is_refused_with_annotations_at_its_lines(host: Host, tmp_path: Path) -> None:
    host.author.replace(ADAPTER_FILE, "tier: 5", "tier: 7")
    done, page = judged(host, tmp_path, *host.propose("more trust"))
    assert done.returncode == 1
    assert f"::error file={ADAPTER_FILE},line=" in done.stdout
    assert "| 4 | security | failed |" in page


def test_a_change_that_brings_its_own_gate_is_judged_by_the_base_s(host: Host, tmp_path: Path) -> None:
    for path in ("tools/nodespec/gate.py", "tools/nodespec/cli/gate.py", "tools/nodespec/__main__.py"):
        host.author.write(path, "raise SystemExit(0)\n")
    host.author.replace(".github/workflows/gate.yml", "gate --base", "--version # gate --base")
    host.author.replace(ADAPTER_FILE, "tier: 5", "tier: 7")
    done, page = judged(host, tmp_path, *host.propose("a friendlier gate"))
    assert done.returncode == 1
    assert "C012 unsealed-protected-file" in done.stdout
    assert ".github/workflows/gate.yml" in done.stdout
    assert "failed" in page


def test_the_checkpoint_is_signed_verified_and_kept(host: Host, tmp_path: Path) -> None:
    tip, workspace = checkpointed(host, tmp_path)
    assert (workspace / ".git" / "nodespec" / "checkpoints" / f"{tip}.dsse.json").is_file()


def test_the_gate_takes_the_roster_that_was_signed_after_the_merge_before(host: Host, tmp_path: Path) -> None:
    tip, workspace = checkpointed(host, tmp_path / "after")
    pusher = host.check_out(tmp_path / "roster", tip)
    handed = [
        step["with"] for step in steps_of(WORKFLOWS / "checkpoint.yml") if step.get("with", {}).get("name") == "roster"
    ]
    assert [one["path"] for one in handed] == [".git/nodespec/roster", ".git/nodespec"]
    (pusher / ".git" / "nodespec").mkdir()
    shutil.copy(workspace / ".git" / "nodespec" / "roster", pusher / ".git" / "nodespec")
    for text in runs(WORKFLOWS / "checkpoint.yml", "roster"):
        done = host.run(text, pusher, TOKEN="none")
        assert done.returncode == 0, done.stderr
    host.author.replace(ADAPTER_FILE, "name: memory_stored", "name: memory_kept")
    done, page = judged(host, tmp_path / "before", *host.propose("another signal"))
    assert done.returncode == 1
    assert "left aside" not in done.stderr
    assert "that the checkpoint role signed" in page
    assert "G001" in done.stdout


def runs(path: Path, job: str) -> list[str]:
    """The commands of a job, in order."""
    return [step["run"] for step in load(path)["jobs"][job]["steps"] if "run" in step]


def checkpointed(host: Host, tmp_path: Path) -> tuple[str, Path]:
    """Run every step of checkpoint.yml; return the commit, and the work tree in which it ran."""
    tmp_path.mkdir(exist_ok=True)
    tip = host.author.git("rev-parse", "main")
    workspace = host.check_out(tmp_path, tip)
    keys = io.BytesIO()
    with tarfile.open(fileobj=keys, mode="w:gz") as archive:
        archive.add(ROOT / "tests" / "keys" / "keys", arcname="keys")
    variables = {
        "TOKEN": "none",
        "NODESPEC_HOME": str(tmp_path / "home"),
        "NODESPEC_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
        "KEYS": base64.b64encode(keys.getvalue()).decode(),
        "PASSPHRASE": (ROOT / "tests" / "keys" / "passphrase.txt").read_text(encoding="utf-8").strip(),
    }
    for text in runs(WORKFLOWS / "checkpoint.yml", "checkpoint"):
        done = host.run(text, workspace, **variables)
        assert done.returncode == 0, f"{text}: {done.stderr}"
    return tip, workspace


def test_the_gitlab_job_judges_the_same_and_leaves_its_reports(host: Host, tmp_path: Path) -> None:
    job = yaml.safe_load(ci.files("gitlab", ci.IN_TREE)[".gitlab/nodespec.yml"])["registry-gate"]
    host.author.replace(ADAPTER_FILE, "tier: 5", "tier: 7")
    _, head = host.propose("more trust")
    workspace = host.check_out(tmp_path, "main")
    subprocess.run(["git", "fetch", "-q", "origin", head], cwd=workspace, check=True)
    variables = {
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_COMMIT_SHA": head,
        "CI_MERGE_REQUEST_PROJECT_URL": f"file://{host.origin}",
        "CI_PROJECT_DIR": str(workspace),
    }
    done = host.run("\n".join(job["script"]), workspace, **variables)
    assert done.returncode == 1, done.stderr
    assert "P013" in (workspace / "gate.json").read_text(encoding="utf-8")
    assert "failed" in (workspace / "gate.md").read_text(encoding="utf-8")
