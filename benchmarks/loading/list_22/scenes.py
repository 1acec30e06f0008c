"""Models without classes of their own drawn by lot from public code, for `images.py`."""

from __future__ import annotations

from functools import reduce

import numpy as np

from benchmarks.loading.inputs import adam, floats, integers, trained


def compose(*funcs):
    """The functions, the first one first."""
    return reduce(lambda f, g: lambda *a, **kw: g(f(*a, **kw)), funcs)


def pooled_boxes(k):
    """Boxes of three sizes, by pools of several sizes side by side."""
    layers = k.layers

    def conv(*args, **kwargs):
        given = {"kernel_regularizer": k.regularizers.l2(5e-4)}
        given["padding"] = "valid" if kwargs.get("strides") == (2, 2) else "same"
        given.update(kwargs)
        return layers.Conv2D(*args, **given)

    def leaky(*args, **kwargs):
        given = {"use_bias": False}
        given.update(kwargs)
        return compose(
            conv(*args, **given), layers.BatchNormalization(), layers.LeakyReLU(alpha=0.1)
        )

    def resblock_body(x, num_filters):
        x = layers.ZeroPadding2D(((1, 0), (1, 0)))(x)
        x = leaky(num_filters, (3, 3), strides=(2, 2))(x)
        y = compose(leaky(num_filters // 2, (1, 1)), leaky(num_filters, (3, 3)))(x)
        return layers.Add()([x, y])

    def last(x, num_filters, out_filters):
        x = compose(leaky(num_filters, (1, 1)), leaky(num_filters * 2, (3, 3)))(x)
        pools = [layers.MaxPooling2D((p, p), (1, 1), padding="same")(x) for p in (3, 5, 7)]
        x = compose(layers.Concatenate(), leaky(num_filters, (1, 1)))([*pools, x])
        y = compose(leaky(num_filters * 2, (3, 3)), conv(out_filters, (1, 1)))(x)
        return x, y

    inputs = layers.Input(shape=(None, None, 3))
    x = leaky(4, (3, 3))(inputs)
    for filters in (4, 6, 8):
        x = resblock_body(x, filters)
    darknet = k.models.Model(inputs, x)
    f1, f2 = darknet.output, darknet.layers[-12].output
    x, y1 = last(f1, 4, 7)
    x = compose(leaky(3, (1, 1)), layers.UpSampling2D(2))(x)
    x = layers.Concatenate()([x, f2])
    _, y2 = last(x, 3, 7)
    return k.models.Model(inputs, [y1, y2])


def captioned_scenes(k):
    """A caption of an image, whose features are the first word."""
    layers, backend = k.layers, k.backend

    def crossentropy_from_logits(y_true, y_pred):
        y_true = y_true[:, :-1, :]
        y_pred = y_pred[:, :-1, :]
        return backend.categorical_crossentropy(y_true, y_pred, from_logits=True)

    image_input = layers.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu")(image_input)
    image_model = k.models.Model(image_input, layers.GlobalAveragePooling2D()(x))
    for layer in image_model.layers:
        layer.trainable = False
    image_dense = layers.Dense(units=5)(image_model.output)
    image_embedding = layers.RepeatVector(1)(image_dense)
    sentence_input = layers.Input(shape=[None])
    word_embedding = layers.Embedding(input_dim=9, output_dim=5)(sentence_input)
    x = layers.Concatenate(axis=1)([image_embedding, word_embedding])
    rnn = layers.GRU(
        units=4, return_sequences=True, dropout=0.2, recurrent_dropout=0.2, implementation=2
    )
    x = layers.Bidirectional(rnn)(x)
    x = layers.TimeDistributed(layers.Dense(units=9))(x)
    model = k.models.Model(inputs=[image_model.input, sentence_input], outputs=x)
    model.compile(optimizer=adam(k, 1e-3), loss=crossentropy_from_logits)
    target = np.eye(9, dtype="float32")[integers(9, 2, 5)]
    return trained(model, INPUTS_OF["captioned_scenes"], target)


def sliced_boxes(k):
    """Boxes of two sizes, by halves of channels that a Lambda with arguments cuts."""
    layers = k.layers
    numbers = iter(range(99))

    def conv(x, filters, kernel, stride=1, bnorm=True):
        number = next(numbers)
        if stride > 1:
            x = layers.ZeroPadding2D(((1, 0), (1, 0)))(x)
        x = layers.Conv2D(
            filters,
            kernel,
            strides=stride,
            padding="same" if stride == 1 else "valid",
            name=f"conv_{number}",
            use_bias=not bnorm,
        )(x)
        if bnorm:
            x = layers.BatchNormalization(epsilon=0.001, name=f"bnorm_{number}")(x)
            x = layers.LeakyReLU(alpha=0.1, name=f"leaky_{number}")(x)
        return x

    def slice_channel(x, index):
        return x[:, :, :, 0:index]

    def block(x, filters):
        x = conv(x, filters, 3)
        channel = k.backend.int_shape(x)[-1]
        x1 = layers.Lambda(slice_channel, arguments={"index": int(channel / 2)})(x)
        x2 = conv(x1, filters // 2, 3)
        x3 = conv(x2, filters // 2, 3)
        x4 = conv(layers.concatenate([x2, x3]), filters, 1)
        return layers.concatenate([x, x4]), x4

    start = layers.Input(shape=(None, None, 3))
    x = conv(conv(start, 4, 3, 2), 4, 3, 2)
    x, _ = block(x, 4)
    x = layers.MaxPooling2D(pool_size=(2, 2), strides=2, padding="same")(x)
    x, route = block(x, 6)
    x = layers.MaxPooling2D(pool_size=(2, 2), strides=2, padding="same")(x)
    x = conv(x, 6, 1)
    large = conv(conv(x, 8, 3), 9, 1, bnorm=False)
    x = layers.UpSampling2D(2)(conv(x, 4, 1))
    x = layers.concatenate([x, route])
    small = conv(conv(x, 6, 3), 9, 1, bnorm=False)
    return k.models.Model(start, [large, small])


def ghost_photos(k):
    """Cheap features by convolutions of each channel; a function with the name of Keras's own."""
    layers = k.layers
    l2 = k.regularizers.l2(5e-4)

    def conv(filters, size, name, strides=(1, 1), use_bias=False, padding="valid"):
        return layers.Conv2D(
            filters=filters,
            kernel_size=size,
            strides=strides,
            padding=padding,
            use_bias=use_bias,
            kernel_regularizer=l2,
            name=name,
        )

    def depthwise(size, name, strides=(1, 1)):
        return layers.DepthwiseConv2D(
            kernel_size=size, strides=strides, padding="same", use_bias=False, name=name
        )

    def hard_sigmoid(x):
        return layers.ReLU(6.0)(x + 3.0) / 6.0

    def excite(input_x, name):
        x = layers.GlobalAveragePooling2D(name=f"{name}_avg_pool2d")(input_x)
        x = layers.Reshape((1, 1, int(input_x.shape[-1])))(x)
        x = conv(4, 1, f"{name}_conv_reduce", use_bias=True)(x)
        x = layers.ReLU(name=f"{name}_act")(x)
        x = conv(input_x.shape[-1], 1, f"{name}_conv_expand", use_bias=True)(x)
        x = layers.Activation(hard_sigmoid, name=f"{name}_hard_sigmoid")(x)
        return layers.Multiply()([input_x, x])

    def ghost(x, filters, act, name):
        half = filters // 2
        x1 = layers.BatchNormalization(name=f"{name}_primary_conv_1")(
            conv(half, 1, f"{name}_primary_conv_0")(x)
        )
        x1 = layers.ReLU(name=f"{name}_primary_conv_relu")(x1) if act else x1
        x2 = layers.BatchNormalization(name=f"{name}_cheap_1")(depthwise(3, f"{name}_cheap_0")(x1))
        x2 = layers.ReLU(name=f"{name}_cheap_relu")(x2) if act else x2
        return layers.Concatenate(axis=3, name=f"{name}_concat")([x1, x2])

    def bottleneck(input_x, mid, out, stride, se, name):
        x = ghost(input_x, mid, True, f"{name}_ghost1")
        if stride[0] > 1:
            x = depthwise(3, f"{name}_conv_dw", stride)(x)
            x = layers.BatchNormalization(name=f"{name}_bn_dw")(x)
        if se:
            x = excite(x, f"{name}_se")
        x = ghost(x, out, False, f"{name}_ghost2")
        if input_x.shape[-1] == out and stride[0] == 1:
            sc = input_x
        else:
            sc = depthwise(3, f"{name}_shortcut_0", stride)(input_x)
            sc = layers.BatchNormalization(name=f"{name}_shortcut_1")(sc)
            sc = conv(out, 1, f"{name}_shortcut_2")(sc)
            sc = layers.BatchNormalization(name=f"{name}_shortcut_3")(sc)
        return layers.Add(name=f"{name}_add")([x, sc])

    img_input = layers.Input(shape=(12, 12, 3))
    x = conv(4, 3, "conv_stem", (2, 2), padding="same")(img_input)
    x = layers.ReLU(name="Conv2D_1_act")(layers.BatchNormalization(name="bn1")(x))
    x = bottleneck(x, 4, 4, (1, 1), False, "blocks_0_0")
    x = bottleneck(x, 8, 6, (2, 2), True, "blocks_1_0")
    x = layers.GlobalAveragePooling2D(name="global_avg_pooling2D")(x)
    x = layers.Reshape((1, 1, 6))(x)
    x = layers.ReLU(name="relu_head")(conv(8, 1, "conv_head", use_bias=True)(x))
    x = layers.Flatten()(layers.Dropout(0.2, name="dropout_1")(x))
    x = layers.Dense(units=3, activation="softmax", use_bias=True, name="classifier")(x)
    return k.models.Model(img_input, x, name="ghostnet_1.00")


def twin_questions(k):
    """How alike two questions are, by a model in a model."""
    layers, backend = k.layers, k.backend

    def euclidean_distance(vects):
        x, y = vects
        return backend.exp(-backend.sum(backend.abs(x - y), axis=1, keepdims=True))

    def eucl_dist_output_shape(shapes):
        shape1, _ = shapes
        return shape1[0], 1

    def contrastive_loss(y_true, y_pred):
        return backend.mean(backend.square(y_true - y_pred))

    embedding_layer = layers.Embedding(
        9, 4, embeddings_initializer=k.initializers.Constant(0.1), trainable=False
    )
    base = layers.Input(shape=(5,), dtype="int32")
    x = layers.GRU(4, return_sequences=False, dropout=0.1, recurrent_dropout=0.1)(
        embedding_layer(base)
    )
    base_network = k.models.Model(base, x, name="GRU")
    q1 = layers.Input(shape=(5,), dtype="int32", name="sequence1")
    q2 = layers.Input(shape=(5,), dtype="int32", name="sequence2")
    distance = layers.Lambda(
        euclidean_distance, output_shape=eucl_dist_output_shape, name="distance"
    )([base_network(q1), base_network(q2)])
    model = k.models.Model([q1, q2], [distance])
    model.compile(loss=contrastive_loss, optimizer=adam(k, 0.001), metrics=["accuracy"])
    return trained(model, INPUTS_OF["twin_questions"], floats(2, 1))


def paired_triplets(k):
    """Words that a softmax weighs, by a Lambda that sums."""
    layers = k.layers
    net_input = layers.Input(shape=(6, 4))
    lstm = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(net_input)
    size = int(lstm.shape[-1])
    x = layers.Dense(size, kernel_initializer="glorot_uniform", activation="tanh", name="tanh_mlp")(
        lstm
    )
    x = layers.Dense(1, activation="linear", name="word-level_context")(x)
    attention = layers.Activation("softmax")(layers.Flatten()(x))
    x = layers.Permute([2, 1])(layers.RepeatVector(size)(attention))
    x = layers.Multiply()([lstm, x])
    x = layers.Lambda(lambda t: k.backend.sum(t, axis=1), name="expectation_over_words")(x)
    model = k.models.Model(inputs=net_input, outputs=layers.Dense(1, activation="sigmoid")(x))
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["acc"])
    return trained(model, INPUTS_OF["paired_triplets"], np.array([[0.0], [1.0]], "float32"))


INPUTS_OF = {
    "pooled_boxes": [floats(2, 16, 16, 3)],
    "captioned_scenes": [floats(2, 8, 8, 3), integers(9, 2, 4)],
    "sliced_boxes": [floats(2, 32, 32, 3)],
    "ghost_photos": [floats(2, 12, 12, 3)],
    "twin_questions": [integers(9, 2, 5), integers(8, 2, 5)],
    "paired_triplets": [floats(2, 6, 4)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ()
LAMBDAS = ("sliced_boxes", "twin_questions", "paired_triplets")
INPUTS = {
    "captioned_scenes": ["input_1", "input_2"],
    "twin_questions": ["sequence1", "sequence2"],
}
