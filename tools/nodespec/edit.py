"""Text edits that keep the meaning: what ``nodespec fmt`` repairs and what ``nodespec init`` writes.

Everything here is bytes to bytes. A repair is made at the marks, so comments and layout stay; and it is
checked: the result must read as the same value, or the text is left alone.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from nodespec import builtin, document
from nodespec.frozen import frozen
from nodespec.scalar import is_likely_text, plain_meaning
from nodespec.tree import (
    NODE_SCHEMA_PATH,
    POLICY_SCHEMA_PATH,
    POLICY_SUFFIX,
    SETTINGS_PATH,
    SETTINGS_SCHEMA_PATH,
    TOMBSTONE_SCHEMA_PATH,
    is_node_path,
    is_policy_path,
)

if TYPE_CHECKING:
    from nodespec.document import Document

MODELINE = "# yaml-language-server: $schema="

_MODELINE = re.compile(r"#\s*yaml-language-server:\s*\$schema=.*")
_MODELINE_WITHIN = 5
"""Lines at the top among which a modeline is looked for."""


@frozen
class Repair:
    """The text after the repairs, and what they were, in words. ``data`` is the input itself when nothing was."""

    data: bytes
    done: tuple[str, ...]


def modeline(path: str) -> str:
    """Return the line that tells an editor's YAML server which schema describes the file at ``path``; or nothing.

    >>> modeline("registry/nodes/lab/probe.yaml")
    '# yaml-language-server: $schema=../../../schemas/nodespec.v1.schema.json'
    """
    if is_node_path(path):
        contract = NODE_SCHEMA_PATH
    elif is_policy_path(path) and path.endswith(POLICY_SUFFIX):
        contract = POLICY_SCHEMA_PATH
    elif path == SETTINGS_PATH:
        contract = SETTINGS_SCHEMA_PATH
    else:
        return ""
    return f"{MODELINE}{'../' * path.count('/')}{contract}"


def repair(data: bytes, path: str) -> Repair:
    """Repair what can be repaired without changing the meaning; what has no meaning yet is left as it is."""
    untouched = Repair(data=data, done=())
    done: list[str] = []
    text = data
    if text.startswith(b"\xef\xbb\xbf"):
        text = text[3:]
        done.append("removed the byte-order mark")
    if b"\r\n" in text:
        text = text.replace(b"\r\n", b"\n")
        done.append("changed Windows line ends to \\n")
    if document.parse(text).value is None:
        return untouched
    while True:  # a round quotes as many scalars as the loader reports at once, and there are finitely many
        quoted = _quote(text, document.parse(text))
        if quoted is None:
            break
        text = quoted[0]
        done += quoted[1]
    text, words = with_modeline(text, path)
    done += words
    return Repair(data=text, done=tuple(done)) if done and _same_meaning(data, text) else untouched


def _quote(text: bytes, parsed: Document) -> tuple[bytes, list[str]] | None:
    """Put ambiguous scalars and keys in double quotes, from the end so that earlier marks stay true."""
    places = [
        problem
        for problem in parsed.problems
        if problem.slug == "ambiguous-scalar" or (problem.slug == "key-not-text" and problem.fix)
    ]
    lines = text.decode("utf-8").split("\n") if places else []
    done = []
    for problem in sorted(places, key=lambda item: (item.span.line, item.span.column), reverse=True):
        row, start = problem.span.line - 1, problem.span.column - 1
        line = lines[row]
        word = line[start : start + problem.span.width]
        if not _is_one_word(word):
            continue  # nothing is written there, or the scalar spans lines: only the author knows what was meant
        lines[row] = f"{line[:start]}{json.dumps(word, ensure_ascii=False)}{line[start + len(word) :]}"
        done.append(f"quoted {word} on line {problem.span.line}")
    return ("\n".join(lines).encode(), done[::-1]) if done else None


def _is_one_word(word: str) -> bool:
    """Say whether ``word`` is a whole plain scalar, and text that is ambiguous, or a key that is no text."""
    meaning = plain_meaning(word)
    if meaning.problem:
        return meaning.problem == "ambiguous-scalar" and is_likely_text(word)
    return not isinstance(meaning.value, str)


def with_modeline(text: bytes, path: str) -> tuple[bytes, list[str]]:
    """Return the text with the right modeline at its top, and what was done, in words."""
    wanted = modeline(path)
    if not wanted:
        return text, []
    lines = text.decode("utf-8").split("\n")
    if lines[0] == wanted:
        return text, []
    old = next((row for row, line in enumerate(lines[:_MODELINE_WITHIN]) if _MODELINE.fullmatch(line)), None)
    if old is not None:
        del lines[old]
    return "\n".join([wanted, *lines]).encode(), ["added the modeline" if old is None else "corrected the modeline"]


def _same_meaning(before: bytes, after: bytes) -> bool:
    """Say whether the repaired text says what the original said, byte-order mark and line ends apart."""
    old, new = document.parse(before.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")), document.parse(after)
    return old.value is not None and old.value == new.value and len(new.problems) <= len(old.problems)


def new_registry(registry_id: str) -> dict[str, bytes]:
    """Return the files of an empty registry, path → bytes."""
    settings = f"""{modeline(SETTINGS_PATH)}
# What this registry is called, and its knobs. Every key is explained in {SETTINGS_SCHEMA_PATH}.
schema_version: registry.v1
registry_id: {registry_id}

# What somebody may publish to whom the trust root has delegated nothing: enough to try things.
newcomers:
  lanes: [candidate]
  max_tier: 1
  max_nodes: 3

# Against floods, whether meant or not.
quotas:
  nodes_per_pull_request: 32
  nodes_per_owner: 500

# What runs the gate is protected as this file is: it changes when the maintainers sign the change (nodespec seal).
protected:
  - .github/**
  - .gitlab/**
  - .gitlab-ci.yml
  - CODEOWNERS

# A checkpoint counts only when it is signed with every one of these schemes.
required_schemes:
  - ml-dsa-44
  - ed25519
"""
    return {
        SETTINGS_PATH: settings.encode(),
        NODE_SCHEMA_PATH: builtin.contract(NODE_SCHEMA_PATH),
        SETTINGS_SCHEMA_PATH: builtin.contract(SETTINGS_SCHEMA_PATH),
        TOMBSTONE_SCHEMA_PATH: builtin.contract(TOMBSTONE_SCHEMA_PATH),
        POLICY_SCHEMA_PATH: builtin.contract(POLICY_SCHEMA_PATH),
        ".gitattributes": b"# Specs and schemas are signed byte by byte: no line-end conversion, ever.\n"
        b"registry/** -text\nschemas/** -text\n",
    }
