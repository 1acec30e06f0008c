"""Models of sounds, series, translations, questions and bytes drawn by lot from public code, for
`images.py`.
"""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, integers, trained


def heard_vehicles(k):
    """A transformer of sound: own attention of a dictionary of tensors, in models in models."""
    import customs_18_series as own

    layers, steps, size = k.layers, 6, 8

    def encoder_layer(units, name):
        inputs = k.Input(shape=(None, size), name="inputs")
        mask = k.Input(shape=(1, 1, None), name="padding_mask")
        parts = {"query": inputs, "key": inputs, "value": inputs, "mask": mask}
        x = own.SoundAttention(size, 2, name="attention")(parts)
        x = layers.LayerNormalization(epsilon=1e-6)(inputs + layers.Dropout(rate=0.1)(x))
        y = layers.Dense(units=units, activation="relu")(x)
        y = layers.Dropout(rate=0.1)(layers.Dense(units=size)(y))
        outputs = layers.LayerNormalization(epsilon=1e-6)(x + y)
        return k.Model(inputs=[inputs, mask], outputs=outputs, name=name)

    inputs = k.Input(shape=(None, size), name="inputs")
    mask = k.Input(shape=(1, 1, None), name="padding_mask")
    x = layers.Dense(size, use_bias=True, activation="linear")(inputs)
    x = own.SoundPositions(steps, size)(layers.Rescaling(float(np.sqrt(size)))(x))
    x = layers.Dropout(rate=0.1)(x)
    for i in range(2):
        x = encoder_layer(12, f"encoder_layer_{i}")([x, mask])
    encoder = k.Model(inputs=[inputs, mask], outputs=x, name="encoder")
    start = k.Input(shape=(steps, size), name="inputs")
    given = {"output_shape": (1, 1, None), "name": "enc_padding_mask"}
    mask = layers.Lambda(own.create_padding_mask, **given)(start)
    x = layers.Reshape((steps * size,))(encoder([start, mask]))
    x = layers.Dense(units=10, use_bias=True, activation="relu", name="pre_outputs")(x)
    x = layers.Dense(units=5, use_bias=True, activation="softmax", name="outputs")(x)
    model = k.Model(inputs=[start], outputs=x, name="audio_class")
    optimizer = k.optimizers.Adam(0.000001)
    model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["heard_vehicles"], np.eye(5, dtype="float32")[[0, 4]])


def long_short_series(_):
    """LSTNet, made by an object: own attention without its name, functions that use the object."""
    import customs_18_series as own

    return own.LSTNet(8, 3, 5, 4, 3, 2).make_model()


def attended_translation(k):
    """Translation: an own layer with two outputs and shapes of TensorFlow, trained."""
    import customs_18_series as own

    layers = k.layers
    source = layers.Input(shape=(6, 7), name="encoder_inputs")
    target = layers.Input(shape=(4, 8), name="decoder_inputs")
    given = {"return_sequences": True, "return_state": True}
    encoded, state = layers.GRU(5, name="encoder_gru", **given)(source)
    decoded, _ = layers.GRU(5, name="decoder_gru", **given)(target, initial_state=state)
    found, _ = own.AttentionLayer(name="attention_layer")([encoded, decoded])
    x = layers.Concatenate(axis=-1, name="concat_layer")([decoded, found])
    dense = layers.Dense(8, activation="softmax", name="softmax_layer")
    x = layers.TimeDistributed(dense, name="time_distributed_layer")(x)
    model = k.models.Model(inputs=[source, target], outputs=x)
    model.compile(optimizer="adam", loss="categorical_crossentropy")
    targets = np.eye(8, dtype="float32")[integers(8, 2, 4)]
    return trained(model, INPUTS_OF["attended_translation"], targets)


