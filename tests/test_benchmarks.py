"""What the benchmarks make of what they measure; the measuring itself is no test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.measure import Timing
from benchmarks.promises import Promise
from benchmarks.run import compared, ended, missing, table

if TYPE_CHECKING:
    from pathlib import Path

OURS, OTHER = Timing(seconds=(0.2, 9.0, 0.1)), Timing(seconds=(0.4,))


@pytest.mark.parametrize(
    ("bar", "at_most", "verdict"),
    [(2.0, False, "met"), (2.1, False, "MISSED"), (0.5, True, "met"), (0.4, True, "MISSED"), (None, True, "")],
)
def test_a_bar_is_met_by_the_median_and_a_missed_one_counts_where_it_is_meant_to(
    bar: float | None, at_most: bool, verdict: str
) -> None:
    promise = Promise(work="to ask", ours="ours", other="other", bar=bar, at_most=at_most)
    (row,) = rows = compared([promise], {"ours": OURS, "other": OTHER})
    assert row.cells[-1] == verdict
    assert (ended(rows, strict=True), ended(rows, strict=False)) == (int(verdict == "MISSED"), 0)
    assert "ours: 0.200 s (3)" in table(rows)


def test_a_bar_that_could_not_be_measured_counts_where_a_missed_one_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("BENCH_NPM", str(tmp_path))
    absent = list(missing())
    assert ["ripgrep" in absent[0], "ajv-cli" in absent[1], "monitor" in absent[2]] == [True, True, True]
    assert (ended([], absent, strict=True), ended([], absent, strict=False)) == (1, 0)


def test_a_part_of_ours_is_compared_with_all_of_the_other() -> None:
    promise = Promise(work="each", ours="ours", other="other", bar=1.3, at_most=True, scale=0.01)
    assert compared([promise], {"ours": OURS, "other": OTHER})[0].cells[3] == f"{0.2 * 0.01 / 0.4:.1f}"
