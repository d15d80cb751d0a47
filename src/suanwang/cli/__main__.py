"""`python -m suanwang.cli`."""

from suanwang.cli.main import main

main()
