"""The table of layer classes: complete, and the only list of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from modelaudit.layer_classes import (
    _TABLE,
    ALIASES,
    LAYER_CLASSES,
    Trait,
    augments,
    classes,
    has,
    spatial_rank,
)
from tests.sources import SOURCES, within

# Computations keyed by class. The child's files run without the package.
TABLES_OF_FUNCTIONS = (
    "modelaudit.formats.keras.shapes.layers",
    "modelaudit.formats.keras.variables.specs",
)
ELSEWHERE = (
    "modelaudit.layer_classes",
    "modelaudit.formats.keras.dialects",  # strings of Keras 1, some of them class names
    "modelaudit.formats.keras.builtin_layers",  # Keras 3's operations, some named like layers
    "modelaudit.formats.graph",  # TensorFlow's operations
    "modelaudit.rules.security.graph",
    "modelaudit.runtimes.collecting",
    "modelaudit.probe.child",
    *TABLES_OF_FUNCTIONS,
)
LISTED = 4


def lists(source: str) -> Iterator[tuple[int, list[str]]]:
    """(line, names) of every literal list of layer classes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            words = [e.value for e in node.elts if isinstance(e, ast.Constant)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value.split()
        else:
            continue
        names = [word for word in words if isinstance(word, str) and word in LAYER_CLASSES]
        if len(names) >= LISTED:
            yield node.lineno, names


def test_no_class_is_listed_twice():
    names = [name for _, row in _TABLE for name in row.split()]
    assert sorted(names) == sorted({*names})
    assert ALIASES.keys().isdisjoint(names)
    assert {*ALIASES.values()} <= {*names}


def test_no_other_module_lists_layer_classes():
    found = {
        module: [*lists(source)]
        for module, source in SOURCES.items()
        if not within(module, ELSEWHERE)
    }
    assert {module: where for module, where in found.items() if where} == {}


@pytest.mark.parametrize(
    "source",
    [
        "X = ('Dropout', 'ReLU', 'Dense', 'Conv2D')",
        "X = frozenset({'Dropout', 'ReLU', 'Dense', 'Conv2D', *Y})",
        "X = words('''Dropout ReLU Dense\nConv2D''')",
    ],
)
def test_a_list_is_detected(source):
    ((line, names),) = lists(source)
    assert line == 1
    assert names == ["Dropout", "ReLU", "Dense", "Conv2D"]


def test_every_trait_belongs_to_a_class_and_is_used():
    code = "".join(source for module, source in SOURCES.items() if module != ELSEWHERE[0])
    traits = {name: value for name, value in vars(Trait).items() if isinstance(value, int)}
    assert len({*traits.values()}) == len(traits) > 30
    for name, trait in traits.items():
        assert trait.bit_count() == 1
        assert classes(trait)
        assert f"Trait.{name}" in code, f"nothing asks for {name}"


def test_elementwise_classes_keep_the_shape():
    assert classes(Trait.POINTWISE | Trait.CHANNEL_NORMALISATION) <= classes(Trait.SAME_SHAPE)
    assert classes(Trait.DROPOUT | Trait.NOISE) <= classes(Trait.POINTWISE)


def test_an_alias_has_the_traits_of_its_class():
    for alias, name in ALIASES.items():
        assert LAYER_CLASSES[alias] == LAYER_CLASSES[name]
    assert has("MaxPool2D", Trait.LOCAL_POOLING)
    assert not has("MaxPool2D", Trait.GLOBAL_POOLING)
    assert not has("MyDropout", Trait.DROPOUT)
    assert classes(Trait.DROPOUT | Trait.NOISE) == classes(Trait.DROPOUT) | classes(Trait.NOISE)


@pytest.mark.parametrize(("name", "rank"), [("Conv2D", 2), ("ZeroPadding1D", 1), ("Dense", 0)])
def test_the_rank_is_in_the_name(name, rank):
    assert spatial_rank(name) == rank


@pytest.mark.slow
def test_every_layer_class_exported_by_keras_is_in_the_table():
    keras = pytest.importorskip("keras")
    exported = {
        name
        for name in dir(keras.layers)
        if isinstance(each := getattr(keras.layers, name), type)
        and issubclass(each, keras.layers.Layer)
        and each is not keras.layers.Layer
    }
    assert exported - LAYER_CLASSES.keys() == set()


def test_a_random_layer_may_be_no_augmentation() -> None:
    assert augments("RandomFlip") and augments("RandomCutout")  # the latter by its name
    assert not augments("RandomFourierFeatures")
