"""Run a nodespec command as it is, and say on standard error how long it was about the manifest.

    python benchmarks/timed.py checkpoint create

The seconds are those of :func:`nodespec.checkpoint.describe`: everything that a statement says about a commit
(settings, trust root, files), the opening of the index and the writing into it included. Starting Python, loading
modules, unlocking keys and signing are not in it.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from nodespec import checkpoint, document, index, schema  # noqa: F401  # loaded before the clock runs
from nodespec.cli import main

MARK = "seconds about the manifest: "

_describe = checkpoint.describe


def _timed(*arguments: Any, **options: Any) -> checkpoint.Statement:
    begin = time.perf_counter()
    try:
        return _describe(*arguments, **options)
    finally:
        print(f"{MARK}{time.perf_counter() - begin:.6f}", file=sys.stderr)


if __name__ == "__main__":
    checkpoint.describe = _timed
    main(sys.argv[1:])
