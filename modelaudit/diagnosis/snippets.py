"""Code to paste. `tests/diagnosis/test_snippets.py` runs all of it, in both generations of Keras.

`{imports}`, `{model}` and `{predict}` stand for how the model at hand is loaded (`loading`), the
other names in braces for the difference that a cause is about.
"""

from __future__ import annotations

RELOAD = """\
import numpy as np
model = build_model()  # the code that built it for training
before = [weight.numpy() for weight in model.weights]
model.load_weights("trained.weights.h5")  # and nothing that skips
for weight, old in zip(model.weights, before):
    if np.array_equal(weight.numpy(), old):
        print("not restored:", getattr(weight, "path", weight.name))"""
RESTORE = """\
import tensorflow as tf
model = build_model()  # the code that built it for training
# The path that tf.train.Checkpoint(model=model).save() gave.
status = tf.train.Checkpoint(model=model).restore("CHECKPOINT")
# Raises where a variable of the model got no value; assert_consumed() also
# where the checkpoint holds more, as the optimizer's state.
status.assert_existing_objects_matched()"""
RECALIBRATE = """\
{model}
# Unlabelled training images are enough. By name, for each Keras has a class of its own.
for layer in model._flatten_layers():
    if type(layer).__name__ == "BatchNormalization":
        layer.momentum = 0.9
for batch in images:  # 50 batches or more, as they were fed in training
    model(batch, training=True)
model.save("recalibrated.keras")"""
COMPARE = """\
import numpy as np
{predict}
# 8 inputs, and the outputs of the day of training.
x = np.load("reference_inputs.npy")
y = np.load("reference_outputs.npy")
# Over 1e-4: this is not the model that was saved.
print(abs(predict(x) - y).max())"""
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
UNDO = """\
import numpy as np
{predict}
# {words}
images = {numpy}
predictions = predict(images)"""
AVERAGE = """\
import numpy as np
{predict}
y = (predict(images) + predict({numpy})) / 2"""
TRAIN_ON = """\
{model}
flip = {augment}
training = keras.Sequential([keras.Input(model.input_shape[1:]), flip, model])
training.compile("adam", "sparse_categorical_crossentropy")  # or as it was trained
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
# Rows are your labels, columns the classes of the model.
table = np.zeros((labels.max() + 1, predict(images[:1]).shape[-1]), int)
np.add.at(table, (labels, predict(images).argmax(axis=1)), 1)
print(table)"""
EXPORT = """\
import keras
import tensorflow as tf
model = keras.models.load_model("MODEL.keras")  # what was exported
spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
archive = keras.export.ExportArchive()
archive.track(model)
archive.add_endpoint("serve", lambda x: model(x, training=False), [spec])
archive.write_out("exported")"""