def entailed_halves(k):
    """A premise and a hypothesis through the same LSTMs and convolution, with penalties."""
    layers = k.layers
    inputs = [layers.Input(shape=(None,), name=name) for name in ("premise", "hypothesis")]
    words = layers.Embedding(12, 5, trainable=False)
    one, two = (words(each) for each in inputs)
    for _ in range(2):
        penalty = k.regularizers.L1L2(l1=0.01, l2=0.01)
        lstm = layers.LSTM(4, return_sequences=True, kernel_regularizer=penalty)
        lstm = layers.Bidirectional(lstm)
        one, two = lstm(one), lstm(two)
    cnn = layers.Conv1D(filters=4, kernel_size=3, strides=1)
    found = []
    for each in (cnn(one), cnn(two)):
        pooled = [layers.GlobalMaxPooling1D()(each), layers.GlobalAveragePooling1D()(each)]
        found.append(layers.concatenate(pooled))
    x = layers.BatchNormalization()(layers.concatenate(found))
    for _ in range(2):
        x = layers.BatchNormalization()(layers.Dense(6, activation="relu")(x))
        x = layers.Dropout(0.2)(x)
    model = k.Model(inputs, layers.Dense(3, activation="softmax")(x))
    model.compile(loss="categorical_crossentropy", metrics=["acc"], optimizer="adam")
    return trained(model, INPUTS_OF["entailed_halves"], np.eye(3, dtype="float32")[[2, 0]])


def answer_spans(k):
    """QANet: own layers that only call, functions with and without surroundings, four ends."""
    import customs_18_texts as own

    layers, letters, code, wide = k.layers, 3, 4, 6
    penalty, shapes = k.regularizers.l2(3e-7), {}
    init = k.initializers.VarianceScaling(scale=1.0, mode="fan_avg", distribution="uniform")
    given = {"kernel_initializer": init, "kernel_regularizer": penalty}
    starts, found = [], []
    words = layers.Embedding(12, 5, trainable=False, name="word_embedding")
    chars = layers.Embedding(9, code, name="char_embedding")
    conv = layers.Conv1D(wide, 2, activation="relu", kernel_regularizer=penalty, name="char_conv")
    gates = [layers.Conv1D(wide, 1, name="highway_input_projection", **given)]
    for i in range(2):
        gates.append(layers.Conv1D(wide, 1, activation="sigmoid", name=f"highway{i}_gate", **given))
        gates.append(layers.Conv1D(wide, 1, name=f"highway{i}_linear", **given))
    forward = [layers.Conv1D(wide, 1, activation="relu", **given), layers.Conv1D(wide, 1, **given)]
    for name, size in (("contw", 7), ("quesw", 5)):
        word = layers.Input((size,), name=name)
        char = layers.Input((size, letters), name=name.replace("w", "c"))
        starts += [word, char]
        shapes[name] = (-1, size, wide)
        mask = layers.Lambda(own.to_mask)(word)
        y = layers.Reshape((size * letters, code))(chars(char))
        y = layers.Lambda(own.cut_letters, arguments={"letters": letters, "code": code})(y)
        y = layers.GlobalMaxPooling1D()(conv(y))
        y = layers.Lambda(own.to_shape, arguments={"shape": shapes[name]})(y)
        x = gates[0](layers.Concatenate()([words(word), y]))
        for i in range(2):
            gate, x_new = gates[2 * i + 1](x), layers.Dropout(0.1)(gates[2 * i + 2](x))
            x = layers.Lambda(lambda v: v[0] * v[1] + v[2] * (1 - v[1]))([x_new, gate, x])
        x = own.PositionEmbedding()(x)
        y = layers.LayerNormalization()(x)
        y = forward[1](forward[0](layers.Dropout(0.1)(y)))
        found += [own.LayerDropout(0.1)([y, x]), mask]
    one, one_mask, two, two_mask = found
    x = own.Context2Query(24, 7, 5, 0.1)([one, two, one_mask, two_mask])
    x = layers.Conv1D(wide, 1, **given)(x)
    ends = []
    for name in ("start", "end"):
        y = layers.Conv1D(1, 1, **given)(x)
        y = layers.Lambda(own.squeezed)(y)
        y = layers.Lambda(own.masked_softmax, name=name)([y, one_mask])
        ends.append(own.LabelPadding(9)(y))
    return k.Model(starts, [*ends, *own.QAoutputBlock(3)(ends)])


