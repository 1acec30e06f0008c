"""Sound whole models of the third set of `table.py`, small as in Keras' examples."""

from benchmarks.mistakes.third.sound_parts import (
    actor_critic,
    addition,
    conditional_generator,
    ddpg_actor,
    ddpg_critic,
    detector,
    generator,
    keypoints,
    language_model,
    masked_language_model,
    masked_tagger,
    multitask,
    recommender,
    siamese,
    skip_gram,
    translation,
    variational_decoder,
    variational_encoder,
)


def linear_regression(k):
    return k.Sequential([k.Input((1,)), k.layers.Dense(1)])


def logistic_regression(k):
    return k.Sequential([k.Input((20,)), k.layers.Dense(1, activation="sigmoid")])


def softmax_regression(k):
    return k.Sequential([k.Input((28, 28)), k.layers.Flatten(), k.layers.Dense(10)])


def wide_model(k):
    kl = k.layers
    ids = k.Input((4,), dtype="int32")
    x = kl.Flatten()(kl.Embedding(40, 1)(ids))
    return k.Model(ids, kl.Dense(1, activation="sigmoid")(x))


def sparse_autoencoder(k):
    kl = k.layers
    code = kl.Dense(12, activation="relu", activity_regularizer=k.regularizers.L1(1e-5))
    return k.Sequential([k.Input((64,)), code, kl.Dense(64, activation="sigmoid")])


def deep_autoencoder(k):
    kl = k.layers
    widths = (("relu", 24), ("relu", 12), ("relu", 3), ("relu", 12), ("relu", 24), ("sigmoid", 64))
    return k.Sequential([k.Input((64,)), *(kl.Dense(n, activation=a) for a, n in widths)])


def sequence_autoencoder(k):
    kl = k.layers
    return k.Sequential(
        [
            k.Input((24, 1)),
            kl.Conv1D(8, 7, padding="same", strides=2, activation="relu"),
            kl.Dropout(0.2),
            kl.Conv1D(4, 7, padding="same", strides=2, activation="relu"),
            kl.Conv1DTranspose(8, 7, padding="same", strides=2, activation="relu"),
            kl.Conv1DTranspose(1, 7, padding="same", strides=2),
        ]
    )


def super_resolution(k):
    kl = k.layers
    return k.Sequential(
        [
            k.Input((None, None, 1)),
            kl.Conv2D(8, 5, padding="same", activation="relu"),
            kl.Conv2D(8, 3, padding="same", activation="relu"),
            kl.UpSampling2D(3),
            kl.Conv2D(1, 3, padding="same"),
        ]
    )


def next_frame(k):
    kl = k.layers
    return k.Sequential(
        [
            k.Input((None, 16, 16, 1)),
            kl.ConvLSTM2D(4, 5, padding="same", return_sequences=True, activation="relu"),
            kl.BatchNormalization(),
            kl.ConvLSTM2D(4, 1, padding="same", return_sequences=True, activation="relu"),
            kl.Conv3D(1, 3, activation="sigmoid", padding="same"),
        ]
    )


def deep_sets(k):
    kl = k.layers
    given = k.Input((None, 3))
    x = kl.TimeDistributed(kl.Dense(12, activation="relu"))(given)
    return k.Model(
        given, kl.Dense(1)(kl.Dense(8, activation="relu")(kl.GlobalAveragePooling1D()(x)))
    )


def point_net(k):
    kl = k.layers
    given = k.Input((64, 3))
    x = given
    for filters in (8, 16):
        x = kl.Activation("relu")(kl.BatchNormalization(momentum=0.0)(kl.Conv1D(filters, 1)(x)))
    x = kl.Dropout(0.3)(kl.Dense(8, activation="relu")(kl.GlobalMaxPooling1D()(x)))
    return k.Model(given, kl.Dense(10, activation="softmax")(x))


def forecast_window(k):
    kl = k.layers
    return k.Sequential([k.Input((120, 7)), kl.LSTM(16), kl.Dense(1)])


def forecast_stateful(k):
    kl = k.layers
    given = k.Input(batch_shape=(4, 10, 2))
    return k.Model(given, kl.Dense(1)(kl.LSTM(8, stateful=True)(given)))


def graph_attention(k):
    kl = k.layers
    nodes, edges = k.Input((12, 6)), k.Input((12, 12))
    x = kl.Dense(8)(nodes)
    x = kl.Activation("relu")(kl.Dot((2, 1))([edges, x]))
    return k.Model([nodes, edges], kl.Dense(4)(kl.GlobalAveragePooling1D()(x)))


def regularized(k):
    kl, l2 = k.layers, k.regularizers.L2(1e-4)
    norm = k.constraints.MaxNorm(3)
    return k.Sequential(
        [
            k.Input((20,)),
            kl.Dropout(0.2),
            kl.Dense(16, activation="relu", kernel_constraint=norm),
            kl.Dropout(0.5),
            kl.Dense(16, activation="relu", kernel_regularizer=l2),
            kl.Dense(1, activation="sigmoid"),
        ]
    )


