"""MA762 to MA768: what the signatures beside a model show (OpenSSF Model Signing)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from modelaudit.audit_types.signing import SignatureRow, SignedFiles, Signer, SigningSection
from modelaudit.facts import Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules.examples import healthy
from modelaudit.rules.grammar import counted
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.structs import replace
from modelaudit.terminal_text import first_of

SHOWN = 5
REFERENCES = ("https://github.com/ossf/model-signing-spec",)


def _section(facts: Facts) -> SigningSection:
    if facts.signing is None:
        raise NotRelevant("signatures were not looked for")
    if not facts.signing.found:
        raise NotRelevant("there is no signature beside the model")
    return facts.signing


def _of_signers(facts: Facts) -> SigningSection:
    """The signatures, where the settings say whom they trust."""
    found = _section(facts)
    if not facts.settings.signing.trusts:
        raise NotApplicable("the settings trust nobody to sign models (`[signing]`)")
    return found


def _severity(rule: Rule, found: SigningSection) -> Severity:
    """High where the settings ask for a signature: this is none that counts."""
    return Severity.HIGH if found.required else rule.severity


def _check_files(rule: Rule, facts: Facts) -> Iterator[Finding]:
    usable = [row for row in _section(facts).found if row.files is not SignedFiles.UNVERIFIABLE]
    if not usable:
        raise NotApplicable("no signature beside the model can be used")
    for row in usable:
        if row.files is SignedFiles.DIFFER:
            lists = {"changed": row.changed, "missing": row.missing, "not signed": row.added}
            told = [f"{word}: {first_of(names, SHOWN)}" for word, names in lists.items() if names]
            evidence: dict[str, Json] = {word: [*names] for word, names in lists.items() if names}
            yield rule.finding(
                f"`{row.file}` is a signature of other files. "
                + (
                    f"Of the model, {'; '.join(told)}."
                    if told
                    else "It covers no file of the model."
                ),
                file=row.file,
                key=row.file,
                evidence={
                    "measured": sum(map(len, lists.values())),
                    "unit": "files",
                    "threshold": 0,
                    "n": row.covered + sum(map(len, lists.values())),
                    **evidence,
                },
            )


def _check_invalid(rule: Rule, facts: Facts) -> Iterator[Finding]:
    for row in _of_signers(facts).by(Signer.INVALID):
        yield rule.finding(
            f"`{row.file}` claims to be signed by {row.identity}: {row.problem}.",
            file=row.file,
            key=row.file,
            evidence={"identity": row.identity},
        )


def _check_unknown(rule: Rule, facts: Facts) -> Iterator[Finding]:
    found = _of_signers(facts)
    if found.by(Signer.TRUSTED) or found.by(Signer.EXPIRED):
        return
    for row in found.by(Signer.UNKNOWN):
        yield rule.finding(
            f"`{row.file}` is signed by {row.identity}: {row.problem}.",
            file=row.file,
            key=row.file,
            evidence={"identity": row.identity},
            severity=_severity(rule, found),
        )


def _check_expired(rule: Rule, facts: Facts) -> Iterator[Finding]:
    found = _of_signers(facts)
    if found.by(Signer.TRUSTED):
        return
    for row in found.by(Signer.EXPIRED):
        yield rule.finding(
            f"`{row.file}` is signed by {row.identity}, but {row.problem}. The signature does not "
            "show when it was made.",
            file=row.file,
            key=row.file,
            evidence={"identity": row.identity, "valid_until": row.valid_until or None},
            severity=_severity(rule, found),
        )


def _check_unverifiable(rule: Rule, facts: Facts) -> Iterator[Finding]:
    found = _of_signers(facts)
    for row in found.found:
        if row.files is SignedFiles.UNVERIFIABLE:
            yield rule.finding(
                f"`{row.file}` cannot be verified: {row.problem}.",
                file=row.file,
                key=row.file,
                severity=_severity(rule, found),
            )


def _check_unsigned(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if not facts.settings.signing.required:
        raise NotRelevant("the settings do not ask for a signature of this model")
    if facts.signing is None:
        raise NotApplicable("signatures were not looked for")
    if not facts.signing.found:
        yield rule.finding(
            "The settings ask for a signature of this model, and none is beside it.",
            evidence={"required": [*facts.settings.signing.required]},
        )


def _check_left_out(rule: Rule, facts: Facts) -> Iterator[Finding]:
    for row in _section(facts).found:
        if row.loaded_left_out:
            yield rule.finding(
                f"`{row.file}` leaves out {counted(len(row.loaded_left_out), 'file', 'files')} that loaders "
                f"read: {first_of(row.loaded_left_out, SHOWN)}.",
                file=row.file,
                key=row.file,
                evidence={
                    "measured": len(row.loaded_left_out),
                    "unit": "files",
                    "threshold": 0,
                    "n": row.covered + len(row.left_out),
                    "left_out": [*row.left_out],
                },
            )


def _row(signer: Signer = Signer.TRUSTED, files: SignedFiles = SignedFiles.INTACT) -> SignatureRow:
    return SignatureRow(
        file="model.sig", signer=signer, files=files, identity="key team.pem", covered=2
    )


def _signed(*rows: SignatureRow, required: bool = False) -> Facts:
    from modelaudit.settings.signing import Signing, TrustedFile

    facts = healthy()
    trusted = Signing(
        required=("*",) if required else (), public_keys=(TrustedFile("team.pem", ""),)
    )
    return replace(
        facts,
        settings=replace(facts.settings, signing=trusted),
        signing=SigningSection(required=required, found=rows),
    )


def _good() -> Facts:
    return _signed(_row())


def _bad(signer: Signer, problem: str) -> Callable[[], Facts]:
    return lambda: _signed(replace(_row(signer), problem=problem))


RULES = (
    Rule(
        code="MA762",
        name="signed-files-differ",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The model's files are not those that were signed",
        pass_title="The model's files are those that were signed",
        why="A signature lists the digest of every file. A file that was changed, removed or added "
        "since is damage, another version, or an attack; the signature vouches for none of them.",
        fix="Get the model again from where it was signed. If it was changed on purpose, its "
        "signer has to sign it again:\n\n"
        "    model_signing sign key MODEL --private_key KEY --signature MODEL.sig",
        check=_check_files,
        bad=lambda: _signed(
            replace(_row(files=SignedFiles.DIFFER), changed=("model.weights.h5",), covered=1)
        ),
        good=_good,
        keeps_from_running=True,
        references=REFERENCES,
    ),
    Rule(
        code="MA763",
        name="signature-invalid",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="A signature names a trusted signer who did not make it",
        pass_title="Every signature was made by the signer that it names",
        why="The list of files was changed after it was signed, or somebody else made the signature "
        "and claims to be this signer.",
        fix="Do not use the model. Ask the signer for the model and its signature, and where this "
        "copy comes from.",
        check=_check_invalid,
        bad=_bad(Signer.INVALID, "it names this key, which did not sign it"),
        good=_good,
        keeps_from_running=True,
        references=REFERENCES,
    ),
    Rule(
        code="MA764",
        name="unknown-signer",
        family=Family.SECURITY,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The model is signed by somebody whom the settings do not trust",
        pass_title="The model is signed by somebody whom the settings trust",
        why="Anyone can sign a model. A signature is worth something only if its signer is one who "
        "is meant to make this model. Where the settings ask for a signature, this one does not "
        "count, and the finding is high.",
        fix="Check with the source of the model who signs it. If that is right, add the key, "
        "certificate or identity to `[signing]` in the settings file.",
        check=_check_unknown,
        bad=_bad(Signer.UNKNOWN, "the settings do not trust it"),
        good=_good,
        references=REFERENCES,
    ),
    Rule(
        code="MA765",
        name="signer-expired",
        family=Family.SECURITY,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The certificate of the signer is not valid now",
        pass_title="The certificate of the signer is valid",
        why="Whoever gets hold of an old key can sign with it, and a signature by a certificate does "
        "not show when it was made. Where the settings ask for a signature, the finding is high.",
        fix="Have the model signed again with a valid certificate.",
        check=_check_expired,
        bad=_bad(Signer.EXPIRED, "a certificate is valid only from 2024-01-01 to 2025-01-01"),
        good=_good,
        references=REFERENCES,
    ),
    Rule(
        code="MA766",
        name="signature-not-verifiable",
        family=Family.SECURITY,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="A signature beside the model cannot be verified",
        pass_title="Every signature beside the model can be verified",
        why="It is damaged, of another kind or version, or uses what cannot be checked here. It "
        "counts as none. Where the settings ask for a signature, the finding is high.",
        fix="Sign the model with a current `model-signing` and SHA-256 (its default), or remove "
        "what is no signature of the model.",
        check=_check_unverifiable,
        bad=lambda: _signed(
            replace(_row(Signer.UNCHECKED, SignedFiles.UNVERIFIABLE), problem="model.sig: not JSON")
        ),
        good=_good,
        references=REFERENCES,
    ),
    Rule(
        code="MA767",
        name="unsigned",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The settings ask for a signature, and the model has none",
        pass_title="The model has a signature, as the settings ask",
        why="Without a signature, nothing shows that this is the model that its makers released.",
        fix="Get the model with its signature, or have it signed:\n\n"
        "    model_signing sign key MODEL --private_key KEY --signature MODEL.sig",
        check=_check_unsigned,
        bad=lambda: _signed(required=True),
        good=lambda: _signed(_row(), required=True),
        references=REFERENCES,
    ),
    Rule(
        code="MA768",
        name="signature-leaves-out-files",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="A signature leaves out files that loaders read",
        pass_title="The signatures cover every file that loaders read",
        why="A signature names paths that it ignores. What is there can be exchanged, and the "
        "signature still holds.",
        fix="Have the model signed without ignoring these paths.",
        check=_check_left_out,
        bad=lambda: _signed(
            replace(_row(), left_out=("assets/words.txt",), loaded_left_out=("assets/words.txt",))
        ),
        good=_good,
        keeps_from_running=True,
        references=REFERENCES,
    ),
)
