"""Small scans as in the tests of reading."""

from tests.io.conftest import small_scan

__all__ = ["small_scan"]
