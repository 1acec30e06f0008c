"""Restore faults in files: each edits what a sound model was saved to.

An edit returns the names of which a finding must contain one, or nothing if any will do.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchmarks.restore import formats as forms
from benchmarks.restore.nets import leaves
from benchmarks.restore.values import Stock, Unsuited

Edit = Callable[[Path, Any, Stock], list[str]]

# --- any HDF5 weights


def _large(group: Any, stock: Stock, least: int = 200) -> str:
    found = forms.datasets(group)
    return str(stock.one([n for n, d in found.items() if d.ndim > 1 and d.size >= least]))


def _owner(name: str) -> str:
    """The layer in the path of a dataset: `layer/…/kernel:0`, or `layers/layer/…/vars/0`."""
    parts = name.split("/")
    containers = {"layers", "_layer_checkpoint_dependencies"}
    return parts[max((i for i, part in enumerate(parts) if part in containers), default=-1) + 1]


def _all_as(path: Path, dtype: str) -> list[str]:
    with forms.hdf5(path) as group:
        for name, item in forms.datasets(group).items():
            if item.dtype == np.float32:
                forms.rewrite(group, name, item[()].astype(dtype))
    return []


def stored_as_half(path: Path, _model: Any, _stock: Stock) -> list[str]:
    return _all_as(path, "float16")


def stored_as_double(path: Path, _model: Any, _stock: Stock) -> list[str]:
    return _all_as(path, "float64")


def kernel_as_integers(path: Path, _model: Any, stock: Stock) -> list[str]:
    with forms.hdf5(path) as group:
        name = _large(group, stock)
        forms.rewrite(group, name, group[name][()].astype("int32"))
    return [_owner(name)]


def weight_of_other_shape(path: Path, _model: Any, stock: Stock) -> list[str]:
    with forms.hdf5(path) as group:
        name = _large(group, stock)
        value = group[name][()]
        forms.rewrite(group, name, np.concatenate([value, value[..., :1]], axis=-1))
    return [_owner(name)]


def weight_missing(path: Path, _model: Any, stock: Stock) -> list[str]:
    with forms.hdf5(path) as group:
        name = _large(group, stock)
        del group[name]
    return [_owner(name)]


def exponent_bit_flipped(path: Path, _model: Any, stock: Stock) -> list[str]:
    """The low bit of one exponent: a value is doubled or halved."""
    with forms.hdf5(path) as group:
        name = _large(group, stock)
        value = group[name][()]
        value.reshape(-1).view(np.uint32)[stock.rng.integers(value.size)] ^= 1 << 23
        group[name][...] = value
    return []


def truncated(path: Path, _model: Any, stock: Stock) -> list[str]:
    os.truncate(path, int(path.stat().st_size * stock.rng.uniform(0.3, 0.9)))
    return []


# --- HDF5 with layer names (Keras 2's order)


def _layers(group: Any) -> list[str]:
    return [x.decode() if isinstance(x, bytes) else str(x) for x in group.attrs["layer_names"]]


def _shapes(group: Any, layer: str) -> list[tuple[int, ...]]:
    return [group[layer][name].shape for name in group[layer].attrs["weight_names"]]


def _alike(group: Any, stock: Stock) -> tuple[str, str]:
    kept = [x for x in _layers(group) if _shapes(group, x)]
    pairs = [(a, b) for a, b in combinations(kept, 2) if _shapes(group, a) == _shapes(group, b)]
    one, other = stock.one(pairs)
    return str(one), str(other)


def layer_names_reordered(path: Path, _model: Any, stock: Stock) -> list[str]:
    with forms.hdf5(path) as group:
        one, other = _alike(group, stock)
        turned = {one: other, other: one}
        names = [turned.get(x, x) for x in _layers(group)]
        group.attrs["layer_names"] = np.array([x.encode() for x in names])
    return [one, other]


def layer_groups_exchanged(path: Path, _model: Any, stock: Stock) -> list[str]:
    with forms.hdf5(path) as group:
        one, other = _alike(group, stock)
        group.move(one, "kept aside")
        group.move(other, one)
        group.move("kept aside", other)
    return [one, other]


def weight_names_reordered(path: Path, _model: Any, stock: Stock) -> list[str]:
    with forms.hdf5(path) as group:
        kept = [x for x in _layers(group) if len(s := _shapes(group, x)) > 1 and s[0] == s[1]]
        layer = str(stock.one(kept))
        names = list(group[layer].attrs["weight_names"])
        group[layer].attrs["weight_names"] = [names[1], names[0], *names[2:]]
    return [layer]


def layer_missing_from_weights(path: Path, _model: Any, stock: Stock) -> list[str]:
    with forms.hdf5(path) as group:
        layer = str(stock.one([x for x in _layers(group) if _shapes(group, x)]))
        del group[layer]
        group.attrs["layer_names"] = np.array([x.encode() for x in _layers(group) if x != layer])
    return [layer]


def layers_hold_nothing(path: Path, _model: Any, _stock: Stock) -> list[str]:
    with forms.hdf5(path) as group:
        for layer in _layers(group):
            for part in list(group[layer]):
                del group[layer][part]
            group[layer].attrs["weight_names"] = np.array([], dtype="S1")
    return []


def foreign_layer_added(path: Path, _model: Any, stock: Stock) -> list[str]:
    with forms.hdf5(path) as group:
        extra = group.create_group("auxiliary_head")
        extra.create_dataset("auxiliary_head/kernel:0", data=stock.rng.normal(size=(24, 7)))
        extra.attrs["weight_names"] = [b"auxiliary_head/kernel:0"]
        names = [x.encode() for x in (*_layers(group), "auxiliary_head")]
        group.attrs["layer_names"] = np.array(names)
    return ["auxiliary_head"]


def optimizer_state_lost(path: Path, _model: Any, _stock: Stock) -> list[str]:
    with h5py.File(path, "r+") as file:
        if "optimizer_weights" not in file:
            raise Unsuited
        del file["optimizer_weights"]
    return []


def optimizer_state_partial(path: Path, _model: Any, _stock: Stock) -> list[str]:
    with h5py.File(path, "r+") as file:
        state = file["optimizer_weights"]
        names = list(state.attrs["weight_names"])
        lost = names[len(names) // 2 :]
        for name in lost:
            del state[name]
        state.attrs["weight_names"] = names[: len(names) // 2]
    return []


# --- v3 weights


def _vars(group: Any) -> dict[str, Any]:
    """Every group `vars` with weights, by path; those of the optimizer are left out."""
    found = {name.rpartition("/")[0]: None for name in forms.datasets(group)}
    kept = [name for name in found if name.endswith("vars") and not name.startswith("metrics")]
    return {name: group[name] for name in kept}


def v3_groups_exchanged(path: Path, _model: Any, stock: Stock) -> list[str]:
    with forms.hdf5(path) as group:
        shapes = {n: [g[x].shape for x in sorted(g)] for n, g in _vars(group).items()}
        labels = {name: str(group[name].attrs.get("name", "")) for name in shapes}
        pairs = [(a, b) for a, b in combinations(shapes, 2) if shapes[a] == shapes[b]]
        # Cells of a bidirectional layer have one name: only a record shows their exchange.
        pairs = [(a, b) for a, b in pairs if labels[a] != labels[b] or not labels[a]]
        one, other = stock.one(pairs)
        names = [labels[one], labels[other]]
        group.move(one, "kept")
        group.move(other, one)
        group.move("kept", other)
    return [x for x in (*names, _owner(one + "/0"), _owner(other + "/0")) if x]


def v3_layer_missing(path: Path, _model: Any, stock: Stock) -> list[str]:
    with forms.hdf5(path) as group:
        name = str(stock.one(list(_vars(group))))
        label = str(group[name].attrs.get("name", ""))
        for part in list(group[name]):
            del group[name][part]
    return [x for x in (label, _owner(name + "/0")) if x]


def v3_holds_nothing(path: Path, _model: Any, _stock: Stock) -> list[str]:
    with forms.hdf5(path) as group:
        for item in _vars(group).values():
            for part in list(item):
                del item[part]
    return []


def v3_of_another_net(path: Path, model: Any, stock: Stock) -> list[str]:
    """Weights of a net of the same shapes whose layers have other names."""
    with forms.hdf5(path) as group:
        if stock.visible:
            forms.exchange_values(group, model.get_weights(), stock.other)
        named = [x for x in _vars(group).values() if "name" in x.attrs]
        if len(named) < 3:
            raise Unsuited
        for place, item in enumerate(named):
            item.attrs["name"] = f"student_{place}"
    return []


def v3_optimizer_partial(path: Path, _model: Any, _stock: Stock) -> list[str]:
    with forms.hdf5(path) as group:
        if "optimizer" not in group:
            raise Unsuited
        state = group["optimizer/vars"]
        for part in list(state)[len(state) // 2 :]:
            del state[part]
    return []


def v3_optimizer_lost(path: Path, _model: Any, _stock: Stock) -> list[str]:
    with forms.hdf5(path) as group:
        if "optimizer" not in group:
            raise Unsuited
        del group["optimizer"]
    return []


def archive_lacks_config(path: Path, _model: Any, _stock: Stock) -> list[str]:
    with forms.member(path, "config.json", drop=True):
        pass
    return []


def archive_lacks_weights(path: Path, _model: Any, _stock: Stock) -> list[str]:
    with forms.member(path, "model.weights.h5", drop=True):
        pass
    return []


# --- the architecture


def _nested(value: Any) -> list[dict[str, Any]]:
    """All layer configs, those of nested models included."""
    found = []
    for layer in value["config"].get("layers", []):
        found += _nested(layer) if "layers" in layer.get("config", {}) else [layer]
    return found


def _rewired(value: Any, gone: str, kept: str) -> Any:
    """The JSON with each reference to a layer's output replaced."""
    if isinstance(value, list):
        if value[:1] == [gone] and len(value) > 2 and isinstance(value[1], int):
            return [kept, *value[1:]]
        return [_rewired(x, gone, kept) for x in value]
    if isinstance(value, dict):
        return {k: _rewired(v, gone, kept) for k, v in value.items()}
    return value


