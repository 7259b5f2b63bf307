"""What tests of the APIs share."""

from tests.calling import program

__all__ = ["program"]
