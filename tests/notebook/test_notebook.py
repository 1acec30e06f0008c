"""Results in notebooks: HTML in a frame of its own, pandas frames, and the example that runs."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import modelaudit
from modelaudit import notebook
from modelaudit.errors import MissingPackage, UsageError
from modelaudit.settings import installation
from modelaudit.structs import replace

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "sample_models"
STATIC = modelaudit.Settings(probe=modelaudit.ProbeSettings(enabled=False))


@pytest.fixture(scope="module")
def audit():
    (found,) = modelaudit.audit(SAMPLES / "digits_partial_restore.keras", STATIC)
    return found


@pytest.fixture(scope="module")
def compared(audit):
    (other,) = modelaudit.audit(SAMPLES / "digits_robust.keras", STATIC)
    return modelaudit.compare(audit, other)


@pytest.fixture(scope="module")
def scanned():
    return modelaudit.scan([SAMPLES / "digits_robust.keras", SAMPLES / "digits_one_unit.keras"])


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def framed(shown: str) -> Elements:
    """The page in the frame, which is all that a notebook gets."""
    ((tag, attributes),) = Elements(shown).found
    assert tag == "iframe"
    assert attributes["sandbox"] == "" or attributes["sandbox"] is None  # nothing is allowed
    assert attributes["title"]
    page = Elements(attributes["srcdoc"])
    tags = {each for each, _ in page.found}
    assert "style" in tags
    assert "script" not in tags
    (scheme,) = [a["content"] for _, a in page.found if a.get("name") == "color-scheme"]
    assert scheme == "light dark"
    return page


def test_an_audit_shows_verdict_findings_and_figures(audit):
    page = framed(audit._repr_html_())
    ids = {attributes.get("id") for _, attributes in page.found}
    assert {"diagnosis", "findings", "figures"} <= ids
    assert "Fail" in page.text
    assert audit.reason.partition(",")[0].replace("`", "") in page.text
    assert ids.isdisjoint({"appendix", "compatibility", "contents-title"})
    links = {a["href"] for tag, a in page.found if tag == "a" and "href" in a}
    assert {link[1:] for link in links} - {"content"} <= ids | {"weights", "unchecked"}


def test_a_comparison_shows_both_verdicts(compared):
    page = framed(compared._repr_html_())
    assert "digits_partial_restore.keras and digits_robust.keras compared" in page.text


def test_a_run_shows_its_models(scanned):
    page = framed(scanned._repr_html_())
    assert "2 models: 1 fail, 1 pass" in page.text
    assert page.text.index("digits_one_unit.keras") < page.text.index("digits_robust.keras")


def test_names_from_a_model_are_text_in_both_pages(audit):
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    hostile = replace(audit, model=replace(audit.model, path=evil), reason=evil)
    page = framed(hostile._repr_html_())
    assert all("onerror" not in attributes for _, attributes in page.found)
    assert "<script>alert(1)</script>" in page.text


def test_representations_are_short(audit, compared, scanned, tmp_path):
    ran = modelaudit.nightly(SAMPLES / "digits_robust.keras", tmp_path, STATIC, formats=["json"])
    assert repr(audit) == "<Audit 'digits_partial_restore.keras': fail, 2 findings>"
    assert repr(compared).startswith("<ModelDiff 'digits_partial_restore.keras' -> 'digits_robust")
    assert repr(scanned) == "<ScanResult 2 models: 1 fail, 1 pass>"
    assert repr(ran) == f"<RunResult 1 model: 1 pass; 1 audited; in {str(tmp_path)!r}>"
    assert "1 model: 1 pass" in framed(ran._repr_html_()).text


def test_frames_have_the_rows_of_the_result(audit, compared, scanned):
    findings = audit.to_frame()
    assert [*findings["code"]] == [each.code for each in audit.findings]
    tensors = audit.to_frame("tensors")
    assert tensors["size"].sum() == sum(each.size for each in audit.weights.tensors)
    assert len(audit.to_frame("rules")) == len(audit.results)
    assert len(compared.to_frame()) == len(compared.changes)
    models = scanned.to_frame("models")
    assert [*models["path"]] == [row.path for row in scanned.rows]
    found = scanned.to_frame("findings")
    assert len(found) == sum(len(row.findings) for row in scanned.rows)


def test_frames_without_rows_have_the_same_columns(audit, compared, scanned):
    unread = replace(audit.weights, tensors=())
    for full, empty in (
        (audit, replace(audit, results=(), weights=unread)),
        (compared, replace(compared, changes=())),
        (scanned, replace(scanned, rows=())),
    ):
        for of in notebook._tables(full):
            assert len(empty.to_frame(of)) == 0
            assert [*empty.to_frame(of)] == [*full.to_frame(of)] != []


def test_a_frame_that_does_not_exist_is_an_error(audit):
    with pytest.raises(UsageError, match="'layers'; choose from findings, tensors, rules"):
        audit.to_frame("layers")


def test_frames_without_pandas_say_what_to_install(audit, monkeypatch):
    monkeypatch.setattr(installation, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"need pandas, .*: pip install pandas"):
        audit.to_frame()


def test_other_values_have_no_view():
    for view in (notebook.html, notebook.frame):
        with pytest.raises(UsageError, match="Settings"):
            view(STATIC)


def test_help_names_every_function():
    functions = [name for name in modelaudit.__all__ if name.islower()]
    assert [name for name in functions if f"`{name}`" not in modelaudit.__doc__] == []


@pytest.mark.slow
def test_the_notebook_prints_what_is_stored_in_it():
    subprocess.run(
        [sys.executable, "scripts/notebook.py", "--check"], cwd=ROOT, check=True, timeout=600
    )
