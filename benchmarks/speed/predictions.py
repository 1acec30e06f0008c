"""CPU time of predicting for eight runtimes, compared with reading a small model.

    python -m benchmarks.speed.predictions

Prints, for each sample model, the CPU time of reading it and of predicting for all targets; exits
with 1 if a prediction takes longer than the limit. Profiles are read once per process, which is
shown separately.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Limits

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
TARGETS = (
    *("tf==1.15", "tf==2.4", "tf==2.8", "tf==2.12"),
    *("tf==2.15", "tf==2.16", "tf==2.21", "tf-keras==2.21"),
)
LIMIT = 20.0  # ms of CPU per model
REPEATS = 5


def cost(work):
    """Milliseconds of CPU, the minimum of some runs, and the result of `work`."""
    least = float("inf")
    for _ in range(REPEATS):
        start = time.process_time()
        result = work()
        least = min(least, 1000 * (time.process_time() - start))
    return least, result


def main():
    start = time.process_time()
    for target in TARGETS:
        find_profile(target)
    print(f"reading {len(TARGETS)} profiles, once: {1000 * (time.process_time() - start):.1f} ms")
    print(f"{'model':<36}{'read':>10}{'predict':>10}  ms of CPU; {len(TARGETS)} runtimes")
    worst = 0.0
    for path in sorted(SAMPLES.iterdir()):
        if path.suffix not in (".h5", ".keras") and not path.is_dir():
            continue
        reading, artifact = cost(lambda path=path: read(path, Limits()))
        predicting, answers = cost(lambda artifact=artifact: predict(artifact, TARGETS))
        if answers:
            worst = max(worst, predicting)
            print(f"{path.name:<36}{reading:>10.2f}{predicting:>10.2f}  {len(answers)} answers")
    print(f"maximum: {worst:.2f} ms (limit {LIMIT:.0f} ms)")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
