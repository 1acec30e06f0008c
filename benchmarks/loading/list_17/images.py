"""Networks of streets, words, photos, faces, scans, boxes and weather drawn by lot from public
code, for `models.py`: a seventeenth list.
"""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import adam, floats, trained
from benchmarks.loading.list_17 import series, texts


def quick_roads(k):
    """Fast-SCNN: own functions with arguments in Lambda layers, a flattened map of classes."""
    import customs_17 as own

    layers, size = k.layers, 64

    def conv(x, kind, filters, kernel, strides, rectified=True):
        layer = layers.SeparableConv2D if kind == "ds" else layers.Conv2D
        x = layer(filters, kernel, padding="same", strides=strides)(x)
        x = layers.BatchNormalization()(x)
        return layers.ReLU()(x) if rectified else x

    def bottleneck(start, filters, times, strides, added=False):
        x = conv(start, "conv", int(start.shape[-1]) * times, (1, 1), strides=(1, 1))
        given = {"strides": (strides, strides), "depth_multiplier": 1, "padding": "same"}
        x = layers.ReLU()(layers.BatchNormalization()(layers.DepthwiseConv2D((3, 3), **given)(x)))
        x = conv(x, "conv", filters, (1, 1), strides=(1, 1), rectified=False)
        return layers.Add()([x, start]) if added else x

    start = layers.Input(shape=(size, size, 3), name="image_input")
    x = layers.Lambda(own.rerange, name="input_normalize")(start)
    x = conv(x, "conv", 4, (3, 3), strides=(2, 2))
    down = conv(conv(x, "ds", 5, (3, 3), strides=(2, 2)), "ds", 6, (3, 3), strides=(2, 2))
    x = bottleneck(bottleneck(down, 6, 2, 2), 6, 2, 1, True)
    x = bottleneck(x, 8, 2, 2)
    high, wide = int(x.shape[1]), int(x.shape[2])
    found = [x]
    for bins in (1, 2):
        each = (wide // bins, high // bins)
        y = layers.AveragePooling2D(pool_size=each, strides=each)(x)
        y = layers.Conv2D(4, 3, 2, padding="same")(y)
        given = {"size": (wide, high), "mode": "bilinear"}
        found.append(layers.Lambda(own.img_resize, arguments=given)(y))
    x = layers.UpSampling2D((4, 4))(layers.Concatenate(axis=-1)(found))
    given = {"padding": "same", "strides": (1, 1), "activation": None, "dilation_rate": (4, 4)}
    x = layers.SeparableConv2D(6, (3, 3), **given)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(6, 1, 1, padding="same", activation=None)(x)
    x = layers.Add()([conv(down, "conv", 6, (1, 1), strides=(1, 1), rectified=False), x])
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.SeparableConv2D(6, (3, 3), padding="same", name="DSConv1_classifier")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = conv(x, "conv", 3, (1, 1), strides=(1, 1), rectified=False)
    x = layers.UpSampling2D((8, 8))(layers.Dropout(0.3)(x))
    x = layers.Reshape((size * size, 3))(x)
    model = k.Model(inputs=start, outputs=layers.Softmax(name="pred_mask")(x), name="Fast_SCNN")
    sgd = k.optimizers.SGD(learning_rate=0.045, momentum=0.9)
    model.compile(loss="categorical_crossentropy", optimizer=sgd, metrics=["accuracy"])
    targets = np.eye(3, dtype="float32")[np.zeros((1, size * size), int)]
    return trained(model, INPUTS_OF["quick_roads"], targets)


def read_words(k):
    """Words in pictures: convolutions, a learned turn by a model in a Lambda's list, two LSTMs."""
    import customs_17 as own

    layers, high, wide, drop = k.layers, 16, 24, 2
    filters = (3, 3, 4, 4, 5, 5, 5)
    inputs = layers.Input((high, wide, 1))
    x = layers.Permute((2, 1, 3))(inputs)
    x = layers.Lambda(lambda x: x[:, :, ::-1])(x)
    given = {"activation": "relu", "padding": "same"}
    for i, width in enumerate(filters, 1):
        x = layers.Conv2D(width, (3, 3), name=f"conv_{i}", **given)(x)
        if i in (3, 5, 7):
            x = layers.BatchNormalization(name=f"bn_{i}")(x)
        if i in (3, 5):
            x = layers.MaxPooling2D(pool_size=(2, 2), name=f"maxpool_{i}")(x)
    shape = (wide // 4, high // 4, filters[-1])
    looked = layers.Input(shape=shape)
    y = layers.Conv2D(3, (5, 5), **given)(looked)
    y = layers.Dense(8, activation="relu")(layers.Flatten()(y))
    last = layers.Dense(6)
    found = k.models.Model(inputs=looked, outputs=last(y))
    last.set_weights([np.zeros((8, 6), "float32"), np.float32([1, 0, 0, 0, 1, 0])])
    x = layers.Lambda(own._transform, output_shape=shape)([x, found(x)])
    x = layers.Reshape((wide // 4, (high // 4) * filters[-1]), name="reshape")(x)
    x = layers.Dense(5, activation="relu", name="fc_9")(x)
    given = {"kernel_initializer": "he_normal", "return_sequences": True}
    one = layers.LSTM(5, name="lstm_10", **given)(x)
    back = layers.LSTM(5, go_backwards=True, name="lstm_10_back", **given)(x)
    x = layers.Add()([one, back])
    one = layers.LSTM(4, name="lstm_11", **given)(x)
    back = layers.LSTM(4, go_backwards=True, name="lstm_11_back", **given)(x)
    x = layers.Dropout(0.25, name="dropout")(layers.Concatenate()([one, back]))
    given = {"kernel_initializer": "he_normal", "activation": "softmax", "name": "fc_12"}
    x = layers.Dense(11, **given)(x)
    x = layers.Lambda(lambda x: x[:, drop:])(x)
    return k.models.Model(inputs=inputs, outputs=x)


def shuffled_groups(_):
    """ShuffleNetV2: models in Sequential models in models, whose names have slashes in Keras 2."""
    import customs_17 as own

    model = own.ShuffleNetV2()
    model(floats(2, 32, 32, 3))
    return model


def selected_units(_):
    """SelNet: super resolution by a subclass of Model, for a loop of its own."""
    import customs_17 as own

    model = own.SelNet()
    model(floats(2, 6, 6, 3))
    return model


def dense_details(_):
    """The generator of ESRGAN: layers whose initializer is an own function."""
    import customs_17_more as own

    model = own.DetailGenerator()
    model(floats(2, 6, 6, 3))
    return model


def face_positions(k):
    """PRNet: residual blocks down, transposed convolutions up, all with names and penalties."""
    import customs_17 as own

    layers = k.layers

    def conv(x, layer, filters, size, stride, name, active="relu", norm=True):
        kind = "conv" if layer is layers.Conv2D else "convt"
        given = {"strides": stride, "padding": "same", "activation": None, "use_bias": False}
        given |= {"kernel_regularizer": k.regularizers.l2(0.0002), "name": f"{name}_{kind}"}
        x = layer(filters, (size, size), **given)(x)
        if norm:
            x = layers.BatchNormalization(axis=-1, scale=True, name=f"{name}_bn")(x)
        return layers.Activation(active, name=f"{name}_active")(x) if active else x

    def block(x, filters, stride, name):
        short, conv2d = x, layers.Conv2D
        if stride != 1 or x.shape[3] != filters:
            short = conv(x, conv2d, filters, 1, stride, f"{name}_shortcut", None, False)
        x = conv(x, conv2d, filters // 2, 1, 1, f"{name}_convBlock-0")
        x = conv(x, conv2d, filters // 2, 4, stride, f"{name}_convBlock-1")
        x = conv(x, conv2d, filters, 1, 1, f"{name}_convBlock-2", None, False)
        x = layers.Add(name=f"{name}_add")([x, short])
        x = layers.BatchNormalization(axis=-1, scale=True, name=f"{name}_bn")(x)
        return layers.Activation("relu", name=f"{name}_active")(x)

    inputs = layers.Input(shape=(16, 16, 3))
    x = conv(inputs, layers.Conv2D, 4, 4, 1, "res_256x256x16")
    x = block(x, 8, 2, "res_128x128x32_1")
    x = block(x, 8, 1, "res_128x128x32_2")
    x = conv(x, layers.Conv2DTranspose, 8, 4, 1, "convt_128x128x32")
    x = conv(x, layers.Conv2DTranspose, 4, 4, 2, "convt_256x256x16_1")
    x = conv(x, layers.Conv2DTranspose, 3, 4, 1, "convt_256x256x3_1")
    x = conv(x, layers.Conv2DTranspose, 3, 4, 1, "convt_256x256x3_s", "sigmoid")
    model = k.Model(inputs, x, name="prn")
    model.compile(loss=own.weighted_mean_square_error, optimizer=adam(k, 1e-4), metrics=["mae"])
    return trained(model, INPUTS_OF["face_positions"], np.abs(floats(2, 16, 16, 3)))


def cleared_scans(_):
    """Scans without noise, by a subclass of Model whose call is a function of TensorFlow."""
    import customs_17_more as own

    model = own.ScanGenerator()
    model(floats(2, 8, 8, 1))
    return model


def pooled_tokens(_):
    """PoolFormer: a registered Functional subclass, whose arguments are its config."""
    import customs_17_more as own

    given = {"embed_dims": [4, 6], "num_blocks": [1, 2], "mlp_ratio": 2.0, "drop_path_rate": 0.1}
    return own.PoolFormer(input_shape=(32, 32, 3), num_classes=5, name="PoolFormerS1", **given)


def prior_boxes(k):
    """SSD: scaled unit vectors and boxes by own layers, whose configs are wrong or missing."""
    import customs_17_more as own

    layers, found = k.layers, []
    start = layers.Input(shape=(16, 16, 3))
    x = layers.Conv2D(4, (3, 3), activation="relu", padding="same", name="conv1_1")(start)
    x = layers.MaxPooling2D((2, 2), strides=(2, 2), padding="same", name="pool1")(x)
    normed = own.Normalize(20, name="conv4_3_norm")(x)
    y = layers.Conv2D(6, (3, 3), strides=2, activation="relu", padding="same", name="fc7")(x)
    for i, (name, each, small) in enumerate((("conv4_3_norm", normed, 3.0), ("fc7", y, 6.0))):
        given = {"kernel_size": (3, 3), "padding": "same"}
        loc = layers.Conv2D(8, name=f"{name}_mbox_loc", **given)(each)
        conf = layers.Conv2D(6, name=f"{name}_mbox_conf", **given)(each)
        loc = layers.Reshape((-1, 4), name=f"{name}_loc{i}")(loc)
        conf = layers.Activation("softmax")(layers.Reshape((-1, 3), name=f"{name}_c{i}")(conf))
        given = {"max_size": small * 2, "variances": [0.1, 0.1, 0.2, 0.2]}
        boxes = own.PriorBox((16, 16), small, name=f"{name}_mbox_priorbox", **given)(each)
        found.append(layers.Concatenate(axis=2)([loc, conf, boxes]))
    return k.Model(start, layers.Concatenate(axis=1, name="predictions")(found))


def cut_regions(k):
    """The head of Faster R-CNN: boxes cut out by an own layer, a network for each of them."""
    import customs_17 as own

    layers = k.layers
    image = layers.Input(shape=(16, 16, 3), name="input_image")
    rois = layers.Input(shape=(4, 5), name="input_rois")
    x = layers.Conv2D(4, (3, 3), strides=2, padding="same", name="conv1")(image)
    x = layers.Activation("relu")(layers.BatchNormalization(name="bn_conv1")(x))
    x = own.RoiAlign(16, name="roi_align")([x, rois])
    x = layers.TimeDistributed(layers.Conv2D(6, (3, 3)), name="rcnn_conv1")(x)
    x = layers.TimeDistributed(layers.BatchNormalization(), name="rcnn_bn1")(x)
    x = layers.TimeDistributed(layers.Flatten())(layers.Activation("relu")(x))
    classes = layers.TimeDistributed(layers.Dense(3), name="rcnn_class_logits")(x)
    deltas = layers.TimeDistributed(layers.Dense(8, activation="linear"), name="rcnn_deltas")(x)
    deltas = layers.Reshape((4, 2, 4), name="rcnn_regress")(deltas)
    return k.Model([image, rois], [deltas, classes])


def penalized_fakes(k):
    """The generator and the frozen critic of a Wasserstein GAN, as it is trained."""
    import customs_17 as own

    layers = k.layers
    generator = k.Sequential()
    generator.add(layers.Dense(12, input_dim=5))
    generator.add(layers.LeakyReLU())
    generator.add(layers.Dense(4 * 4 * 4))
    generator.add(layers.BatchNormalization())
    generator.add(layers.LeakyReLU())
    generator.add(layers.Reshape((4, 4, 4), input_shape=(4 * 4 * 4,)))
    generator.add(layers.Conv2DTranspose(4, (5, 5), strides=2, padding="same"))
    generator.add(layers.BatchNormalization(axis=-1))
    generator.add(layers.LeakyReLU())
    generator.add(layers.Convolution2D(1, (5, 5), padding="same", activation="tanh"))
    critic = k.Sequential()
    critic.add(layers.Convolution2D(4, (5, 5), padding="same", input_shape=(8, 8, 1)))
    critic.add(layers.LeakyReLU())
    given = {"kernel_initializer": "he_normal", "strides": [2, 2]}
    critic.add(layers.Convolution2D(5, (5, 5), padding="same", **given))
    critic.add(layers.LeakyReLU())
    critic.add(layers.Flatten())
    critic.add(layers.Dense(6, kernel_initializer="he_normal"))
    critic.add(layers.LeakyReLU())
    critic.add(layers.Dense(1, kernel_initializer="he_normal"))
    for layer in critic.layers:
        layer.trainable = False
    critic.trainable = False
    noise = layers.Input(shape=(5,))
    model = k.Model(inputs=[noise], outputs=[critic(generator(noise))])
    optimizer = k.optimizers.Adam(0.0001, beta_1=0.5, beta_2=0.9)
    model.compile(optimizer=optimizer, loss=own.wgan_loss)
    return trained(model, INPUTS_OF["penalized_fakes"], np.ones((3, 1), "float32"))


def finer_weather(k):
    """UResNet: weather on a finer grid; residuals and a shortcut by operators, a list of inputs."""
    layers = k.layers

    def conv(x, filters):
        x = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same")(x))
        return layers.Activation("relu")(x)

    def block(x, filters):
        x = conv(x, filters)
        return x + conv(conv(x, x.shape[3]), x.shape[3])

    start = x = k.Input(shape=(16, 16, 3))
    kept = []
    for i in range(2):
        kept.append(block(x, 3 * 2**i))
        given = {"pool_size": (2, 2), "strides": (2, 2), "padding": "same"}
        x = layers.MaxPooling2D(**given)(kept[-1])
    x = block(x, 6)
    for i in (1, 0):
        given = {"strides": (2, 2), "padding": "same", "activation": "relu"}
        x = layers.Conv2DTranspose(3 * 2**i, (3, 3), **given)(x)
        x = block(layers.concatenate([x, kept[i]]), 3 * 2**i)
    last = layers.Conv2D(1, 1, padding="same")(start) + layers.Conv2D(1, 1, padding="same")(x)
    model = k.models.Model(inputs=[start], outputs=last)
    model.compile(optimizer=adam(k, 0.005), loss="mse", metrics=[k.metrics.RootMeanSquaredError()])
    return trained(model, INPUTS_OF["finer_weather"], floats(2, 16, 16, 1))


_rois = np.sort(np.abs(floats(2, 4, 5)) * 15, axis=2)[:, :, [0, 1, 3, 4, 2]].astype("float32")
INPUTS_OF = {
    "quick_roads": [np.abs(floats(1, 64, 64, 3)) * 255],
    "read_words": [np.abs(floats(2, 16, 24, 1))],
    "shuffled_groups": [floats(2, 32, 32, 3)],
    "selected_units": [np.abs(floats(2, 6, 6, 3))],
    "dense_details": [np.abs(floats(2, 6, 6, 3))],
    "face_positions": [np.abs(floats(2, 16, 16, 3))],
    "cleared_scans": [floats(2, 8, 8, 1)],
    "pooled_tokens": [np.abs(floats(2, 32, 32, 3)) * 255],
    "prior_boxes": [floats(2, 16, 16, 3)],
    "cut_regions": [floats(2, 16, 16, 3), _rois],
    "penalized_fakes": [floats(3, 5)],
    "finer_weather": [floats(2, 16, 16, 3)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= {**texts.MODELS, **series.MODELS}
CUSTOM = tuple(name for name in INPUTS_OF if name != "finer_weather")
CUSTOM += (*texts.CUSTOM, *series.CUSTOM)
LAMBDAS = ("quick_roads", "read_words", *series.LAMBDAS)
INPUTS = {
    "cut_regions": ["input_image", "input_rois"],
    **texts.INPUTS,
    **series.INPUTS,
}
DICTIONARIES = series.DICTIONARIES
