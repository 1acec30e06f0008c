"""Code to paste. `tests/diagnosis/test_snippets.py` runs all of it with Keras 2 and Keras 3.

`{imports}`, `{model}` and `{predict}` are replaced with the code that loads the model at hand
(`loading_code`), the other names in braces with the difference that a cause is about.
"""

from __future__ import annotations

RELOAD = """\
import numpy as np
model = build_model()  # the code that built it for training
before = [weight.numpy() for weight in model.weights]
model.load_weights("trained.weights.h5")  # without options that skip layers
for weight, old in zip(model.weights, before):
    if np.array_equal(weight.numpy(), old):
        print("not restored:", getattr(weight, "path", weight.name))"""
RESTORE = """\
import tensorflow as tf
model = build_model()  # the code that built it for training
# The path that tf.train.Checkpoint(model=model).save() returned.
status = tf.train.Checkpoint(model=model).restore("CHECKPOINT")
# Raises if a variable of the model got no value. assert_consumed() also raises
# if the checkpoint contains more, such as the optimizer state.
status.assert_existing_objects_matched()"""
RECALIBRATE = """\
{model}
# Unlabelled training {many} suffice. By name: Keras 2 and 3 have classes of their own.
for layer in model._flatten_layers():
    if type(layer).__name__ == "BatchNormalization":
        layer.momentum = 0.9
parts = max(1, len(images) // 32)  # a batch has every n-th, so that none is of one class
for turn in range(60):  # {many} preprocessed as in training
    model(images[turn % parts :: parts], training=True)
model.save("recalibrated.keras")"""
COMPARE = """\
import numpy as np
{predict}
# 8 inputs, and their outputs at training time.
x = np.load("reference_inputs.npy")
y = np.load("reference_outputs.npy")
# Above 1e-4 of the largest output: this is not the model that was saved.
print(abs(predict(x) - y).max() / abs(y).max())"""
HEAD = """\
import numpy as np
{model}
layers = {each.name: each for each in model._flatten_layers()}
kernel, bias = layers["{layer}"].get_weights()
middle = np.median(bias) if bias.size > 1 else 0.0
print(bias - middle)  # One entry is far from the others.
layers["{layer}"].set_weights([kernel, np.full_like(bias, middle)])"""
BIAS = """\
{model}
layers = {each.name: each for each in model._flatten_layers()}
print(layers["{layer}"].get_weights()[1])"""
SIGMOID = """\
{model}
model.layers[-1].activation = keras.activations.sigmoid
model.compile(loss="binary_crossentropy", metrics=["accuracy"])
# model.evaluate(images, labels)  # labels 0 and 1
model.save("sigmoid.keras")"""
NEW_HEAD = """\
{imports}
# In the code that builds the model, in place of its last layer; labels from 0 to classes - 1:
classes = 2
head = keras.layers.Dense(classes, activation="softmax")
loss = "sparse_categorical_crossentropy"
# scores = head(features); model.compile("adam", loss, metrics=["accuracy"]); model.fit(...)"""
NUMBERS_HEAD = """\
{imports}
# In the code that builds the model, in place of its last layer, and the loss:
{head}"""
UNDO = """\
import numpy as np
{predict}
# {words}
{undo}
predictions = predict(images)"""
AVERAGE = """\
import numpy as np
{predict}
y = (predict(images) + predict({numpy})) / 2"""
TRAIN_ON = """\
{model}
flip = {augment}
training = keras.Sequential([keras.Input(model.input_shape[1:]), flip, model])
training.compile("adam", {loss})  # the loss as in training
training.fit(images, labels)
model.save("retrained.keras")  # without the layer that flips"""
FIRST_NAN = """\
import tensorflow as tf
{model}
tf.debugging.enable_check_numerics()
model(images[:32])  # the error names the operation and the layer
tf.debugging.disable_check_numerics()"""
CONFUSION = """\
import numpy as np
{predict}
{form}# Rows are your labels, columns are the model's classes.
table = np.zeros((labels.max() + 1, predict(images[:1]).shape[-1]), int)
np.add.at(table, (labels, predict(images).argmax(axis=1)), 1)
print(table)"""
REORDER = """\
import numpy as np
{predict}
{form}order = {order}  # the model's class for label 0, 1, 2, ...
scores = predict(images)[..., order]
print((scores.argmax(axis=-1) == labels).mean())"""
PUT_FIRST = """\
{model}
first = {putin}
inputs = keras.Input(model.input_shape[1:])
changed = keras.Model(inputs, model(first(inputs)))
changed.save("changed.keras")"""
EXCHANGE = """\
{model}
layers = {each.name: each for each in model._flatten_layers()}
first, second = [layers[name] for name in {exchanged}]
weights = first.get_weights()
first.set_weights(second.get_weights())
second.set_weights(weights)
model.save("exchanged.keras")"""
TRAIN_PART = """\
{model}
for layer in model.layers:
    layer.trainable = layer.name in {layers}
model.compile("adam", {loss})  # the loss as in training
model.fit(images, labels, epochs=10)
model.save("trained_part.keras")"""
EXPORT = """\
import keras
import tensorflow as tf
model = keras.models.load_model("MODEL.keras")  # what was exported
spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
archive = keras.export.ExportArchive()
archive.track(model)
archive.add_endpoint("serve", lambda x: model(x, training=False), [spec])
archive.write_out("exported")"""
TRAIN_AGAIN = """\
{model}
model = keras.models.clone_model(model)  # the same layers with new weights
model.compile(keras.optimizers.Adam(1e-3, clipnorm=1.0), {loss})  # the loss as in training
axes = tuple(range(images.ndim - 1))  # all but that of the channels or columns
mean, std = images.mean(axes), images.std(axes) + 1e-7
model.fit((images - mean) / std, labels, epochs=10, validation_split=0.2)
# The loss must fall. Keep mean and std, and scale inputs in production with them.
model.save("retrained.keras")"""
