"""Walk each way to a first verdict from nothing, and measure it: seconds, megabytes, CPU.

    python scripts/routes.py [--write] [--python PYTHON] [ROUTE...]

Each route starts with no environment, no cache of its own and, if this is run by root, as a user
without privileges. It installs what `scripts/dist.sh` built in dist/, the other packages from the
index, and ends with the verdict on a sample model, which must be the right one. `--write` puts the
table into README.md. Routes: pip, uv, pipx, pre-commit, image, pip-full, uv-full, image-full; by
default those for which it is enough to be any user and which do not download TensorFlow. An image
is what the Dockerfile makes, in a chroot that debootstrap makes, for which one must be root.
"""

from __future__ import annotations

import argparse
import os
import pwd
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "sample_models" / "digits_one_unit.keras"
REASON = "`even` applies softmax over a single value, which gives 1 for every input."
BEGIN, END = "<!-- routes -->\n", "<!-- /routes -->"
NOBODY = "nobody"
FULL = "-full"
IMAGE = "image"
MOST_MEGABYTES, MOST_SECONDS, MOST_START = (
    120,
    20,
    0.25,
)  # of the light tool


class Route(NamedTuple):
    """What one route cost.

    Attributes:
        name: of the route.
        command: what a reader types.
        seconds: wall clock from an empty directory to the end of the installation.
        megabytes: what the installation added to the disk, in 10^6 bytes.
        start: CPU seconds of a scan of a directory without models.
        verdict: wall clock of the first scan of a model, in seconds.
    """

    name: str
    command: str
    seconds: float
    megabytes: float
    start: float
    verdict: float


class Place:
    """An empty home directory, and commands that run in it, without privileges by default.

    `python` is the interpreter of the environments that are made in it.
    """

    def __init__(self, home: Path, python: str, privileged: bool = False) -> None:
        self.home, self.python = home, python
        home.chmod(0o755)
        (home / "empty").mkdir()
        shutil.copy(SAMPLE, home)
        for wheel in (ROOT / "dist").glob("*.whl"):
            shutil.copy(wheel, home)
        drop = os.getuid() == 0 and not privileged
        self.user = pwd.getpwnam(NOBODY) if drop else None
        if self.user:
            for path in (home, *home.rglob("*")):
                os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def run(self, *command: str | Path, ends: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command; fails unless it ends with the code `ends`."""
        user = self.user
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.home,
            env={
                "HOME": str(self.home),
                "PATH": f"{self.home}/.local/bin:/usr/local/bin:/usr/bin:/bin",
                "PIP_NO_CACHE_DIR": "1",
                "UV_NO_CACHE": "1",
                **{name: os.environ[name] for name in PASSED if name in os.environ},
            },
            text=True,
            capture_output=True,
            check=False,
            timeout=1200,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
        if done.returncode != ends:
            sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def size(self) -> int:
        """Bytes of all files."""
        files = (path for path in self.home.rglob("*") if not path.is_symlink())
        return sum(path.stat().st_size for path in files if path.is_file())

    def wheel(self, name: str) -> str:
        """The path of a built distribution."""
        (found,) = self.home.glob(f"{name}-[0-9]*.whl")
        return str(found)

    def distribution(self, full: bool) -> str:
        """What is installed: the core or the full tool."""
        return self.wheel("tf_modelaudit" if full else "tf_modelaudit_core")


PASSED = ("PIP_INDEX_URL", "UV_INDEX_URL", "HTTPS_PROXY", "HTTP_PROXY", "SSL_CERT_FILE")
PASSED += ("UV_DEFAULT_INDEX", "REQUESTS_CA_BUNDLE", "NO_PROXY", "PIP_CERT")


def tools(place: Place, package: str) -> Path:
    """A command from the index, in an environment of its own that does not count."""
    place.run(place.python, "-m", "venv", "tools")
    place.run("tools/bin/pip", "install", "--quiet", package)
    return place.home / "tools" / "bin" / package


def walk(name: str, python: str) -> Route:
    """Walk one route in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="routes-") as folder:
        place = Place(Path(folder), python, privileged=name.startswith(IMAGE))
        return ROUTES[name](place, name)


