"""Networks of blocks from public libraries, for `images.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, functions


def _norm(k, x, name):
    return k.layers.LayerNormalization(axis=-1, epsilon=1e-6, name=f"{name}ln")(x)


def _attended(k, query, key, value, heads, name):
    """Attention of heads by functions on tensors."""
    reshape, transpose = functions(k, "reshape", "transpose")
    depth = query.shape[-1] // heads
    rows = int(np.prod(query.shape[1:-1]))
    parts = []
    for each, turn in ((query, (0, 2, 1, 3)), (key, (0, 2, 3, 1)), (value, (0, 2, 1, 3))):
        x = reshape(each, [-1, int(np.prod(each.shape[1:-1])), heads, depth])
        parts.append(transpose(x, turn))
    scores = (parts[0] @ parts[1]) * (1.0 / depth**0.5)
    scores = k.layers.Softmax(axis=-1, name=f"{name}attention_scores")(scores)
    x = transpose(scores @ parts[2], (0, 2, 1, 3))
    return reshape(x, [-1, rows, heads * depth])


def dual_attention(k):
    """Attention in windows and over channels in turn, by functions and operators on tensors."""
    reshape, transpose, split = functions(k, "reshape", "transpose", "split")

    def placed(x, name):
        made = k.layers.DepthwiseConv2D(3, padding="same", name=f"{name}dw_conv")
        return k.layers.Add(name=f"{name}output")([x, made(x)])

    def windows(x, heads, name):
        high, wide, depth = x.shape[1], x.shape[2], x.shape[3]
        x = reshape(x, [-1, 2, wide // 2, 2 * depth])
        x = reshape(transpose(x, [0, 2, 1, 3]), [-1, 2, 2, depth])
        qkv = k.layers.Dense(3 * depth, name=f"{name}qkv")(x)
        x = _attended(k, *split(qkv, 3, axis=-1), heads, name)
        x = reshape(k.layers.Dense(depth, name=f"{name}output")(x), [-1, wide // 2, 2, 2 * depth])
        return reshape(transpose(x, [0, 2, 1, 3]), [-1, high, wide, depth])

    def channels(x, heads, name):
        high, wide, depth = x.shape[1], x.shape[2], x.shape[3]
        x = reshape(x, [-1, high * wide, depth])
        qkv = k.layers.Dense(3 * depth, use_bias=True, name=f"{name}qkv")(x)
        value, query, key = (
            reshape(each, [-1, high * wide, heads, depth // heads])
            for each in split(qkv, 3, axis=-1)
        )
        value, query = transpose(value, [0, 2, 3, 1]), transpose(query, [0, 2, 3, 1])
        key = transpose(key, [0, 2, 1, 3])
        scores = k.layers.Softmax(axis=-1, name=f"{name}attention_scores")(
            (query @ key) * (1.0 / (depth // heads) ** 0.5)
        )
        x = reshape(transpose(scores @ value, [0, 3, 1, 2]), [-1, high, wide, depth])
        return k.layers.Dense(depth, name=f"{name}output")(x)

    start = k.layers.Input((16, 16, 3))
    x = k.layers.Conv2D(8, 7, strides=4, padding="same", name="stem_conv")(start)
    x = _norm(k, x, "stem_")
    for stack, depth in enumerate((8, 12)):
        if stack:
            x = _norm(k, x, "stack2_downsample_")
            x = k.layers.Conv2D(depth, 2, strides=2, padding="same", name="stack2_down_conv")(x)
        for number, attention in enumerate((windows, channels)):
            name = f"stack{stack + 1}_block{number + 1}_"
            x = placed(x, f"{name}pre_attn_cpe_")
            y = attention(_norm(k, x, f"{name}attn_"), 2, f"{name}attn_")
            x = placed(k.layers.Add(name=f"{name}1_output")([x, y]), f"{name}pre_ffn_cpe_")
            y = k.layers.Dense(2 * depth, name=f"{name}Dense_0")(_norm(k, x, f"{name}mlp_"))
            y = k.layers.Activation("gelu", name=f"{name}gelu")(y)
            y = k.layers.Dense(depth, name=f"{name}Dense_1")(y)
            x = k.layers.Add(name=f"{name}2_output")([x, y])
    x = k.layers.GlobalAveragePooling2D(name="avg_pool")(_norm(k, x, "pre_output_"))
    head = k.layers.Dense(5, dtype="float32", activation="softmax", name="predictions")
    return k.Model(start, head(x), name="davit")


def group_tokens(k):
    """Learned tokens that gather from an image and give back; registered layers."""
    import customs_12_images as own

    concatenate, transpose = functions(k, "concatenate", "transpose")

    def gathered(x, tokens, name):
        draw = {"initializer": k.initializers.TruncatedNormal(stddev=0.2)}
        query = own.PureWeights(shape=[1, tokens, 8], name=f"{name}query", **draw)(x)
        query = _norm(k, query, f"{name}query_")
        seen = _norm(k, x, f"{name}key_value_")
        key = k.layers.Dense(8, name=f"{name}key")(seen)
        return _attended(k, query, key, seen, 2, name)

    start = k.layers.Input((16, 16, 3))
    x = k.layers.Conv2D(6, 7, strides=2, padding="same", use_bias=False, name="stem_conv")(start)
    x = k.layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name="stem_bn")(x)
    x = k.layers.Activation("relu", name="stem_relu")(x)
    x = k.layers.Conv2D(8, 2, strides=2, padding="same", name="stem_patch_conv")(x)
    x = own.PlacesEmbedding(name="positional_embedding")(x)
    for number in range(2):
        name = f"block{number + 1}_"
        token = gathered(x, 3, f"{name}light_attn_")
        y = k.layers.Permute((2, 1), name=f"{name}permute_0")(_norm(k, token, f"{name}mixer_"))
        y = k.layers.Dense(4, activation="gelu", name=f"{name}tokens_0")(y)
        y = transpose(k.layers.Dense(3, name=f"{name}tokens_1")(y), [0, 2, 1])
        token = k.layers.Add(name=f"{name}tokens")([token, y])
        query = k.layers.Dense(8, name=f"{name}query")(_norm(k, x, f"{name}full_query_"))
        key = k.layers.Dense(8, name=f"{name}key")(token)
        y = _attended(k, query, key, k.layers.Dense(8, name=f"{name}value")(token), 2, name)
        y = k.layers.Reshape(x.shape[1:])(k.layers.Dense(8, name=f"{name}out")(y))
        x = k.layers.Dense(8, name=f"{name}attn_out")(concatenate([x, y], axis=-1))
        y = k.layers.Dense(16, activation="gelu", name=f"{name}Dense_0")(_norm(k, x, name))
        y = k.layers.Dense(8, name=f"{name}Dense_1")(y)
        x = k.layers.Add(name=f"{name}mlp_output")([x, y])
        x = k.layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}dw_conv")(x)
    x = k.layers.Flatten()(gathered(_norm(k, x, "pre_out_"), 1, "neck_"))
    head = k.layers.Dense(5, dtype="float32", activation="softmax", name="predictions")
    return k.Model(start, head(x), name="gpvit_l1")


def reparameterized(k):
    """Ways of normalized convolutions that are added, with a registered scale of channels."""
    import customs_12_images as own

    def normalized(x, name):
        return k.layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=f"{name}bn")(x)

    def ways(x, depth, size=3, strides=1, groups=1, name=""):
        found = [normalized(x, f"{name}REPARAM_0_")] * (x.shape[-1] == depth and strides == 1)
        for number, kernel in enumerate((size, 1)[: 1 + (size > 1)]):
            options = {"strides": strides, "padding": "same", "use_bias": False}
            options["name"] = f"{name}REPARAM_{number + 1}_conv"
            if groups == depth and x.shape[-1] == depth:
                made = k.layers.DepthwiseConv2D(kernel, **options)
            else:
                made = k.layers.Conv2D(depth, kernel, groups=groups, **options)
            found.append(normalized(made(x), f"{name}REPARAM_{number + 1}_"))
        if len(found) == 1:
            return found[0]
        return k.layers.Add(name=f"{name}REPARAM_out")(found)

    def gelu(x, name):
        return k.layers.Activation("gelu", name=f"{name}gelu")(x)

    start = k.layers.Input((16, 16, 3))
    x = gelu(ways(start, 6, strides=2, name="stem_1_"), "stem_1_")
    x = gelu(ways(x, 6, strides=2, groups=6, name="stem_2_"), "stem_2_")
    x = gelu(ways(x, 6, size=1, name="stem_3_"), "stem_3_")
    for stack, depth in enumerate((6, 12)):
        name = f"stack{stack + 1}_"
        if stack:
            x = ways(x, depth, strides=2, groups=6, name=f"{name}downsample_")
            x = gelu(ways(x, depth, size=1, name=f"{name}downsample_2_"), f"{name}downsample_")
        deep = ways(x, depth, groups=depth, name=f"{name}mixer_")
        y = k.layers.Subtract(name=f"{name}REPARAM_TWICE_out")([deep, normalized(x, name)])
        y = own.ChannelAffine(use_bias=False, weight_init_value=1e-5, name=f"{name}1_gamma")(y)
        x = k.layers.Add(name=f"{name}REPARAM_THIRD_out")([y, x])
        y = k.layers.Conv2D(
            depth, 7, padding="same", groups=depth, use_bias=False, name=f"{name}mlp_pre_conv"
        )(x)
        y = k.layers.Conv2D(2 * depth, 1, name=f"{name}Dense_0")(normalized(y, f"{name}mlp_pre_"))
        y = k.layers.Conv2D(depth, 1, name=f"{name}Dense_1")(gelu(y, f"{name}mlp_"))
        y = own.ChannelAffine(use_bias=False, weight_init_value=1e-5, name=f"{name}2_gamma")(y)
        x = k.layers.Add(name=f"{name}2_output")([y, x])
    x = ways(x, 24, groups=12, name="features_")
    y = k.layers.GlobalAveragePooling2D(keepdims=True, name="features_se_pool")(x)
    y = k.layers.Conv2D(3, 1, activation="relu", name="features_se_1_conv")(y)
    y = k.layers.Conv2D(24, 1, activation="sigmoid", name="features_se_2_conv")(y)
    x = gelu(k.layers.Multiply(name="features_se_out")([x, y]), "features_")
    x = k.layers.GlobalAveragePooling2D()(x)
    head = k.layers.Dense(5, dtype="float32", activation="softmax", name="head")
    return k.Model(start, head(x), name="fastvit_t8")


def yolo_first(k):
    """A subclass of Model around a Functional model, which goes on from a given body."""
    import customs_12_images as own

    start = k.layers.Input(shape=(None, None, 3))
    x = start
    for number, width in enumerate((4, 6)):
        x = k.layers.SeparableConv2D(width, 3, strides=2, padding="same", use_bias=False)(x)
        x = k.layers.BatchNormalization(name=f"block{number}_bn")(x)
        x = k.layers.Activation("relu", name=f"block{number}_act")(x)
    return own.YOLO(k.Model(start, x, name="xception"))


def scores_of_noise(_):
    """A subclass of Model of an image and a number, which chooses rows of own normalizations."""
    import customs_12_more as own

    model = own.RefineNet(4, tf.nn.elu)
    model([tf.constant(each) for each in INPUTS_OF["scores_of_noise"]])
    return model


INPUTS_OF = {
    "dual_attention": [floats(2, 16, 16, 3)],
    "group_tokens": [floats(2, 16, 16, 3)],
    "reparameterized": [floats(2, 16, 16, 3)],
    "yolo_first": [floats(2, 12, 12, 3)],
    "scores_of_noise": [floats(2, 8, 8, 1), np.array([2, 0], "int32")],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("group_tokens", "reparameterized", "yolo_first", "scores_of_noise")
INPUTS = {"scores_of_noise": ["images", "idx_sigmas"]}
