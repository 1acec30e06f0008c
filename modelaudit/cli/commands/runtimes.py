"""`modelaudit runtimes`: list the known runtimes, or collect a profile of another one."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.group(invoke_without_command=True, short_help="List known runtimes, or add one.")
@click.pass_context
def runtimes(context: click.Context) -> None:
    """Runtimes that predictions are available for. The default subcommand is list."""
    if context.invoked_subcommand is None:
        context.invoke(list_runtimes)


@runtimes.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def list_runtimes(as_json: bool = False) -> None:
    """List the profiles that ship with modelaudit, with the versions they were collected from."""
    from modelaudit.runtimes.catalogue import default_targets, shipped_profiles

    profiles = [entry.read() for entry in shipped_profiles()]
    if as_json:
        rows = [{"runtime": p.collected, "versions": p.data["versions"]} for p in profiles]
        click.echo(json.dumps({"profiles": rows, "default": default_targets()}, indent=2))
        return
    for profile in profiles:
        versions = profile.data["versions"]
        keras = "tf-keras" if profile.legacy else "keras"
        words = ", ".join(f"{name} {versions[name]}" for name in ("h5py", "numpy"))
        words = f"{keras} {versions['keras']}, {words}, Python {versions['python']}"
        click.echo(f"{profile.collected:<20} {words}")
    click.echo(f"default targets: {', '.join(default_targets())}")


@runtimes.command()
@click.option(
    "--python",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="Python interpreter whose TensorFlow is profiled.",
)
@click.option("--legacy-keras", is_flag=True, help="Profile its tf-keras instead of Keras 3.")
@click.option(
    "--keras-only",
    is_flag=True,
    help="Profile only its Keras 3, for use with any TensorFlow.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runtimes"),
    show_default=True,
    help="Directory for the profile.",
)
def collect(python: Path, legacy_keras: bool, keras_only: bool, out: Path) -> None:
    """Collect the profile of another interpreter's TensorFlow (takes about a minute)."""
    from modelaudit.runtimes.collecting.launch import collect as collect_profile
    from modelaudit.runtimes.collecting.launch import write

    profile = collect_profile(python, legacy=legacy_keras)
    click.echo(write(profile.without_tensorflow() if keras_only else profile, out))
