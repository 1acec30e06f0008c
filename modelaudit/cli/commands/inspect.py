"""`modelaudit inspect`: the contents of a saved model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from modelaudit.cli.options import common as options
from modelaudit.cli.options.places import PATHS
from modelaudit.cli.terminal import columns
from modelaudit.exit_codes import ExitCode
from modelaudit.terminal_text import clean, shorten, shorten_path

if TYPE_CHECKING:
    from modelaudit.facts import Artifact, Json
    from modelaudit.registry.remote.address import Place
    from modelaudit.settings.audit_target import AuditTarget

ROWS = 40  # layers or tensors shown as text; --json has them all


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return ""


def _names(artifact: Artifact, target: AuditTarget) -> tuple[str, str]:
    """The directory and the name by which a model was found: a copy is named by its URL."""
    if target.address:
        return target.address, target.relative
    return str(artifact.root.parent), artifact.root.name


def facts_json(artifact: Artifact, target: AuditTarget) -> dict[str, Json]:
    """The facts of one model as JSON: the audit's sections without findings."""
    from modelaudit.audit_sections import architecture_section, model_section, weights_section
    from modelaudit.audit_types.json_form import jsonable
    from modelaudit.rules.model import Facts

    facts, names = Facts(artifact), _names(artifact, target)
    return {
        "path": "/".join(names),
        "model": jsonable(model_section(facts, *names, "")),
        "files": jsonable(artifact.files),
        "architecture": jsonable(architecture_section(facts)),
        "signatures": jsonable(artifact.signatures),
        "weights": jsonable(weights_section(facts)),
        "kernels": jsonable(artifact.kernels),
        "training": jsonable(artifact.training),
        "problems": jsonable(artifact.problems),
        "extra": jsonable(artifact.extra),
    }


def _shape(shape: object) -> str:
    if not isinstance(shape, tuple):
        return "?"
    return "×".join("?" if n is None else str(n) for n in shape[1:]) or "scalar"


def _text(artifact: Artifact, target: AuditTarget) -> str:
    said = artifact.provenance
    weights = [t for t in artifact.tensors if t.role == "weight"]
    width = columns()
    versions = ", ".join(
        f"{name} {value}"
        for name, value in (("Keras", said.keras), ("TensorFlow", said.tensorflow))
        if value
    )
    files = f"{len(artifact.files)} file{'s' if len(artifact.files) != 1 else ''}"
    made = clean(versions) or "unknown version"
    lines = [
        clean(shorten_path("/".join(_names(artifact, target)), width)),
        f"  {artifact.format.label}, {_size(artifact.nbytes)} in {files}, saved with {made}",
        f"  sha256 {artifact.sha256 or 'not computed'}",
        f"  {sum(t.size for t in weights):,} weights in {len(weights)} tensors",
    ]
    lines += [f"  ! {clean(p.file)}: {clean(p.detail)}" for p in artifact.problems]
    for signature in artifact.signatures:
        ends = [
            ", ".join(f"{e.name} {e.dtype} {_shape(e.shape)}" for e in side)
            for side in (signature.inputs, signature.outputs)
        ]
        lines.append(clean(shorten(f"  signature {signature.name}: {ends[0]} -> {ends[1]}", width)))
    layers = artifact.architecture.layers if artifact.architecture else ()
    if artifact.architecture:
        lines.append(f"  {artifact.architecture.class_name}, {len(layers)} layers")
    for layer in layers[:ROWS]:
        text = f"    {layer.route:<36} {layer.class_name:<24} {_shape(layer.output_shape)}"
        lines.append(clean(shorten(text, width)))
    if not layers:
        for tensor in artifact.tensors[:ROWS]:
            text = f"    {tensor.name:<48} {tensor.dtype:<9} {list(tensor.shape)}"
            lines.append(clean(shorten(text, width)))
    rest = (len(layers) or len(artifact.tensors)) - ROWS
    if rest > 0:
        lines.append(f"    … and {rest} more (--json lists them all)")
    return "\n".join(lines)


def _shown(artifact: Artifact, target: AuditTarget) -> dict[str, Json]:
    return {"text": _text(artifact, target)}


@click.command(short_help="Show the contents of saved models.")
@PATHS
@options.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of text.")
def inspect(paths: tuple[Place, ...], as_json: bool) -> None:
    """Show the contents of saved models. Checks no rules and writes no files."""
    from modelaudit.facts import Problem, ProblemKind
    from modelaudit.formats.reader import read_artifact, unreadable_artifact
    from modelaudit.runs.found_models import find_models
    from modelaudit.runs.isolated_read import run_in_child

    settings = options.settings_from(fail_on="high", jobs=1)
    found = find_models(paths, settings)
    show = facts_json if as_json else _shown

    def work(target: AuditTarget) -> dict[str, Json]:
        return show(read_artifact(target.path, settings.limits), target)

    answers, failed = [], False
    told_of = run_in_child(found.targets, work, settings, lambda target: [target.path])
    for target, told in zip(found.targets, told_of, strict=True):
        if told.lost:
            failed = True
            problem = Problem(ProblemKind.UNREADABLE, target.path.name, told.lost)
            answers.append(show(unreadable_artifact(target.path, problem), target))
        else:
            answers.append(told.value)
    if as_json:
        click.echo(json.dumps(answers, indent=2))
    else:
        click.echo("\n\n".join(str(answer["text"]) for answer in answers))
    if not found.targets:
        raise click.exceptions.Exit(ExitCode.NO_MODEL)
    if failed:
        raise click.exceptions.Exit(ExitCode.INCOMPLETE)
