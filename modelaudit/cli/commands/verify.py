"""`modelaudit verify`: check an attestation of an audit against a model."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelaudit.cli.options import common as options
from modelaudit.exit_codes import ExitCode
from modelaudit.terminal_text import first_of

if TYPE_CHECKING:
    from modelaudit.facts import Json
    from modelaudit.settings import Settings

SHOWN = 10  # differences


@click.command(short_help="Check a signed audit against a model.")
@click.argument("attestation", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--key",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Public key in PEM of whoever must have signed the attestation.",
)
def verify(attestation: Path, model: Path, key: Path) -> None:
    """Check ATTESTATION (of `audit --attest`) against MODEL: who signed it, and for which files.

    The exit code is 1 if the key did not sign it or the model has other files. Otherwise it is that
    of the attested audit: 0, 1 if it failed the model, 3 if it was incomplete.
    """
    from modelaudit.cli.terminal import say
    from modelaudit.errors import ReadError, UsageError
    from modelaudit.formats.io.bounded import read_bytes
    from modelaudit.formats.keras.json_config import mapping
    from modelaudit.runs.isolated_read import run_in_child
    from modelaudit.settings.installation import require
    from modelaudit.signing.attestation import MOST_BYTES, check_attestation, differences
    from modelaudit.signing.check import NEEDS, adds
    from modelaudit.structs import replace
    from modelaudit.terminal_text import clean

    require(NEEDS, "verifying attestations needs", adds=adds("signing"))
    from modelaudit.signing import keys

    try:
        trusted = keys.public_key(key.read_bytes())
    except ValueError as error:
        raise UsageError(f"{key}: {error}") from error

    def not_verified(why: str) -> click.exceptions.Exit:
        say(f"not verified: {clean(why)}")
        return click.exceptions.Exit(ExitCode.FINDINGS)

    try:
        data = read_bytes(attestation, MOST_BYTES, str(attestation))
        found = check_attestation(data, trusted, str(attestation))
    except ReadError as error:
        raise not_verified(str(error)) from error
    settings = replace(options.settings_from(fail_on="high", jobs=1), architecture=None)

    work = partial(_present, settings=settings)
    (answer,) = run_in_child([model], work, settings, lambda path: [path])
    present = (answer.value.get(each) for each in ("files", "beside"))
    files, others = (
        {name: str(digest) for name, digest in mapping(each).items()} for each in present
    )
    if not files:
        raise not_verified(f"{model}: {answer.lost or answer.value.get('problem')}")
    differing = differences(found.digests, files) + differences(found.beside, others)
    if differing:
        told = first_of(differing, SHOWN, "; ")
        raise not_verified(f"{model} is not the audited model: {told}")
    count = len(found.digests)
    say(
        f"verified: {clean(str(model))} has the {count:,} audited file{'s' if count != 1 else ''}; "
        f"signed by {clean(str(key))}"
    )
    say(clean(f"audited on {found.created} by {found.tool}: {found.verdict}. {found.reason}"))
    raise click.exceptions.Exit(found.code)


def _present(path: Path, settings: Settings) -> dict[str, Json]:
    """Digests of the model's files (`files`) and of what is read beside them, or the `problem`."""
    from modelaudit.audit_sections import labels_file
    from modelaudit.formats.added_architecture import add_architecture
    from modelaudit.formats.reader import read
    from modelaudit.restore.golden_check import read_golden
    from modelaudit.signing.attestation import beside, present_digests

    # An attested architecture is beside the model, whatever the settings say now.
    artifact = add_architecture(read(path, settings.limits), settings)
    try:
        files = present_digests(artifact, settings.limits)
    except ValueError as error:
        return {"problem": str(error)}
    labels, golden = labels_file(artifact), read_golden(artifact, settings.limits)
    others = beside(labels.sha256 if labels else None, golden.digest if golden else None)
    return {"files": {**files}, "beside": {**others}}