def measured(
    place: Place, name: str, shown: str, install: Callable[[], object], command: Path
) -> Route:
    """Install, then look at a model, and check what is said of it."""
    before, start = place.size(), time.monotonic()
    install()
    seconds, megabytes = time.monotonic() - start, (place.size() - before) / 1e6
    start = time.monotonic()
    said = place.run(command, "scan", SAMPLE.name, ends=1).stdout
    verdict = time.monotonic() - start
    if REASON not in said:
        sys.exit(f"{name}: not the right verdict:\n{said}")
    cpu = min(cpu_of(place, command) for _ in range(3))
    return Route(name, shown, seconds, megabytes, cpu, verdict)


def cpu_of(place: Place, command: Path) -> float:
    """CPU seconds of a scan that finds nothing to read."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    place.run(command, "scan", "empty", ends=4)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def pip(place: Place, name: str) -> Route:
    """A new environment with venv and pip; the environment's own pip does not count."""
    place.run(place.python, "-m", "venv", "env")
    full = name.endswith(FULL)
    what = place.distribution(full)
    return measured(
        place,
        name,
        f"pip install tf-modelaudit{'' if full else '-core'}",
        lambda: place.run("env/bin/pip", "install", "--quiet", what),
        place.home / "env" / "bin" / "modelaudit",
    )


def uv(place: Place, name: str) -> Route:
    """`uv tool install`, with an environment that uv makes."""
    command = tools(place, "uv")
    full = name.endswith(FULL)
    what = place.distribution(full)
    python = ("--python", place.python)
    return measured(
        place,
        name,
        f"uv tool install tf-modelaudit{'' if full else '-core'}",
        lambda: place.run(command, "tool", "install", "--quiet", *python, what),
        place.home / ".local" / "bin" / "modelaudit",
    )


def pipx(place: Place, name: str) -> Route:
    """`pipx install`; what pipx shares among its environments counts."""
    command = tools(place, "pipx")
    core = place.distribution(full=False)
    return measured(
        place,
        name,
        "pipx install tf-modelaudit-core",
        lambda: place.run(command, "install", "--quiet", "--python", place.python, core),
        place.home / ".local" / "bin" / "modelaudit",
    )


def pre_commit(place: Place, name: str) -> Route:
    """The hook's first run in a repository with one model, from a clone of this one."""
    command = tools(place, "pre-commit")
    source = place.home / "modelaudit.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, source], check=True)
    if place.user:
        subprocess.run(
            ["chown", "-R", f"{place.user.pw_uid}:{place.user.pw_gid}", source], check=True
        )
    head = place.run("git", "-C", source, "rev-parse", "HEAD").stdout.strip()
    config = f"repos: [{{repo: {source}, rev: {head}, hooks: [{{id: modelaudit}}]}}]\n"
    place.run("git", "init", "--quiet", "work")
    place.run("sh", "-c", f"printf '%s' '{config}' >work/.pre-commit-config.yaml")
    place.run("cp", SAMPLE.name, "work")
    place.run("git", "-C", "work", "add", ".")
    before, start = place.size(), time.monotonic()
    hook = ("sh", "-c", f"cd work && {command} run --all-files")
    said = place.run(*hook, ends=1).stdout
    seconds, megabytes = time.monotonic() - start, (place.size() - before) / 1e6
    if REASON not in said:
        sys.exit(f"{name}: not the right verdict:\n{said}")
    start = time.monotonic()
    place.run(*hook, ends=1)
    verdict = time.monotonic() - start
    (made,) = place.home.glob(".cache/pre-commit/repo*/.venv/bin/modelaudit")
    cpu = min(cpu_of(place, made) for _ in range(3))
    return Route(name, "pre-commit run", seconds, megabytes, cpu, verdict)


