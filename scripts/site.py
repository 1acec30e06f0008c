"""Build the documentation as a site in build/site. Its pages load nothing from elsewhere.

    python scripts/site.py      exit 1 if a page links to what does not exist

The Markdown of the repository is the source. Pages of docs/ keep their place, the others move below
`project/`, and links follow them. A link to a file that is no page, such as a script, becomes the
text that it had. The settings of the generator are docs/site/zensical.toml.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from itertools import groupby
from pathlib import Path

from modelaudit.rules.catalogue import CATALOGUE

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
WORK = BUILD / "site-source"
SITE = BUILD / "site"
OTHERS = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/README.md",
    "contrib/example-plugin/README.md",
    "fuzz/README.md",
    "fuzz/LOG.md",
    "sample_models/README.md",
)
FONTS = ("Inter-Regular.otf", "Inter-SemiBold.otf", "JetBrainsMonoNL-Regular.ttf")
# A link outside code: its text, its target and the part of the target behind `#`.
LINK = re.compile(r"(?<!!)\[((?:[^][`]|`[^`]*`|\[[^]]*\])*)\]\(([^)#\s]+)(#[^)\s]*)?\)")
PICTURE = re.compile(r'(?<=src=")[^"]+(?=")')
CODE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)


def place(path: Path) -> Path | None:
    """Where a file of the repository is on the site; None if it is not there."""
    if path.is_dir():
        path /= "README.md"
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else None
    if name is None or not path.is_file():
        return None
    if name.parts[0] == "docs":
        return Path(*name.parts[1:])
    return Path("project", name) if name.as_posix() in OTHERS else None


def moved(text: str, page: Path) -> str:
    """The text of a page with the links that it needs on the site.

    Raises:
        ValueError: a link to a file that does not exist.
    """
    own = place(page)
    assert own is not None

    def address(target: str) -> str | None:
        if not (page.parent / target).exists():
            raise ValueError(f"{page.relative_to(ROOT)} links to {target}, which does not exist")
        there = place(Path(os.path.normpath(page.parent / target)))
        return None if there is None else os.path.relpath(there, own.parent)

    def link(found: re.Match[str]) -> str:
        label, target, part = found[1], found[2], found[3] or ""
        if "://" in target or target.startswith("mailto:"):
            return found[0]
        there = address(target)
        return label if there is None else f"[{label}]({there}{part})"

    def outside_code(part: str) -> str:
        return PICTURE.sub(lambda found: address(found[0]) or found[0], LINK.sub(link, part))

    done, parts = 0, []
    for block in CODE.finditer(text):
        parts += [outside_code(text[done : block.start()]), block[0]]
        done = block.end()
    return "".join([*parts, outside_code(text[done:])])


def navigation(settings: str) -> str:
    """The settings with the lists of rules, by family, and of decisions."""
    rules = [
        f'{{ "{family.value.capitalize()}" = ['
        + ", ".join(f'{{ "{each.code} {each.name}" = "rules/{each.code}.md" }}' for each in rules)
        + "] }"
        for family, rules in groupby(CATALOGUE, key=lambda rule: rule.family)
    ]
    decisions = [
        f'"{path.relative_to(ROOT / "docs").as_posix()}"'
        for path in sorted((ROOT / "docs" / "adr").glob("*.md"))
    ]
    return settings.replace('"RULES"', ", ".join(rules)).replace(
        '"DECISIONS"', ", ".join(decisions)
    )


def assemble(work: Path) -> None:
    """Write the settings and the pages, with their links moved, into `work`."""
    settings = (ROOT / "docs" / "site" / "zensical.toml").read_text(encoding="utf-8")
    (work / "zensical.toml").write_text(navigation(settings), encoding="utf-8")
    for path in (*ROOT.glob("docs/**/*"), *(ROOT / name for name in OTHERS)):
        there = place(path) if path.is_file() else None
        if there is None or path.suffix == ".toml":
            continue
        (work / "pages" / there).parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            text = moved(path.read_text(encoding="utf-8"), path)
            (work / "pages" / there).write_text(text, encoding="utf-8")
        else:
            shutil.copyfile(path, work / "pages" / there)
    for font in FONTS:
        shutil.copyfile(ROOT / "templates" / "fonts" / font, work / "pages" / "site" / font)


def main() -> int:
    """Build; return the exit code."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    try:
        assemble(WORK)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    built = subprocess.run(
        command, cwd=WORK, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if built.returncode:
        sys.stderr.write(built.stdout)
        return 1
    shutil.rmtree(SITE, ignore_errors=True)
    (WORK / "site").rename(SITE)
    pages = len([*SITE.rglob("*.html")])
    sys.stdout.write(f"{SITE.relative_to(ROOT)}: {pages} pages\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
