"""Every example that a docstring gives is run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import nodespec

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(nodespec.__path__, "nodespec.")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_the_modules_that_define_a_format_have_an_example() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    formats = ("document", "encoding", "capability", "merkle", "manifest", "envelope", "tree", "spec", "statement")
    for name in (*formats, "chain", "trust", "owner", "attestation.payload", "seal", "pin", "policy"):
        module = importlib.import_module(f"nodespec.{name}")
        examples = [example for test in finder.find(module) for example in test.examples]
        assert examples, name
