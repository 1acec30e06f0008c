"""Sound networks with several parts or steps, of the third set of `table.py`."""


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
