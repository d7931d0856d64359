"""Jobs a minute by number of workers that share one rate limit in Redis: `make benchmark_scale`.

Each worker is a process that keeps `JOBS_EACH` jobs in the queue of a local gateway. The gateway
has the same limit as the workers' limiter: a job beyond it is refused, which ends the benchmark.
Needs `redis-server`. Writes the sections of benchmarks/README.md and docs/scale.md, and the chart.
"""

import multiprocessing
import sys
import time
from collections.abc import Mapping
from multiprocessing.synchronize import Barrier
from threading import Event, Thread

from benchmarks import charts
from benchmarks.pages import REPORT, ROOT, describe_machine, render_picture, write_section
from langchain_segmind import ChatSegmind
from langchain_segmind.gateway import Gateway
from langchain_segmind.rate_limiters import SegmindRateLimiter
from tests.support.redis_server import RedisServer

PAGE = ROOT / "docs" / "scale.md"
COMMAND = "make benchmark_scale"

WORKERS = (1, 2, 4, 6, 8, 10)
JOBS_EACH = 8
"""Jobs of a worker at a time, as in examples/batch_on_ray.py."""
LIMIT = charts.LIMIT_OF_JOBS
"""Requests per minute of the account."""
JOB_SECONDS = 4.0
MAX_START_SECONDS = 300
"""How long all workers may take to start."""
MEASURED_SECONDS = 60
"""How long a measurement takes: no longer than the limiter's window, which is empty before it."""


def main() -> None:
    """Measure, print, and write the sections and the chart."""
    with RedisServer() as redis:
        jobs = {workers: measure(workers, redis.url) for workers in WORKERS}
    write_section(REPORT, COMMAND, render_report(jobs))
    charts.draw("scale")
    write_section(PAGE, COMMAND, render_picture("scale", describe(jobs)))


def measure(workers: int, storage: str) -> float:
    """Return the jobs a minute of so many workers.

    Raises:
        RuntimeError: If a worker failed, for example because a job was refused.
    """
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(workers + 1, timeout=MAX_START_SECONDS)
    limiter = SegmindRateLimiter(LIMIT, storage, account=f"{workers} workers", workers=workers)
    with Gateway(rpm=LIMIT, queue_delay=JOB_SECONDS, credits=1_000) as gateway:
        model = ChatSegmind(
            model="gpt-4-turbo",
            base_url=gateway.base_url,
            api_key=gateway.api_key,
            max_retries=0,
            rate_limiter=limiter,
            use_queue=True,
        )
        processes = [
            context.Process(target=work, args=(model, start, number / workers), daemon=True)
            for number in range(workers)
        ]
        for process in processes:
            process.start()
        start.wait()
        time.sleep(MEASURED_SECONDS)
        jobs = len(gateway.requests)
        failed = [process for process in processes if not process.is_alive()]
        for process in processes:
            process.terminate()
            process.join()
    if failed:
        raise RuntimeError(f"{len(failed)} of {workers} workers failed: see above.")
    sys.stderr.write(f"{workers} workers: {jobs} jobs in {MEASURED_SECONDS} s\n")
    return jobs * 60 / MEASURED_SECONDS


def work(model: ChatSegmind, start: Barrier, phase: float) -> None:
    """Keep jobs in the queue; end with the first error.

    Args:
        model: The model, with the limiter that all workers share.
        start: All workers begin at once.
        phase: When this worker begins its first jobs, from 0 to 1, so that they are spread evenly.
    """

    def submit_jobs(number: int) -> None:
        time.sleep((number + phase) / JOBS_EACH * JOB_SECONDS)
        try:
            while True:
                model.invoke("Say hello.")
        finally:
            failed.set()

    failed = Event()
    start.wait()
    for number in range(JOBS_EACH):
        Thread(target=submit_jobs, args=(number,), daemon=True).start()
    failed.wait()
    sys.exit(1)


def render_report(jobs: Mapping[int, float]) -> str:
    """Write the section of benchmarks/README.md."""
    rows = "\n".join(
        f"| {workers} | {number:,.0f} | {workers * JOBS_EACH * 60 / number:.1f} |"
        for workers, number in jobs.items()
    )
    return f"""\
{describe_machine()}. The limit is {LIMIT} requests a minute; a worker
has {JOBS_EACH} jobs at a time, of {JOB_SECONDS:g} s each.

| workers | {charts.JOBS} | {charts.SECONDS} |
| ---: | ---: | ---: |
{rows}

- {charts.JOBS}: submits that the gateway accepted in the first minute. It refused none. The
  limiter's window is a second longer, so it allows {LIMIT * 60 / 61:.0f} a minute in the long run.
- {charts.SECONDS}: the jobs at a time divided by the jobs a second, so with the wait for the
  limit and the pauses between polls.
"""


def describe(jobs: Mapping[int, float]) -> str:
    """Return the alternative text of the chart."""
    listed = ", ".join(f"{number:,.0f} with {workers}" for workers, number in jobs.items())
    return f"Jobs a minute by number of workers, with a limit of {LIMIT} a minute: {listed}."


if __name__ == "__main__":
    main()
