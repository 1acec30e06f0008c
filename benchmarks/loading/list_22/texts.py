"""Models of words, and of pictures by classes, drawn by lot from public code, for `images.py`."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, integers, trained


def filmed_classes(k):
    """Pictures by class and time, by operations of Keras 3."""
    import customs_22_words as own

    layers, ops = k.layers, k.ops
    noisy_img = layers.Input(shape=(8, 8, 1), name="noisy_image")
    timestep = layers.Input(shape=(), dtype="int32", name="timestep")
    class_id = layers.Input(shape=(), dtype="int32", name="class_id")
    dim = 8
    half_dim = dim // 2
    emb = ops.log(ops.cast(10000.0, "float32")) / (half_dim - 1)
    emb = ops.exp(ops.cast(ops.arange(half_dim), "float32") * -emb)
    emb = ops.cast(timestep, "float32")[:, None] * emb[None, :]
    t_emb = ops.concatenate([ops.sin(emb), ops.cos(emb)], axis=-1)
    t_mlp = layers.Dense(dim, activation="silu")(t_emb)
    t_mlp = layers.Dense(dim)(t_mlp)
    t_mlp = t_mlp + own.FilmClasses(4, dim, name="class_embedding")(class_id)
    h = layers.Conv2D(4, 3, padding="same")(noisy_img)
    skips = []
    for level, filters in enumerate((4, 6)):
        h = own.FilmBlock(filters)(h, t_mlp)
        if level == 1:
            h = own.FilmAttention()(h)
        skips.append(h)
        if level < 1:
            h = own.FilmDown()(h)
    h = own.FilmBlock(6)(h, t_mlp)
    for level, filters in ((1, 6), (0, 4)):
        h = layers.Concatenate()([h, skips[level]])
        h = own.FilmBlock(filters)(h, t_mlp)
        if level > 0:
            h = own.FilmUp(4)(h)
    h = ops.silu(layers.GroupNormalization(2)(h))
    output = layers.Conv2D(1, 3, padding="same")(h)
    return k.Model(inputs=[noisy_img, timestep, class_id], outputs=output, name="cond_ddpm_unet")


def latent_pair(k):
    """A generator and a frozen discriminator in one model."""
    import customs_22_words as own

    generator, discriminator = own.LatentGenerator(), own.LatentDiscriminator()
    discriminator.compile(
        loss="categorical_crossentropy",
        optimizer=k.optimizers.Adam(0.0002, 0.5),
        metrics=["acc"],
    )
    start = k.layers.Input((5,))
    x = generator(start)
    discriminator.trainable = False
    model = k.models.Model(inputs=start, outputs=discriminator(x))
    model.compile(
        loss="categorical_crossentropy",
        optimizer=k.optimizers.Adam(0.0002, 0.5),
        metrics=["acc"],
    )
    return trained(model, INPUTS_OF["latent_pair"], np.eye(2, dtype="float32"))


def written_books(k):
    """A language model of two outputs, one without a loss."""
    import customs_22_words as own

    inputs = k.layers.Input(shape=(6,), dtype="int32")
    x = own.BookEmbedding(6, 11, 8)(inputs)
    x = own.BookBlock(8, 2, 10)(x)
    outputs = k.layers.Dense(11)(x)
    model = k.Model(inputs=inputs, outputs=[outputs, x])
    loss_fn = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss=[loss_fn, None])
    return model


def registered_noise(k):
    """A function of the program that is registered, in a Lambda."""
    import customs_22_words as own

    layers = k.layers

    def residual_block(x, width):
        same = x.shape[3] == width
        residual = x if same else layers.Conv2D(width, kernel_size=1)(x)
        x = layers.BatchNormalization(center=False, scale=False)(x)
        x = layers.Conv2D(width, kernel_size=3, padding="same", activation="swish")(x)
        x = layers.Conv2D(width, kernel_size=3, padding="same")(x)
        return layers.Add()([x, residual])

    noisy_images = k.Input(shape=(8, 8, 3))
    noise_rates = k.Input(shape=(1, 1, 1))
    x = layers.Conv2D(4, kernel_size=1)(noisy_images)
    e = layers.Lambda(own.registered_sines, output_shape=(1, 1, 8))(noise_rates)
    e = layers.UpSampling2D(size=8, interpolation="nearest")(e)
    x = layers.Concatenate()([x, e])
    skips = []
    x = residual_block(x, 4)
    skips.append(x)
    x = layers.AveragePooling2D(pool_size=2)(x)
    x = residual_block(x, 6)
    x = layers.UpSampling2D(size=2, interpolation="bilinear")(x)
    x = layers.Concatenate()([x, skips.pop()])
    x = residual_block(x, 4)
    x = layers.Conv2D(3, kernel_size=1, kernel_initializer="zeros")(x)
    return k.Model(inputs=[noisy_images, noise_rates], outputs=x, name="residual_unet")


def fed_translation(k):
    """A decoder around a recurrent layer, which feeds what it attended to."""
    import customs_22_decoder as own

    layers = k.layers
    encoder_inputs = layers.Input(shape=(5, 3), name="encoder_inputs")
    decoder_inputs = layers.Input(shape=(None, 4), name="decoder_inputs")
    context_inputs = layers.Input(shape=(6,), name="context_inputs")
    given = {"return_sequences": True, "return_state": True}
    encoder = layers.LSTM(6, name="encoder", **given)
    encoder_out, encoder_state_h, encoder_state_c = encoder(encoder_inputs)
    decoder = layers.LSTM(6, name="decoder", **given)
    attention_decoder = own.FeedingDecoder(decoder, attn_type="general")
    outputs = attention_decoder(
        [decoder_inputs, encoder_out, context_inputs, encoder_state_h, encoder_state_c]
    )
    dense = layers.Dense(4, activation="softmax", name="softmax_layer")
    return k.models.Model([encoder_inputs, decoder_inputs, context_inputs], dense(outputs[0]))


INPUTS_OF = {
    "filmed_classes": [floats(2, 8, 8, 1), np.array([3, 7], "int32"), np.array([1, 4], "int32")],
    "latent_pair": [floats(2, 5)],
    "written_books": [integers(11, 2, 6)],
    "registered_noise": [floats(2, 8, 8, 3), np.abs(floats(2, 1, 1, 1))],
    "fed_translation": [floats(2, 5, 3), floats(2, 4, 4), floats(2, 6)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = tuple(INPUTS_OF)
LAMBDAS = ("registered_noise",)
INPUTS = {
    "filmed_classes": ["noisy_image", "timestep", "class_id"],
    "registered_noise": ["input_1", "input_2"],
    "fed_translation": ["encoder_inputs", "decoder_inputs", "context_inputs"],
}
