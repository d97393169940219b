"""The gate in the pipelines of a host: files for GitHub and GitLab, filled in for one repository.

The tool comes from the base, with hashes: from a lock file that the base holds, or from the source in the base itself,
where that is the repository of nodespec. Each step calls one command; nothing is decided in YAML.
"""

from __future__ import annotations

from pathlib import Path

from nodespec.frozen import frozen

LOCKS = {"github": ".github/nodespec.lock", "gitlab": ".gitlab/nodespec.lock"}
"""For each host, where a registry keeps the hashes of the tool and all that it needs (``pip-compile
--generate-hashes``): beside the pipelines, so that it is protected with them."""

FILES = {
    "github": {
        ".github/workflows/gate.yml": "gate.github.yml",
        ".github/workflows/checkpoint.yml": "checkpoint.github.yml",
    },
    "gitlab": {".gitlab/nodespec.yml": "gate.gitlab.yml"},
}
"""For each host, where a file belongs, and the template that it is made from."""

_PIP = "python -m pip install --quiet --require-hashes --only-binary :all: -r"


@frozen
class Tool:
    """How a pipeline installs the tool, and how it calls it; both run at the top of the base."""

    install: str
    call: str


def locked(host: str) -> Tool:
    """Return the tool that the lock file of a host names."""
    return Tool(install=f"{_PIP} {LOCKS[host]}", call="nodespec")


IN_TREE = Tool(install=f"{_PIP} locks/runtime.txt", call="PYTHONPATH=tools python -m nodespec")
"""The tool whose source the base holds: the repository of nodespec itself."""


def files(host: str, tool: Tool) -> dict[str, bytes]:
    """Return the files of a host, by path."""
    templates = Path(__file__).with_name("templates")
    found = {}
    for path, name in FILES[host].items():
        text = (templates / name).read_text(encoding="utf-8")
        found[path] = text.replace("@INSTALL@", tool.install).replace("@NODESPEC@", tool.call).encode()
    return found
