"""Networks of faces, pages, scans, streets and digits drawn by lot from public code, for
`models.py`: a nineteenth list.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import adam, floats, trained
from benchmarks.loading.list_19 import series, tables


def margin_faces(k):
    """MobileFaceNet as one own layer, with the label as an input of the margin by an angle."""
    import customs_19 as own

    start = k.layers.Input(shape=(28, 24, 3))
    x = own.MobileFacenet()(start)
    label = k.layers.Input(shape=(4,))
    return k.models.Model([start, label], own.ArcFace(n_classes=4)((x, label)))


def restored_lights(k):
    """MIRNet: photos in three sizes, by functions of TensorFlow on symbolic tensors."""
    layers = k.layers

    def conv(x, filters, size=1, **given):
        return layers.Conv2D(filters, kernel_size=(size, size), padding="same", **given)(x)

    def fused(one, two, three):
        c = list(one.shape)[-1]
        x = layers.GlobalAveragePooling2D()(layers.Add()([one, two, three]))
        z = layers.ReLU()(conv(tf.reshape(x, shape=(-1, 1, 1, c)), c // 2))
        found = [each * layers.Softmax()(conv(z, c)) for each in (one, two, three)]
        return layers.Add()(found)

    def attended(x):
        c = list(x.shape)[-1]
        m = conv(layers.ReLU()(conv(x, c, 3)), c, 3)
        d = tf.reshape(layers.GlobalAveragePooling2D()(m), shape=(-1, 1, 1, c))
        channels = m * k.activations.sigmoid(conv(layers.ReLU()(conv(d, c // 2)), c))
        most = tf.expand_dims(tf.reduce_max(m, axis=-1), axis=-1)
        mean = tf.expand_dims(tf.reduce_mean(m, axis=-1), axis=-1)
        places = layers.Concatenate(axis=-1)([most, mean])
        places = m * k.activations.sigmoid(conv(places, 1))
        return layers.Add()([x, conv(layers.Concatenate(axis=-1)([channels, places]), c)])

    def smaller(x):
        c = list(x.shape)[-1]
        y = layers.ReLU()(conv(layers.ReLU()(conv(x, c)), c, 3))
        y = conv(layers.MaxPooling2D()(y), c * 2)
        return layers.Add()([conv(layers.MaxPooling2D()(x), c * 2), y])

    def larger(x):
        c = list(x.shape)[-1]
        y = layers.ReLU()(conv(layers.ReLU()(conv(x, c)), c, 3))
        y = conv(layers.UpSampling2D()(y), c // 2)
        return layers.Add()([conv(layers.UpSampling2D()(x), c // 2), y])

    start = layers.Input(shape=(8, 8, 3))
    first = conv(start, 4, 3)
    x = one = conv(first, 4, 3)
    two = smaller(one)
    one, two = attended(one), attended(two)
    three = attended(smaller(two))
    x = fused(one, larger(two), larger(larger(three)))
    x = layers.Add()([conv(attended(x), 4, 3), first])
    return k.Model(inputs=start, outputs=layers.Add()([start, conv(x, 3, 3)]))


def text_proposals(k):
    """CTPN: rows of a photo through recurrent layers by functions in Lambdas, two own losses."""
    import customs_19_points as own

    layers = k.layers
    start = x = layers.Input(shape=(None, None, 3))
    for i in range(2):
        x = layers.Conv2D(6, 3, padding="same", activation="relu", name=f"block{i}_conv")(x)
        x = layers.MaxPooling2D()(x)
    given = {"padding": "same", "activation": "relu"}
    x = layers.Conv2D(8, (3, 3), strides=(1, 1), name="rpn_conv1", **given)(x)
    x1 = layers.Lambda(own.rows_first, output_shape=(None, 8))(x)
    gru = layers.GRU(4, return_sequences=True, reset_after=False)
    x2 = layers.Bidirectional(gru, name="blstm")(x1)
    x3 = layers.Lambda(own.rows_back, output_shape=(None, None, 8))([x2, x])
    x3 = layers.Conv2D(8, (1, 1), name="lstm_fc", **given)(x3)
    given = {"padding": "same", "activation": "linear"}
    cls = layers.Conv2D(3 * 2, (1, 1), name="rpn_class_origin", **given)(x3)
    regr = layers.Conv2D(3 * 2, (1, 1), name="rpn_regress_origin", **given)(x3)
    cls = layers.Lambda(own.anchors_last, output_shape=(None, 2), name="rpn_class")(cls)
    regr = layers.Lambda(own.anchors_last, output_shape=(None, 2), name="rpn_regress")(regr)
    model = k.Model(start, [cls, regr])
    losses = {"rpn_regress": own.proposal_regression, "rpn_class": own.proposal_classes}
    weights = {"rpn_regress": 1.0, "rpn_class": 1.0}
    model.compile(optimizer=k.optimizers.Adam(0.00001), loss=losses, loss_weights=weights)
    return model


def scaled_fakes(k):
    """A stage of a growing GAN: own wrappers that scale kernels, names with slashes."""
    import customs_19_more as own

    layers = k.layers
    start = layers.Input(shape=(6,), name="noise_input", dtype=tf.float32)
    alpha = layers.Input(shape=(1,), name="alpha_input", dtype=tf.float32)

    def conv(filters, kernel_size, gain=2.0, **given):
        given |= {"padding": "same", "kernel_initializer": "random_normal"}
        layer = layers.Conv2D(filters=filters, kernel_size=kernel_size, **given)
        return own.WeightScalingWrapper(layer=layer, gain=gain)

    def after(x, name, number):
        x = layers.LeakyReLU(0.2, name=f"{name}/activation_{number}")(x)
        return own.PixelNormalization(1e-8, name=f"{name}/pixel_norm_{number}")(x)

    x = own.PixelNormalization(1e-8, name="block_s/pixel_norm_noise")(start)
    given = {"kernel_initializer": "random_normal", "name": "block_2/dense_projector"}
    x = own.WeightScalingWrapper(layer=layers.Dense(units=64, **given), gain=0.125)(x)
    x = after(layers.Reshape((4, 4, 4), name="block_2/feature_reshape")(x), "block_2", 1)
    x = after(conv(4, (3, 3), name="block_2/conv2d_1")(x), "block_2", 2)
    image = conv(3, (1, 1), gain=1.0, name="block_2/toRGB")(x)
    up = layers.UpSampling2D(name="block_3/upsample_to_8x8")
    x, image = up(x), up(image)
    for number in (1, 2):
        x = after(conv(5, (3, 3), name=f"block_3/conv2d_{number}")(x), "block_3", number)
    new = conv(3, (1, 1), gain=1.0, name="block_3/toRGB")(x)
    image = image + (new - image) * alpha
    image = tf.nn.tanh(image, name="block_3/final_image_activation")
    return k.models.Model(inputs=[start, alpha], outputs=image, name="generator_paper")


def sharp_streets(k):
    """DeblurGAN's generator: a Sequential model for each block, named by its size."""
    layers = k.layers

    def block(name, *found):
        model = k.Sequential(name=name)
        for each in found:
            model.add(each)
        return model

    def conv(filters, size, strides=1, kind=layers.Conv2D):
        layer = kind(filters=filters, kernel_size=size, strides=strides, padding="same")
        return layer, layers.BatchNormalization(), layers.ReLU()

    start = layers.Input(shape=[16, 16, 3], name="generator_input")
    x = block("initial_block", *conv(4, 7))(start)
    x = block("strided_conv_5_block", *conv(5, 3, 2))(x)
    x = block("strided_conv_6_block", *conv(6, 3, 2))(x)
    for i in range(3):
        last = conv(6, 3)[:2]
        inner = block(f"res_block_{i}", *conv(6, 3), layers.Dropout(rate=0.5), *last)
        x = layers.Add()([x, inner(x)])
    x = block("strided_deconv_5_block", *conv(5, 3, 2, layers.Conv2DTranspose))(x)
    x = block("strided_deconv_4_block", *conv(4, 3, 2, layers.Conv2DTranspose))(x)
    last = layers.Conv2D(filters=3, kernel_size=7, activation="tanh", padding="same")
    x = layers.Add(name="generator_output")([start, block("final_block", last)(x)])
    return k.Model(inputs=start, outputs=x, name="generator")


