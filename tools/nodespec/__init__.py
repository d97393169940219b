"""nodespec: a Git repository as the registry of an AI system's nodes.

The modules form one total order; each imports only from those above it. Reading them
in this order tells the whole story, and ``tests/test_architecture.py`` holds them to it:

    errors        what cannot be judged, and misuse
    frozen        values: frozen, slotted, quick to declare
    finding       what is wrong with the input, where, and what to do
    encoding      canonical JSON, strict JSON, base64, printable text
    tree          paths, modes and bytes: the registry as one frozen listing
    claims        what a signed payload may say, read strictly
    child         another program, spoken to over one socket
    crew          the same work for many things, in one process or several
    text          bytes to text: what is refused before any parser looks
    scalar        what a plain scalar means
    document      YAML text to values with marks (the only importer of yaml)
    keys          ML-DSA, Ed25519 and HMAC (the only importer of cryptography)
    merkle        RFC 6962 hashes over folders
    rawtree       Git's tree objects, read raw
    commit        one commit: what it says of itself, and its files
    git           repositories and their objects (the only importer of pygit2)
    catfile       objects through git's own command, before libgit2 is loaded
    proposal      what a pull request would make of a branch
    worktree      a checkout's files to a tree
    journal       several files, written whole or not at all
    pattern       regular expressions as JSON Schema means them
    violation     a schema violation in an author's words
    builtin       the contracts that this version was built with
    schema        the contract's verdict (the only importer of jsonschema)
    verification  numbered steps, what each saw, what the caller still owes
    envelope      DSSE
    statement     in-toto Statement v1
    quorum        who must sign: keys, and how many of them
    keyring       the user's own keys, as files
    manifest      the list of files of a commit, and its root
    growth        a commit's root from an earlier one's, by what changed
    capability    the capability grammar and its matching
    spec          NodeSpec: one node, typed
    settings      registry.yaml
    policy        governance policies, and the box they are evaluated in (the only importer of cel_expr_python)
    waiver        findings that the maintainers put up with for a while
    chain         append-only chains of signed records
    trust         the trust root: whom a registry believes, and for what
    owner         handles, and the chains of keys that speak for them
    tombstone     a node that was deregistered
    seal          the maintainers' signature over the protected files
    attestation   who stands behind a file
    provenance    all of a tree's chains and attestations
    question      a query: filters, parsed and matched
    drift         how many answers a change makes others
    evidence      what somebody else's test run says
    graph         who emits what to whom
    reading       one file to a node, or why it is none
    mentions      the files that have to do with a signal or an owner
    index         what is known of every blob, derived and disposable (the only importer of sqlite3)
    registry      the Python API: open, at, query, get
    vouch         who stands behind the files of a tree
    difference    two snapshots, compared node by node and field by field
    history       the versions of a node
    stats         a registry in numbers
    checkpoint    the signed statement about a commit
    rules         one function a rule
    examiner      one document after another, each by itself
    verdict       which rules were asked for, which ran, what came of it
    grounds       on what grounds a tree is judged: contracts, settings, waivers
    judge         all rules over one tree
    roster        who sends and hears what in a commit, kept for what comes after
    neighbours    whom a change can be felt by
    rejudge       a commit judged by what differs from another
    recall        what this user's own tool found before
    gate          a pull request, judged by what it changes
    scorecard     the gates of a pull request, and what none of them looked at
    signing       who signs: key files, or a program that holds the keys
    pin           what a client remembers of a trust root
    edit          text edits that keep the meaning: fmt, init
    countersign   completing what others began to sign
    registration  register, update, transfer, deregister
    publish       files to a commit, a branch, a remote
    ci            the gate in the pipelines of a host
    receive       what a server is about to receive, step by step
    report        findings as text, and in the forms that machines and hosts read
    cli           the terminal (the only importer of click and rich)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nodespec.errors import NodespecError, RegistryError, UsageError
    from nodespec.registry import Registry, Snapshot
    from nodespec.spec import Emit, NodeSpec, Subscription

__all__ = ["Emit", "NodeSpec", "NodespecError", "Registry", "RegistryError", "Snapshot", "Subscription", "UsageError"]
__version__ = "0.1.0"

_HOMES = {
    "Emit": "spec",
    "NodeSpec": "spec",
    "NodespecError": "errors",
    "Registry": "registry",
    "RegistryError": "errors",
    "Snapshot": "registry",
    "Subscription": "spec",
    "UsageError": "errors",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for, so that ``nodespec --help`` stays quick (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
