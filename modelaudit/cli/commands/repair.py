"""`modelaudit repair`: files that another version of Keras loads, proven equal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelaudit.cli.options import common as options
from modelaudit.cli.options.places import PlaceType
from modelaudit.cli.terminal import columns, say, warn
from modelaudit.exit_codes import ExitCode
from modelaudit.terminal_text import clean, wrapped

if TYPE_CHECKING:
    from modelaudit.audit_types.repair import Repair
    from modelaudit.registry.remote.address import Place

WIDTH = 100
SHOWN = 12  # changes shown; repair.json has them all
COLOURS = {"repaired": "green", "not-needed": "green", "refused": "yellow", "unproven": "red"}
WORDS = {"not-needed": "loads as it is"}
SUFFIXES = {"h5": ".h5", "keras": ".keras"}


def screen(done: Repair) -> str:
    """One repair as text: the outcome, what was changed, and what proves it."""
    from modelaudit.report.wording.repair import evidence

    word = click.style(WORDS.get(done.status, done.status), fg=COLOURS[done.status], bold=True)
    lines = [f"{click.style(clean(done.path), bold=True)}  {word}"]
    if done.reason:
        lines.append(_wrap(clean(done.reason)))
    if done.out:
        lines.append(f"  {clean(done.out)}, for {done.target}")
    for change in done.changes[:SHOWN]:
        where = f" ({clean(change.layer)}" if change.layer else ""
        more = change.layers - 1
        if where and more:
            where += f" and {more} more layer{'s' if more > 1 else ''}"
        lines.append(_wrap(clean(change.what) + (f"{where})" if where else ""), "  - "))
    if len(done.changes) > SHOWN:
        lines.append(f"  - and {len(done.changes) - SHOWN} more changes")
    if done.out:
        lines += [_wrap(clean(each), "  + ") for each in evidence(done)]
    return "\n".join(lines)


def _wrap(text: str, first: str = "  ") -> str:
    return wrapped(text, min(columns(), WIDTH), first, " " * len(first))


@click.command(short_help="Write a file that another version of Keras loads.")
@click.argument("model", type=PlaceType())
@options.option(
    "--for",
    "target",
    required=True,
    metavar="RUNTIME",
    help="Runtime that is to load the new file, such as tf==2.21, tf-keras==2.21 or keras==3.8.",
)
@options.option(
    "--out",
    required=True,
    type=PlaceType(),
    help="The new file (.h5 or .keras); for a directory of models, the directory of the new ones. "
    "Also a URL.",
)
@options.option(
    "--format",
    "suffix",
    type=click.Choice(list(SUFFIXES)),
    help="Format of the new files of a directory. Default: that of the original, or keras.",
)
@options.option(
    "--drop-optimizer",
    "--strip-code",
    "drop_optimizer",
    is_flag=True,
    help="Leave out the training settings, with the names of custom losses and metrics, and the "
    "optimizer's state, also if they can be kept.",
)
@options.option(
    "--recalibrate",
    type=click.Path(path_type=Path, exists=True),
    metavar="IMAGES",
    help="Labelled images, as --probe-data takes them: compute the moving statistics of batch "
    "normalization on one half, and write the file only if the other half is answered better.",
)
@options.option(
    "--rename-classes",
    type=click.Path(path_type=Path, exists=True),
    metavar="IMAGES",
    help="Labelled images: write the class names in the order of the outputs to labels.txt beside "
    "the new file, if more of the images that played no part then get their name.",
)
@options.option(
    "--jobs",
    "-j",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Number of models of a directory to repair in parallel.",
)
@options.option("--json", "as_json", is_flag=True, help="Print one JSON object per model.")
@options.ARCHITECTURE
@options.probing
def repair(
    model: Place,
    target: str,
    out: Place,
    suffix: str | None,
    drop_optimizer: bool,
    recalibrate: Path | None,
    rename_classes: Path | None,
    jobs: int,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Write a file that RUNTIME loads as the same model, and prove it.

    MODEL is a model, also at a URL, or a directory: then every model that RUNTIME refuses is
    repaired into OUT under the same relative path. The saved config is translated; weights are
    copied. A file is written only if its weights, its layers and its outputs are those of the
    original; what was changed and compared is written beside it (NEW.repair.json). The original is
    never touched.

    Exit codes: 0 all repaired or loaded as they are, 1 some were not repaired, 4 no model found.
    """
    from modelaudit.audit_types.repair import RepairStatus
    from modelaudit.runs.repair import repairs
    from modelaudit.store.typed_json import encode

    settings = options.settings_from(fail_on="high", jobs=jobs, **chosen)
    found = failed = 0
    for done in repairs(
        model,
        target,
        out,
        settings,
        suffix=SUFFIXES.get(suffix or "", ""),
        drop_optimizer=drop_optimizer,
        recalibrate=recalibrate,
        rename_classes=rename_classes,
    ):
        found += 1
        failed += done.status in (RepairStatus.REFUSED, RepairStatus.UNPROVEN)
        say(json.dumps(encode(done)) if as_json else screen(done))
    if not found:
        warn(f"no model found at {model}")
        raise click.exceptions.Exit(ExitCode.NO_MODEL)
    if failed:
        raise click.exceptions.Exit(ExitCode.FINDINGS)
