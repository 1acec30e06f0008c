"""Numbers and words that constructors of layers refuse, found by trying them."""

from __future__ import annotations

import inspect

from .signatures import AnyObject

REALS = (-100.0, -1.0, -0.5, -1e-6, 0.0, 1e-6, 0.5, 1 - 1e-6, 1.0, 1 + 1e-6, 2.0, 100.0)
# Words that layers of either generation of Keras take, by the argument.
WORDS = {
    "padding": ("valid", "same", "causal"),
    "interpolation": ("nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5", "gaussian"),
    "fill_mode": ("constant", "nearest", "reflect", "wrap"),
}
# Arguments without a default, twice: what is refused with both does not depend on the others.
NEEDED = {
    "filters": (2, 600),
    "units": (3, 600),
    "kernel_size": (2, 3),
    "rate": (0.5, 0.25),
    "stddev": (0.5, 0.25),
    "factor": (0.2, 0.1),
    "height_factor": (0.2, 0.1),
    "width_factor": (0.2, 0.1),
    "input_dim": (4, 600),
    "output_dim": (3, 600),
    "n": (2, 3),
    "num_heads": (2, 600),
    "key_dim": (2, 600),
    "head_dim": (2, 600),
    "num_query_heads": (600, 1200),
    "num_key_value_heads": (1, 600),
    "num_bins": (3, 600),
    "height": (4, 600),
    "width": (4, 600),
    "output_size": (2, 3),
    "axes": (1, 1),
    "scale": (2.0, 3.0),
}
# Arguments that are None by default and take a list, of which some versions take no number.
LISTS = {"noise_shape": [None, 1]}
_IGNORED = ("name", "dtype", "trainable")


def arguments_refused(keras: AnyObject) -> dict[str, AnyObject]:
    """Layer -> argument -> what its constructor refuses, while it takes other values.

    `numbers` are ranges `[lowest, highest]` of which each number that was tried is refused, with
    None where the range has no end; sizes are not tried. `words` are those refused. `error` is how
    the error begins, up to what differs by the value.
    """
    found = {}
    for name in sorted(dir(keras.layers)):
        layer = getattr(keras.layers, name)
        if inspect.isclass(layer) and layer.__name__ == name and hasattr(layer, "from_config"):
            refused = _of_layer(layer)
            if refused:
                found[name] = refused
    return found


def _of_layer(layer: AnyObject) -> dict[str, AnyObject]:
    parameters = [*inspect.signature(layer.__init__).parameters.values()][1:]
    named = {p.name for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD}
    needed = [p.name for p in parameters if p.name in named and p.default is p.empty]
    if not set(needed) <= set(NEEDED):
        return {}
    try:
        made = [layer(**{key: NEEDED[key][i] for key in needed}) for i in range(2)]
        configs = [each.get_config() for each in made]
    except Exception:
        return {}
    found = {}
    for key in sorted(named.intersection(configs[0])):
        real = isinstance(configs[0][key], float) or key in LISTS
        values = REALS if real else WORDS.get(key, ())
        said = [_refusal(layer, configs, key, value) for value in values]
        takes = key in LISTS and not _refusal(layer, configs, key, LISTS[key])
        if any(said) and (takes or not all(said)):
            wrong = [values[place] for place, error in enumerate(said) if error]
            kind = "numbers" if values is REALS else "words"
            found[key] = {
                kind: _ranges(said) if values is REALS else wrong,
                "error": _start([error for error in said if error]),
            }
    return found


def _refusal(layer: AnyObject, configs: AnyObject, key: str, value: AnyObject) -> str:
    """What the constructor says to a value beside either of two configs; empty if it takes it."""
    first = _error(layer, configs[0], key, value)
    return first if first and _error(layer, configs[1], key, value) else ""


def _error(layer: AnyObject, config: AnyObject, key: str, value: AnyObject) -> str:
    """What the constructor says to a value; empty if it takes it."""
    arguments = {k: v for k, v in config.items() if k not in _IGNORED}
    arguments[key] = value
    try:
        layer(**arguments)
    except Exception as error:
        return str(error) or type(error).__name__
    return ""


def _start(texts: list[str]) -> str:
    """How all of the texts begin, before numbers and before a set, whose order changes."""
    one, other = min(texts), max(texts)
    length = min(len(one), len(other))
    start = one[: next((i for i in range(length) if one[i] != other[i]), length)]
    return start.partition("{")[0].rstrip(" -.0123456789")


def _ranges(said: AnyObject) -> list[list[AnyObject]]:
    found: list[list[AnyObject]] = []
    for place, error in enumerate(said):
        value = REALS[place]
        if not error:
            continue
        if place and said[place - 1]:
            found[-1][1] = value
        else:
            found.append([value if place else None, value])
        if place == len(REALS) - 1:
            found[-1][1] = None
    return found
