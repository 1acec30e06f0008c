"""Run docs/notebook.ipynb and keep what it prints, or check that it still prints the same.

    python scripts/notebook.py [--check] [--html FILE]

Only text is kept in the file: the HTML of an audit is large, and viewers on the web remove it.
`--html` also writes everything, figures included, as a page to look at.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
TEXT = "text/plain"


def ran(source: str) -> tuple[str, str]:
    """The notebook after a run: with its text output only, and as a page."""
    import nbformat
    from jupyter_client import AsyncKernelManager
    from nbclient import NotebookClient

    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    found = nbformat.reads(source, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sample_models").symlink_to(ROOT / "sample_models")
        kernel = AsyncKernelManager(transport="ipc", ip=f"{folder}/kernel")  # no network
        place = {"metadata": {"path": folder}}
        NotebookClient(found, km=kernel, timeout=300, resources=place).execute()
    page = []
    for cell in found.cells:
        page.append(f"<pre>{html.escape(cell.source)}</pre>")
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            page.append(data.get("text/html") or f"<pre>{html.escape(str(data.get(TEXT)))}</pre>")
            if "image/png" in data:
                page.append(f'<img src="data:image/png;base64,{data["image/png"]}">')
            output["data"] = {TEXT: data[TEXT]} if TEXT in data else {}
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if each.get("data")]
    found.metadata = {"kernelspec": found.metadata["kernelspec"]}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n", "\n".join(page)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the output changed")
    parser.add_argument("--html", type=Path, help="also write a page with all output")
    asked = parser.parse_args()
    before = NOTEBOOK.read_text(encoding="utf-8")
    after, page = ran(before)
    if asked.html:
        asked.html.write_text(page, encoding="utf-8")
    if not asked.check:
        NOTEBOOK.write_text(after, encoding="utf-8")
    elif before != after:
        sys.exit("docs/notebook.ipynb prints something else now; run scripts/notebook.py")


if __name__ == "__main__":
    main()