def layer_missing_from_config(path: Path, model: Any, stock: Stock) -> list[str]:
    """Remove a layer whose input and output have the same shape."""
    alike = [
        x
        for x in model.layers
        if x.weights and not hasattr(x, "layers") and len(x._inbound_nodes) == 1
        and not isinstance(x.input, list) and tuple(x.input.shape) == tuple(x.output.shape)
    ]  # fmt: skip
    gone = str(stock.one(alike).name)
    with forms.config(path) as value:
        inner = value["config"]["layers"]
        place = next(i for i, x in enumerate(inner) if x["config"]["name"] == gone)
        text = json.dumps(inner[place].get("inbound_nodes", []))
        names = [x.name for x in model.layers if f'"{x.name}"' in text]
        del inner[place]
        if names:
            value["config"] = _rewired(value["config"], gone, names[0])
    return [gone]


def _edited(path: Path, stock: Stock, key: str, change: Callable[[Any], Any]) -> list[str]:
    with forms.config(path) as value:
        layers = [x["config"] for x in _nested(value)]
        layer = stock.one([x for x in layers if x.get(key) and change(x[key]) != x[key]])
        layer[key] = change(layer[key])
        return [str(layer["name"])]


def activation_edited(path: Path, _model: Any, stock: Stock) -> list[str]:
    turned = {"relu": "tanh", "tanh": "relu", "softmax": "sigmoid", "gelu": "relu"}
    return _edited(path, stock, "activation", lambda x: turned.get(x, x))


def epsilon_edited(path: Path, _model: Any, stock: Stock) -> list[str]:
    return _edited(path, stock, "epsilon", lambda _: 0.3)


def padding_edited(path: Path, _model: Any, stock: Stock) -> list[str]:
    return _edited(path, stock, "padding", lambda x: {"causal": "same"}.get(x, x))


def units_edited(path: Path, _model: Any, stock: Stock) -> list[str]:
    return _edited(path, stock, "filters", lambda x: x + 2)


def layer_beside_missing(path: Path, model: Any, stock: Stock) -> list[str]:
    """The architecture beside the weights lacks a layer that the weights hold."""
    return layer_missing_from_config(path, model, stock)


def layers_renamed(path: Path, model: Any, _stock: Stock) -> list[str]:
    """Every second layer of the architecture has another name than in the weights."""
    names = [x.name for x in leaves(model) if x in model.layers][::2]
    with forms.config(path) as value:
        text = json.dumps(value["config"])
        for name in names:
            text = text.replace(f'"{name}"', f'"new_{name}"')
        value["config"] = json.loads(text)
    return names
