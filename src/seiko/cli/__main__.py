"""`python -m seiko.cli`, where the command is not installed."""

from seiko.cli import main

main()
