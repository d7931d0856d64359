"""Kill an overnight batch, and run it again: no answer is lost, and no written job paid twice.

make examples   a local gateway answers after a second: no key, no cost
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from langchain_segmind.gateway import Gateway, Request

BATCH = Path(__file__).with_name("batch_overnight.py")
ROWS = 24
MIN_JOBS = 12
"""The batch is killed once this many jobs are submitted, while it waits for some of them."""


def main() -> None:
    """Run the batch, kill it, and run it again."""
    with tempfile.TemporaryDirectory() as folder, Gateway(replies=reply, queue_delay=1) as gateway:
        prompts, results = Path(folder, "prompts.jsonl"), Path(folder, "results.jsonl")
        rows = (json.dumps({"id": row, "prompt": f"Row {row}?"}) for row in range(ROWS))
        prompts.write_text("\n".join(rows))
        command = [sys.executable, str(BATCH), str(prompts), str(results), "--workers=4"]
        server = {"SEGMIND_API_BASE": gateway.base_url, "SEGMIND_API_KEY": gateway.api_key}
        with subprocess.Popen(command, env={**os.environ, **server}) as batch:  # noqa: S603 - our own
            while not is_waiting(gateway) and batch.poll() is None:
                time.sleep(0.02)
            batch.kill()
        print(f"\nKilled after {len(gateway.requests)} submissions. The same command again:")
        subprocess.run(command, env={**os.environ, **server}, check=True)  # noqa: S603 - our own
        answered = [json.loads(line) for line in results.read_text().splitlines()]
        submitted = Counter(request.last_message for request in gateway.requests)
        twice = sum(count > 1 for count in submitted.values())
        print(f"{len(answered)} rows answered, {twice} of them paid for twice.")
        charged, cost = float(1 - gateway.credits()), sum(row["cost"] for row in answered)
        print(f"The gateway charged {charged:.5f} credits; the rows cost {cost:.5f}.")


def is_waiting(gateway: Gateway) -> bool:
    """Whether the batch polls for each job that it submitted: their request IDs are on disk."""
    submitted = len(gateway.requests)
    return submitted >= MIN_JOBS and len({poll.job_id for poll in gateway.polls}) == submitted


def reply(request: Request) -> str:
    """Answer a row."""
    return f"The answer to {request.last_message}"


if __name__ == "__main__":
    main()
