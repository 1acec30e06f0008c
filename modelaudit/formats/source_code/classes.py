"""What the source code of a class says of how Keras makes, builds and saves its objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from modelaudit.formats.source_code.kept import KeptOrders
from modelaudit.formats.source_code.statements import RunningCode
from modelaudit.graphs import reachable
from modelaudit.layer_classes import LAYER_CLASSES, OTHER_WEIGHTS, Trait, has


def as_literal(value: object) -> str:
    """A value of JSON or of Python as text; a tuple as the list that JSON makes of it."""
    return repr(list(value) if isinstance(value, tuple) else value)


KERAS = ("keras.", "tensorflow.keras.", "tf_keras.")
"""How the full names of classes of Keras begin."""
HIDDEN = "__dict__"
"""The attribute of what a class keeps where no Keras looks, as by `vars(self)["dense"] = …`."""


class Parameters(Struct, frozen=True):
    """The parameters of a method, without `self`.

    `required` have no default, `defaults` are those that are literals, as `literal` gives them.
    `keywords` says that there is a `**kwargs`; `read` are the words that the method takes out of it
    by name, as in `kwargs.pop("units")`. `variadic` says that there are an `*args` and a
    `**kwargs`, under these names; `starred` is the name of what takes all arguments by position.
    """

    names: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    keywords: bool = False
    read: frozenset[str] = frozenset()
    defaults: Mapping[str, str] = field(default_factory=dict)
    variadic: bool = False
    starred: str = ""


class MadeObject(Struct, frozen=True):
    """A place where a program makes an object of a class, with arguments as `literal` gives them.

    An argument that is no literal is "".
    """

    name: str
    positional: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)


class BaseCall(Struct, frozen=True):
    """What a constructor passes to that of its base class.

    `words` are the keywords that it states, `positional` counts what it passes by position,
    `keywords` that it passes its `**kwargs` on. `passed` are the names of what it passes by
    position, "" for what is no name. `name` is what it states as the name, as `literal` gives it.
    """

    words: frozenset[str] = frozenset()
    positional: int = 0
    keywords: bool = False
    passed: tuple[str, ...] = ()
    name: str = ""


class MadeLayer(Struct, frozen=True):
    """An attribute to which a method assigns a new object of the class `name`.

    `listed` says that it is inside a list or dictionary, `words` are the keywords it is made with.
    `inside` are the classes in a list that a model without an input is made of, and `inner` says
    that it is in a list in a list. The name of an attribute that a loop sets begins as in the code,
    and ends with an asterisk.
    """

    attribute: str
    name: str
    method: str
    listed: bool = False
    words: frozenset[str] = frozenset()
    inside: tuple[str, ...] = ()
    inner: bool = False


class ClassCode(Struct, frozen=True):
    """One class of a program."""

    name: str
    """Its name."""
    module: str
    """The file's dotted path."""
    where: str
    """File and line of its definition."""
    bases: tuple[str, ...] = ()
    """Full names as imports resolve them, as `keras.layers.Layer`."""
    registered: str = ""
    """The name under which a decorator registers it with Keras, "" if none does."""
    static: bool = True
    """Its source shows how it is made: no metaclass or other decorator, `**kwargs` used as is."""
    constructor: Parameters | None = None
    """The parameters of `__init__`; None if the class defines none."""
    base_call: BaseCall | None = None
    """The call of the base class's constructor; None if there is none."""
    methods: frozenset[str] = frozenset()
    """The names of its methods."""
    made: tuple[MadeLayer, ...] = ()
    """The layers and weights that it makes."""
    built: frozenset[str] = frozenset()
    """Attributes that its `build` builds or calls."""
    variables: frozenset[str] = frozenset()
    """Attributes that are a `tf.Variable`."""
    drawn: frozenset[str] = frozenset()
    """Those of `variables` that a method makes which draws random numbers."""
    weights: frozenset[str] = frozenset()
    """The names that it gives to `add_weight`."""
    called: frozenset[str] = frozenset()
    """The attributes of `self` that its methods call."""
    stored: Mapping[str, str] = field(default_factory=dict)
    """Parameter of the constructor -> the attribute that keeps it as it is."""
    names_first: bool = False
    """It gives a name to `add_weight` by position."""
    deserializes: bool = False
    """Its `from_config` makes objects of parts of the config."""
    slashed: Mapping[str, bool] = field(default_factory=dict)
    """Names with a slash that it gives to layers or weights -> whether it always does."""
    of_shapes: frozenset[str] = frozenset()
    """The attributes of its input's shape that `build` uses."""
    revived: frozenset[str] = frozenset()
    """Parameters of which its constructor makes objects, as by `keras.initializers.get`."""
    growing: frozenset[str] = frozenset()
    """Lists of weights or layers that a second call of its `build` makes longer."""
    marks_built: bool = False
    """Its `build` sets `self.built`."""
    calls_base: bool = False
    """Its `build` calls that of its base class."""
    traced: bool = False
    """Its `call` is a `tf.function`."""
    of_output_shapes: frozenset[str] = frozenset()
    """The attributes of its input's shape that `compute_output_shape` uses."""
    trains: bool = False
    """Its `call` trains if it is not told: `training` has the default True."""
    several_outputs: bool = False
    """Its `compute_output_shape` gives a list of shapes."""
    variable_names: frozenset[str] = frozenset()
    """Names that it gives to a `tf.Variable`, with `*` for the name of the layer."""
    reorders: bool = False
    """It may keep layers in another order than it makes them."""
    in_turn: frozenset[str] = frozenset()
    """Lists that a method fills in turn."""
    looks_up: bool = False
    """It calls `tf.nn.embedding_lookup`, and never `tf.cast`."""
    assigned: frozenset[str] = frozenset()
    """The attributes that its methods give a value."""
    running: RunningCode = RunningCode()
    """What it does when it is used."""
    call: Parameters | None = None
    """The parameters of its `call`."""
    sets_output_shape: bool = False
    """Its `compute_output_shape` sets an item of the shape that it is given."""
    only_makes: bool = False
    """Its `from_config` passes the config to the constructor and does no more."""
    builds_itself: bool = False
    """Its constructor calls `self.build`."""
    uses_shape: bool = False
    """Its `build` uses the shape that it is given."""
    kept: KeptOrders = ((), ())
    """The layers that it makes, in the orders in which Keras 2 and Keras 3 may keep them."""
    needed: frozenset[str] = frozenset()
    """Full names in Keras without which its file is not imported."""
    helped: tuple[tuple[MadeLayer, ...], ...] = ()
    """Layers that functions of the file make for it; of several in one the first that there is."""
    shape_items: frozenset[int] = frozenset()
    """The items of its input's shape with which `compute_output_shape` computes."""


