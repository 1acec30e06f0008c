"""Models of items, curves, twins and translations, for `models.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, integers, trained


def next_items(_):
    """A model of a class that is called with a dictionary."""
    import customs_24_items as own

    model = own.SASREC(
        item_num=12,
        seq_max_len=6,
        num_blocks=2,
        embedding_dim=8,
        attention_dim=8,
        attention_num_heads=2,
        conv_dims=[8, 8],
        dropout_rate=0.2,
        l2_reg=0.0,
    )
    model(dict(zip(INPUTS["next_items"], map(tf.constant, _sequences()))), training=False)
    return model


def _sequences():
    """Items that were seen, with none before the first ones, and two that may follow each."""
    seen, positive, negative = integers(13, 2, 6), integers(13, 3, 6)[:2], integers(13, 4, 6)[:2]
    seen[1, :2] = 0
    positive[1, :1] = 0
    return [seen, positive, negative]


def spline_layers(k):
    """Own layers of curves in a Sequential model that is built for a shape."""
    import customs_24_items as own

    model = k.models.Sequential(
        [
            own.KANLayer(in_dim=2, out_dim=2),
            own.KANLayer(in_dim=2, out_dim=1),
            own.KANLayer(in_dim=1, out_dim=1),
        ]
    )
    model.build(input_shape=(None, 2))
    model.compile(optimizer=k.optimizers.Adam(learning_rate=1e-2), loss="mse", metrics=["mse"])
    return trained(model, [floats(3, 2)], floats(3, 1))


def taught_twice(_):
    """Two networks, by a model that can only be called on values."""
    import customs_24_twins as own

    model = own.CoTeachingModel(n_outputs=4, batch_size=2, drop_rate=0.25, top_bn=False)
    model(tf.constant(floats(2, 24, 24, 3)), training=False)
    return model


def plain_translation(_):
    """A model of a class whose layers make layers when they are called."""
    import customs_24_words as own

    model = own.Transformer(
        num_layers=2,
        d_model=8,
        num_heads=2,
        dff=12,
        input_vocab_size=15,
        target_vocab_size=14,
        pe_input=10,
        pe_target=9,
    )
    model([tf.constant(integers(14, 2, 6)), tf.constant(integers(13, 2, 5))], training=False)
    return model


def stacked_translation(k):
    """Encoders and decoders in turn, each decoder with both results of its encoder."""
    import customs_24_stacks as own

    vocab_size, embedding_size, d_k, words = 14, 6, 2, 5
    layers = k.layers
    encoder_input = layers.Input((words), name="encoder_input")
    decoder_input = layers.Input((words), name="decoder_input")
    encoder_embeddings = layers.Embedding(vocab_size + 2, embedding_size)(encoder_input)
    decoder_embeddings = layers.Embedding(vocab_size + 2, embedding_size)(decoder_input)
    enc_pos = own.PositionalEmbedding(embedding_size=embedding_size, words=words)(
        encoder_embeddings
    )
    dec_pos = own.PositionalEmbedding(embedding_size=embedding_size, words=words)(
        decoder_embeddings
    )
    encoder_outputs1 = own.Encoder(d_k=d_k, model_embedding=embedding_size)(enc_pos)
    decoder_outputs1 = own.Decoder(input_words=words, model_embedding=embedding_size, d_k=d_k)(
        (dec_pos, encoder_outputs1[0], encoder_outputs1[1])
    )
    encoder_outputs2 = own.Encoder(d_k=d_k, model_embedding=embedding_size)(encoder_outputs1[1])
    decoder_outputs2 = own.Decoder(input_words=words, model_embedding=embedding_size, d_k=d_k)(
        (decoder_outputs1, encoder_outputs2[0], encoder_outputs2[1])
    )
    decoder_outputs = layers.Flatten()(decoder_outputs2)
    decoder_outputs = layers.Dense(vocab_size)(decoder_outputs)
    output = tf.nn.softmax(decoder_outputs)
    model = k.Model(inputs=[encoder_input, decoder_input], outputs=[output])
    model.compile(
        loss=k.losses.SparseCategoricalCrossentropy(),
        optimizer=k.optimizers.Adam(learning_rate=0.001, beta_1=0.01),
    )
    words_given = [integers(13, 2, 5), integers(12, 2, 5)]
    return trained(model, words_given, np.array([3, 5]))


INPUTS = {
    "next_items": ("input_seq", "positive", "negative"),
    "stacked_translation": ("encoder_input", "decoder_input"),
}
MODELS = {
    "next_items": (next_items, _sequences()),
    "spline_layers": (spline_layers, [floats(3, 2)]),
    "taught_twice": (taught_twice, [floats(2, 24, 24, 3)]),
    "plain_translation": (plain_translation, [integers(14, 2, 6), integers(13, 2, 5)]),
    "stacked_translation": (stacked_translation, [integers(13, 2, 5), integers(12, 2, 5)]),
}
CUSTOM = frozenset(MODELS)
