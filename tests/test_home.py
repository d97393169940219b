"""Where the user's own configuration folder is, and what becomes of a user who has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nodespec import home
from nodespec.errors import UsageError

if TYPE_CHECKING:
    from tests.conftest import Checkout

HOMELESS = {"HOME": "~", "NODESPEC_HOME": "", "XDG_CONFIG_HOME": ""}
"""What a shell passes on that could not expand it; no name of a folder begins like this."""


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"NODESPEC_HOME": "/keys", "XDG_CONFIG_HOME": "/config"}, "/keys"),
        ({"NODESPEC_HOME": "", "XDG_CONFIG_HOME": "/config"}, "/config/nodespec"),
        ({}, "/somebody/.config/nodespec"),
    ],
)
def test_the_environment_names_the_folder(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/somebody")
    assert home.find(environment) == home.require(environment) == expected


def test_a_user_without_a_home_has_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "~")
    assert home.find({}) is None
    with pytest.raises(UsageError, match="no home folder") as caught:
        home.require({})
    assert "NODESPEC_HOME" in caught.value.hint


def test_without_a_home_one_can_judge_and_ask_but_not_sign(example: Checkout) -> None:
    assert example.run("validate", "--at", "HEAD", **HOMELESS).returncode == 0
    assert example.run("query", "--signal", "memory_stored", **HOMELESS).returncode == 0
    done = example.run("keys", "show", **HOMELESS)
    assert done.returncode == 2
    assert "NODESPEC_HOME=FOLDER" in done.stderr
    assert not (example.path / "~").exists()
