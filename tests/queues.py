"""The job queue of tests."""

from django_rq.queues import DjangoRQ
from rq.job import Job


class LoudQueue(DjangoRQ):
    """Runs jobs at once in the same process and lets their errors fail the test."""

    def run_sync(self, job: Job) -> Job:
        return self.run_job(job)
