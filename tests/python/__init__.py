"""Tests of the Python package: a package themselves, so that tests/cli keeps its conftest."""
