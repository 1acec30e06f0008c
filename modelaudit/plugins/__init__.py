"""Plug-ins: rules, formats and reports from other distributions, found by their entry points.

A distribution declares, in its `pyproject.toml`:

    [project.entry-points."modelaudit.rules"]
    acme = "acme_audit:RULES"
    [project.entry-points."modelaudit.formats"]
    acme-weights = "acme_audit:WEIGHTS"
    [project.entry-points."modelaudit.reports"]
    acme-csv = "acme_audit:CSV"

`RULES` is a sequence of `Rule`, `WEIGHTS` a `PluginFormat`, `CSV` a `ReportFormat`. The names
below are what they are made of; docs/plugins.md describes them. Plug-ins are code that runs with
the rights of the program: they are loaded only from the environment's own packages, never from the
directory that is audited.
"""

from __future__ import annotations

from modelaudit.findings import Confidence, Finding, Location, Remedy, Severity
from modelaudit.formats.plugin_formats import PluginFormat
from modelaudit.plugins.loading import PluginStatus, load, loaded
from modelaudit.report.export.job import Job
from modelaudit.report.export.registry import ReportFormat
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule

__all__ = [
    "Confidence",
    "Facts",
    "Family",
    "Finding",
    "Job",
    "Location",
    "Need",
    "NotApplicable",
    "NotRelevant",
    "PluginFormat",
    "PluginStatus",
    "Remedy",
    "ReportFormat",
    "Rule",
    "Severity",
    "load",
    "loaded",
    "run_rule",
]
