"""Audit every model of a directory as the current user, and print one JSON object by name.

    python -m tests.probe.contained DIR builtin|bwrap NAME…

The models are known to be hostile and are only run if they can be contained. One runtime is
enough: tf-keras loads the formats of all attacks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from modelaudit import schema
from modelaudit.pipeline import audit_model, static_facts, why_not_run
from modelaudit.probe.host.runtime import installed_legacy_runtime, start_runtime
from modelaudit.probe.run import probe_with
from modelaudit.settings import MIB, ProbeSettings, Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.structs import replace

ENDLESS = ("hang", "spin", "sleep", "flood", "grpc", "network")  # short time limit
BRIEF, LONG = 2.0, 60.0


def main(folder: Path, sandbox: str, names: list[str]) -> None:
    probing = ProbeSettings(
        samples=4, memory=700 * MIB, unsafe=True, require_sandbox=True, sandbox=sandbox
    )
    jail = [folder] if sandbox == "bwrap" else None
    audits = {}
    with start_runtime(installed_legacy_runtime(), jail=jail) as handle:
        for name in names:
            path = folder / name
            timeout = BRIEF if any(word in name for word in ENDLESS) else LONG
            settings = Settings(probe=replace(probing, timeout=timeout))
            audit = audit_model(
                AuditTarget(path, folder, name, name),
                settings,
                "2026-01-01T00:00:00Z",
                probe_with([handle]),
            )
            careful = Settings(probe=replace(probing, unsafe=False))
            audits[name] = schema.to_json(audit) | {
                "why_not_run": why_not_run(static_facts(path, careful)),
                "left_behind": [p.name for p in Path(handle.scratch).glob("tmp*")],
            }
    sys.stdout.write(json.dumps(audits))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
