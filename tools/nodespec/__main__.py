"""``nodespec``, and ``python -m nodespec``: the command line as a process of its own.

Whoever runs the command line inside another program calls :func:`nodespec.cli.main`.
"""

import os
import sys
from contextlib import suppress
from typing import NoReturn


def run() -> NoReturn:
    """Run the command line, and end without taking Python down object by object, which costs more than some answers.

    By then the index is closed and every worker is waited for.
    """
    try:
        from nodespec.cli import main  # an interrupt while it is loaded is one like any other

        main()
    except KeyboardInterrupt:
        with suppress(OSError):
            os.write(2, b"interrupted\n")
        os._exit(130)
    except SystemExit as end:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # what could not be written was told, or nobody listens
                stream.flush()
        if "nodespec.child_process" in sys.modules:  # else nobody was spoken to
            from nodespec.child_process import let_go

            let_go()
        os._exit(end.code if isinstance(end.code, int) else 1)
    raise AssertionError("main() ends by an exit code")


if __name__ == "__main__":
    run()
