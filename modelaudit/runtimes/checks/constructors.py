"""What the config of a class of the program's own tells of its constructor."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.saved_config import Config

_OF_EVERY_LAYER = frozenset(("trainable", "dtype"))


def without_name(name: str, config: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """A constructor without keywords, whose config Keras 3 wrote.

    It leaves out the name where the constructor takes none, but writes what else every layer has,
    which such a constructor does not take either.
    """
    writer = context.writer
    if writer is None or not writer.keras3 or "name" in config:
        return
    if config.keys() >= _OF_EVERY_LAYER:
        yield Reason(
            "constructor-without-keywords",
            LoadOutcome.FAILS,
            f"the constructor of {name} takes no name, so Keras 3 saved `{route}` without one, but "
            "with trainable and dtype, which it does not take either",
            f"TypeError: …{name}.__init__() got an unexpected keyword argument 'trainable'",
            "Give the constructor **kwargs, and pass them to the constructor of its base class; or "
            "build the model from code and load the weights.",
            route,
            unless=f"the constructor of {name} takes trainable and dtype, as by **kwargs, or the "
            "class has a from_config of its own",
            sign="unexpected keyword argument 'trainable'",
        )
