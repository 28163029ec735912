"""`python -m asana_mirror`."""

from asana_mirror.cli import main

main()