def episodic_memory(k):
    """A dynamic memory network: an own layer whose config is an error, on recurrent layers."""
    import customs_18_texts as own

    layers, penalty = k.layers, {"kernel_regularizer": k.regularizers.l2(1e-4)}
    penalty["recurrent_regularizer"] = k.regularizers.l2(1e-4)
    inputs = layers.Input(shape=(5, 4), name="input_tensor")
    question = layers.Input(shape=(3, 4), name="question_tensor")
    gru = layers.GRU(units=6, return_sequences=True, **penalty)
    facts = layers.Dropout(0.1)(layers.Bidirectional(gru, merge_mode="sum")(inputs))
    asked = layers.Dropout(0.1)(layers.GRU(units=6, **penalty)(question))
    given = {"units": 6, "batch_size": 2, "emb_dim": 4, "memory_steps": 2}
    given["regularization"] = k.regularizers.l2(1e-4)
    memory = layers.Dropout(0.1)(own.EpisodicMemoryModule(**given)([facts, asked]))
    memory = layers.Concatenate(axis=1)([asked, memory])
    answer = layers.Dense(units=4, activation="softmax")(memory)
    model = k.Model(inputs=[inputs, question], outputs=answer)
    model.compile(loss="categorical_crossentropy", metrics=["categorical_accuracy"])
    return trained(model, INPUTS_OF["episodic_memory"], np.eye(4, dtype="float32")[[3, 1]])


def classified_texts(_):
    """A transformer that reads a dictionary of settings; every call is a function of TensorFlow."""
    import customs_18_texts as own

    model = own.Transformer(num_classes=3, embedding_dim=8, vocab_size=11)
    model(INPUTS_OF["classified_texts"][0])
    return model


def gated_bytes(k):
    """Malware in three views of its bytes: gated convolutions with strides as wide as they are."""
    layers = k.layers
    starts = [layers.Input((24,), name=name) for name in ("ip1", "ip2", "ip3")]
    x = layers.concatenate([layers.Embedding(16, 3)(each) for each in starts])
    given = {"kernel_size": 6, "filters": 5, "strides": 6, "padding": "same"}
    one, two = layers.Conv1D(**given)(x), layers.Conv1D(**given)(x)
    x = layers.multiply([one, layers.Activation("sigmoid", name="sigmoid")(two)])
    x = layers.GlobalMaxPool1D()(layers.Activation("relu", name="relu")(x))
    out = layers.Dense(1, activation="sigmoid")(layers.Dense(5)(x))
    model = k.Model(starts, out)
    optimizer = k.optimizers.SGD(learning_rate=0.01, momentum=0.9, nesterov=True)
    model.compile(optimizer=optimizer, loss="binary_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["gated_bytes"], np.array([[1.0], [0.0]], "float32"))


def luong_words(_):
    """Translation word by word by subclasses of Model, which go on with what they said."""
    import customs_18_series as own

    model = own.EncoderDecoder(9, 5, 8, maxlen=3)
    model(INPUTS_OF["luong_words"][0])
    return model


INPUTS_OF = {
    "heard_vehicles": [floats(2, 6, 8)],
    "long_short_series": [floats(2, 8, 3)],
    "attended_translation": [floats(2, 6, 7), floats(2, 4, 8)],
    "entailed_halves": [
        integers(12, 2, 6).astype("float32"),
        integers(12, 2, 5).astype("float32"),
    ],
    "answer_spans": [
        integers(12, 2, 7).astype("float32"),
        integers(9, 2, 7, 3).astype("float32"),
        integers(12, 2, 5).astype("float32"),
        integers(9, 2, 5, 3).astype("float32"),
    ],
    "episodic_memory": [floats(2, 5, 4), floats(2, 3, 4)],
    "classified_texts": [np.array([[3, 5, 2, 9, 0, 0], [1, 4, 4, 7, 8, 0]], "int32")],
    "gated_bytes": [integers(16, 2, 24).astype("float32") for _ in range(3)],
    "luong_words": [np.array([[3, 5, 2, 0], [1, 4, 7, 8]], "int32")],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = tuple(name for name in INPUTS_OF if name not in ("entailed_halves", "gated_bytes"))
LAMBDAS = ("heard_vehicles", "long_short_series", "answer_spans")
INPUTS = {
    "attended_translation": ["encoder_inputs", "decoder_inputs"],
    "entailed_halves": ["premise", "hypothesis"],
    "answer_spans": ["contw", "contc", "quesw", "quesc"],
    "episodic_memory": ["input_tensor", "question_tensor"],
    "gated_bytes": ["ip1", "ip2", "ip3"],
}