def fine_tuned(k):
    kl = k.layers
    base = k.Sequential(
        [
            k.Input((32, 32, 3)),
            kl.Conv2D(8, 3, activation="relu"),
            kl.MaxPooling2D(4),
            kl.Conv2D(12, 3, activation="relu"),
            kl.GlobalAveragePooling2D(),
        ]
    )
    base.trainable = False
    given = k.Input((32, 32, 3))
    x = kl.Dropout(0.2)(
        base(kl.RandomFlip("horizontal")(kl.Rescaling(1 / 127.5, offset=-1)(given)), training=False)
    )
    return k.Model(given, kl.Dense(1)(x))


def features_only(k):
    kl = k.layers
    made = k.Sequential(
        [k.Input((32, 32, 3)), kl.Conv2D(8, 3, activation="relu"), kl.GlobalAveragePooling2D()]
    )
    made.trainable = False
    return made


def distance_field(k):
    kl = k.layers
    layers = [kl.Dense(24, activation="tanh") for _ in range(4)]
    return k.Sequential([k.Input((2,)), *layers, kl.Dense(1)])


def adapted(k):
    kl = k.layers
    scaled = kl.Normalization(mean=[1.0, 2.0, 0.5], variance=[4.0, 1.0, 0.2])
    given, kind = k.Input((3,)), k.Input((1,), dtype="int32")
    parts = [scaled(given), kl.CategoryEncoding(num_tokens=6, output_mode="one_hot")(kind)]
    x = kl.Dense(16, activation="relu")(kl.Concatenate()(parts))
    return k.Model([given, kind], kl.Dense(1, activation="sigmoid")(kl.Dropout(0.5)(x)))


def hashed(k):
    kl = k.layers
    given = k.Input((6,), dtype="int32")
    x = kl.Embedding(100, 8)(kl.Hashing(num_bins=100)(given))
    return k.Model(given, kl.Dense(5, activation="softmax")(kl.Flatten()(x)))


def channels_moved(k):
    kl = k.layers
    given = k.Input((3, 32, 32))
    x = kl.Conv2D(8, 3, strides=2, activation="relu")(kl.Permute((2, 3, 1))(given))
    return k.Model(given, kl.Dense(5, activation="softmax")(kl.Flatten()(x)))


def mobile_v2(k):
    return k.applications.MobileNetV2(input_shape=(32, 32, 3), weights=None, alpha=0.35, classes=10)


def mixture_density(k):
    kl = k.layers
    given = k.Input((1,))
    x = kl.Dense(16, activation="relu")(given)
    parts = [
        kl.Dense(3)(x),
        kl.Dense(3, activation="softplus")(x),
        kl.Dense(3, activation="softmax")(x),
    ]
    return k.Model(given, kl.Concatenate()(parts))


BCE, CCE = "binary_crossentropy", "categorical_crossentropy"
SCCE = "sparse_categorical_crossentropy"


def _logits(k):
    return k.losses.SparseCategoricalCrossentropy(from_logits=True)


def _binary(k):
    return k.losses.BinaryCrossentropy(from_logits=True)


WHOLE = {
    "generator": (generator, None),
    "conditional-generator": (conditional_generator, None),
    "variational-encoder": (variational_encoder, None),
    "variational-decoder": (variational_decoder, BCE),
    "actor-critic": (actor_critic, None),
    "ddpg-critic": (ddpg_critic, "mse"),
    "ddpg-actor": (ddpg_actor, None),
    "addition": (addition, CCE),
    "translation": (translation, CCE),
    "language-model": (language_model, _logits),
    "masked-language-model": (masked_language_model, SCCE),
    "masked-tagger": (masked_tagger, SCCE),
    "detector": (detector, {"kinds": BCE, "boxes": "huber"}),
    "keypoints": (keypoints, "mse"),
    "multitask": (multitask, {"age": "mse", "sex": BCE, "race": SCCE}),
    "recommender": (recommender, BCE),
    "skip-gram": (skip_gram, _binary),
    "siamese": (siamese, BCE),
    "linear-regression": (linear_regression, "mae"),
    "logistic-regression": (logistic_regression, BCE),
    "softmax-regression": (softmax_regression, _logits),
    "wide-model": (wide_model, BCE),
    "sparse-autoencoder": (sparse_autoencoder, BCE),
    "deep-autoencoder": (deep_autoencoder, BCE),
    "sequence-autoencoder": (sequence_autoencoder, "mse"),
    "super-resolution": (super_resolution, "mse"),
    "next-frame": (next_frame, BCE),
    "deep-sets": (deep_sets, "mae"),
    "point-net": (point_net, SCCE),
    "forecast-window": (forecast_window, "mse"),
    "forecast-stateful": (forecast_stateful, "mse"),
    "graph-attention": (graph_attention, _logits),
    "regularized": (regularized, BCE),
    "fine-tuned": (fine_tuned, _binary),
    "features-only": (features_only, None),
    "distance-field": (distance_field, "mse"),
    "adapted": (adapted, BCE),
    "hashed": (hashed, SCCE),
    "channels-moved": (channels_moved, SCCE),
    "mobile-v2": (mobile_v2, CCE),
    "mixture-density": (mixture_density, None),
}
