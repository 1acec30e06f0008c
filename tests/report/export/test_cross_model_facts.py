"""Cross-model findings in reports on a run as a whole."""

from __future__ import annotations

import pytest
import sample_audits

from modelaudit.report.export.job import ReportOptions
from modelaudit.runs import write_reports


@pytest.mark.parametrize("name", ["junit", "markdown"])
def test_cross_model_findings_are_looked_for_only_where_they_are_shown(name, monkeypatch):
    seen = []
    monkeypatch.setattr(write_reports, "cross_model_facts", lambda rows: seen.extend(rows) or ())
    write_reports.render_format(name, [sample_audits.healthy()], ReportOptions())
    assert bool(seen) == (name == "markdown")
