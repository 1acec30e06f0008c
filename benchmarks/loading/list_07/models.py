"""Models of images, sound and text as people write them now, for `matrix.py`: a seventh list."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, integers, trained, words
from benchmarks.loading.list_07 import tables


def diffusion_unet(k):
    """Predicts noise from an image and a time: group normalization, attention, a time vector."""
    import customs_07 as own

    image, step = k.Input((8, 8, 3), name="noisy"), k.Input((1,), name="step")
    time = k.layers.Lambda(own.sinusoidal_embedding, name="time")(step)
    time = k.layers.Dense(8, activation="swish")(k.layers.Dense(8, activation="swish")(time))

    def block(x, width, groups):
        short = x if x.shape[-1] == width else k.layers.Conv2D(width, 1)(x)
        x = k.layers.Activation("swish")(k.layers.GroupNormalization(groups=groups)(x))
        x = k.layers.Conv2D(width, 3, padding="same")(x)
        x = x + k.layers.Reshape((1, 1, width))(k.layers.Dense(width)(time))
        x = k.layers.Activation("swish")(k.layers.GroupNormalization(groups=groups)(x))
        x = k.layers.Conv2D(width, 3, padding="same", kernel_initializer="zeros")(x)
        return k.layers.Add()([short, x])

    high = block(k.layers.Conv2D(4, 3, padding="same")(image), 4, 2)
    low = block(k.layers.Conv2D(8, 3, strides=2, padding="same")(high), 8, 4)
    flat = k.layers.Reshape((16, 8))(k.layers.GroupNormalization(groups=1)(low))
    seen = k.layers.MultiHeadAttention(2, key_dim=4)(flat, flat)
    low = low + k.layers.Reshape((4, 4, 8))(seen)
    up = k.layers.UpSampling2D(2, interpolation="nearest")(low)
    value = block(k.layers.Concatenate()([up, high]), 4, 2)
    model = k.Model([image, step], k.layers.Conv2D(3, 1, name="noise")(value), name="unet")
    model.compile(k.optimizers.Adam(2e-4, beta_2=0.99), loss="mean_absolute_error")
    return model


def clip_towers(k):
    """Two nested encoders, unit vectors, and the similarities of all pairs."""
    import customs_07 as own

    photo = k.Input((8, 8, 3), name="pixels")
    value = k.layers.Conv2D(4, 3, strides=2, activation="gelu")(photo)
    value = k.layers.Dense(5, use_bias=False)(k.layers.GlobalAveragePooling2D()(value))
    seeing = k.Model(photo, k.layers.UnitNormalization()(value), name="image_encoder")
    reading = k.Sequential(name="text_encoder")
    reading.add(k.layers.Input((6,), dtype="int32", name="ids"))
    reading.add(k.layers.Embedding(20, 6, mask_zero=True))
    reading.add(k.layers.GRU(6))
    reading.add(k.layers.Dense(5, use_bias=False))
    reading.add(k.layers.UnitNormalization())
    image = k.Input((8, 8, 3), name="image")
    text = k.Input((6,), dtype="int32", name="text")
    return k.Model([image, text], own.LogitScale(name="logits")([seeing(image), reading(text)]))


def token_of_class(k):
    """A vision transformer that reads its answer from a token of its own."""
    import customs_07 as own

    start = k.Input((8, 8, 3), name="image")
    x = k.layers.Conv2D(6, 4, strides=4, name="patch_embed")(start)
    x = own.PrependedToken(name="cls_token")(k.layers.Reshape((4, 6))(x))
    for number in range(2):
        y = k.layers.LayerNormalization(epsilon=1e-6, name=f"norm_{number}")(x)
        y = k.layers.MultiHeadAttention(2, 3, name=f"attn_{number}")(y, y)
        x = x + y
        y = k.layers.LayerNormalization(epsilon=1e-6)(x)
        y = k.layers.Dense(12, activation="gelu")(y)
        x = x + k.layers.Dropout(0.1)(k.layers.Dense(6)(y))
    head = k.layers.Dense(3, name="head")(k.layers.LayerNormalization(epsilon=1e-6)(x)[:, 0])
    model = k.Model(start, head, name="tiny_vit")
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss=loss, metrics=["accuracy"])
    return trained(model, INPUTS_OF["token_of_class"], np.array([1, 2]))


def convnext(k):
    """Two ConvNeXt blocks with a scale of the channels and random depth of the user's own."""
    import customs_07 as own

    start = k.Input((16, 16, 3))
    x = k.layers.LayerNormalization(epsilon=1e-6)(k.layers.Conv2D(6, 4, strides=4)(start))
    for rate in (0.0, 0.1):
        y = k.layers.DepthwiseConv2D(7, padding="same")(x)
        y = k.layers.LayerNormalization(epsilon=1e-6)(y)
        y = k.layers.Dense(6)(k.layers.Activation("gelu")(k.layers.Dense(24)(y)))
        x = k.layers.Add()([x, own.StochasticDepth(rate)(own.LayerScale(0.5)(y))])
    x = k.layers.LayerNormalization(epsilon=1e-6)(k.layers.GlobalAveragePooling2D()(x))
    return k.Model(start, k.layers.Dense(3, activation="softmax")(x))


