"""Classes whose `call` is a `tf.function`, with weights of a file: Keras 3 does not use them.

Keras 3 builds a layer without a `build` of its own by calling it once, with made-up weights. A
`tf.function` keeps what it saw there: its answers stay those of the first values of the layers
inside, whatever is loaded later, and no gradient reaches these.
"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.source_code.classes import ClassCode, SourceCode
from modelaudit.runtimes.model import CheckContext, Reason

_BUILD = "build"


def traced_calls(context: CheckContext) -> Iterator[Reason]:
    """The first class in the file that keeps what it saw before the weights are there."""
    for each in context.classes:
        if found := traced_call(each, context):
            yield found
            return


def traced_call(code: ClassCode, context: CheckContext) -> Reason | None:
    """That a class keeps what it saw before its layers had the weights of a file, if it does."""
    if not (context.profile.keras3 and _keeps(code, context.code)):
        return None
    return Reason(
        "call-keeps-first-weights",
        LoadOutcome.DIFFERS,
        f"`call` of {code.name} ({code.where}) is a `tf.function`: called before its layers have "
        f"weights, it keeps their first values in {context.profile.name}, and answers with these "
        "whatever is loaded",
        "no error",
        "Remove `@tf.function` from `call`: `predict` compiles it anyway.",
        unless="the model is built by its `build`, and not by a call",
    )


def _keeps(owner: ClassCode, code: SourceCode) -> bool:
    """Whether it has layers with weights, and the first call is what builds them."""
    lineage = [each for each in code.lineage(owner) if isinstance(each, ClassCode)]
    made = any(code.makes_weights(part) for each in lineage for part in each.made)
    return owner.traced and made and code.defines(owner, _BUILD) is False
