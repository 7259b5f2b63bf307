"""A job that shows that jobs run."""

from oasst.lib.queue import redis_client


def note(marker: str) -> None:
    redis_client().set(marker, 1, ex=600)
