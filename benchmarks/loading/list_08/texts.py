"""Models of texts as services run them, for `models.py`."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, integers, trained, words


def tickets(k):
    """Urgency and department of a ticket: one vocabulary and one embedding for two texts."""
    subject = k.Input((1,), dtype="string", name="subject")
    body = k.Input((1,), dtype="string", name="body")
    cut = k.layers.TextVectorization(max_tokens=30, output_sequence_length=6, name="tokens")
    cut.adapt(np.array(["the printer is on fire", "please reset my password", "no invoice"]))
    embed = k.layers.Embedding(30, 6, mask_zero=True, name="word_vectors")
    title = k.layers.GlobalAveragePooling1D()(embed(cut(subject)))
    text = k.layers.LSTM(5, dropout=0.2)(embed(cut(body)))
    value = k.layers.Dropout(0.3)(k.layers.concatenate([title, text]))
    urgent = k.layers.Dense(1, activation="sigmoid", name="urgent")(value)
    department = k.layers.Dense(4, activation="softmax", name="department")(value)
    model = k.Model(inputs=[subject, body], outputs=[urgent, department], name="triage")
    model.compile(
        optimizer="rmsprop",
        loss={"urgent": "binary_crossentropy", "department": "sparse_categorical_crossentropy"},
        loss_weights={"urgent": 0.5, "department": 1.0},
        metrics={"urgent": ["accuracy"], "department": ["accuracy"]},
    )
    return model


def tagged_entities(k):
    """Words, their casing and their letters to a tag for each word, of sentences of any length."""
    words_in = k.Input((None,), dtype="int32", name="words_input")
    casing_in = k.Input((None,), dtype="int32", name="casing_input")
    letters_in = k.Input((None, 6), name="char_input")
    embed = k.layers.Embedding(
        20, 4, embeddings_initializer=k.initializers.RandomUniform(-0.5, 0.5)
    )
    letters = k.layers.TimeDistributed(embed, name="char_embedding")(letters_in)
    letters = k.layers.Dropout(0.5)(letters)
    convolve = k.layers.Conv1D(5, kernel_size=3, padding="same", activation="tanh", strides=1)
    letters = k.layers.TimeDistributed(convolve)(letters)
    letters = k.layers.TimeDistributed(k.layers.MaxPooling1D(6))(letters)
    letters = k.layers.TimeDistributed(k.layers.Flatten())(letters)
    known = k.layers.Embedding(30, 5, trainable=False)(words_in)
    casing = k.layers.Embedding(4, 4, trainable=False)(casing_in)
    value = k.layers.concatenate([known, casing, k.layers.Dropout(0.5)(letters)])
    recurrent = k.layers.LSTM(5, return_sequences=True, dropout=0.5, recurrent_dropout=0.25)
    value = k.layers.Bidirectional(recurrent)(value)
    tags = k.layers.TimeDistributed(k.layers.Dense(4, activation="softmax"))(value)
    model = k.Model(inputs=[words_in, casing_in, letters_in], outputs=[tags])
    model.compile(loss="sparse_categorical_crossentropy", optimizer="nadam")
    return model


def glove_text(k):
    """Vectors of words given as a constant, frozen, in front of convolutions."""
    matrix = np.round(floats(25, 5).astype("float64"), 3)
    start = k.Input(shape=(None,), dtype="int64")
    given = k.initializers.Constant(matrix)
    x = k.layers.Embedding(25, 5, embeddings_initializer=given, trainable=False)(start)
    x = k.layers.Conv1D(8, 3, activation="relu")(x)
    x = k.layers.MaxPooling1D(2)(x)
    x = k.layers.Conv1D(8, 3, activation="relu")(x)
    x = k.layers.GlobalMaxPooling1D()(x)
    x = k.layers.Dropout(0.5)(k.layers.Dense(8, activation="relu")(x))
    model = k.Model(start, k.layers.Dense(3, activation="softmax")(x))
    model.compile(loss="sparse_categorical_crossentropy", optimizer="rmsprop", metrics=["acc"])
    return trained(model, INPUTS_OF["glove_text"], np.array([0, 2]))


def sentence_pairs(k):
    """Two sentences aligned with each other by products, then compared."""
    first, second = k.Input((6,), dtype="int32", name="premise"), k.Input((5,), name="hypothesis")
    embed = k.layers.Embedding(20, 6, name="shared_words")
    encode = k.layers.Bidirectional(k.layers.GRU(3, return_sequences=True), name="encode")
    left, right = encode(embed(first)), encode(embed(second))
    scores = k.layers.Dot(axes=-1)([left, right])
    for_right = k.layers.Softmax(axis=1)(scores)
    for_left = k.layers.Permute((2, 1))(k.layers.Softmax(axis=2)(scores))
    seen_by_right = k.layers.Dot(axes=1)([for_right, left])
    seen_by_left = k.layers.Dot(axes=1)([for_left, right])
    ends = []
    compose = k.layers.Bidirectional(k.layers.GRU(3, return_sequences=True), name="compose")
    for own, seen in ((left, seen_by_left), (right, seen_by_right)):
        apart = k.layers.subtract([own, seen])
        value = k.layers.concatenate([own, seen, apart, k.layers.multiply([own, seen])])
        value = compose(value)
        ends += [k.layers.GlobalAveragePooling1D()(value), k.layers.GlobalMaxPooling1D()(value)]
    value = k.layers.Dense(5, activation="relu")(
        k.layers.BatchNormalization()(k.layers.concatenate(ends))
    )
    model = k.Model([first, second], k.layers.Dense(3, activation="softmax")(value))
    model.compile(k.optimizers.Adam(4e-4), "categorical_crossentropy", metrics=["accuracy"])
    targets = np.eye(3, dtype="float32")[[0, 2]]
    return trained(model, INPUTS_OF["sentence_pairs"], targets)


def question_span(k):
    """Start and end of an answer, by registered encoder layers over masked tokens."""
    import customs_08 as own

    tokens = k.Input((7,), dtype="int32", name="input_ids")
    kinds = k.Input((7,), dtype="int32", name="token_type_ids")
    x = k.layers.Embedding(20, 6, mask_zero=True)(tokens) + k.layers.Embedding(2, 6)(kinds)
    x = k.layers.LayerNormalization()(own.LearnedPositions(7)(x))
    for number in range(2):
        x = own.EncoderLayer(6, 2, 8, name=f"layer_{number}")(x)
    first = k.layers.Flatten()(k.layers.Dense(1, name="start_logit", use_bias=False)(x))
    last = k.layers.Flatten()(k.layers.Dense(1, name="end_logit", use_bias=False)(x))
    first = k.layers.Activation(k.activations.softmax, name="start")(first)
    last = k.layers.Activation(k.activations.softmax, name="end")(last)
    model = k.Model(inputs=[tokens, kinds], outputs=[first, last])
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=False)
    model.compile(optimizer=k.optimizers.Adam(learning_rate=5e-5), loss=[loss, loss])
    return trained(model, INPUTS_OF["question_span"], np.array([1, 2]), np.array([3, 5]))


INPUTS_OF = {
    "tickets": [words("the printer", "my invoice"), words("fire is on it", "please reset no")],
    "tagged_entities": [
        integers(30, 2, 5),
        integers(4, 2, 5),
        integers(20, 2, 5, 6).astype("float32"),
    ],
    "glove_text": [integers(25, 2, 12).astype("int64")],
    "sentence_pairs": [integers(20, 2, 6), integers(20, 2, 5).astype("float32")],
    "question_span": [
        np.array([[3, 4, 9, 1, 7, 0, 0], [5, 6, 2, 8, 11, 12, 0]], "int32"),
        np.array([[0, 0, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1, 0]], "int32"),
    ],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("question_span",)
INPUTS = {
    "tickets": ["subject", "body"],
    "tagged_entities": ["words_input", "casing_input", "char_input"],
    "sentence_pairs": ["premise", "hypothesis"],
    "question_span": ["input_ids", "token_type_ids"],
}
