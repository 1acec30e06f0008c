"""Options shared by several commands, and the settings built from them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from modelaudit.cli.options.settings_check import (
    check,
    check_targets,
    checked_profiles,
    chosen_runtimes,
)
from modelaudit.errors import UsageError
from modelaudit.findings import Severity
from modelaudit.report.export.registry import DEFAULT, PER_MODEL, PER_RUN
from modelaudit.settings import (
    MIB,
    MOST_BYTES,
    MOST_SECONDS,
    SANDBOXES,
    TASKS,
    CacheSettings,
    ProbeSettings,
    Settings,
    Task,
    default_jobs,
)
from modelaudit.settings.engine import Engine, EngineName
from modelaudit.settings.file import SettingsFile
from modelaudit.settings.known_models import Baseline


class ConfigurableOption(click.Option):
    """An option that an environment variable or the settings file can set."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Its name in errors: the option, or the source of its value."""
        elsewhere = _elsewhere(ctx, self) if ctx else ""
        return elsewhere or super().get_error_hint(ctx)


def value_source(name: str) -> str:
    """The name of the running command's parameter `name` in errors, by the source of its value."""
    context = click.get_current_context(silent=True)
    for parameter in context.command.params if context else ():
        if context and parameter.name == name:
            return _elsewhere(context, parameter) or parameter.opts[0]
    return name


def _elsewhere(context: click.Context, parameter: click.Parameter) -> str:
    """The environment variable, or key and settings file, that set the value; "" if neither did."""
    name = str(parameter.name)
    source = context.get_parameter_source(name)
    if source is ParameterSource.ENVIRONMENT:
        return f"environment variable {parameter.envvar}"
    file = context.find_object(SettingsFile)
    if source is ParameterSource.DEFAULT_MAP and file:
        return f"{name} in {file.path}"
    return ""


Function = TypeVar("Function", bound=Callable[..., Any])


def option(*names: str, **attributes: Any) -> Callable[[Function], Function]:
    """A click option that an environment variable can set: `MODELAUDIT_FAIL_ON` for `--fail-on`."""
    variable = names[0].removeprefix("--").replace("-", "_").upper()
    return click.option(
        *names, cls=ConfigurableOption, envvar=f"MODELAUDIT_{variable}", **attributes
    )


