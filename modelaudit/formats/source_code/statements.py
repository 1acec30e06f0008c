"""What is said of statements that run when objects of a class are made, built and called."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field


class Use(Struct, frozen=True):
    """When a statement runs: always or under a condition, and only when an object is called.

    `untold` says that the condition is that nobody has said whether the model trains, as it is when
    Keras 3 builds it.
    """

    always: bool = True
    called: bool = False
    untold: bool = False


class AddedWeight(Struct, frozen=True):
    """A call of `add_weight`, or of its old name `add_variable`: the `method`.

    `words` are its keywords with their values as text, `constants` those that are literals,
    `positional` counts what it passes by position. `all_told` says that it unpacks nothing.
    """

    method: str
    words: Mapping[str, str] = field(default_factory=dict)
    constants: frozenset[str] = frozenset()
    positional: int = 0
    all_told: bool = True
    use: Use = Use()


class PassedValue(Struct, frozen=True):
    """A value that is no tensor, and that a layer which `attribute` keeps is given by position.

    `later` says that it is None, as a tensor may be, while a model is built.
    """

    attribute: str
    value: str
    later: bool = False
    use: Use = Use()


class Given(StrEnum):
    """What a call passes by position, as far as the text tells."""

    NONE = "None"
    MASK = "the mask that the method was given"
    VALUE = "a literal, or the training that the method was given"
    OTHER = "what may be a tensor"


class InnerCall(Struct, frozen=True):
    """A call of what `attribute` keeps, with what it passes by position and its keywords."""

    attribute: str
    given: tuple[Given, ...] = ()
    words: frozenset[str] = frozenset()
    all_told: bool = True
    use: Use = Use()


class ParameterUse(Struct, frozen=True):
    """What a class does with the value of a parameter, as it is.

    `need` is what the value must be or have, of which `name` is the attribute or key. `of_shape`
    says that `compute_output_shape` does it, and nothing else.
    """

    parameter: str
    need: str
    name: str = ""
    of_shape: bool = False
    use: Use = Use()


class RunningCode(Struct, frozen=True):
    """What a class does when its objects are made, built and called.

    `reads` are the attributes of `self` that it reads, less those that it asks for by `hasattr`,
    `keras` the full names that it uses of Keras, `losses` how it calls `add_loss`, and `builds` the
    attributes whose `build` is called by its own. `calls` are those of attributes, `conditions`
    the statements whose course depends on a tensor, and `values` what it does with parameters.
    `repeats` are calls of `ops.tile` whose number of repeats is a tensor, and `mask` is the first
    expression of `call` that takes its mask for one tensor.
    """

    reads: Mapping[str, Use] = field(default_factory=dict)
    keras: Mapping[str, Use] = field(default_factory=dict)
    weights: tuple[AddedWeight, ...] = ()
    passed: tuple[PassedValue, ...] = ()
    losses: Mapping[str, Use] = field(default_factory=dict)
    builds: Mapping[str, Use] = field(default_factory=dict)
    calls: tuple[InnerCall, ...] = ()
    conditions: Mapping[str, Use] = field(default_factory=dict)
    values: tuple[ParameterUse, ...] = ()
    repeats: Mapping[str, Use] = field(default_factory=dict)
    mask: str = ""
