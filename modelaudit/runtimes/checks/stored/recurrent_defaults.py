"""Weights of recurrent layers whose layer has other defaults when the program builds it again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format, Tensor
from modelaudit.formats.keras.json_config import mapping
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.checks.stored.object_names import written_by_keras3
from modelaudit.runtimes.checks.stored.object_paths import weights
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.profile import RuntimeProfile

_OF_BOTH = "2.2.4-tf"  # the Keras in TensorFlow 1.13 to 1.15 and in 2.0 and 2.1
_CELL = "cell"
_RESET = "GRU.reset_after"
_BIAS = ("recurrent_kernel", "bias")  # the name of the one, and of the other
_RECURRENT = re.compile(r"(?:recurrent_kernel(?::0)?|/cell/vars/1)\Z")


def recurrent_defaults(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """LSTM and GRU weights whose layer has other defaults when it is rebuilt.

    Only a saved architecture says whether the layer had the default.
    """
    if artifact.architecture is not None:
        return
    saved = _saved_defaults(artifact, context)
    built = context.behaviour("kwargs_of_rnn", {})
    kinds = Counter(_recurrent(weights(artifact)))
    by_default = kinds["GRU"] and not _states_reset(artifact, saved.get(_RESET))
    if by_default and _changed(saved, built, _RESET):
        yield Reason(
            "gru-reset-after",
            LoadOutcome.FAILS,
            f"the GRU had reset_after={saved.get(_RESET)} by default where the weights "
            f"were saved, but has {built.get(_RESET)} in {context.profile.name}",
            "ValueError: GRU(reset_after=False) is not compatible with GRU(reset_after=True)"
            if not context.profile.keras3
            else "",
            'Build it with reset_after=False, recurrent_activation="hard_sigmoid".',
            unless="the code that builds the model sets reset_after",
        )
    for kind in sorted(kinds):
        key = f"{kind}.recurrent_activation"
        if key not in built and kind.startswith("ConvLSTM"):
            context.untested.add("kwargs_of_rnn")  # the profile is older than these keys
        if kinds[kind] and _changed(saved, built, key):
            yield Reason(
                "recurrent-activation",
                LoadOutcome.DIFFERS,
                f"{kind} had recurrent_activation={saved[key]} by default where the weights were "
                f"saved, but has {built[key]} in {context.profile.name}; the file does not state "
                "it",
                "no error",
                f'Set recurrent_activation="{saved[key]}" in the code that builds the model.',
                unless="the code that builds the model sets recurrent_activation",
            )


def _saved_defaults(artifact: Artifact, context: CheckContext) -> dict[str, object]:
    """Defaults of recurrent layers where the weights were saved, as far as the file tells."""
    writers = [context.writer or _writer_by_names(artifact)]
    said = artifact.provenance
    if said.keras == _OF_BOTH and not said.tensorflow:
        writers = [find_profile("tf==1.15"), find_profile("tf==2.0")]
    first, *others = [each.behaviour("kwargs_of_rnn", {}) if each else {} for each in writers]
    return {k: v for k, v in first.items() if all(each.get(k) == v for each in others)}


def _writer_by_names(artifact: Artifact) -> RuntimeProfile | None:
    """A profile with the defaults of the writer, by the names in a file that states no version.

    Only Keras 3 notes the names of layers in .weights.h5. In checkpoints of TensorFlow 2 the name
    of a recurrent kernel contains the cell (`lstm/lstm_cell/recurrent_kernel`).
    """
    if artifact.format is Format.WEIGHTS_H5_V3:
        noted = mapping(artifact.extra.get("h5")).get("vars_names")
        return find_profile("tf==2.16" if noted else "tf==2.15")
    if written_by_keras3(artifact):
        return find_profile("tf==2.16")
    names = list(_kernels_of_cells(artifact))
    if not names:
        return None
    newer = _lists_variables(artifact) or any(_CELL in name for name in names)
    return find_profile("tf==2.15" if newer else "tf==1.15")


def _kernels_of_cells(artifact: Artifact) -> Iterator[str]:
    """Names of the recurrent kernels in a checkpoint, of cells that a recurrent layer holds.

    A layer of the program that builds a cell of its own gives the kernel its own name.
    """
    cells = {each.children[_CELL] for each in artifact.object_graph if _CELL in each.children}
    nodes = {node.index: node for node in artifact.object_graph}
    for index in sorted(cells & nodes.keys()):
        kernel = nodes.get(nodes[index].children.get("recurrent_kernel", -1))
        for attribute in kernel.attributes.values() if kernel else ():
            yield attribute.get("full_name", "")


def _lists_variables(artifact: Artifact) -> bool:
    """Whether an optimizer numbers its variables, as those of Keras 2.11 and later do."""
    return any({"_iterations", "_variables"} <= x.children.keys() for x in artifact.object_graph)


def _states_reset(artifact: Artifact, default: object) -> bool:
    """Whether a GRU has other biases than by default: with `reset_after` a row for each kernel."""
    tensors = {tensor.name: tensor for tensor in weights(artifact)}
    for name, tensor in tensors.items():
        if list(_recurrent([tensor])) == ["GRU"]:
            bias = tensors.get(_BIAS[1].join(name.rsplit(_BIAS[0], 1)))
            bias = bias or tensors.get(f"{name.removesuffix('1')}2")
            if bias is not None and (len(bias.shape) == len(tensor.shape)) is not default:
                return True
    return False


def _changed(saved: Mapping[str, object], built: Mapping[str, object], key: str) -> bool:
    return key in saved and key in built and saved[key] != built[key]


def _recurrent(tensors: Iterable[Tensor]) -> Iterator[str]:
    """LSTM, GRU, ConvLSTM2D ... for each recurrent kernel, by its shape.

    It is (units, gates * units), with the axes of the convolution before them.
    """
    for tensor in tensors:
        if _RECURRENT.search(tensor.name) and len(tensor.shape) >= 2 and tensor.shape[-2]:
            gates, rank = tensor.shape[-1] / tensor.shape[-2], len(tensor.shape) - 2
            if gates == 4:
                yield f"ConvLSTM{rank}D" if rank else "LSTM"
            elif gates == 3 and not rank:
                yield "GRU"
