"""``make registry-up``: the main job once through, in front of your eyes.

Runs the real command, as a user would, in this checkout; stops at the first step that fails.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NODESPEC = Path(sys.executable).with_name("nodespec")

STEPS = (
    ("Judge every spec in this checkout", ["validate"]),
    ("Verify who stands behind each node: trust root, owner, attestation", ["verify"]),
    ("Sign what HEAD holds, with ML-DSA-44 and Ed25519", ["checkpoint", "create", "HEAD"]),
    ("Verify that checkpoint from the commit alone", ["checkpoint", "verify", "HEAD"]),
    ("Ask by signal: who sends or hears memory_stored?", ["query", "--signal", "memory_stored"]),
    ("Ask by capability: who may read episodic memory?", ["query", "--capability", "read:memory/episodic"]),
)

CLOSING = """
What just happened: the specs under registry/nodes were judged by every rule that can run; for each of them a chain
of ML-DSA signatures was verified, from the trust root to the file's bytes; a statement that HEAD holds exactly
these files was signed with the published example keys, and verified against Git's objects; and two questions
were answered from the files, with no server and no database.

Try next:
  .venv/bin/nodespec show matriz.memory.adapter/memoria_adapter_v1     one node, and whom it talks to
  .venv/bin/nodespec verify matriz.memory.adapter/memoria_adapter_v1   who stands behind it, step by step
  .venv/bin/nodespec query --tier '>=5' --lane core                    filters combine
  .venv/bin/nodespec graph | head                                      the signal graph, as Mermaid
  .venv/bin/nodespec init ../my-registry                               a registry of your own
"""


def main() -> int:
    """Run the steps; return the exit code of the one that failed, or 0."""
    for number, (title, arguments) in enumerate(STEPS, 1):
        print(f"\n{number}. {title}\n   $ nodespec {' '.join(arguments)}", flush=True)
        done = subprocess.run([NODESPEC, *arguments], check=False)
        if done.returncode != 0:
            print(f"\nstep {number} ended with exit code {done.returncode}; nothing after it was run", file=sys.stderr)
            return done.returncode
    print(CLOSING, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
