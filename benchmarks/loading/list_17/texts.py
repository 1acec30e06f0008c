"""Models of sentences, captions and masked words drawn by lot from public code, for
`images.py`.
"""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import adam, floats, integers, trained


def tuned_words(k):
    """The language model of ULMFiT: own registered layers, one of which is given another."""
    import customs_17_texts as own

    layers, spread = k.layers, k.initializers.RandomUniform(minval=-0.1, maxval=0.1, seed=None)
    given = {"embeddings_initializer": spread, "mask_zero": False, "mask_value": 1}
    words = own.MaskableEmbedding(12, 5, name="ulmfit_embeds", **given)
    start = layers.Input(shape=(8,), dtype="int32", name="numericalized_input")
    x = own.WordDropout(encoder_dp_rate=0.4, name="emb_dropout")(words(start))
    x = layers.SpatialDropout1D(0.4, name="inp_dropout")(x)
    for i, units in enumerate((6, 6, 5), 1):
        cell = layers.LSTMCell(units, kernel_initializer="glorot_uniform")
        x = layers.RNN(cell, return_sequences=True, name=f"AWD_RNN{i}")(x)
        x = layers.SpatialDropout1D(0.3, name=f"rnn_drop{i}")(x)
    tied = own.TiedWords(reference_layer=words, activation="softmax")
    x = layers.TimeDistributed(tied, name="lm_head_tied")(x)
    return k.Model(inputs=start, outputs=layers.Dropout(0.05)(x))


def crossed_sentences(_):
    """DIIN: products of all words of two sentences, as a Functional model that makes itself."""
    import customs_17_texts as own

    model = own.DIIN(5, 6, floats(10, 4))
    given = {"optimizer": "adadelta", "loss": "categorical_crossentropy", "metrics": ["accuracy"]}
    model.compile(**given)
    return model


def masked_berts(_):
    """BERT for masked words: subclasses that are made with an object, lists in lists out."""
    import customs_17_words as own

    model = own.MaskedBert(own.BertConfig(), name="Bert4MaskedLM")
    model(INPUTS_OF["masked_berts"])
    return model


def received_keys(k):
    """RWKV-7: own layers by functions of Keras 3, with two ends and complete configs."""
    import customs_17_words as own

    layers = k.layers
    start = layers.Input((6,), dtype="int32", name="token_ids")
    x = layers.Embedding(12, 8, embeddings_initializer="uniform", name="token_embedding")(start)
    x = layers.LayerNormalization(epsilon=1e-5, name="init_norm")(x)
    first = None
    for i in range(2):
        y = layers.LayerNormalization(epsilon=1e-5, name=f"att_norm_{i}")(x)
        mixed = own.TimeMix(8, 4, name=f"RWKV_TIME_MIX_{i}")
        y, first = mixed(y) if first is None else mixed(y, first)
        x = layers.Add()([x, y])
        y = layers.LayerNormalization(epsilon=1e-5, name=f"ffn_norm_{i}")(x)
        x = layers.Add()([x, own.ChannelMix(12, name=f"RWKV_CMIX_{i}")(y)])
    x = layers.LayerNormalization(epsilon=1e-5, name="output_norm")(x)
    return k.Model(start, layers.Dense(12, use_bias=False, name="head")(x))


def captioned_photos(k):
    """Captions: an image as the first word, then recurrent layers in both directions."""
    import customs_17_texts as own

    layers = k.layers
    image = x = layers.Input((16, 16, 3))
    for filters in (4, 6):
        x = layers.Conv2D(filters, 3, strides=2, use_bias=False)(x)
        x = layers.Activation("relu")(layers.BatchNormalization(axis=3, scale=False)(x))
    body = k.Model(image, layers.GlobalAveragePooling2D()(x), name="inception_v3")
    for layer in body.layers:
        layer.trainable = False
    x = layers.RepeatVector(1)(layers.Dense(units=5)(body.output))
    sentence = layers.Input(shape=[None])
    words = layers.Embedding(input_dim=9, output_dim=5)(sentence)
    x = layers.Concatenate(axis=1)([x, words])
    given = {"dropout": 0.3, "recurrent_dropout": 0.3, "implementation": 2}
    x = layers.Bidirectional(layers.GRU(units=4, return_sequences=True, **given))(x)
    x = layers.TimeDistributed(layers.Dense(units=9))(x)
    model = k.Model(inputs=[body.input, sentence], outputs=x)
    metrics = [own.captions_accuracy]
    model.compile(optimizer=adam(k, 1e-3), loss=own.captions_from_logits, metrics=metrics)
    targets = np.eye(9, dtype="float32")[integers(9, 2, 6)]
    return trained(model, INPUTS_OF["captioned_photos"], targets)


_mask = np.array([[1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1, 0]], "int32")
INPUTS_OF = {
    "tuned_words": [np.array([[3, 4, 5, 2, 7, 1, 1, 1], [2, 9, 8, 7, 6, 5, 4, 1]], "int32")],
    "crossed_sentences": [
        integers(10, 2, 5).astype("int64"),
        integers(20, 2, 5, 4).astype("float32"),
        floats(2, 5, 2),
        integers(10, 2, 6).astype("int64"),
        integers(20, 2, 6, 4).astype("float32"),
        floats(2, 6, 2),
    ],
    "masked_berts": [integers(12, 2, 7), np.zeros((2, 7), "int32"), _mask],
    "received_keys": [integers(12, 2, 6)],
    "captioned_photos": [floats(2, 16, 16, 3), integers(9, 2, 5).astype("float32")],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = tuple(INPUTS_OF)
INPUTS = {
    "crossed_sentences": ["Word5", "Char5", "Syntactical5", "Word6", "Char6", "Syntactical6"],
    "masked_berts": ["input_1", "input_2", "input_3"],
    "captioned_photos": ["input_1", "input_2"],
}
