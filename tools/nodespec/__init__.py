"""nodespec: a Git repository as the registry of an AI system's nodes.

The modules form one total order: each imports only from those above it. Read in this order, they tell the whole story,
and ``tests/test_architecture.py`` holds them to it.

Values
    errors           the two ways a command ends without an answer: misuse (2), cannot judge (3)
    home             the user's own configuration folder
    frozen           frozen, keyword-only, slotted value classes that are quick to declare
    finding          what is wrong with the input, where, and what to do
    encoding         canonical JSON (RFC 8785), strict JSON and base64; text made safe to print
    tree             the registry as a frozen listing of paths, modes and bytes
    claims           the fields of a signed payload, read strictly

Processes
    child_process    a helper process, spoken to over one socket: the policy sandbox, ``git cat-file``
    workers          the same work for many items, in one process or several

Text
    text             bytes to text: what is refused before any parser looks
    scalar           what a plain YAML scalar means, and which are ambiguous
    document         YAML text to values with source positions, in the strict profile (the only importer of yaml)

Hashes and keys
    keys             ML-DSA, Ed25519 and HMAC (the only importer of cryptography)
    merkle           RFC 6962 hashes that follow the folders

Git
    rawtree          Git's tree objects, parsed from their raw bytes
    commit           one commit: its metadata, and its files by object id
    git              repositories and their objects through libgit2 (the only importer of pygit2)
    cat_file         the same objects through ``git cat-file``: quicker for a few of them
    likeness         whether a file that is gone may be one that was added
    proposal         what merging a pull request would make of a branch, file by file
    worktree         a checkout's files as a tree
    fsmonitor        Git's file system monitor, asked what may have changed in a work tree
    journal          several files, written whole or not at all

Schemas
    pattern          regular expressions as JSON Schema means them
    violation        a schema violation in an author's words
    builtin          the schemas that this version ships
    schema           validation against JSON Schema (the only importer of jsonschema)

Signed files
    verification     the numbered steps of a verification, what each saw, what the caller still owes
    envelope         DSSE envelopes
    statement        in-toto Statement v1
    quorum           a set of keys and the threshold that must sign
    keyring          the user's own keys, as encrypted files
    manifest         the list of a commit's files, and its Merkle root
    manifest_update  the root of a commit from an earlier one's, by what changed

The registry's files
    capability       the capability grammar and its matching
    spec             NodeSpec: one node, typed
    settings         registry.yaml, typed
    policy           governance policies in CEL and Rego, and their sandbox (the only importer of cel_expr_python)
    rule             how a rule is declared, and the table of all rules
    waiver           findings that the maintainers accept for a while

Provenance
    chain            append-only chains of signed records
    trust            the trust root: roles, thresholds, delegations
    owner            owner handles, and the chains of keys that speak for them
    tombstone        a node that was deregistered, and whose name stays taken
    seal             the maintainers' signature over the protected files
    attestation      the owner's signature over one file: its format and its verification
    provenance       every chain and attestation of a tree, each verified once

Queries
    question         a query's filters: parsed and matched
    drift            the share of a fixed set of queries whose result a change alters
    evidence         test results that somebody else's run left (JUnit XML)
    graph            the signal graph: who emits what to whom
    reading          one file to a node, or the reason why it is none
    mentions         the files that name a signal or an owner, found without parsing
    index            an SQLite cache of parsed specs, derived and disposable (the only importer of sqlite3)
    registry         the public API: open, at, query, get
    vouch            the verification of one node's provenance, or of all
    difference       two snapshots compared node by node, field by field
    history          the versions of a node through the commits
    stats            a registry in numbers
    checkpoint       the signed statement of what a commit holds

Judging
    rules            every rule: one function with its code, why and fix
    examiner         one document at a time, through the rules that need no other (F, S, N, P, L)
    verdict          which rules were selected, which ran, and the report of what they found
    criteria         what a tree is judged by: its schemas, settings and waivers
    evaluation       the evaluation of one tree, whole or in part: every rule family, and the report
    judge            a whole tree, or a file by itself
    roster           a sealed index of who emits, hears and owns what in one commit
    impact           the unchanged nodes that a change may affect
    signed_roster    a roster that the registry publishes, signed by the checkpoint role
    incremental      validation from an earlier report and what differs since
    verdict_cache    reports of earlier runs, authenticated with the user's own key
    gate             a pull request, judged by what it changes
    scorecard        the gates of a pull request, and what none of them checked

Changing
    signing          who signs: key files, or an external program
    pin              the trust root that a client remembers
    edit             text edits that keep the meaning: fmt, init
    countersign      completing a file that others began to sign
    registration     register, update, transfer, deregister: an intention to a set of files
    publish          files to a commit, a branch, a remote

Interfaces
    api              the Python API beyond queries: validate, gate, verify
    ci               pipeline files for GitHub and GitLab
    receive          what a server is about to receive, step by step
    report           findings as text, JSON, SARIF, JUnit, Markdown, and for GitHub and GitLab
    cli              the command line (the only importer of click and rich)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nodespec.errors import NodespecError, RegistryError, UsageError
    from nodespec.finding import Finding
    from nodespec.gate import Judgement
    from nodespec.registry import Registry, Snapshot
    from nodespec.spec import Emit, NodeSpec, Subscription
    from nodespec.verdict import Report
    from nodespec.verification import Verification

__all__ = [
    "Emit",
    "Finding",
    "Judgement",
    "NodeSpec",
    "NodespecError",
    "Registry",
    "RegistryError",
    "Report",
    "Snapshot",
    "Subscription",
    "UsageError",
    "Verification",
]
__version__ = "0.1.0"

_HOMES = {
    "Emit": "spec",
    "Finding": "finding",
    "Judgement": "gate",
    "NodeSpec": "spec",
    "NodespecError": "errors",
    "Registry": "registry",
    "RegistryError": "errors",
    "Report": "verdict",
    "Snapshot": "registry",
    "Subscription": "spec",
    "UsageError": "errors",
    "Verification": "verification",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for, so that ``nodespec --help`` stays quick (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return [*__all__, "__version__"]