def image(place: Place, name: str) -> Route:
    """The steps of the Dockerfile, onto a bare Debian that does not count, as its base does not."""
    level = "full" if name.endswith(FULL) else "light"
    script, root = ROOT / "scripts" / "image.sh", place.home / "root"
    place.run(script, "base", root)
    command = place.home / "modelaudit"
    command.write_text(f'#!/bin/sh\nexec {script} run {root} modelaudit "$@"\n')
    command.chmod(0o755)
    found = measured(
        place,
        name,
        f"docker build --target {level} .",
        lambda: place.run(script, "build", root, level),
        command,
    )
    place.run(script, "run", root, "touch", "/opt/x", ends=1)
    # The processes inside are not children of this one, so the shell in there counts.
    timed = (script, "run", root, "sh", "-c", "modelaudit scan empty; times")
    told = min(place.run(*timed).stdout.splitlines()[-1] for _ in range(3))
    start = sum(60 * float(m) + float(s) for m, s in re.findall(r"(\d+)m([\d.]+)s", told))
    if level == "full":  # runs the model and writes a PDF file
        place.run(command, "audit", SAMPLE.name, "--out", "/tmp/reports", "-f", "pdf", ends=1)
    return found._replace(start=start)


ROUTES: dict[str, Callable[[Place, str], Route]] = {
    "pip": pip,
    "uv": uv,
    "pipx": pipx,
    "pre-commit": pre_commit,
    IMAGE: image,
    "pip-full": pip,
    "uv-full": uv,
    "image-full": image,
}
LIGHT = ("pip", "uv", "pipx", "pre-commit")


def interpreter() -> str:
    """A Python that a user without privileges may start."""
    wanted = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for folder in ("/usr/local/bin", "/usr/bin"):
        if (Path(folder) / wanted).exists():
            return f"{folder}/{wanted}"
    return sys.executable


def rows(text: str) -> dict[str, str]:
    """The rows of a table by their commands."""
    return {command: row for row, command in re.findall(r"^(\| `([^`]+)`.*)$", text, re.MULTILINE)}


def table(routes: Sequence[Route], python: str, earlier: str = "") -> str:
    """The routes as a Markdown table, with where they were measured.

    Rows of an earlier table stay where no route has the same command.
    """
    lines = [
        "| from nothing | seconds | MB | start, seconds of CPU | first verdict, seconds |",
        "|---|---|---|---|---|",
    ]
    made = "\n".join(
        f"| `{each.command}` | {each.seconds:.0f} | {each.megabytes:,.0f} "
        f"| {each.start:.2f} | {each.verdict:.1f} |"
        for each in routes
    )
    lines += (rows(earlier) | rows(made)).values()
    told = subprocess.run([python, "--version"], capture_output=True, text=True, check=True).stdout
    where = (
        f"Measured by `scripts/routes.py` on {os.cpu_count()} cores with {told.strip()}, without "
        "caches. MB are all files that the installation adds: of pipx with a pip of its own "
        "(12 MB, once for all that it installs), of pre-commit with a clone, of images without "
        "their base. The start is that of `modelaudit scan` without a model."
    )
    lines += ["", where]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Walk the routes, print the table, and fail if the light ones are too heavy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("routes", nargs="*", default=LIGHT, metavar="ROUTE")
    parser.add_argument("--write", action="store_true", help="write the table to README.md")
    parser.add_argument("--python", default=interpreter(), help="what environments are made with")
    asked = parser.parse_args()
    found = []
    for name in asked.routes:
        found.append(walk(name, asked.python))
        print(found[-1], flush=True)
    print(table(found, asked.python))
    if asked.write:
        page = ROOT / "README.md"
        before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        earlier, end, after = rest.partition(END)
        text = table(found, asked.python, earlier)
        page.write_text(f"{before}{begin}{text}{end}{after}", encoding="utf-8")
    light = [each for each in found if each.name in ("pip", "uv", IMAGE)]
    for each in light:
        if each.seconds > MOST_SECONDS or each.start > MOST_START:  # of a busy machine, perhaps
            print(f"slower than intended: {each}")
    if heavy := [each.name for each in light if each.megabytes > MOST_MEGABYTES]:
        sys.exit(f"too large: {', '.join(heavy)}")


if __name__ == "__main__":
    main()
