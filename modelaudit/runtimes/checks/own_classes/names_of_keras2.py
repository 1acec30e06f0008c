"""Names of Keras 2 that Keras 3 does not have, and that code of programs uses.

By what objects of Keras 2.9, 2.14 and 2.21 have, and those of 3.8, 3.11 and 3.15 have not.
"""

from __future__ import annotations

LAYER = frozenset(
    (
        *("_add_trackable", "_autocast"),
        *("_compute_dtype", "_dtype", "_dynamic", "_expects_mask_arg", "_expects_training_arg"),
        *("_gather_children_attribute", "_handle_activity_regularization"),
        *("_handle_weight_regularization", "_init_set_name", "_initial_weights"),
        *("_keras_api_names", "_maybe_cast_inputs", "_name", "_name_scope"),
        *("_non_trainable_weights", "_obj_reference_counts", "_set_dtype_policy", "_stateful"),
        *("_trainable_weights", "_updates", "compute_output_signature", "dynamic"),
        *("get_input_at", "get_input_mask_at", "get_input_shape_at", "get_output_at"),
        *("get_output_mask_at", "get_output_shape_at", "inbound_nodes", "input_mask"),
        *("name_scope", "outbound_nodes", "output_mask", "submodules", "updates"),
        "with_name_scope",
    )
)
"""Attributes of every layer and model."""
SHAPES = frozenset(("input_shape", "output_shape"))
"""Attributes of layers that a model of layers has in Keras 3, too."""
_CONVOLUTION = frozenset(
    (
        *("_channels_first", "_get_channel_axis", "_get_padding_op", "_is_causal"),
        *("_spatial_output_shape", "_tf_data_format", "_validate_init"),
    )
)
_PLAIN = _CONVOLUTION | {"_get_input_channel", "_recreate_conv_op"}
_TRANSPOSED = _PLAIN | {"convolution_op"}
_RECURRENT = frozenset(
    ("_num_constants", "_process_inputs", "_states", "_validate_state_spec", "constants_spec")
) | {"state_spec", "time_major"}
_CELL = frozenset(
    (
        *("_create_recurrent_dropout_mask", "_dropout_mask_cache"),
        *("get_dropout_mask_for_cell", "get_recurrent_dropout_mask_for_cell"),
    )
)
OF_CLASSES = {
    "Conv1D": _PLAIN,
    "Conv2D": _PLAIN | {"_compute_causal_padding"},
    "Conv3D": _PLAIN | {"_compute_causal_padding"},
    "Conv2DTranspose": _TRANSPOSED,
    "DepthwiseConv2D": _CONVOLUTION | {"convolution_op", "depthwise_kernel", "filters"},
    "SeparableConv2D": _TRANSPOSED,
    "BatchNormalization": frozenset(
        (
            *("_assign_moving_average", "_assign_new_value", "_calculate_mean_and_var"),
            *("_fused_batch_norm", "_fused_can_be_used", "_get_training_value", "_param_dtype"),
            *("adjustment", "fused", "virtual_batch_size"),
        )
    ),
    "LayerNormalization": frozenset(("_fused", "_fused_can_be_used")),
    "RNN": _RECURRENT,
    "SimpleRNN": _RECURRENT,
    "GRU": _RECURRENT | _CELL | {"implementation"},
    "LSTM": _RECURRENT | _CELL | {"implementation"},
    "GRUCell": _CELL,
    "LSTMCell": _CELL,
    "SimpleRNNCell": _CELL,
    "Embedding": frozenset(("input_length",)),
    "MultiHeadAttention": frozenset(
        ("_build_from_signature", "_built_from_signature", "_key_shape", "_query_shape")
    )
    | {"_value_shape"},
    "Dropout": frozenset(("_get_noise_shape",)),
    "Bidirectional": frozenset(("layer",)),
    "TimeDistributed": frozenset(("_get_shape_tuple", "_remove_timesteps")),
}
"""Further attributes of single layers."""
ADD_WEIGHT = frozenset(
    (
        *("caching_device", "collections", "experimental_autocast", "getter", "layout"),
        *("partitioner", "synchronization", "use_resource"),
    )
)
"""Keywords of `add_weight`."""
BACKEND = frozenset(
    (
        *("function", "in_test_phase", "in_train_phase", "learning_phase"),
        *("learning_phase_scope", "local_conv1d", "local_conv2d"),
        *("manual_variable_initialization", "normalize_batch_in_training", "placeholder"),
        *("print_tensor", "random_binomial", "reset_uids", "set_learning_phase"),
    )
)
"""Functions of `tf.keras.backend`."""
PLAIN_BACKEND = frozenset(
    (
        *("backend", "clear_session", "epsilon", "floatx", "get_uid", "image_data_format"),
        *("is_float_dtype", "is_int_dtype", "is_keras_tensor", "result_type", "set_epsilon"),
        *("set_floatx", "set_image_data_format", "standardize_dtype"),
    )
)
"""All that is left in `keras.backend` of Keras 3 itself."""
LOSSES = frozenset(
    (
        *("kl_divergence", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error"),
        *("mean_squared_error", "mean_squared_logarithmic_error"),
    )
)
"""Functions of `tf.keras.losses` and `tf.keras.metrics`."""
