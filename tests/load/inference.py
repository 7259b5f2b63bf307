"""`python -m tests.load.inference MODEL`: a worker with the fake engine under a supervisor."""

import sys

from oasst.lib.supervisor import Program, supervise


def main(model: str) -> None:
    work = [sys.executable, "manage.py", "inference_worker", "--model", model, "--engine", "fake"]
    supervise([Program("inference", [*work, "--drain-s", "10"])], each_tick=lambda: None)


if __name__ == "__main__":
    main(sys.argv[1])
