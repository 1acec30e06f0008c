"""Presets that KerasHub writes, with the outputs of their models: `python -m ... FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

CONVERTED = {"scale": [1 / 58.0, 1 / 57.0, 1 / 56.0], "offset": [-2.1, -2.0, -1.8]}
PIXELS = (np.arange(32 * 32 * 3) * 7 % 256).astype(np.uint8).reshape(1, 32, 32, 3)


def write(folder: Path, name: str, model: Any, inputs: Any) -> None:
    """A preset, and its outputs for the inputs in order of their names."""
    model.save_to_preset(str(folder / name))
    np.savez(folder / f"{name}.npz", outputs=np.asarray(model(inputs, training=False)))


def main(folder: Path) -> None:
    """A classifier of images, its backbone, and a classifier of texts, all small."""
    import keras
    import keras_hub

    models = keras_hub.models
    keras.utils.set_random_seed(1)
    backbone = models.DenseNetBackbone(
        stackwise_num_repeats=[1, 1], compression_ratio=0.5, growth_rate=4, image_shape=(32, 32, 3)
    )
    converter = keras_hub.layers.DenseNetImageConverter(image_size=(32, 32), **CONVERTED)
    prepared = models.DenseNetImageClassifierPreprocessor(image_converter=converter)
    images = np.sin(np.arange(2 * 32 * 32 * 3)).astype(np.float32).reshape(2, 32, 32, 3)
    classifier = models.DenseNetImageClassifier(
        backbone=backbone, num_classes=4, preprocessor=prepared
    )
    write(folder, "images", classifier, images)
    np.savez(folder / "converted.npz", pixels=PIXELS, x=np.asarray(converter(PIXELS)))
    write(folder, "backbone", backbone, images)
    named = [each for each in backbone.layers if type(each).__name__ == "BatchNormalization"]
    active = [each for each in backbone.layers if getattr(each, "activation", None)]
    first = keras.Model(backbone.input, named[0].input)(images).numpy()
    np.savez(
        folder / "layers.npz",
        normalised=[each.name for each in named],
        rectified=[each.name for each in active if each.activation.__name__ == "relu"],
        mean=first.mean((0, 1, 2)),
        variance=first.var((0, 1, 2)),
    )
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat"]
    sizes = {"hidden_dim": 8, "intermediate_dim": 16, "max_sequence_length": 32}
    encoder = models.BertBackbone(vocabulary_size=8, num_layers=1, num_heads=2, **sizes)
    prepared = models.BertTextClassifierPreprocessor(models.BertTokenizer(words))
    ids = np.arange(24).reshape(2, 12) % 8
    ones = {"token_ids": ids, "padding_mask": ids * 0 + 1, "segment_ids": ids * 0}
    classifier = models.BertTextClassifier(backbone=encoder, num_classes=2, preprocessor=prepared)
    write(folder, "texts", classifier, ones)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
