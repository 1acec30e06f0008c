"""The documentation as a site: built strictly, complete, accessible, and without a network."""

from __future__ import annotations

import html
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelaudit.rules.catalogue import CATALOGUE

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "build" / "site"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
LOOKED_AT = ("index.html", "one-answer.html", "rules/MA603.html")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("site_script", ROOT / "scripts" / "site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site():
    """The built site."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "site.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return SITE


class Addresses:
    """What a page loads, what it links to, and the names of its sections."""

    def __init__(self, page: Path) -> None:
        text = page.read_text(encoding="utf-8")
        tags = {tag: set() for tag in ("a", "link", "script", "img", "iframe", "source")}
        for tag, address in re.findall(r'<(\w+)\b[^>]*?\s(?:href|src)="([^"]*)"', text):
            tags.setdefault(tag, set()).add(html.unescape(address))
        self.linked = tags.pop("a")
        self.loaded = set().union(*tags.values())
        self.ids = set(re.findall(r'\sid="([^"]+)"', text))


@pytest.mark.slow
def test_every_page_is_there_and_links_and_loads_only_what_is_there(site):
    pages = {
        page: Addresses(page)
        for page in site.rglob("*.html")
        if page.name != "404.html"  # is shown at any address, so its own are absolute
    }
    assert {f"{rule.code}.html" for rule in CATALOGUE} <= {page.name for page in pages}
    for page, found in pages.items():
        assert all("://" not in address for address in found.loaded), page.name
        for address in found.loaded | {each for each in found.linked if "://" not in each}:
            target, _, part = address.partition("#")
            there = (page.parent / target.partition("?")[0]).resolve() if target else page
            assert there.exists(), (page.name, address)
            assert not part or there not in pages or part in pages[there].ids, (page.name, address)


@pytest.mark.slow
def test_the_search_knows_rules_and_pages(site):
    found = json.loads((site / "search.json").read_text(encoding="utf-8"))
    places = {item["location"].partition("#")[0] for item in found["items"]}
    assert {"rules/MA603.html", "api.html", "one-answer.html"} <= places


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (scripts/setup.sh dev)")
def test_pages_in_a_browser_ask_for_files_only_and_are_accessible(site):
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    asked, errors, violations = [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for theme, width in (("light", 1440), ("dark", 390)):
            context = browser.new_context(
                color_scheme=theme, viewport={"width": width, "height": 900}
            )
            for name in LOOKED_AT:
                page = context.new_page()
                page.on("request", lambda request: asked.append(request.url))
                page.on("pageerror", lambda error: errors.append(str(error)))
                page.goto((site / name).as_uri())
                page.wait_for_function("document.querySelector('[data-md-component=search]')")
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
                found = Axe().run(page).response["violations"]
                violations += [
                    (name, theme, each["id"], each["nodes"][0]["html"]) for each in found
                ]
        page.goto((site / "index.html").as_uri())
        page.wait_for_timeout(500)
        page.keyboard.press("Control+k")
        page.keyboard.type("orientation-mismatch")
        page.get_by_text("The model recognises the images only").first.wait_for()  # of MA603
        browser.close()
    assert violations == []
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_links_follow_their_pages(script):
    page = ROOT / "docs" / "guide.md"
    text = (
        "[a](../README.md#install) [b](rules/MA101.md) [c](../scripts/setup.sh) <a@b.c>\n"
        "[d](https://example.org/x)\n```\n[e](../README.md)\n```\n"
    )
    assert script.moved(text, page) == (
        "[a](project/README.md#install) [b](rules/MA101.md) c <a@b.c>\n"
        "[d](https://example.org/x)\n```\n[e](../README.md)\n```\n"
    )
    back = script.moved("[a](docs/guide.md) [b](docs/adr/)", ROOT / "README.md")
    assert back == "[a](../guide.md) b"


def test_a_link_to_nothing_is_an_error(script):
    with pytest.raises(ValueError, match="no-such-page"):
        script.moved("[a](no-such-page.md)", ROOT / "docs" / "guide.md")


def test_every_page_of_the_documentation_is_in_the_navigation(script):
    settings = (ROOT / "docs" / "site" / "zensical.toml").read_text(encoding="utf-8")
    named = set(re.findall(r'"([\w/.-]+\.md)"', script.navigation(settings)))
    pages = {p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")}
    assert pages <= named