def group(*added: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """A decorator that adds several options, in this order."""

    def add(function: Function) -> Function:
        for each in reversed(added):
            function = each(function)
        return function

    return add


FORMATS = option(
    "--format",
    "-f",
    "formats",
    multiple=True,
    metavar="FORMAT[=FILE]",
    help=f"{', '.join(PER_MODEL)} (per model), {', '.join(PER_RUN)} (for the whole run). "
    f"Repeatable. Default: {', '.join(DEFAULT)}.",
)

ARCHITECTURE = option(
    "--architecture",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Architecture for weights files and checkpoints: a JSON file or a model. Default: a JSON "
    "file of the same name next to them, model.json, or a file of a similar name that has a place "
    "for each of their weights.",
)
# Options of every command that audits.
shared = group(
    option(
        "--fail-on",
        type=click.Choice([s.value for s in Severity]),
        default=Severity.HIGH.value,
        show_default=True,
        help="Lowest severity of a finding that fails a model.",
    ),
    option(
        "--jobs",
        "-j",
        type=click.IntRange(1, 64),
        default=default_jobs,
        show_default="one per core, at most 8",
        help="Number of models to audit in parallel.",
    ),
    option(
        "--target",
        default="",
        metavar="RUNTIMES",
        help="Runtimes to predict for, such as tf==2.21,tf==2.18+keras==3.5,tf-keras==2.21. "
        "Default: the installed ones and the newest known one. The serving runtime of the settings "
        "file ([serving]) is always among them, and decides the verdict.",
    ),
    option(
        "--all-versions",
        is_flag=True,
        help="In directories with numbered versions, audit every version, not only the newest.",
    ),
    option(
        "--baseline",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="Ignore known findings: those in this file (see `modelaudit baseline`) fail no model.",
    ),
    ARCHITECTURE,
    option(
        "--cache-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="Directory for unpacked archives and copies of remote files. Default: "
        "modelaudit/archives in the user's cache.",
    ),
    option(
        "--cache-size",
        type=click.IntRange(1, MOST_BYTES // MIB),
        default=CacheSettings().size // MIB,
        show_default=True,
        help="Maximum size of that directory, in MiB.",
    ),
    option(
        "--tracking-uri", default="", metavar="URL", help="MLflow server (MLFLOW_TRACKING_URI)."
    ),
    option(
        "--local-artifacts", default="", metavar="DIR", help="Where MLflow may name local files."
    ),
    option("--quiet", "-q", is_flag=True, help="Print only errors."),
    option(
        "--log-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Append one JSON line per model to this file.",
    ),
)

# Options of commands that run models.
probing = group(
    option("--no-probe", is_flag=True, help="Do not run models."),
    option(
        "--runtime",
        "runtimes",
        multiple=True,
        metavar="NAME",
        help="Also run models in this runtime from the settings file; `all` for all of them. "
        "Repeatable.",
    ),
    option(
        "--probe-data",
        type=click.Path(path_type=Path, exists=True),
        help="Images to run models on: a directory (class folders become labels), .npy, or .npz "
        "with x and optionally y.",
    ),
    option(
        "--task",
        type=click.Choice(TASKS),
        help="What the models' outputs are for, if the files do not show it. For single outputs, "
        "see `[[expect]]` in the settings file.",
    ),
    option("--resize", is_flag=True, help="Resize probe images to each model's input."),
    option(
        "--samples",
        type=click.IntRange(2, 4096),
        default=ProbeSettings().samples,
        show_default=True,
        help="Number of synthetic probe inputs per model, if --probe-data is not given.",
    ),
    option(
        "--timeout",
        type=click.FloatRange(1, MOST_SECONDS),
        default=ProbeSettings().timeout,
        show_default=True,
        help="Time limit for running one model, in seconds of wall clock.",
    ),
    option(
        "--memory",
        type=click.IntRange(512, MOST_BYTES // MIB),
        default=ProbeSettings().memory // MIB,
        show_default=True,
        help="Memory limit for running one model, in MiB.",
    ),
    option(
        "--probe-unsafe",
        is_flag=True,
        help="Also run models with a critical finding or unknown code (in the sandbox).",
    ),
    option(
        "--sandbox",
        type=click.Choice(SANDBOXES),
        default=ProbeSettings().sandbox,
        show_default=True,
        help="Sandbox for running models: kernel features available to every process, or these "
        "inside bubblewrap namespaces.",
    ),
    option(
        "--require-sandbox",
        is_flag=True,
        help="Do not run models if the sandbox is incomplete.",
    ),
)


def settings_from(
    *,
    fail_on: str,
    jobs: int,
    target: str = "",
    baseline: Path | None = None,
    architecture: Path | None = None,
    cache_dir: Path | None = None,
    cache_size: int = CacheSettings().size // MIB,
    tracking_uri: str = "",
    local_artifacts: str = "",
    runtimes: tuple[str, ...] = (),
    no_probe: bool = True,
    probe_data: Path | None = None,
    task: Task | None = None,
    resize: bool = False,
    samples: int = ProbeSettings().samples,
    timeout: float = ProbeSettings().timeout,
    memory: int = ProbeSettings().memory // MIB,
    probe_unsafe: bool = False,
    sandbox: str = ProbeSettings().sandbox,
    require_sandbox: bool = False,
    engine: EngineName = "local",
    ray_address: str = "",
) -> Settings:
    """Settings from the options, and from the settings file for everything without an option."""
    file = settings_file()
    check(file)
    if math.isnan(timeout):  # which passes every range check
        raise UsageError(f"{value_source('timeout')} must be a number of seconds")
    if ray_address and engine != "ray":
        raise UsageError("--ray-address is for --engine ray")
    return Settings(
        engine=Engine(engine, ray_address),
        limits=file.limits,
        cache=CacheSettings(str(cache_dir.resolve()) if cache_dir else "", cache_size * MIB),
        expectations=file.expectations,
        waivers=file.waivers,
        policies=file.policies,
        thresholds=file.thresholds,
        base=str(file.path.parent.resolve()) if file.path else "",
        baseline=_baseline(baseline),
        fail_on=Severity(fail_on),
        jobs=jobs,
        targets=_targets(target, file),
        serving=file.serving,
        architecture=_architecture(architecture, file),
        runtimes=chosen_runtimes(runtimes, file.runtimes),
        profiles=checked_profiles(file.profiles),
        custom_objects=file.custom_objects,
        source_code=tuple(str(Path(each).resolve()) for each in file.source_code),
        signing=file.signing,
        tracking_uri=tracking_uri,
        local_artifacts=local_artifacts,
        probe=ProbeSettings(
            enabled=not no_probe,
            timeout=timeout,
            memory=memory * MIB,
            samples=samples,
            data=str(probe_data) if probe_data else None,
            resize=resize,
            tasks=(("*", task),) if task else (),
            unsafe=probe_unsafe,
            require_sandbox=require_sandbox,
            sandbox=sandbox,
        ),
    )


def _baseline(path: Path | None) -> Baseline | None:
    """The content of a baseline file.

    Raises:
        SchemaError: it is not a baseline file.
    """
    if path is None:
        return None
    from modelaudit.baseline import load

    return load(path)


def settings_file() -> SettingsFile:
    """The settings of the settings file, or the defaults without one."""
    context = click.get_current_context(silent=True)
    file = context.find_object(SettingsFile) if context else None
    return file or SettingsFile()


def _architecture(path: Path | None, file: SettingsFile) -> str | None:
    """The file's absolute path, after checking that it holds an architecture.

    Raises:
        UsageError: it does not.
    """
    if path is None:
        return None
    from modelaudit.formats.keras.external_architecture import read_architecture

    read_architecture(path, file.limits)
    return str(path.resolve())


def _targets(text: str, file: SettingsFile) -> tuple[str, ...]:
    """`tf==2.21, tf-keras==2.21` as a tuple.

    Raises:
        UsageError: one of them is not a runtime, or is unknown.
    """
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    check_targets(words, file.profiles, value_source("target"))
    return words
