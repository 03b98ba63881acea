"""Checks that no linter offers; each is run by `make check`."""
