"""``python -m magicnn``."""

from magicnn.cli import main

main()
