"""Initial layers, orientation and diagnosis reported for third-party models.

    python -m benchmarks.diagnosis.corpus DIRECTORY [--probe-data IMAGES] [--timeout SECONDS]

Diagnoses every model below DIRECTORY, on built-in inputs unless images are given. The history of
these models is unknown, so a reader has to check the results: a trained model has no layer with
initial values, and without images no model may be reported as mirrored, rotated or collapsed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from modelaudit.diagnosis import diagnose
from modelaudit.findings import Outcome
from modelaudit.pipeline import add_probe, static_facts
from modelaudit.probe.run import local_probe
from modelaudit.registry.discover import discover
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rules
from modelaudit.settings import ProbeSettings, Settings
from modelaudit.structs import replace

ALARMS = {"MA602": "constant answer", "MA603": "other orientation", "MA606": "dead layer"}
HEAD = "| model | kernels | initial layers | behaviour alarms | diagnosis | belief |"


def row(path: Path, name: str, settings: Settings, probe) -> tuple[str, str, int, list[str]]:
    """A row of the table, the diagnosis, the number of initial layers, and the alarms."""
    facts = add_probe(static_facts(path, settings), probe)
    results = run_rules(CATALOGUE, facts)
    first = diagnose(facts, results).causes[0]
    kernels = facts.measurements.initialization if facts.measurements else ()
    fresh = [kernel.route for kernel in kernels if kernel.state == "fresh"]
    tested = sum(kernel.state != "undecidable" for kernel in kernels)
    alarms = [
        ALARMS[result.code]
        for result in results
        if result.code in ALARMS and result.outcome is Outcome.FAIL
    ]
    shown = (
        f"| {name} | {tested} of {len(kernels)} tested | {', '.join(fresh) or 'none'} "
        f"| {', '.join(alarms) or 'none'} | {first.cause} {first.transform} | {first.belief:.2f} |"
    )
    return shown, first.cause, len(fresh), alarms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--probe-data", default="")
    parser.add_argument("--timeout", type=float, default=120.0)
    asked = parser.parse_args()
    settings = Settings(probe=ProbeSettings(timeout=asked.timeout))
    settings = replace(settings, probe=replace(settings.probe, data=asked.probe_data or None))
    causes: Counter[str] = Counter()
    fresh, alarms = 0, Counter[str]()
    print(f"{HEAD}\n|---|---|---|---|---|---|")
    with local_probe(settings) as probe:
        for candidate in discover(asked.directory).candidates:
            line, cause, layers, raised = row(candidate.path, candidate.relative, settings, probe)
            print(line, flush=True)
            causes[cause] += 1
            fresh += bool(layers)
            alarms.update(raised)
    print(f"\n{causes.total()} models; {fresh} with an initial layer; alarms: {dict(alarms)}")
    print(", ".join(f"{cause} {count}" for cause, count in causes.most_common()))


if __name__ == "__main__":
    main()
