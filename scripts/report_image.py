"""Draw the pictures of a sample model's report in docs/images.

report.png is the first page of the PDF, scaled down; report-light.png and report-dark.png are the
top of the HTML page in both themes.

python scripts/report_image.py [DIR]    DIR: output of `modelaudit audit`; default: audit now

Needs pdftoppm (poppler-utils) and Chromium.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "sample_models"
MODEL = "digits_mirrored.keras"
IMAGES = ROOT / "docs" / "images"
DPI = 80
COLOURS = 48
MARGIN = 24  # pixels around the printed area


def audit(out: Path) -> None:
    """Audit the sample model into `out`."""
    command = [sys.executable, "-m", "modelaudit", "audit", str(SAMPLES / MODEL), "--quiet"]
    command += ["--probe-data", str(SAMPLES / "digits_probe.npz"), "-f", "pdf", "-f", "html"]
    command += ["--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"the audit ended with exit code {done.returncode}")


def draw(pdf: Path) -> Image.Image:
    """The first page of `pdf`, cropped to the printed area above the footer, in few colours."""
    command = ["pdftoppm", "-r", str(DPI), "-f", "1", "-l", "1", "-png", str(pdf)]
    page = Image.open(io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout))
    page = page.convert("RGB")
    body = page.crop((0, 0, page.width, page.height - page.height // 14))  # without the footer
    printed = Image.eval(body.convert("L"), lambda value: 255 if value < 250 else 0).getbbox()
    left, top, right, bottom = printed or (0, 0, page.width, page.height)
    frame = (left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN)
    return page.crop(frame).quantize(COLOURS)


def screens(page: Path) -> None:
    """The top of the HTML page, as large as a window, in light and in dark colours."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for theme in ("light", "dark"):
            view = browser.new_page(viewport={"width": 900, "height": 1000}, color_scheme=theme)
            view.goto(page.resolve().as_uri())
            shot = Image.open(io.BytesIO(view.screenshot())).convert("RGB")
            shot.quantize(COLOURS).save(IMAGES / f"report-{theme}.png", optimize=True)
        browser.close()


def main() -> int:
    """Write the pictures; return the exit code."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(name)
        if len(sys.argv) == 1:
            audit(out)
        reports = out / "models" / MODEL
        draw(reports / "report.pdf").save(IMAGES / "report.png", optimize=True)
        screens(reports / "report.html")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