def spoken_words(k):
    """A spectrogram of the user's own in front of convolutions and a recurrent layer."""
    import customs_07 as own

    wave = k.Input((400,), name="wave")
    x = own.LogMel(name="log_mel")(wave)
    x = k.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = k.layers.MaxPooling2D((1, 2))(k.layers.BatchNormalization()(x))
    x = k.layers.TimeDistributed(k.layers.Flatten())(x)
    x = k.layers.Bidirectional(k.layers.GRU(3))(x)
    model = k.Model(wave, k.layers.Dense(4, activation="softmax")(x))
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["spoken_words"], np.array([0, 3]))


def mel_layer(k):
    """The spectrogram layer of Keras 3."""
    wave = k.Input((400,), name="wave")
    x = k.layers.MelSpectrogram(
        fft_length=64, sequence_stride=32, num_mel_bins=8, sampling_rate=800, max_freq=380
    )(wave)
    x = k.layers.Conv1D(4, 3, padding="same", activation="relu")(k.layers.Permute((2, 1))(x))
    return k.Model(wave, k.layers.Dense(2)(k.layers.GlobalMaxPooling1D()(x)))


def vector_quantized(k):
    """An autoencoder between whose halves vectors are replaced by the nearest of a book."""
    import customs_07 as own

    start = k.Input((8, 8, 1))
    x = k.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(start)
    x = own.VectorQuantizer(6, 4, name="vector_quantizer")(x)
    x = k.layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu")(x)
    model = k.Model(start, k.layers.Conv2DTranspose(1, 3, padding="same")(x), name="vq_vae")
    model.compile(k.optimizers.Adam(), loss="mse")
    return trained(model, INPUTS_OF["vector_quantized"], floats(2, 8, 8, 1))


def own_training(k):
    """A variational autoencoder of two given models, with a training step of its own."""
    import customs_07 as own

    start = k.Input((8,))
    value = k.layers.Dense(6, activation="relu")(start)
    ends = [k.layers.Dense(2, name="z_mean")(value), k.layers.Dense(2, name="z_log_var")(value)]
    latent = k.Input((2,))
    back = k.layers.Dense(8)(k.layers.Dense(6, activation="relu")(latent))
    model = own.VAE(k.Model(start, ends, name="encoder"), k.Model(latent, back, name="decoder"))
    model.compile(k.optimizers.Adam(1e-3))
    model.fit(INPUTS_OF["own_training"][0], verbose=0)
    model(INPUTS_OF["own_training"][0])
    return model


