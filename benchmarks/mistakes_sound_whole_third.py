"""Sound whole models of the third set of `mistakes_table.py`, small as in Keras' examples."""


def generator(k):
    kl = k.layers
    return k.Sequential(
        [
            k.Input((16,)),
            kl.Dense(4 * 4 * 8),
            kl.LeakyReLU(),
            kl.Reshape((4, 4, 8)),
            kl.Conv2DTranspose(8, 4, strides=2, padding="same"),
            kl.LeakyReLU(),
            kl.Conv2D(3, 5, padding="same", activation="tanh"),
        ]
    )


def conditional_generator(k):
    kl = k.layers
    noise, label = k.Input((16,)), k.Input((1,), dtype="int32")
    x = kl.Multiply()([noise, kl.Flatten()(kl.Embedding(10, 16)(label))])
    x = kl.Dense(64, activation="relu")(x)
    return k.Model([noise, label], kl.Dense(784, activation="sigmoid")(x))


def variational_encoder(k):
    kl = k.layers
    given = k.Input((28, 28, 1))
    x = kl.Conv2D(8, 3, strides=2, padding="same", activation="relu")(given)
    x = kl.Dense(16, activation="relu")(kl.Flatten()(x))
    return k.Model(given, [kl.Dense(2, name="z_mean")(x), kl.Dense(2, name="z_log_var")(x)])


def variational_decoder(k):
    kl = k.layers
    return k.Sequential(
        [
            k.Input((2,)),
            kl.Dense(7 * 7 * 8, activation="relu"),
            kl.Reshape((7, 7, 8)),
            kl.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu"),
            kl.Conv2DTranspose(1, 3, strides=2, padding="same", activation="sigmoid"),
        ]
    )


def actor_critic(k):
    kl = k.layers
    given = k.Input((4,))
    x = kl.Dense(32, activation="relu")(given)
    return k.Model(given, [kl.Dense(2, activation="softmax")(x), kl.Dense(1)(x)])


def ddpg_critic(k):
    kl = k.layers
    state, action = k.Input((3,)), k.Input((1,))
    x = kl.Concatenate()(
        [kl.Dense(16, activation="relu")(state), kl.Dense(16, activation="relu")(action)]
    )
    return k.Model([state, action], kl.Dense(1)(kl.Dense(16, activation="relu")(x)))


def ddpg_actor(k):
    kl = k.layers
    given = k.Input((3,))
    x = kl.Dense(1, activation="tanh")(kl.Dense(16, activation="relu")(given))
    return k.Model(given, kl.Rescaling(2.0)(x))


def addition(k):
    kl = k.layers
    return k.Sequential(
        [
            k.Input((7, 12)),
            kl.LSTM(16),
            kl.RepeatVector(4),
            kl.LSTM(16, return_sequences=True),
            kl.Dense(12, activation="softmax"),
        ]
    )


def translation(k):
    kl = k.layers
    source, target = k.Input((None, 20)), k.Input((None, 24))
    _, *states = kl.LSTM(12, return_state=True)(source)
    x = kl.LSTM(12, return_sequences=True)(target, initial_state=states)
    return k.Model([source, target], kl.Dense(24, activation="softmax")(x))


def language_model(k):
    kl = k.layers
    given = k.Input((None,), dtype="int32")
    x = kl.GRU(16, return_sequences=True)(kl.Embedding(50, 8)(given))
    return k.Model(given, kl.Dense(50)(x))


def masked_language_model(k):
    kl = k.layers
    given = k.Input((14,), dtype="int32")
    x = kl.Embedding(50, 8)(given)
    x = kl.LayerNormalization()(kl.Add()([x, kl.MultiHeadAttention(2, 4)(x, x)]))
    x = kl.LayerNormalization()(kl.Add()([x, kl.Dense(8)(kl.Dense(16, activation="gelu")(x))]))
    return k.Model(given, kl.Dense(50, activation="softmax")(x))


def masked_tagger(k):
    kl = k.layers
    given = k.Input((None,), dtype="int32")
    x = kl.Bidirectional(kl.LSTM(8, return_sequences=True))(
        kl.Embedding(50, 8, mask_zero=True)(given)
    )
    return k.Model(given, kl.TimeDistributed(kl.Dense(7, activation="softmax"))(x))


def detector(k):
    kl = k.layers
    given = k.Input((32, 32, 3))
    x = kl.Conv2D(8, 3, strides=4, padding="same", activation="relu")(given)
    kinds = kl.Conv2D(6, 3, padding="same", activation="sigmoid", name="kinds")(x)
    return k.Model(given, [kinds, kl.Conv2D(4, 3, padding="same", name="boxes")(x)])


def keypoints(k):
    kl = k.layers
    given = k.Input((32, 32, 3))
    x = kl.SeparableConv2D(8, 3, strides=2, activation="relu")(given)
    x = kl.SeparableConv2D(8, 3, strides=3, activation="relu")(x)
    x = kl.SeparableConv2D(24, 5, strides=1, activation="relu")(x)
    x = kl.SeparableConv2D(24, 1, activation="sigmoid")(x)
    return k.Model(given, x)


def multitask(k):
    kl = k.layers
    given = k.Input((32, 32, 1))
    x = kl.GlobalAveragePooling2D()(kl.Conv2D(8, 3, activation="relu")(given))
    age = kl.Dense(1, name="age")(x)
    sex = kl.Dense(1, activation="sigmoid", name="sex")(x)
    return k.Model(given, [age, sex, kl.Dense(5, activation="softmax", name="race")(x)])


def recommender(k):
    kl = k.layers
    user, film = k.Input((1,), dtype="int32"), k.Input((1,), dtype="int32")
    u, f = kl.Embedding(50, 8)(user), kl.Embedding(90, 8)(film)
    x = kl.Flatten()(kl.Dot(2)([u, f]))
    x = kl.Add()(
        [x, kl.Flatten()(kl.Embedding(50, 1)(user)), kl.Flatten()(kl.Embedding(90, 1)(film))]
    )
    return k.Model([user, film], kl.Activation("sigmoid")(x))


def skip_gram(k):
    kl = k.layers
    word, near = k.Input((1,), dtype="int32"), k.Input((5,), dtype="int32")
    x = kl.Dot(2)([kl.Embedding(60, 8)(word), kl.Embedding(60, 8)(near)])
    return k.Model([word, near], kl.Flatten()(x))


def siamese(k):
    kl = k.layers
    tower = k.Sequential(
        [
            k.Input((28, 28, 1)),
            kl.AveragePooling2D(2),
            kl.Conv2D(4, 5, activation="tanh"),
            kl.Flatten(),
            kl.Dense(10, activation="tanh"),
        ]
    )
    one, two = k.Input((28, 28, 1)), k.Input((28, 28, 1))
    gap = kl.Subtract()([tower(one), tower(two)])
    far = kl.Dot(1)([gap, gap])
    x = kl.BatchNormalization()(far)
    return k.Model([one, two], kl.Dense(1, activation="sigmoid")(x))


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
