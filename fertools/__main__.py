"""`python -m fertools` is `fertools`."""

from fertools.cli import main

main()