def joined_pools(k):
    """DARU-Net: pools of four sizes, squeezed channels, an own loss and metric."""
    import customs_19_points as own

    layers = k.layers

    def squeezed(x, ratio=2):
        channel = int(x.shape[-1])
        y = layers.Dense(units=channel // ratio)(layers.GlobalAveragePooling2D()(x))
        y = layers.Dense(units=channel)(layers.Activation("relu")(y))
        y = layers.Reshape((1, 1, channel))(layers.Activation("sigmoid")(y))
        return layers.Multiply()([x, y])

    def conv(x, channels):
        x = layers.Conv2D(channels, 3, use_bias=False, padding="same")(x)
        x = layers.Activation("relu")(layers.BatchNormalization()(x))
        y = squeezed(layers.Conv2D(channels, 3, use_bias=False, padding="same")(x))
        return layers.Activation("relu")(layers.BatchNormalization()(layers.add([y, x])))

    def pooled(x):
        return layers.add([layers.MaxPooling2D((2, 2))(x), layers.AveragePooling2D((2, 2))(x)])

    start = layers.Input((16, 16, 1))
    one = conv(start, 4)
    two = conv(pooled(one), 6)
    x = conv(pooled(two), 8)
    found = [x]
    for size in (4, 2):
        y = layers.AveragePooling2D((size, size), strides=(size, size))(x)
        y = layers.Conv2D(2, (1, 1), activation="relu", padding="same")(y)
        found.append(layers.UpSampling2D(size=(size, size))(y))
    x = layers.concatenate(found, axis=-1)
    for channels, kept in ((6, two), (4, one)):
        x = layers.UpSampling2D(size=(2, 2), interpolation="bilinear")(x)
        x = layers.Conv2D(channels, 3, activation="relu", padding="same")(x)
        x = conv(layers.concatenate([x, kept], axis=-1), channels)
    outputs = layers.Conv2D(1, (1, 1), activation="sigmoid")(x)
    model = k.Model(inputs=[start], outputs=[outputs])
    model.compile(optimizer=adam(k, 2e-4), loss=own.pooled_dice_loss, metrics=[own.pooled_dice])
    target = (floats(2, 16, 16, 1) > 0).astype("float32")
    return trained(model, INPUTS_OF["joined_pools"], target)


def patched_ops(k):
    """A vision transformer of Keras' functions; its places are a tensor, not an input."""
    layers, size, wide = k.layers, 4, 12

    start = k.Input(shape=(12, 12, 3))
    patches = k.ops.image.extract_patches(start, size=size)
    patches = layers.Reshape((9, size * size * 3))(patches)
    places = k.ops.expand_dims(k.ops.arange(start=0, stop=9, step=1), axis=0)
    x = layers.Dense(units=wide)(patches)
    x = layers.Dropout(0.1)(x + layers.Embedding(input_dim=9, output_dim=wide)(places))
    for _ in range(2):
        y = layers.LayerNormalization(epsilon=1e-3)(x)
        y = layers.MultiHeadAttention(num_heads=2, key_dim=wide // 2, dropout=0.1)(y, y)
        x = layers.Dropout(0.1)(y) + x
        y = layers.LayerNormalization(epsilon=1e-3)(x)
        y = layers.Dropout(0.1)(layers.Dense(14, activation=k.activations.gelu)(y))
        x = layers.Dropout(0.1)(layers.Dense(x.shape[-1])(y)) + x
    backbone = k.Model(inputs=start, outputs=x)
    inputs = backbone.inputs
    h = layers.Dropout(0.1)(layers.GlobalAveragePooling1D()(backbone(inputs)))
    model = k.Model(inputs=inputs, outputs=layers.Dense(4, dtype="float32")(h))
    best = k.metrics.SparseTopKCategoricalAccuracy(2, name="top-2-accuracy")
    optimizer = k.optimizers.Adam(learning_rate=1e-3, weight_decay=1e-4, global_clipnorm=1.0)
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy", best])
    return trained(model, INPUTS_OF["patched_ops"], np.array([1, 3]))


def paid_attention(k):
    """A network that attends to its own convolutions by an own layer and Lambdas."""
    import customs_19_points as own

    layers, penalty = k.layers, k.regularizers.l2(0.0005)
    start = layers.Input(shape=(16, 16, 3))
    x, kept = layers.BatchNormalization()(start), []
    for i, filters in enumerate((4, 6, 6)):
        given = {"padding": "same", "kernel_regularizer": penalty, "name": f"conv{i + 1}"}
        x = layers.BatchNormalization()(layers.Conv2D(filters, (3, 3), **given)(x))
        x = layers.Activation("relu")(x)
        kept.append(x)
        x = layers.MaxPooling2D((2, 2), strides=(2, 2), name=f"pool{i + 1}")(x)
    x = layers.Flatten(name="pregflatten")(x)
    g = layers.Dense(6, activation="relu", kernel_regularizer=penalty, name="globalg")(x)
    found = []
    kept[0] = layers.Dense(6, kernel_regularizer=penalty, name="l1connectordense")(kept[0])
    for i, local in enumerate(kept, start=1):
        name = f"cpc{i}"
        c = own.ParametrisedCompatibility(kernel_regularizer=penalty, name=name)([local, g])
        a = layers.Activation("softmax", name=f"softmax{i}")(layers.Flatten(name=f"flatc{i}")(c))
        flat = layers.Reshape((-1, 6), name=f"reshape{i}")(local)
        found.insert(0, own.summed_places(f"g{i}")([a, flat]))
    x = layers.Concatenate(axis=1, name="ConcatG")(found)
    x = layers.Dense(5, kernel_regularizer=penalty, name="5ConcatG")(x)
    model = k.Model(inputs=start, outputs=layers.Activation("softmax", name="concatsoftmaxout")(x))
    optimizer = k.optimizers.SGD(learning_rate=0.01, momentum=0.9)
    model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def camera_poses(_):
    """GeoNet's network of poses: a subclass with functions and a regularizer as attributes."""
    import customs_19 as own

    model = own.PoseNet(2)
    model(INPUTS_OF["camera_poses"][0])
    return model


INPUTS_OF = {
    "margin_faces": [floats(2, 28, 24, 3), np.eye(4, dtype="float32")[[3, 1]]],
    "restored_lights": [np.abs(floats(2, 8, 8, 3))],
    "text_proposals": [floats(1, 16, 20, 3)],
    "scaled_fakes": [floats(1, 6), np.array([[0.3]], "float32")],
    "sharp_streets": [floats(2, 16, 16, 3)],
    "joined_pools": [floats(2, 16, 16, 1)],
    "patched_ops": [floats(2, 12, 12, 3)],
    "paid_attention": [np.abs(floats(2, 16, 16, 3))],
    "camera_poses": [floats(2, 16, 24, 9)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= {**series.MODELS, **tables.MODELS}
_PLAIN = ("restored_lights", "sharp_streets", "patched_ops")
CUSTOM = tuple(name for name in INPUTS_OF if name not in _PLAIN)
CUSTOM += (*series.CUSTOM, *tables.CUSTOM)
LAMBDAS = ("text_proposals", "paid_attention", *series.LAMBDAS, *tables.LAMBDAS)
INPUTS = {
    "margin_faces": ["input_1", "input_2"],
    "scaled_fakes": ["noise_input", "alpha_input"],
    **series.INPUTS,
    **tables.INPUTS,
}
DICTIONARIES = (*series.DICTIONARIES, *tables.DICTIONARIES)
