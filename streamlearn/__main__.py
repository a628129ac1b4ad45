"""``python -m streamlearn``: the command line."""

from .cli import main

main()
