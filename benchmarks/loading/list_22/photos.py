"""Models of photos and of graphs drawn by lot from public code, for `images.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, trained


def twin_places(_):
    """Attention in windows and to a smaller map; stages in Sequential models in a Sequential."""
    import customs_22_twins as own

    model = own.TwinsSVT(
        3,
        s1_emb_dim=4,
        s1_patch_size=2,
        s1_local_patch_size=2,
        s1_global_k=2,
        s4_emb_dim=6,
        s4_patch_size=2,
        s4_local_patch_size=2,
        s4_global_k=2,
        s4_depth=1,
    )
    model(INPUTS_OF["twin_places"][0])
    return model


def measured_masks(k):
    """Masks by a loss of losses and a metric without variables."""
    import customs_22_masks as own

    layers = k.layers
    start = layers.Input((12, 12, 1))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(start)
    x = layers.Conv2D(1, 1, activation="sigmoid")(x)
    model = k.models.Model(start, x)
    loss = own.MaskJoinedLoss(ssim_filter_size=5)
    model.compile(optimizer="adam", loss=loss, metrics=[own.MaskDice()], run_eagerly=True)
    return trained(model, INPUTS_OF["measured_masks"], np.ones((2, 12, 12, 1), "float32"))


def freezable_scans(k):
    """A residual network whose norms can be frozen."""
    import customs_22_masks as own

    layers = k.layers
    given = {"use_bias": False, "kernel_initializer": "he_normal"}

    def norm(x, freeze, name):
        return own.FreezableNorm(axis=3, epsilon=1e-5, freeze=freeze, name=name)(x)

    def block(x, filters, stage, strides):
        y = layers.Conv2D(filters, 1, strides=strides, name=f"res{stage}_branch2a", **given)(x)
        y = norm(y, True, f"bn{stage}_branch2a")
        y = layers.Activation("relu", name=f"res{stage}_branch2a_relu")(y)
        y = layers.ZeroPadding2D(padding=1, name=f"padding{stage}_branch2b")(y)
        y = layers.Conv2D(filters, 3, name=f"res{stage}_branch2b", **given)(y)
        y = norm(y, True, f"bn{stage}_branch2b")
        shortcut = layers.Conv2D(filters, 1, strides=strides, name=f"res{stage}_branch1", **given)
        shortcut = norm(shortcut(x), False, f"bn{stage}_branch1")
        y = layers.Add(name=f"res{stage}")([y, shortcut])
        return layers.Activation("relu", name=f"res{stage}_relu")(y)

    inputs = layers.Input((12, 12, 3))
    x = layers.ZeroPadding2D(padding=1, name="padding_conv1")(inputs)
    x = layers.Conv2D(4, 3, strides=2, use_bias=False, name="conv1")(x)
    x = layers.Activation("relu", name="conv1_relu")(norm(x, True, "bn_conv1"))
    outputs = []
    for stage, filters in ((2, 4), (3, 6)):
        x = block(x, filters, stage, 1 if stage == 2 else 2)
        outputs.append(x)
    return k.Model(inputs=inputs, outputs=outputs)


def clustered_graph(_):
    """Nodes of a graph in clusters, all of them a batch."""
    import customs_22_graph as own

    adj = tf.constant(np.eye(5, dtype="float32") * 0.5 + 0.1)
    mu = tf.constant(floats(3, 3))
    model = own.GraphClusters(3, mu, [6, 4, 3], adj)
    model(INPUTS_OF["clustered_graph"][0])
    return model


def patched_photos(_):
    """Models in a model, of layers that are named `outputs`."""
    import customs_22_graph as own

    model = own.PhotoViT(
        image_size=8,
        patch_size=4,
        num_classes=5,
        dim=6,
        depth=2,
        attention_heads=2,
        transformer_units=[8, 6],
        mlp_head_units=[7, 5],
    )
    model(INPUTS_OF["patched_photos"][0])
    return model


def routed_digits(k):
    """Capsules that a decoder paints, by a mask of classes."""
    import customs_22_capsules as own

    layers, backend = k.layers, k.backend

    def margin_loss(lambda_=0.5, m_plus=0.9, m_minus=0.1):
        def margin(y_true, y_pred):
            return backend.sum(
                y_true * backend.square(backend.maximum(0.0, m_plus - y_pred))
                + lambda_ * (1 - y_true) * backend.square(backend.maximum(0.0, y_pred - m_minus)),
                axis=1,
            )

        return margin

    def reconstruction_loss(y_true, y_pred):
        return backend.sum(backend.square(y_true - y_pred), -1)

    input_tensor = layers.Input(shape=(8, 8, 1), dtype="float32", name="data")
    x = layers.Conv2D(kernel_size=(3, 3), strides=(1, 1), filters=4, activation="relu")(
        input_tensor
    )
    x = layers.Conv2D(filters=6, kernel_size=3, strides=(2, 2), padding="valid")(x)
    x = layers.Lambda(own.routed_squash)(layers.Reshape((-1, 3))(x))
    capsule_layer = own.RoutedCapsules(output_capsules=3, capsule_dim=4)(x)
    lengths = layers.Lambda(own.routed_length, output_shape=(3,), name="digits")(capsule_layer)
    input_mask = layers.Input(shape=(3,), name="mask")
    reconstruction_mask = own.RoutedMask()
    masked_from_labels = reconstruction_mask([capsule_layer, input_mask])
    reconstruction_mask(capsule_layer)
    decoder = k.models.Sequential(name="decoder")
    decoder.add(layers.Dense(8, activation="relu", input_shape=(12,)))
    decoder.add(layers.Dense(64, activation="sigmoid"))
    decoder.add(layers.Reshape((8, 8, 1)))
    model = k.models.Model([input_tensor, input_mask], [lengths, decoder(masked_from_labels)])
    model.compile(
        loss={"digits": margin_loss(), "decoder": reconstruction_loss},
        loss_weights={"digits": 1, "decoder": 0.0005},
        optimizer="adam",
        metrics={"digits": "acc"},
    )
    image, mask = INPUTS_OF["routed_digits"]
    return trained(model, [image, mask], mask, image)


def noisy_pictures(k):
    """Noise at times, by functions of Keras on its tensors."""
    import customs_22_capsules as own

    layers = k.layers
    activation_fn, init = k.activations.swish, own.kernel_init

    def conv(x, width, size=3, strides=1, scale=1.0):
        return layers.Conv2D(
            width,
            kernel_size=size,
            strides=strides,
            padding="same",
            kernel_initializer=init(scale),
        )(x)

    def residual(x, t, width):
        same = x.shape[3] == width
        left = x if same else layers.Conv2D(width, kernel_size=1, kernel_initializer=init(1.0))(x)
        temb = activation_fn(t)
        temb = layers.Dense(width, kernel_initializer=init(1.0))(temb)[:, None, None, :]
        x = activation_fn(layers.GroupNormalization(groups=2)(x))
        x = layers.Add()([conv(x, width), temb])
        x = activation_fn(layers.GroupNormalization(groups=2)(x))
        return layers.Add()([conv(x, width, scale=0.0), left])

    image_input = layers.Input(shape=(8, 8, 3), name="image_input")
    time_input = k.Input(shape=(1, 1, 1), name="time_input")
    x = conv(image_input, 4)
    temb = own.NoiseTimeEmbedding(dim=6)(time_input)
    temb = layers.Dense(6, activation=activation_fn, kernel_initializer=init(1.0))(temb)
    temb = layers.Dense(6, kernel_initializer=init(1.0))(temb)
    skips = [x]
    for width, attends in ((4, False), (6, True)):
        x = residual(x, temb, width)
        if attends:
            x = own.NoiseAttentionBlock(width, groups=2)(x)
        skips.append(x)
        if width != 6:
            x = conv(x, width, strides=2)
            skips.append(x)
    x = residual(x, temb, 6)
    x = own.NoiseAttentionBlock(6, groups=2)(x)
    for width in (6, 4):
        for _ in range(2):
            x = layers.Concatenate(axis=-1)([x, skips.pop()])
            x = residual(x, temb, width)
        if width != 4:
            x = conv(layers.UpSampling2D(size=2, interpolation="nearest")(x), width)
    x = activation_fn(layers.GroupNormalization(groups=2)(x))
    return k.Model([image_input, time_input], conv(x, 3, scale=0.0), name="unet")


def sliding_windows(_):
    """Windows that slide, of a batch of a known size."""
    import customs_22_stages as own

    model = own.SlidTransformer(
        img_size=16,
        patch_size=2,
        num_classes=3,
        embed_dim=4,
        depths=[2, 1],
        num_heads=[1, 2],
        window_size=4,
        mlp_ratio=2.0,
    )
    model(INPUTS_OF["sliding_windows"][0])
    return model


def framed_windows(_):
    """A model that saves a functional model of its call."""
    import customs_22_global as own

    model = own.FrameViT(
        4, [1, 1], [2, 2], [2, 2], num_classes=3, layer_scale=0.5, classifier_activation="softmax"
    )
    model.build((None, 8, 8, 3))
    return model


INPUTS_OF = {
    "twin_places": [floats(2, 16, 16, 3)],
    "measured_masks": [np.abs(floats(2, 12, 12, 1))],
    "freezable_scans": [floats(2, 12, 12, 3)],
    "clustered_graph": [floats(5, 4)],
    "patched_photos": [floats(2, 8, 8, 3)],
    "routed_digits": [np.abs(floats(2, 8, 8, 1)), np.eye(3, dtype="float32")[:2]],
    "noisy_pictures": [floats(2, 8, 8, 3), np.abs(floats(2, 1, 1, 1))],
    "sliding_windows": [floats(2, 16, 16, 3)],
    "framed_windows": [floats(2, 8, 8, 3)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = tuple(INPUTS_OF)
LAMBDAS = ("routed_digits",)
INPUTS = {
    "routed_digits": ["data", "mask"],
    "noisy_pictures": ["image_input", "time_input"],
}
