"""Models of texts drawn by lot from public code, for `images.py`."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import integers, trained


def classified_reviews(_):
    """Classes of texts by functions that are traced, and a dictionary of the module."""
    import customs_21_texts as own

    model = own.ReviewTransformer(3, 6, 12)
    model(INPUTS_OF["classified_reviews"][0])
    return model


def answered_questions(_):
    """An encoder and a decoder in a model, with states of a fixed batch."""
    import customs_21_texts as own

    model = own.Answering(own.AskEncoder(4, 5, 9, 2), own.AnswerDecoder(4, 5, 8, 2))
    model(INPUTS_OF["answered_questions"])
    return model


def copied_blocks(k):
    """A transformer of copies of layers, trained by a step of its own."""
    import customs_21_words as own

    model = own.CopiedTransformer(9, 8, n_blocks=2, d_model=6, d_ff=8, h=2)
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    model(INPUTS_OF["copied_blocks"])
    return trained(model, [integers(9, 2, 5)], integers(8, 2, 5))


def tied_language(k):
    """A model of language whose last layer has the weights of its first in its config."""
    import customs_21_words as own

    layers = k.layers
    uniform = k.initializers.RandomUniform(minval=-0.1, maxval=0.1, seed=None)
    embedz = own.MaskableEmbedding(
        11, 6, embeddings_initializer=uniform, mask_zero=False, mask_value=1, name="ulmfit_embeds"
    )
    given = layers.Input(shape=(7,), dtype="int32", name="numericalized_input")
    m = own.EmbeddingDropout(encoder_dp_rate=0.4, name="emb_dropout")(embedz(given))
    m = layers.SpatialDropout1D(0.4, name="inp_dropout")(m)
    for number, units in enumerate((8, 6), 1):
        given_to = {"kernel_initializer": "glorot_uniform", "return_sequences": True}
        m = layers.LSTM(units, name=f"AWD_RNN{number}", **given_to)(m)
        m = layers.SpatialDropout1D(0.3, name=f"rnn_drop{number}")(m)
    tied = own.TiedDense(reference_layer=embedz, activation="softmax")
    lm = layers.TimeDistributed(tied, name="lm_head_tied")(m)
    return k.Model(inputs=given, outputs=layers.Dropout(0.05)(lm))


def pooled_sentences(k):
    """A whole encoder as one layer of a functional model."""
    import customs_21_pools as own

    given = k.layers.Input(shape=(6,), dtype="int32")
    found = own.PooledTransformer(
        num_encoder=2,
        d_model=6,
        num_heads=2,
        dff=8,
        input_vocab_size=10,
        max_pos_encoding=9,
        dropout_rate=0.1,
        pooling_activation="tanh",
        pooling_strategy="CLS",
        n_classes=3,
    )(given)
    model = k.Model(given, found)
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["pooled_sentences"], np.eye(3, dtype="float32")[:2])


INPUTS_OF = {
    "classified_reviews": [integers(12, 2, 7)],
    "answered_questions": [integers(9, 2, 5), integers(8, 2, 1)],
    "copied_blocks": [
        integers(9, 2, 5),
        integers(8, 2, 4),
        np.zeros((2, 1, 1, 5), "float32"),
        np.triu(np.ones((2, 1, 4, 4), "float32"), 1),
    ],
    "tied_language": [integers(11, 2, 7)],
    "pooled_sentences": [integers(10, 2, 6)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = tuple(INPUTS_OF)
LAMBDAS = ()
INPUTS = {
    "answered_questions": ["input_1", "input_2"],
    "copied_blocks": ["input_1", "input_2", "input_3", "input_4"],
}