class SourceCode(Struct, frozen=True):
    """All classes of the files, by name, where objects of them are made, and names of functions.

    `problems` says of each file why it could not be read. `makers` are functions, with the classes
    of what they make and return, () where that is not known.
    """

    classes: Mapping[str, tuple[ClassCode, ...]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    functions: frozenset[str] = frozenset()
    made: Mapping[str, tuple[MadeObject, ...]] = field(default_factory=dict)
    makers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def named(self, name: str) -> Iterator[str]:
        """The classes whose constructor gives this name to an object that is given none."""
        given = as_literal(name)
        for listed in self.classes.values():
            for each in listed:
                default = each.constructor.defaults.get("name") if each.constructor else None
                stated = each.base_call.name if each.base_call else ""
                if given in (default, stated):
                    yield each.name

    @property
    def passed(self) -> frozenset[str]:
        """The names under which a program with this code passes or registers its own objects.

        A class with the name of one of Keras counts only where it is registered.
        """
        every = (each for found in self.classes.values() for each in found)
        registered = frozenset(each.registered for each in every if each.registered)
        return registered | ({*self.classes, *self.functions} - LAYER_CLASSES.keys())

    def find(self, name: str, module: str = "") -> ClassCode | None:
        """The class of this name; None if there is none, or several and no module tells them.

        Args:
            name: as in a config, so that it may be `package>Name`.
            module: the module that the config states, "" if it states none.
        """
        found = self.classes.get(name.rpartition(">")[2], ()) or self._registered_as(name)
        if len(found) > 1:
            found = tuple(each for each in found if _same_module(each.module, module))
        return found[0] if len(found) == 1 else None

    def _registered_as(self, name: str) -> tuple[ClassCode, ...]:
        """Classes that a decorator registers under another name than theirs."""
        every = (each for listed in self.classes.values() for each in listed if each.registered)
        return tuple(each for each in every if name in each.registered.split(">"))

    def arguments(self, code: ClassCode) -> tuple[Mapping[str, str], ...]:
        """What each place that makes an object of the class passes to its constructor, by name.

        There are none if a place passes what the text does not tell.
        """
        found: list[Mapping[str, str]] = []
        names = code.constructor.names if code.constructor else ()
        for each in self.made.get(code.name, ()):
            given = dict(zip(names, each.positional, strict=False)) | dict(each.words)
            if len(each.positional) > len(names) or not all(given.values()):
                return ()
            found.append(given)
        return tuple(found)

    def lineage(self, code: ClassCode) -> Iterator[ClassCode | str]:
        """The class and its bases in the order in which Python looks for a method.

        The last is the full name of the first base that is not of the program, as
        `keras.layers.Layer`; "" where the files do not tell it.
        """
        seen: set[str] = set()
        current: ClassCode | str = code
        while isinstance(current, ClassCode):
            seen.add(current.where)
            yield current
            mixins = [self.made_class(each) for each in current.bases[:-1]]
            current = self._last_base(current)
            for each in mixins:  # whose own base is `object`, which comes after all others
                if each is None or {*each.bases} - {"object"} or each.where in seen:
                    current = ""
                    break
                seen.add(each.where)
                yield each
            if isinstance(current, ClassCode) and current.where in seen:
                current = ""
        yield current

    def _last_base(self, code: ClassCode) -> ClassCode | str:
        base = code.bases[-1] if code.bases and code.static else ""
        return self.made_class(base) or base

    def made_class(self, base: str) -> ClassCode | None:
        """The class of the program with this full name; None if it is one of a library."""
        if not base or base.startswith(_LIBRARIES):
            return None
        return self.find(base.rpartition(".")[2], base.rpartition(".")[0])

    def defines(self, code: ClassCode, method: str) -> bool | None:
        """Whether the class or a base of the program has a method; None if no one can tell."""
        for each in self.lineage(code):
            if isinstance(each, str):
                return None if not each else False
            if method in each.methods:
                return True
        return None

    def parts(self, code: ClassCode) -> tuple[ClassCode, ...]:
        """The class, its bases in the program, and the classes that these make objects of."""
        places = {each.where: each for found in self.classes.values() for each in found}

        def inside(where: str) -> Iterator[str]:
            for each in self.lineage(places[where]):
                if isinstance(each, ClassCode):
                    yield each.where
                    found = (self.made_class(made.name) for made in each.made)
                    yield from (one.where for one in found if one is not None)

        return tuple(places[where] for where in reachable([code.where], inside))

    def has_weights(self, made: str, depth: int = 20) -> bool:
        """Whether a class, of the program or of Keras, makes weights when it is built.

        A function of the program makes what it returns.

        Args:
            made: its full name.
            depth: how many layers inside each other are looked at.
        """
        name = made.rpartition(".")[2]
        if made.startswith(_LIBRARIES):
            return name in OTHER_WEIGHTS or any(has(name, trait) for trait in _WEIGHTS)
        code = self.find(name)
        if code is None and depth and not made.startswith("self."):
            inside = min(depth - 1, _DEPTH)
            return any(self.has_weights(each, inside) for each in self.makers.get(name, ()))
        if code is None or not depth:
            return False
        return any(
            "add_weight" in each.called
            or any(self.makes_weights(x, depth - 1) for x in each.made if x.attribute != HIDDEN)
            for each in self.lineage(code)
            if isinstance(each, ClassCode)
        )

    def makes_weights(self, made: MadeLayer, depth: int = 20) -> bool:
        """As `has_weights`, of an attribute: a model of layers without an input has theirs."""
        names = (made.name, *made.inside)
        return any(self.has_weights(each, depth) for each in names)

    def weights(self, code: ClassCode) -> frozenset[str]:
        """The names that the class and its bases give to weights of their own."""
        own = (each.weights for each in self.lineage(code) if isinstance(each, ClassCode))
        return frozenset().union(*own)

    def base(self, code: ClassCode) -> str:
        """The full name of the first base that is not of the program; "" if it is not known."""
        *_, last = self.lineage(code)
        return last if isinstance(last, str) else ""


# Layers of Keras with weights that they make when they are built.
_WEIGHTS = (
    *(Trait.FEATURE_WEIGHTS, Trait.CONVOLUTION, Trait.ATTENTION),
    *(Trait.RECURRENT, Trait.RECURRENT_CELL),
)
_DEPTH = 3  # layers inside each other that are looked at in what a function makes
_LIBRARIES = ("keras.", "tensorflow.", "tf_keras.")


def _same_module(path: str, module: str) -> bool:
    """Whether a file may be a module, whose first packages may be directories above."""
    return path == module or path.endswith(f".{module}") or module.endswith(f".{path}")
