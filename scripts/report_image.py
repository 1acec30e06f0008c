"""Draw docs/images/report.png: the first page of a sample model's PDF report, scaled down.

python scripts/report_image.py [DIR]    DIR: output of `modelaudit audit`; default: audit now

Needs pdftoppm (poppler-utils).
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "sample_models"
MODEL = "digits_mirrored.keras"
IMAGE = ROOT / "docs" / "images" / "report.png"
DPI = 80
COLOURS = 48
MARGIN = 24  # pixels around the printed area


def audit(out: Path) -> None:
    """Audit the sample model into `out`."""
    command = [sys.executable, "-m", "modelaudit", "audit", str(SAMPLES / MODEL), "--quiet"]
    command += ["--probe-data", str(SAMPLES / "digits_probe.npz"), "-f", "pdf", "--out", str(out)]
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


def main() -> int:
    """Write the picture; return the exit code."""
    IMAGE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(name)
        if len(sys.argv) == 1:
            audit(out)
        draw(out / "models" / MODEL / "report.pdf").save(IMAGE, optimize=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