def mixer(k):
    """Tokens and channels mixed by Einstein sums."""
    einsum = getattr(k.layers, "EinsumDense", None) or k.layers.experimental.EinsumDense
    start = k.Input((8, 8, 3))
    x = k.layers.Reshape((4, 6))(k.layers.Conv2D(6, 4, strides=4)(start))
    for _ in range(2):
        y = k.layers.LayerNormalization()(x)
        y = einsum("bpc,pq->bqc", output_shape=(5, 6), bias_axes="q", activation="gelu")(y)
        x = k.layers.Add()([x, einsum("bqc,qp->bpc", output_shape=(4, 6))(y)])
        y = einsum("...c,cd->...d", output_shape=(9,), bias_axes="d")(
            k.layers.LayerNormalization()(x)
        )
        x = k.layers.Add()([x, k.layers.Dense(6)(k.layers.Activation("gelu")(y))])
    return k.Model(start, k.layers.Dense(3)(k.layers.GlobalAveragePooling1D()(x)))


def sine_field(k):
    """Coordinates to colours, with the sine of TensorFlow as activation."""
    import tensorflow as tf

    draw = k.initializers.RandomUniform(-0.3, 0.3)
    model = k.Sequential([k.layers.Input((2,), name="xy")])
    model.add(k.layers.Dense(8, activation=tf.sin, kernel_initializer=draw))
    model.add(k.layers.Dense(8, activation=tf.math.sin, kernel_initializer=draw))
    model.add(k.layers.Dense(3, activation="sigmoid"))
    model.compile(k.optimizers.Adam(1e-4), loss="mse")
    return model


def small_llm(k):
    """A decoder: causal attention, root mean squares, gated blocks, next tokens."""
    import customs_07 as own

    tokens = k.Input((None,), dtype="int32", name="token_ids")
    x = k.layers.Embedding(20, 6, name="token_embedding")(tokens)
    for _ in range(2):
        y = own.RMSNorm()(x)
        x = x + k.layers.MultiHeadAttention(2, 3, use_bias=False)(y, y, use_causal_mask=True)
        x = x + own.SwiGLU(10, 6)(own.RMSNorm()(x))
    model = k.Model(tokens, k.layers.Dense(20, use_bias=False, name="lm_head")(own.RMSNorm()(x)))
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(k.optimizers.AdamW(1e-3, weight_decay=0.01, clipnorm=1.0), loss=loss)
    return trained(model, INPUTS_OF["small_llm"], integers(20, 2, 7))


def triplet(k):
    """One nested model with its preparation inside, called three times; distances by functions."""
    import customs_07 as own

    sums, stack, square = tables.functions(k, "sum", "stack", "square")
    prepare = k.Sequential(
        [k.layers.Input((8, 8, 3)), k.layers.Rescaling(1 / 255), k.layers.Resizing(6, 6)],
        name="prepare",
    )
    photo = k.Input((8, 8, 3))
    value = k.layers.Conv2D(4, 3, activation="relu")(prepare(photo))
    value = k.layers.Dense(4)(k.layers.GlobalMaxPooling2D()(value))
    embed = k.Model(photo, value, name="embedding")
    names = INPUTS["triplet"]
    anchor, near, far = starts = [k.Input((8, 8, 3), name=name) for name in names]
    found = [sums(square(embed(anchor) - embed(other)), axis=-1) for other in (near, far)]
    model = k.Model(starts, stack(found, axis=-1))
    model.compile(k.optimizers.Adam(1e-4), loss=own.triplet_margin)
    return trained(model, INPUTS_OF["triplet"], np.zeros((2, 2), "float32"))


def patch_judge(k):
    """The critic of image translation, with kernels divided by their spectral norm."""
    photo, plan = k.Input((8, 8, 3), name="photo"), k.Input((8, 8, 1), name="plan")
    x = k.layers.Concatenate()([photo, plan])
    x = k.layers.SpectralNormalization(k.layers.Conv2D(4, 4, strides=2, padding="same"))(x)
    x = k.layers.ZeroPadding2D()(k.layers.LeakyReLU()(x))
    x = k.layers.SpectralNormalization(k.layers.Conv2D(4, 3, use_bias=False), power_iterations=2)(x)
    x = k.layers.LeakyReLU()(k.layers.GroupNormalization(groups=-1)(x))
    return k.Model([photo, plan], k.layers.Conv2D(1, 2, name="patches")(x))


