"""The sample audits as fixtures, and their renderings, each made once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import report_samples

from modelaudit.report.html import render_html


@pytest.fixture(scope="session", params=list(report_samples.SAMPLES))
def sample(request):
    """(name, audit) of every sample."""
    return request.param, report_samples.SAMPLES[request.param]()


@pytest.fixture(scope="session")
def pages():
    """HTML of every sample by name."""
    return {
        name: render_html(make(), report_samples.RULES)
        for name, make in report_samples.SAMPLES.items()
    }
