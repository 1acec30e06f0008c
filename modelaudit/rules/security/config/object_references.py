"""The Python objects that a config refers to, by module and name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from modelaudit.facts import Artifact, Json
from modelaudit.rules.security.config_walk import ConfigObject, config_tree
from modelaudit.structs import PerObject

_NAME = re.compile(r"[^\W\d]\w*+(?:\.[^\W\d]\w*+)*+")
_NODE_OP = re.compile(r'"op"\s*+:\s*+"(\w{1,200})"')
# Keys of a layer's config under which Keras 2 names a function, each with `…_type` and a module.
_FUNCTION_KEYS = (("function", "module"), ("output_shape", "output_shape_module"))


class ObjectReference(Struct, frozen=True, eq=False):
    """An object that loading would look up. `module` is empty if the config names none."""

    site: ConfigObject
    module: str
    name: str
    is_function: bool

    @property
    def root(self) -> str:
        """The module's first part."""
        return self.module.partition(".")[0]

    @property
    def is_called(self) -> bool:
        """Whether it is a function: Keras 3 also accepts a function in place of a class."""
        return self.is_function or self.name[:1].islower()

    def __str__(self) -> str:
        return f"{self.module}.{self.name}" if self.module else self.name


def _find(artifact: Artifact) -> tuple[ObjectReference, ...]:
    return tuple(reference for site in config_tree(artifact).sites for reference in _at(site))


def _at(site: ConfigObject) -> Iterator[ObjectReference]:
    value = site.value
    module = value.get("module")
    module = module if isinstance(module, str) else ""
    class_name, config = value.get("class_name"), value.get("config")
    if isinstance(class_name, str):
        if class_name == "function" and isinstance(config, str):
            yield ObjectReference(site, module, config, True)
            return
        if class_name == "__typespec__":  # called with its config's items
            spec = value.get("spec_name")
            yield ObjectReference(site, module, spec if isinstance(spec, str) else "", True)
            return
        yield ObjectReference(site, module, class_name, False)
        if isinstance(config, dict) and (called := _tensorflow_call(site.class_name, config)):
            yield ObjectReference(site, "tensorflow", called, True)
    elif module:
        yield from _named_functions(site, module)


def _tensorflow_call(class_name: str, config: Mapping[str, Json]) -> str:
    """The function or operation that a layer calls, as Keras 2 stored such calls."""
    function, node = config.get("function"), config.get("node_def")
    if class_name == "TFOpLambda" and isinstance(function, str):
        return function
    if class_name == "TensorFlowOpLayer" and isinstance(node, str):
        match = _NODE_OP.search(node)
        return match[1] if match else ""
    return ""


def _named_functions(site: ConfigObject, module: str) -> Iterator[ObjectReference]:
    """Functions that a Keras 2 Lambda names, or the module that it takes its globals from."""
    for key, module_key in _FUNCTION_KEYS:
        name, holder = site.value.get(key), site.value.get(module_key)
        if not isinstance(holder, str):
            continue
        by_name = isinstance(name, str) and _NAME.fullmatch(name)
        yield ObjectReference(
            site, holder, name if by_name and isinstance(name, str) else "*", True
        )
    if not any(key in site.value for key, _ in _FUNCTION_KEYS):
        yield ObjectReference(site, module, "*", False)


references = PerObject(_find)
"""Every object that an artifact's configs refer to."""
