"""What tests of the collection's API share."""

from tests.calling import program

__all__ = ["program"]
