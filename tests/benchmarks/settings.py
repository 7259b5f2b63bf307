"""Settings of a benchmark: services of the tests, but a real queue, and commits reach the disk."""

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, LOGGING, RQ_QUEUES

DATABASES["default"]["OPTIONS"]["options"] += " -c synchronous_commit=on"
for name in ("default", "long"):
    RQ_QUEUES[name]["ASYNC"] = True
LOGGING["root"]["level"] = "WARNING"
# Label, rank and reply: there are always people who would write one more prompt.
TREE_CONFIG = {"WEIGHT_INITIAL_PROMPT": "0"}
