"""The frames that notebooks show, in a browser: accessible, in both themes, without a network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import modelaudit

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "sample_models"
STATIC = modelaudit.Settings(probe=modelaudit.ProbeSettings(enabled=False))
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (scripts/setup.sh dev)"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with an audit, a comparison and a scan, as a notebook shows them."""
    (bad,) = modelaudit.audit(SAMPLES / "digits_partial_restore.keras", STATIC)
    (good,) = modelaudit.audit(SAMPLES / "digits_robust.keras", STATIC)
    shown = (bad, modelaudit.compare(bad, good), modelaudit.scan([SAMPLES / "digits_noaug.h5"]))
    frames = "\n".join(each._repr_html_() for each in shown)
    path = tmp_path_factory.mktemp("frames") / "notebook.html"
    path.write_text(
        '<!doctype html><html lang="en"><meta name="color-scheme" content="light dark">'
        f"<title>Notebook</title><main><h1>Notebook</h1>{frames}</main></html>"
    )
    return path


@pytest.mark.parametrize(("theme", "width"), [("light", 1000), ("dark", 390)])
def test_frames_are_accessible_and_load_nothing(page, theme, width):
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    asked = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        view = browser.new_page(color_scheme=theme, viewport={"width": width, "height": 900})
        view.on("request", lambda request: asked.append(request.url))
        view.goto(page.as_uri())
        frames = view.locator("iframe")
        assert frames.count() == 3
        sources = frames.evaluate_all("all => all.map(each => each.srcdoc)")
        outer = Axe().run(view).response["violations"]
        # Scripts, axe's too, cannot run in a frame without rights: each page is looked at alone.
        inner = []
        for number, source in enumerate(sources):
            alone = page.with_name(f"frame-{number}.html")
            alone.write_text(source)
            view.goto(alone.as_uri())
            assert "digits_" in view.inner_text("body")
            assert view.evaluate("document.documentElement.scrollWidth <= innerWidth")
            inner += Axe().run(view).response["violations"]
        browser.close()
    assert [(each["id"], each["nodes"][0]["html"]) for each in [*outer, *inner]] == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []
