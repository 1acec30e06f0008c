"""How a model of the third set of `table.py` is put together, compiled and trained."""

from dataclasses import dataclass

import numpy as np

from benchmarks.mistakes.third.bodies import FEATURES, Ground


def dense(units, activation=None, *behind, **options):
    """A head: a dense layer named `head`, and the layers that `behind` makes."""
    return lambda kl: [
        kl.Dense(units, activation=activation, name="head", **options),
        *(make(kl) for make in behind),
    ]


def hidden(kl):
    """What stands between the features and the head, unless a kind says otherwise."""
    return [kl.Dense(16, activation="relu", name="hidden")]


def nothing(_):
    """No layer between the features and the head."""
    return []


def loss(name, **options):
    """A loss as an object."""
    return lambda keras: getattr(keras.losses, name)(**options)


def optimizer(name="Adam", **options):
    """An optimizer; `learning_rate` may be a function from Keras to a schedule."""

    def make(keras):
        given = {key: value(keras) if callable(value) else value for key, value in options.items()}
        return getattr(keras.optimizers, name)(**given)

    return make


@dataclass(frozen=True)
class Third:
    """A kind of the third set; without `remedy` it is sound.

    `codes` are the rules that may name it, `remedy` what one of these findings has to advise.
    `whole` makes all of the model, from Keras; then `head`, `hidden` and `bodies` do not matter.
    """

    name: str
    remedy: str = ""
    codes: tuple[str, ...] = ()
    head: object = dense(5, "softmax")
    loss: object = "sparse_categorical_crossentropy"
    hidden: object = hidden
    bodies: tuple[str, ...] = ()
    front: object = None
    act: str | None = "relu"
    shape: tuple | None = None
    optimizer: object = optimizer()
    metrics: object = None  # from Keras, or a list
    compiled: dict | None = None
    weights: object = None  # changes the model after training
    drawn: bool = False  # weights as the initializers drew them
    steps: int | None = None  # of real training
    names: tuple[str, ...] = ()
    info: bool = False
    new: bool = True  # no kind of the first two sets
    whole: object = None
    generations: tuple[str, ...] = ("keras", "tf_keras")

    def build(self, library, body, settle):
        """The compiled, perhaps trained model, or None where the library has no such loss."""
        if library.__name__ not in self.generations:
            return None
        if self.whole:
            model = self.whole(library)
        else:
            ground = Ground(library, self.act, self.front, self.shape)
            given, x = FEATURES[body](ground)
            for layer in (*self.hidden(library.layers), *self.head(library.layers)):
                x = layer(x)
            model = library.Model(given if len(given) > 1 else given[0], x)
        if not self.drawn:
            settle(model, np.random.default_rng(3))
        if self.loss is not None:
            self._compile(library, model)
        if self.steps:
            _train(model, self.steps)
        if self.weights:
            self.weights(model, np.random.default_rng(4))
        return model

    def _compile(self, library, model):
        chosen = self.loss(library) if callable(self.loss) else self.loss
        metrics = self.metrics(library) if callable(self.metrics) else self.metrics
        model.compile(
            optimizer=self.optimizer(library), loss=chosen, metrics=metrics, **self.compiled or {}
        )


def _train(model, steps):
    """Train for this many steps of 8 examples of noise."""
    rng = np.random.default_rng(5)
    given = []
    for tensor in model.inputs:
        shape = (8, *(size or 1 for size in tensor.shape[1:]))
        whole = "int" in str(tensor.dtype)
        rows = rng.integers(1, 9, shape) if whole else rng.normal(0, 1, shape)
        given.append(rows.astype("int32" if whole else "float32"))
    one = model.outputs[0].shape[-1] == 1
    wanted = rng.normal(0, 1, (8, 1)).astype("float32") if one else rng.integers(0, 5, 8)
    model.run_eagerly = steps <= 40  # tracing costs more than 40 steps
    for _ in range(steps):
        model.train_on_batch(given if len(given) > 1 else given[0], wanted)
    model.run_eagerly = False


def known(name, remedy, **options):
    """A kind that the first two sets have in another form."""
    return Third(name, remedy, new=False, **options)


def wide(*units, **options):
    """Hidden layers of these widths."""
    return lambda kl: [
        kl.Dense(size, **{"activation": "relu", **options}, name=f"hidden{i or ''}")
        for i, size in enumerate(units)
    ]


def counted(model, _):
    """As after 50,000 steps."""
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(50_000)
