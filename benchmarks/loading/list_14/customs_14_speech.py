"""The model of speech in `series.py`, a Functional model that makes itself; copied as
`customs_14_speech.py` beside the models. It is not registered, and needs Keras 3.
"""

from __future__ import annotations

import sys

from customs_14_tables import HeardPlaces, SpeechAttention, SpokenPlaces, speech_gelu

keras = sys.modules["__main__"].keras
layers = keras.layers
ops = getattr(keras, "ops", None)


def causal_speech_mask(ids):
    """Minus a lot where a word comes later."""
    steps = ops.shape(ids)[1]
    later = ops.arange(steps)[None, :] > ops.arange(steps)[:, None]
    return (ops.cast(later, "float32") * -1e9)[None, None, :, :]


def _norm(x, name):
    return layers.LayerNormalization(epsilon=1e-5, name=name)(x)


def _fed(x, d_model, ffn_dim, start):
    h = layers.Dense(ffn_dim, name=f"{start}_fc1")(_norm(x, f"{start}_final_layer_norm"))
    h = layers.Lambda(speech_gelu, name=f"{start}_fc1_act")(h)
    return layers.Add()([x, layers.Dense(d_model, name=f"{start}_fc2")(h)])


def _attended(x, d_model, heads, start, part, **given):
    normed = _norm(x, f"{start}_{part}_layer_norm")
    made = SpeechAttention(proj_dim=d_model, num_heads=heads, name_prefix=f"{start}_{part}")
    return layers.Add()([x, made(normed, **given)])


def heard_encoder(d_model, bins, positions, depth, heads, ffn_dim, name):
    """Two convolutions and blocks, as a Functional model."""
    mel = layers.Input(shape=(bins, None), name="input_features")
    x = layers.Permute((2, 1), name="encoder_permute_in")(mel)
    for each, strides in ((1, 1), (2, 2)):
        x = layers.ZeroPadding1D(padding=1, name=f"encoder_conv{each}_pad")(x)
        x = layers.Conv1D(
            filters=d_model,
            kernel_size=3,
            strides=strides,
            padding="valid",
            name=f"encoder_conv{each}",
        )(x)
        x = layers.Lambda(speech_gelu, name=f"encoder_conv{each}_act")(x)
    x = HeardPlaces(positions, d_model, name="encoder_embed_positions")(x)
    for each in range(depth):
        start = f"encoder_layers_{each}"
        x = _fed(_attended(x, d_model, heads, start, "self_attn"), d_model, ffn_dim, start)
    return keras.Model(inputs=mel, outputs=_norm(x, "encoder_layer_norm"), name=name)


def spoken_decoder(d_model, positions, vocab_size, depth, heads, ffn_dim, name):
    """Blocks over words and what is heard; its Lambda layer holds the embedding's weight."""
    ids = layers.Input(shape=(None,), dtype="int32", name="decoder_input_ids")
    heard = layers.Input(shape=(None, d_model), name="encoder_hidden_states")
    table = layers.Embedding(vocab_size, d_model, name="decoder_embed_tokens")
    x = SpokenPlaces(positions, d_model, name="decoder_embed_positions")(table(ids))
    mask = layers.Lambda(
        causal_speech_mask,
        name="decoder_causal_mask",
        output_shape=lambda s: (1, 1, s[1], s[1]),
    )(ids)
    for each in range(depth):
        start = f"decoder_layers_{each}"
        x = _attended(x, d_model, heads, start, "self_attn", attention_mask=mask)
        x = _attended(x, d_model, heads, start, "encoder_attn", key_value_states=heard)
        x = _fed(x, d_model, ffn_dim, start)
    weight = table.embeddings
    logits = layers.Lambda(
        lambda t, w=weight: ops.matmul(t, ops.transpose(w, (1, 0))), name="lm_head"
    )(_norm(x, "decoder_layer_norm"))
    inputs = {"decoder_input_ids": ids, "encoder_hidden_states": heard}
    return keras.Model(inputs=inputs, outputs=logits, name=name)


class HeardWords(keras.Model):
    """Encoder and decoder; dictionaries in and out."""

    def __init__(
        self,
        d_model=8,
        encoder_layers=1,
        decoder_layers=1,
        attention_heads=2,
        ffn_dim=12,
        num_mel_bins=6,
        max_source_positions=5,
        max_target_positions=7,
        vocab_size=20,
        name="Whisper",
        **kwargs,
    ):
        encoder = heard_encoder(
            d_model,
            num_mel_bins,
            max_source_positions,
            encoder_layers,
            attention_heads,
            ffn_dim,
            name=f"{name}_encoder",
        )
        decoder = spoken_decoder(
            d_model,
            max_target_positions,
            vocab_size,
            decoder_layers,
            attention_heads,
            ffn_dim,
            name=f"{name}_decoder",
        )
        features = layers.Input(shape=(num_mel_bins, None), name="input_features")
        ids = layers.Input(shape=(None,), dtype="int32", name="decoder_input_ids")
        heard = encoder(features)
        logits = decoder({"decoder_input_ids": ids, "encoder_hidden_states": heard})
        super().__init__(
            inputs={"input_features": features, "decoder_input_ids": ids},
            outputs={"encoder_hidden_states": heard, "logits": logits},
            name=name,
            **kwargs,
        )
        self.encoder = encoder
        self.decoder = decoder
        self.d_model = d_model
        self.encoder_layers = encoder_layers
        self.decoder_layers = decoder_layers
        self.attention_heads = attention_heads
        self.ffn_dim = ffn_dim
        self.num_mel_bins = num_mel_bins
        self.max_source_positions = max_source_positions
        self.max_target_positions = max_target_positions
        self.vocab_size = vocab_size

    def get_config(self):
        config = super().get_config()
        names = ("d_model", "encoder_layers", "decoder_layers", "attention_heads", "ffn_dim")
        names += ("num_mel_bins", "max_source_positions", "max_target_positions", "vocab_size")
        config.update({name: getattr(self, name) for name in (*names, "name")})
        return config

    @classmethod
    def from_config(cls, config):
        return cls(**config)
