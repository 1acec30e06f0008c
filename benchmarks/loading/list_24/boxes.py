"""Models of images by waves, windows and boxes, for `models.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, trained


def retinal_waves(_):
    """A model of a class with blocks that are models."""
    import customs_24 as own

    model = own.Res_Triangular_wave_Net()
    model(tf.constant(floats(2, 8, 8, 3)), training=False)
    return model


def darknet_features(_):
    """A model of layers in Sequential models in layers, with three outputs."""
    import customs_24 as own

    model = own.Darknet53()
    model(tf.constant(floats(2, 16, 16, 3)))
    return model


def windowed_flowers(k):
    """Own layers that attend in windows, for one image at a time."""
    import customs_24_windows as own

    input_shape, window_size, embed_dim, num_heads = (16, 16, 3), 2, 8, 2
    num_patch_x = input_shape[0] // window_size
    num_patch_y = input_shape[1] // window_size
    inputs = k.layers.Input(shape=input_shape)
    patches = own.PatchPartition(window_size)(inputs)
    patches_embed = own.LinearEmbedding(num_patch_x * num_patch_y, embed_dim)(patches)
    out_stage_1 = own.SwinTransformerBlock(
        dim=embed_dim,
        input_resolution=(num_patch_x, num_patch_y),
        num_heads=num_heads,
        window_size=window_size,
        shift_size=0,
    )(patches_embed)
    out_stage_1 = own.SwinTransformerBlock(
        dim=embed_dim,
        input_resolution=(num_patch_x, num_patch_y),
        num_heads=num_heads,
        window_size=window_size,
        shift_size=1,
    )(out_stage_1)
    representation = own.PatchMerging((num_patch_x, num_patch_y), channels=embed_dim)(out_stage_1)
    representation = k.layers.GlobalAveragePooling1D()(representation)
    output = k.layers.Dense(3, activation="softmax")(representation)
    return k.Model(inputs=inputs, outputs=output)


def _base(k, input_shape, kernel_initializer, kernel_regularizer):
    """Five blocks of convolutions."""
    layers = k.layers
    input_layer = layers.Input(shape=input_shape, name="input")
    x = input_layer
    for block, count in ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3)):
        for place in range(1, count + 1):
            x = layers.Conv2D(
                3 if block < 4 else 4,
                (3, 3),
                activation="relu",
                padding="same",
                name=f"block{block}_conv{place}",
                kernel_initializer=kernel_initializer,
                kernel_regularizer=kernel_regularizer,
            )(x)
        if block < 5:
            x = layers.MaxPooling2D(
                (2, 2), strides=(2, 2), name=f"block{block}_pool", padding="same"
            )(x)
    return k.Model(inputs=input_layer, outputs=x)


def boxed_objects(k):
    """Boxes and classes of three maps, whose base is given other names of its layers."""
    import customs_24_boxes as own

    layers = k.layers
    l2 = k.regularizers.l2
    input_shape, num_classes, kernel_initializer = (64, 64, 3), 3, "he_normal"
    variances = [0.1, 0.1, 0.2, 0.2]
    config = (
        ("conv4_3", [1.0, 2.0, 0.5]),
        ("fc7", [1.0, 2.0, 0.5, 3.0, 0.33]),
        ("conv8_2", [1.0, 2.0, 0.5]),
    )
    base_network = _base(k, input_shape, kernel_initializer, l2(0.0005))
    for layer in base_network.layers:
        if "pool" in layer.name:
            new_name = layer.name.replace("block", "")
            new_name = new_name.split("_")
            new_name = f"{new_name[1]}{new_name[0]}"
        else:
            new_name = layer.name.replace("conv", "")
            new_name = new_name.replace("block", "conv")
        base_network.get_layer(layer.name)._name = new_name
    pool5 = layers.MaxPool2D(pool_size=(3, 3), strides=(1, 1), padding="same", name="pool5")(
        base_network.get_layer("conv5_3").output
    )

    def conv(x, filters, size, name, padding, strides=(1, 1)):
        return layers.Conv2D(
            filters,
            kernel_size=(size, size),
            strides=strides,
            activation="relu",
            padding=padding,
            kernel_initializer=kernel_initializer,
            kernel_regularizer=l2(0.0005),
            name=name,
        )(x)

    fc6 = conv(pool5, 5, 3, "fc6", "same")
    fc7 = conv(fc6, 5, 1, "fc7", "same")
    conv8_1 = conv(fc7, 3, 1, "conv8_1", "same")
    conv8_1_zp = layers.ZeroPadding2D(name="conv8_1_zp")(conv8_1)
    conv8_2 = conv(conv8_1_zp, 4, 3, "conv8_2", "valid", (2, 2))
    model = k.Model(inputs=base_network.input, outputs=conv8_2)
    scales = np.linspace(0.1, 1.05, len(config))
    mbox_conf_layers, mbox_loc_layers, mbox_default_boxes_layers = [], [], []
    for i, (source, aspect_ratios) in enumerate(config):
        layer_name = source
        num_default_boxes = own.get_number_default_boxes(aspect_ratios)
        x = model.get_layer(source).output
        if source == "conv4_3":
            layer_name = f"{layer_name}_norm"
            x = own.L2Normalization(gamma_init=20, name=layer_name)(x)

        def head(x, filters, name):
            return layers.Conv2D(
                filters=filters,
                kernel_size=(3, 3),
                padding="same",
                kernel_initializer=kernel_initializer,
                kernel_regularizer=l2(0.0005),
                name=name,
            )(x)

        conf = head(x, num_default_boxes * num_classes, f"{layer_name}_mbox_conf")
        loc = head(x, num_default_boxes * 4, f"{layer_name}_mbox_loc")
        default_boxes = own.DefaultBoxes(
            image_shape=input_shape,
            scale=scales[i],
            next_scale=scales[i + 1] if i + 1 <= len(config) - 1 else 1,
            aspect_ratios=aspect_ratios,
            variances=variances,
            extra_box_for_ar_1=True,
            clip_boxes=True,
            name=f"{layer_name}_default_boxes",
        )(x)
        mbox_conf_layers.append(
            layers.Reshape((-1, num_classes), name=f"{layer_name}_mbox_conf_reshape")(conf)
        )
        mbox_loc_layers.append(layers.Reshape((-1, 4), name=f"{layer_name}_mbox_loc_reshape")(loc))
        mbox_default_boxes_layers.append(
            layers.Reshape((-1, 8), name=f"{layer_name}_default_boxes_reshape")(default_boxes)
        )
    mbox_conf = layers.Concatenate(axis=-2, name="mbox_conf")(mbox_conf_layers)
    mbox_conf_softmax = layers.Activation("softmax", name="mbox_conf_softmax")(mbox_conf)
    mbox_loc = layers.Concatenate(axis=-2, name="mbox_loc")(mbox_loc_layers)
    mbox_default_boxes = layers.Concatenate(axis=-2, name="mbox_default_boxes")(
        mbox_default_boxes_layers
    )
    predictions = layers.Concatenate(axis=-1, name="predictions")(
        [mbox_conf_softmax, mbox_loc, mbox_default_boxes]
    )
    model = k.Model(inputs=base_network.input, outputs=predictions)
    loss = own.SSD_LOSS(alpha=1, min_negative_boxes=0, negative_boxes_ratio=3)
    model.compile(optimizer=k.optimizers.SGD(0.001, momentum=0.9), loss=loss.compute)
    count = 8 * 8 * 4 + 4 * 4 * 6 + 2 * 2 * 4
    wanted = np.abs(floats(2, count, num_classes + 12))
    wanted[:, :, :num_classes] = np.eye(num_classes)[np.arange(count) % num_classes]
    return trained(model, [floats(2, 64, 64, 3)], wanted)


def painted_styles(k):
    """Features of an image with the statistics of another, and a decoder whose borders mirror."""
    import customs_24_styles as own

    layers = k.layers
    content_feature_input = layers.Input(shape=(4, 4, 5), name="content_feature")
    style_feature_input = layers.Input(shape=(4, 4, 5), name="style_feature")
    adain = own.AdaIN(alpha=0.8)([content_feature_input, style_feature_input])
    input_tensor = layers.Input(shape=(4, 4, 5))
    x = own.ReflectionPad((1, 1, 1, 1), name="block4_reflection1")(input_tensor)
    x = layers.Conv2D(4, (3, 3), activation="relu", name="block4_conv1")(x)
    x = layers.UpSampling2D(size=2, interpolation="nearest", name="block3_upsample")(x)
    for place in (4, 3, 2, 1):
        x = own.ReflectionPad((1, 1, 1, 1), name=f"block3_reflection{place}")(x)
        x = layers.Conv2D(4, (3, 3), activation="relu", name=f"block3_conv{place}")(x)
    x = layers.UpSampling2D(size=2, interpolation="nearest", name="block2_upsample")(x)
    x = own.ReflectionPad((1, 1, 1, 1), name="block2_reflection1")(x)
    x = layers.Conv2D(3, (3, 3), name="block1_conv1")(x)
    decoder = k.models.Model(inputs=[input_tensor], outputs=[x], name="decoder")
    return k.models.Model(
        inputs=[content_feature_input, style_feature_input], outputs=decoder(adain)
    )


MODELS = {
    "retinal_waves": (retinal_waves, [floats(2, 8, 8, 3)]),
    "darknet_features": (darknet_features, [floats(2, 16, 16, 3)]),
    "windowed_flowers": (windowed_flowers, [floats(1, 16, 16, 3)]),
    "boxed_objects": (boxed_objects, [floats(2, 64, 64, 3)]),
    "painted_styles": (painted_styles, [floats(2, 4, 4, 5), floats(3, 4, 4, 5)[:2]]),
}
CUSTOM = frozenset(MODELS)
INPUTS = {"painted_styles": ("content_feature", "style_feature")}
