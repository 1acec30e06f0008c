"""Arguments of own classes that their `get_config` leaves out, and that the code passes.

The class is then made with the default value. What that changes, the text does not tell: nothing,
the outputs, or the shapes of weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.formats.source_code.classes import KERAS, ClassCode, as_literal
from modelaudit.runtimes.checks.own_classes.given_code import code_of, restores
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.saved_config import Config, nodes_in

_NAME = "name"
_CONFIG = "get_config"
_NOTED = ("Layer", "Model")  # bases whose `get_config` writes what a constructor was given
# Words of arguments that say nothing of what a loaded layer computes outside of training.
_OF_TRAINING = re.compile(
    r"drop|rate|regulari|initial|constraint|seed|name|trainable|momentum|decay|noise|std|loss|"
    r"l1|l2|_reg\Z|\Areg|\Atraining\Z|smoothing|debug|verbose|log|dtype",
    re.IGNORECASE,
)


def lost_arguments(config: Config, context: CheckContext) -> Iterator[Reason]:
    """The first argument that a place in the code passes, and the config of the class lacks."""
    for node in nodes_in(dict(config)) if context.code.classes else ():
        code = code_of(node, context)
        given = mapping(node.get("config"))
        for argument in _lost(code, given, context) if code else ():
            route = text(given.get("name")) or text(node.get("class_name"))
            yield Reason(
                "argument-not-saved",
                LoadOutcome.UNKNOWN,
                f"the config of `{route}` ({text(node.get('class_name'))}) does not have "
                f"{argument}, which the code passes: it is made with the default value",
                "",
                f"Return {argument} in the `get_config`, and save the model again.",
                route,
                unless=f"{argument} changes nothing outside of training, or has its default value "
                "here",
            )
            return


def _lost(code: ClassCode, given: Config, context: CheckContext) -> Iterator[str]:
    base = context.code.base(code)
    if code.constructor is None or not code.static or not base.startswith(KERAS):
        return
    writes = context.code.defines(code, _CONFIG) or base.rpartition(".")[2] not in _NOTED
    if not writes or restores(code, context.code) is not False:
        return
    names, required = code.constructor.names, code.constructor.required
    own = as_literal(given.get(_NAME))
    for name in names:
        if name in given or name in required or _OF_TRAINING.search(name):
            continue
        default = code.constructor.defaults.get(name)
        for place in context.code.made.get(code.name, ()):
            passed = dict(zip(names, place.positional, strict=False)) | dict(place.words)
            if passed.get(_NAME, own) not in ("", own):
                continue  # it makes another object of the class
            if passed.get(name, default) != default:
                yield name
                break
