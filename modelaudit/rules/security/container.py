"""MA7xx: what the file could do to whoever loads it."""

from __future__ import annotations

from modelaudit.facts import ProblemKind
from modelaudit.findings import Confidence, Severity
from modelaudit.rules.examples import healthy, with_problem
from modelaudit.rules.integrity import Damage, check_problem
from modelaudit.rules.model import Family, Need, Rule

CONTAINER = (
    Damage(
        ProblemKind.EXTERNAL_REFERENCE,
        "MA720",
        "external-reference",
        Severity.HIGH,
        "The file reads data from outside itself",
        "The file holds all of its data itself",
        "HDF5 can point at other files on the machine that loads it. A model then carries the "
        "reader's own files into its weights, or fails in ways that depend on the machine.",
        "Do not load it. Honest models never need this; ask the maker for a self-contained file.",
    ),
    Damage(
        ProblemKind.UNSAFE_PATH,
        "MA721",
        "unsafe-path",
        Severity.HIGH,
        "A path inside the model leads outside of it",
        "All paths inside the model stay inside",
        "Unpacking or following such a path writes or reads elsewhere on the machine.",
        "Do not unpack or load it. Ask the maker for a clean file.",
    ),
    Damage(
        ProblemKind.DUPLICATE_MEMBER,
        "MA722",
        "duplicate-archive-member",
        Severity.HIGH,
        "The archive holds two members of one name",
        "Every archive member has a name of its own",
        "One tool sees the first, another the second: what was checked is not what is loaded.",
        "Do not load it. Pack the model again with Keras.",
    ),
    Damage(
        ProblemKind.HEADER_MISMATCH,
        "MA723",
        "archive-header-mismatch",
        Severity.HIGH,
        "The archive contradicts itself",
        "The archive's headers agree with each other",
        "Zip archives describe each member twice. Where the two differ, tools disagree about the "
        "content.",
        "Do not load it. Pack the model again with Keras.",
    ),
)

RULES: tuple[Rule, ...] = tuple(
    Rule(
        code=damage.code,
        name=damage.name,
        family=Family.SECURITY,
        severity=damage.severity,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary=damage.summary,
        pass_title=damage.pass_title,
        why=damage.why,
        fix=damage.fix,
        check=check_problem(damage.kind),
        bad=with_problem(damage.kind),
        good=healthy,
    )
    for damage in CONTAINER
)
