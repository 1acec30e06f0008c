"""Custom objects of models of boxes, digits and views in `photos.py`; copied as
`customs_21_photos.py` beside the models.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers, models, Sequential = keras.layers, keras.models, keras.Sequential
l2 = keras.regularizers.l2


def make_base():
    """Two models of lists of layers, one for images and one for what the first finds."""
    found = []
    for channels, given in (
        (
            3,
            [
                layers.Conv2D(4, 3, padding="same", activation="relu"),
                layers.MaxPool2D(2, 2, padding="same"),
                layers.Conv2D(5, 3, padding="same", activation="relu"),
                layers.Conv2D(5, 3, padding="same", activation="relu"),
                layers.MaxPool2D(2, 2, padding="same"),
                layers.Conv2D(6, 3, padding="same", activation="relu"),
            ],
        ),
        (
            6,
            [
                layers.MaxPool2D(3, 1, padding="same"),
                layers.Conv2D(8, 3, padding="same", dilation_rate=2, activation="relu"),
                layers.Conv2D(8, 1, padding="same", activation="relu"),
            ],
        ),
    ):
        out = x = layers.Input(shape=[None, None, channels])
        for layer in given:
            out = layer(out)
        found.append(models.Model(x, out))
    return found


def make_extra():
    """Smaller and smaller."""
    return [
        Sequential(
            [
                layers.Conv2D(4, 1, activation="relu"),
                layers.Conv2D(6, 3, strides=2, padding="same", activation="relu"),
            ]
        )
        for _ in range(3)
    ]


def make_heads(width):
    """A head for each size."""
    return [layers.Conv2D(each * width, kernel_size=3, padding="same") for each in (2, 3, 3, 2, 2)]


class CountedSSD(keras.Model):
    """Boxes by lists of layers, of which some are taken away; it goes into one of its models."""

    def __init__(self, num_classes, arch="ssd300"):
        super().__init__()
        self.num_classes = num_classes
        self.vgg16_conv4, self.vgg16_conv7 = make_base()
        self.batch_norm = layers.BatchNormalization(
            beta_initializer="zeros", gamma_initializer="ones"
        )
        self.extra_layers = make_extra()
        self.conf_head_layers = make_heads(num_classes)
        self.loc_head_layers = make_heads(4)
        if arch == "ssd300":
            self.extra_layers.pop(-1)
            self.conf_head_layers.pop(-2)
            self.loc_head_layers.pop(-2)

    def compute_heads(self, x, idx):
        conf = self.conf_head_layers[idx](x)
        conf = tf.reshape(conf, [conf.shape[0], -1, self.num_classes])
        loc = self.loc_head_layers[idx](x)
        loc = tf.reshape(loc, [loc.shape[0], -1, 4])
        return conf, loc

    def call(self, x):
        confs, locs, head_idx = [], [], 0
        for i in range(len(self.vgg16_conv4.layers)):
            x = self.vgg16_conv4.get_layer(index=i)(x)
            if i == len(self.vgg16_conv4.layers) - 3:
                conf, loc = self.compute_heads(self.batch_norm(x), head_idx)
                confs.append(conf)
                locs.append(loc)
                head_idx += 1
        x = self.vgg16_conv7(x)
        for layer in [None, *self.extra_layers]:
            x = x if layer is None else layer(x)
            conf, loc = self.compute_heads(x, head_idx)
            confs.append(conf)
            locs.append(loc)
            head_idx += 1
        return tf.concat(confs, axis=1), tf.concat(locs, axis=1)


class ViewBlock(models.Model):
    """A block that must have a name, which its layers begin with."""

    def __init__(self, filters, kernel_size, stride, conv_shortcut, w_decay, name, **kwargs):
        super().__init__(name=name, **kwargs)
        reg = l2(w_decay)
        self.conv_shortcut = conv_shortcut

        def conv(number, width, size, stride):
            return layers.Conv2D(
                width,
                size,
                strides=stride,
                padding="SAME",
                name=f"{name}_{number}_conv",
                use_bias=False,
                kernel_regularizer=reg,
            )

        if self.conv_shortcut:
            self.conv_0 = conv(0, 2 * filters, 1, stride)
            self.bn_0 = layers.BatchNormalization(momentum=0.9, name=name + "_0_bn")
        self.conv_1 = conv(1, filters, 1, stride)
        self.bn_1 = layers.BatchNormalization(momentum=0.9, name=name + "_1_bn")
        self.relu_1 = layers.Activation("relu", name=name + "_1_relu")
        self.conv_2 = conv(2, 2 * filters, kernel_size, 1)
        self.bn_2 = layers.BatchNormalization(momentum=0.9, name=name + "_2_bn")
        self.relu_out = layers.Activation("relu", name=name + "_out")

    def call(self, inputs, training=None, mask=None):
        x = inputs
        if self.conv_shortcut:
            shortcut = self.bn_0(self.conv_0(x), training=training)
        else:
            shortcut = tf.identity(x)
        x = self.relu_1(self.bn_1(self.conv_1(x), training=training))
        x = self.bn_2(self.conv_2(x), training=training)
        return self.relu_out(shortcut + x)


class ViewStack(models.Model):
    """A block and a list of blocks."""

    def __init__(self, filters, n_blocks, stride, w_decay, name, **kwargs):
        super().__init__(name=name, **kwargs)
        given = {"w_decay": w_decay}
        self.block_1 = ViewBlock(
            filters, 3, stride, conv_shortcut=True, name=f"{name}_block1", **given
        )
        self.blocks = []
        for i in range(2, n_blocks + 1):
            name_of = f"{name}_block{i}"
            self.blocks.append(ViewBlock(filters, 3, 1, conv_shortcut=False, name=name_of, **given))

    def call(self, inputs, training=None, mask=None):
        x = self.block_1(inputs, training=training)
        for block in self.blocks:
            x = block(x, training=training)
        return x


class ViewResnet(models.Model):
    """Views of images by a dictionary; a Lambda calls a method of the model."""

    def __init__(self, resnet_params, **kwargs):
        super().__init__(**kwargs)
        w_decay = resnet_params["w_decay"]
        reg = l2(w_decay)
        self.res = resnet_params["input_shape"][0]
        self.classes = resnet_params["dim"]
        self.with_projection_head = resnet_params["mlp"]
        self.preprocess = layers.Lambda(lambda x: self._preprocess_inputs(x, 3))
        self.conv1_pad = layers.ZeroPadding2D(padding=((1, 1), (1, 1)), name="conv1_pad")
        self.conv1_conv = layers.Conv2D(4, 3, strides=2, name="conv1_conv", kernel_regularizer=reg)
        self.conv1_bn = layers.BatchNormalization(momentum=0.9, name="conv1_bn")
        self.conv1_relu = layers.Activation("relu", name="conv1_relu")
        self.stack_1 = ViewStack(3, 3, stride=1, w_decay=w_decay, name="conv2")
        self.stack_2 = ViewStack(4, 2, stride=2, w_decay=w_decay, name="conv3")
        self.avg_pool = layers.GlobalAveragePooling2D(name="avg_pool")
        if self.with_projection_head:
            self.mlp = layers.Dense(10, activation="relu", name="mlp", kernel_regularizer=reg)
        self.last_dense = layers.Dense(self.classes, activation=None, name="probs")

    @tf.function
    def momentum_update(self, src_net, m):
        for place, kw in enumerate(self.weights):
            qw = src_net.weights[place]
            kw.assign(kw * m + qw * (1.0 - m))

    def _preprocess_inputs(self, image, channels):
        mean = tf.constant([0.485, 0.456, 0.406], dtype=tf.float32)[None, None, None, :]
        return (image - mean) / tf.constant([0.229, 0.224, 0.225][:channels], dtype=tf.float32)

    def call(self, inputs, training=None, mask=None):
        x = self.conv1_conv(self.conv1_pad(self.preprocess(inputs)))
        x = self.conv1_relu(self.conv1_bn(x, training=training))
        x = self.stack_1(x, training=training)
        x = self.avg_pool(self.stack_2(x, training=training))
        if self.with_projection_head:
            x = self.mlp(x)
        return self.last_dense(x)


class MyConv(layers.Layer):
    """A convolution that may pool."""

    def __init__(self, chn=32, conv_kernel=(3, 3), pool_kernel=(2, 2), is_pool=True):
        super().__init__()
        self.is_pool = is_pool
        self.conv = layers.Conv2D(chn, conv_kernel)
        self.batchnorm = layers.BatchNormalization()
        self.relu = layers.ReLU()
        self.pool = layers.MaxPool2D(pool_kernel)

    def call(self, x):
        x = self.relu(self.batchnorm(self.conv(x)))
        if self.is_pool:
            x = self.pool(x)
        return x


class MyFC(layers.Layer):
    """The head."""

    def __init__(self, hidden_chn=64, out_chn=10):
        super().__init__()
        self.flatten = layers.Flatten()
        self.fc1 = layers.Dense(hidden_chn, activation="relu")
        self.fc2 = layers.Dense(out_chn, activation="softmax")

    def call(self, x):
        return self.fc2(self.fc1(self.flatten(x)))


class MyDigits(keras.Model):
    """Digits, with steps of its own."""

    def __init__(self):
        super().__init__()
        self.conv1 = MyConv(chn=4, conv_kernel=(3, 3), pool_kernel=(2, 2))
        self.conv2 = MyConv(chn=5, conv_kernel=(3, 3), is_pool=False)
        self.fc = MyFC(hidden_chn=8, out_chn=10)

    def call(self, x):
        return self.fc(self.conv2(self.conv1(x)))

    def train_step(self, data):
        x, y_true = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            trainable_vars = self.trainable_variables
            loss = self.compiled_loss(y_true, y_pred, regularization_losses=self.losses)
        gradients = tape.gradient(loss, trainable_vars)
        self.optimizer.apply_gradients(
            (grad, trainable_vars[i]) for i, grad in enumerate(gradients) if grad is not None
        )
        self.compiled_metrics.update_state(y_true, y_pred)
        return {m.name: m.result() for m in self.metrics}

    def test_step(self, data):
        x, y_true = data
        y_pred = self(x, training=False)
        self.compiled_loss(y_true, y_pred, regularization_losses=self.losses)
        self.compiled_metrics.update_state(y_true, y_pred)
        return {m.name: m.result() for m in self.metrics}

    def predict_step(self, x):
        return self(x, training=False)
