"""``python -m nodespec``."""

from nodespec.cli import main

main()
