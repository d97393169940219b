"""The YAML Test Suite: every case is accepted with the value that the suite gives, or refused; none surprises.

The profile refuses most of what YAML can do, so most valid cases are refused; what it must never do is accept
a text that is an error in YAML, or read a valid one differently. ``tests/fetch_vectors.py`` gets the cases.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nodespec.document import parse

SUITE = Path(__file__).parents[1] / ".cache" / "yaml-test-suite"
MIN_CASES = 380

pytestmark = pytest.mark.skipif(
    not SUITE.is_dir(), reason="the YAML Test Suite is not here; run: python tests/fetch_vectors.py"
)


@dataclass(frozen=True)
class Case:
    """One text of the suite; ``json`` is its value as JSON text where it has one."""

    name: str
    text: bytes
    is_error: bool
    json: str | None

    @property
    def has_one_value(self) -> bool:
        """JSON can say what the text means, and there is one document."""
        try:
            json.loads(self.json or "")
        except ValueError:
            return False
        return True


def read_cases() -> list[Case]:
    cases = []
    for file in sorted(SUITE.rglob("in.yaml")):
        folder = file.parent
        value = folder / "in.json"
        cases.append(
            Case(
                name=str(folder.relative_to(SUITE)),
                text=file.read_bytes(),
                is_error=(folder / "error").exists(),
                json=value.read_text(encoding="utf-8") if value.exists() else None,
            )
        )
    return cases


def below_a_key(case: Case) -> bytes | None:
    """Return the case's text one level down, below the key ``k``, so that a list or a word is judged as well."""
    text = case.text.removeprefix(b"---\n")
    if b"---" in text or b"..." in text or text.startswith(b"%") or not text.endswith(b"\n"):
        return None
    lines = text.splitlines(keepends=True)
    return b"k:\n" + b"".join(b"  " + line if line.strip(b"\n") else line for line in lines)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return read_cases()


def accepted(texts: list[tuple[Case, bytes]]) -> list[tuple[Case, Any]]:
    documents = [(case, parse(text)) for case, text in texts]
    return [(case, document.value) for case, document in documents if not document.problems]


def test_every_case_is_read(cases: list[Case], record_property: Any) -> None:
    yes = accepted([(case, case.text) for case in cases])
    record_property("cases", len(cases))
    record_property("accepted", len(yes))
    assert len(cases) >= MIN_CASES
    assert 30 <= len(yes) < len(cases)


def test_what_the_suite_calls_an_error_is_refused(cases: list[Case]) -> None:
    errors = [(case, case.text) for case in cases if case.is_error]
    assert len(errors) > 80
    assert [case.name for case, _ in accepted(errors)] == []


def test_what_is_accepted_has_the_value_that_the_suite_gives(cases: list[Case]) -> None:
    yes = [(case, value) for case, value in accepted([(case, case.text) for case in cases]) if case.has_one_value]
    assert len(yes) > 30
    assert {case.name: value for case, value in yes if value != json.loads(case.json or "")} == {}


def test_the_same_holds_one_level_down(cases: list[Case]) -> None:
    texts = [(case, text) for case in cases if (text := below_a_key(case)) is not None]
    assert len(texts) > 250
    yes = accepted(texts)
    assert len(yes) > 60
    assert [case.name for case, _ in yes if case.is_error] == []
    valued = [(case, value) for case, value in yes if case.has_one_value]
    assert {case.name: value for case, value in valued if value != {"k": json.loads(case.json or "")}} == {}