def boxes(k):
    """Two scales of boxes: slices of the last axis, each with a function of its own."""
    (join,) = tables.functions(k, "concatenate")
    start = k.Input((16, 16, 3), name="image")
    low = k.layers.Conv2D(6, 3, strides=4, padding="same", activation=k.activations.swish)(start)
    high = k.layers.Conv2D(6, 3, strides=2, padding="same", activation="swish")(low)
    ends = []
    for cells, scale in ((16, low), (4, high)):
        value = k.layers.Reshape((cells, 2, 7))(k.layers.Conv2D(14, 1)(scale))
        place = k.activations.sigmoid(value[..., :2]) * 2.0 - 0.5
        size = k.activations.softplus(value[..., 2:4]) ** 2
        ends.append(join([place, size, k.activations.sigmoid(value[..., 4:])], axis=-1))
    return k.Model(start, ends, name="boxes")


def capsules(k):
    """Lengths of vectors by a Lambda whose code refers to the backend, and one with a default."""
    import customs_07 as own

    start = k.Input((8, 8, 1))
    x = k.layers.Conv2D(8, 5, strides=2, activation="relu")(start)
    x = k.layers.Lambda(own.LAMBDAS["halve"], output_shape=(4, 4))(k.layers.Reshape((-1, 4))(x))
    x = k.layers.Dense(6)(x)
    return k.Model(start, k.layers.Lambda(own.LAMBDAS["length"], output_shape=(4,))(x))


def letters(k):
    """Characters of names, looked up in a vocabulary, with convolutions of two widths."""
    start = k.Input((1,), dtype="string", name="name")
    cut = k.layers.TextVectorization(
        standardize="lower", split="character", output_sequence_length=8, vocabulary=list("abcdeno")
    )
    x = k.layers.Embedding(9, 5)(cut(start))
    ends = [k.layers.Conv1D(3, n, activation="elu", padding="causal")(x) for n in (2, 3)]
    x = k.layers.GlobalMaxPooling1D()(k.layers.Concatenate()(ends))
    return k.Model(start, k.layers.Dense(1, activation="sigmoid")(x))


INPUTS_OF = {
    "diffusion_unet": [floats(2, 8, 8, 3), np.array([[3.0], [40.0]], "float32")],
    "clip_towers": [floats(3, 8, 8, 3), integers(20, 3, 6)],
    "token_of_class": [floats(2, 8, 8, 3)],
    "convnext": [floats(2, 16, 16, 3)],
    "spoken_words": [floats(2, 400)],
    "mel_layer": [floats(2, 400)],
    "vector_quantized": [floats(2, 8, 8, 1)],
    "own_training": [floats(3, 8)],
    "mixer": [floats(2, 8, 8, 3)],
    "sine_field": [floats(4, 2)],
    "small_llm": [integers(20, 2, 7)],
    "triplet": [floats(2, 8, 8, 3) * 120, floats(2, 8, 8, 3)[::-1] * 99, floats(2, 8, 8, 3) * 5],
    "patch_judge": [floats(2, 8, 8, 3), floats(2, 8, 8, 1)],
    "boxes": [floats(2, 16, 16, 3)],
    "capsules": [floats(2, 8, 8, 1)],
    "letters": [words("Anna", "bob", "Zed")],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= tables.MODELS
CUSTOM = (
    *("diffusion_unet", "clip_towers", "token_of_class", "convnext", "spoken_words"),
    *("vector_quantized", "own_training", "small_llm", "triplet"),
    *tables.CUSTOM,
)
LAMBDAS = ("diffusion_unet", "capsules", *tables.LAMBDAS)
DICTIONARIES = tables.DICTIONARIES
INPUTS = {
    "diffusion_unet": ["noisy", "step"],
    "clip_towers": ["image", "text"],
    "triplet": ["anchor", "near", "far"],
    "patch_judge": ["photo", "plan"],
    **tables.INPUTS,
}
