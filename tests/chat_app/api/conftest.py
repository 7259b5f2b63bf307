"""What tests of the APIs share."""

from tests.chat_app.api.calling import program

__all__ = ["program"]
