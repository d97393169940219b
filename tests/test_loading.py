"""What a command loads before it can answer: most of what a short command costs, so it is counted.

A module that comes back to one of these lists costs each run of it milliseconds, for nothing that it does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.conftest import ADAPTER_FILE

if TYPE_CHECKING:
    from tests.conftest import Checkout

LOADED = """
import os, sys
before = set(sys.modules)
end = os._exit
def told(code):
    print(*sorted(set(sys.modules) - before), file=sys.stderr, flush=True)
    end(code)
os._exit = told
from nodespec.__main__ import run
sys.argv[0] = "nodespec"
run()
"""
"""Run the command, and say at the end which modules it has loaded."""

EXPLAINERS = {"difflib", "jsonschema", "referencing", "nodespec.violation", "yaml"}
"""They say where something is wrong, and why."""

QUESTIONS = {"nodespec.question", "nodespec.index.queries", "nodespec.index.indexed_tree", "nodespec.index.rows"}

WRITERS = {"nodespec.registration", "nodespec.edit", "nodespec.publish", "nodespec.signing", "nodespec.checkpoint"}

OTHERS = {"rich", "rfc8785", "multiprocessing", "pickle", "secrets", "pygit2"}
"""Tables, signatures to make, workers, secrets to make, and a library that reads many objects."""


def loaded(place: Checkout, *arguments: str, code: int = 0) -> set[str]:
    environment = {**os.environ, **place.environment}
    command = [sys.executable, "-c", LOADED, *arguments]
    done = subprocess.run(command, cwd=place.path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return set(done.stderr.splitlines()[-1].split())


def test_a_commit_after_one_that_was_judged_loads_what_its_difference_needs(example: Checkout) -> None:
    judge = ("validate", "--at", "HEAD", "--ignore", "P,L")  # a policy about who signed has no answer
    assert "secrets" in loaded(example, *judge)  # one was made, so the verdict was kept
    example.write(ADAPTER_FILE, example.read(ADAPTER_FILE) + "# a change\n")
    example.commit()
    again = loaded(example, *judge)
    assert not again & (EXPLAINERS | QUESTIONS | WRITERS | OTHERS)
    assert "cryptography" not in again  # nobody was asked who signed


def test_who_signed_is_verified_without_loading_how_to_sign(example: Checkout) -> None:
    loaded(example, "validate", "--at", "HEAD")
    again = loaded(example, "validate", "--at", "HEAD")
    assert "cryptography" in again
    assert not again & (QUESTIONS | WRITERS | {"difflib", "jsonschema", "referencing", "nodespec.violation", "rich"})


def test_a_question_that_the_index_answers_loads_neither_git_nor_rules(example: Checkout) -> None:
    question = ("query", "--signal", "memory_stored", "--at", "HEAD", "--format", "ids")
    loaded(example, *question)
    again = loaded(example, *question)
    assert "nodespec.index.queries" in again
    assert not again & (EXPLAINERS | WRITERS | {"pygit2", "cryptography", "jsonschema_rs", "rich", "pickle"})
    assert not {name for name in again if name.startswith(("nodespec.rules", "nodespec.document"))}


def test_help_loads_no_command(example: Checkout) -> None:
    again = loaded(example, "--help")
    entrance = {"nodespec", "nodespec.__main__", "nodespec.cli", "nodespec.errors"}
    assert {name for name in again if name.startswith("nodespec")} == entrance
    assert not again & {"subprocess", "socket", "selectors"}


DECLARED = """
import sys
from nodespec.frozen import frozen
compiled = []
sys.addaudithook(lambda event, _: event in ("compile", "exec") and compiled.append(event))
@frozen
class Place:
    "A value."
    path: str
    line: int = 1
assert Place(path="a").line == 1
print(len(compiled))
"""


def test_declaring_a_value_compiles_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", DECLARED], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
