"""The sandbox in which policies are evaluated: what it cannot do, how it ends, and what becomes of its questions."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodespec.policy import policies
from nodespec.policy.cel import _DECLARED
from nodespec.policy.examples import SPECIMEN
from nodespec.policy.limits import LostError
from nodespec.policy.sandbox import Sandbox
from nodespec.policy.standing import Standing, subject
from nodespec.settings import Settings
from nodespec.spec import from_value
from nodespec.tree import MemoryTree
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

linux = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
SUBJECT = subject(from_value(SPECIMEN), Standing(), Settings())


def loaded(*rules: str) -> Sandbox:
    """A sandbox that knows one policy of these rules, and the plainest node."""
    sandbox = Sandbox(["cel"])
    answer = sandbox.ask({"load": 0, "language": "cel", "variables": [], "rules": list(rules)})
    assert answer["problems"] == []
    sandbox.tell({"subject": SUBJECT})
    return sandbox


def test_a_sandbox_answers_one_question_after_another() -> None:
    sandbox = loaded("node.identity.tier == 0", "emits.size() == 0")
    assert [sandbox.ask({"judge": 0}) for _ in range(3)] == [[True, False]] * 3
    sandbox.tell({"subject": {**SUBJECT, "emits": []}})
    assert sandbox.ask({"judge": 0}) == [True, True]


def test_compiled_modules_are_kept_where_they_are_kept_here(tmp_path: Path) -> None:
    program = "from nodespec.policy.sandbox import Sandbox; print(Sandbox(['cel']).ask({'judge': 0}))"
    for prefix in (str(tmp_path / "cache"), ""):
        told = {"PYTHONPYCACHEPREFIX": prefix} if prefix else {"PYTHONDONTWRITEBYTECODE": "1"}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | told
        before = sorted((ROOT / "tools").rglob("sandbox_child*.pyc"))
        subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=False)
        assert sorted((ROOT / "tools").rglob("sandbox_child*.pyc")) == before
        assert bool(list(tmp_path.rglob("sandbox_child*.pyc")))


@linux
def test_a_sandbox_has_no_environment_no_files_and_no_folder_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_HMAC_KEY", "a secret of ours")
    sandbox = loaded("true")
    inside = Path(f"/proc/{sandbox._child.process.pid}")
    assert b"secret" not in (inside / "environ").read_bytes()
    assert {os.readlink(link).partition(":")[0] for link in (inside / "fd").iterdir()} <= {"socket", "/dev/null"}
    assert os.readlink(inside / "cwd") == "/"


CONFINED = """
import os, socket, sys
from nodespec.policy import sandbox_child
sandbox_child._shut_the_door()
def tried(what):
    try:
        what()
    except (OSError, MemoryError) as error:
        return type(error).__name__
    return "done"
print(*map(tried, [
    lambda: open("/etc/hostname"),
    lambda: os.open("/tmp", os.O_RDONLY),
    lambda: socket.socket(),
    lambda: os.pipe(),
    lambda: bytearray(1 << 30),
]))
"""


def test_behind_the_door_nothing_can_be_opened_and_memory_ends() -> None:
    done = subprocess.run([sys.executable, "-c", CONFINED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["OSError", "OSError", "OSError", "OSError", "MemoryError"]


def test_a_sandbox_ends_with_whoever_holds_it() -> None:
    sandbox = loaded("true")
    process = sandbox._child.process
    gone = weakref.ref(sandbox)
    del sandbox
    gc.collect()
    assert gone() is None
    assert process.returncode is not None


def test_a_sandbox_that_was_killed_says_so_and_does_not_kill_us() -> None:
    sandbox = loaded("true")
    sandbox._child.process.kill()
    sandbox._child.process.wait()
    with pytest.raises(LostError, match="the process that evaluates it ended"):
        sandbox.ask({"judge": 0})


def test_a_sandbox_that_runs_out_of_processor_time_says_so() -> None:
    sandbox = loaded("true")
    sandbox._child.process.send_signal(signal.SIGPROF)
    sandbox._child.process.wait()
    with pytest.raises(LostError, match="it took more processor time than it may: 1 s, and 10 ms a node"):
        sandbox.ask({"judge": 0})


def test_a_question_that_makes_no_sense_ends_the_sandbox_and_nothing_else() -> None:
    sandbox = loaded("true")
    with pytest.raises(LostError):
        sandbox.ask({"judge": 7})


def test_what_expressions_may_name_is_what_they_are_given() -> None:
    given = {"node", "emits"} | {f"{house}.{name}" for house in ("provenance", "registry") for name in SUBJECT[house]}
    assert set(_DECLARED) == given


def test_a_sandbox_that_was_started_early_is_the_one_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    class Counted(Sandbox):
        def __init__(self, languages: Sequence[str]) -> None:
            started.append(list(languages))
            super().__init__(languages)

    monkeypatch.setattr("nodespec.policy.sandbox.Sandbox", Counted)
    cel = MemoryTree({"registry/policies/a.cel.yaml": b"", "registry/policies/notes.md": b""})
    both = MemoryTree({"registry/policies/a.cel.yaml": b"other", "registry/policies/b.rego": b""})
    policies.start_early(MemoryTree({"registry/policies/notes.md": b""}))
    assert started == [], "nothing governs anybody"
    policies.start_early(cel)
    policies.Policies.of(cel).prepare()
    assert started == [["cel"]]
    policies.start_early(cel)
    policies.Policies.of(both).prepare()
    assert started == [["cel"], ["cel"], ["cel", "rego"]], "one for fewer languages is let go of"


def test_a_sandbox_that_ended_before_it_was_asked_is_no_fault_of_a_policy() -> None:
    path = "registry/policies/matriz.consent.cel.yaml"
    tree = MemoryTree({path: (ROOT / path).read_bytes()})
    policies.start_early(tree)
    (_, spare) = policies._SPARE[os.getpid()]
    spare._child.process.kill()
    spare._child.process.wait()
    assert policies.Policies(policies.Policies.of(tree).sources).problems(path) == []
