"""The sample audits as fixtures, and their renderings, each made once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import report_samples

from modelaudit.report.pages.html import render_html
from modelaudit.report.pages.pdf import render_pdf
from tests.sharing import made_once


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


@pytest.fixture(scope="session")
def pdf(tmp_path_factory):
    """The PDF of a sample by name, rendered once for all workers of pytest-xdist."""

    def of(name, *, appendix=False):
        def render(folder):
            made = render_pdf(
                report_samples.SAMPLES[name](), report_samples.RULES, appendix=appendix
            )
            (folder / "report.pdf").write_bytes(made)

        kind = "appendix" if appendix else "report"
        return (
            made_once(tmp_path_factory, f"pdf-{name}-{kind}", render) / "report.pdf"
        ).read_bytes()

    return of


@pytest.fixture(scope="session")
def site(tmp_path_factory, pages):
    """Directory of the pages that the tests in a browser open."""
    from browsing import make_site

    folder = tmp_path_factory.mktemp("site")
    make_site(folder, pages)
    return folder


@pytest.fixture(scope="module")
def launch():
    """A function that starts a browser with additional arguments."""
    from browsing import CHROMIUM
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield lambda *more: playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", *more]
        )


@pytest.fixture(scope="module")
def browser(launch):
    """A running browser."""
    running = launch()
    yield running
    running.close()
