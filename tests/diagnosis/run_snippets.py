"""Run code snippets of the advice on a model, each separately, and print the results as JSON.

Arguments: the module of its Keras (or `none`), the model, images, and a JSON file of
`[[name, code], ...]`.
"""

import importlib
import json
import sys
import traceback
from pathlib import Path

import numpy as np
import tensorflow as tf

MODULE, MODEL, IMAGES, CODES = sys.argv[1:]


def surroundings(x, y):
    """What a user has when following the advice: images, labels, model code, files."""
    given = {"images": x, "labels": y, "series": x, "volumes": x}
    np.save("reference_inputs.npy", x[:8])
    if MODULE == "none":
        loaded = tf.saved_model.load(MODEL)
        serve = loaded.signatures["serving_default"]
        answers = next(iter(serve(tf.constant(x[:8])).values())).numpy()
    else:
        keras = importlib.import_module(MODULE)
        trained = keras.models.load_model(MODEL, compile=False)
        answers = trained.predict(x[:8], verbose=0)
        trained.save_weights("trained.weights.h5")
        written = tf.train.Checkpoint(model=trained).save("checkpoint")
        given["checkpoint"] = written
        given["trained"] = trained
        given["build_model"] = lambda: keras.models.clone_model(trained)
    np.save("reference_outputs.npy", answers)
    return given


def accuracy(model, x, y):
    return float(np.mean(model.predict(x, verbose=0).argmax(axis=1) == y))


def main():
    with np.load(IMAGES) as held:
        x, y = held["x"].astype("float32"), held["y"]
    given = surroundings(x, y)
    found = {}
    for name, code in json.loads(Path(CODES).read_text()):
        names = given | ({} if "model = " in code else {"model": given.get("trained")})
        if "for batch in images" in code:
            names["images"] = [x[start::4] for start in range(4)] * 15
        try:
            pasted = code.replace('"MODEL', f'"{MODEL}').replace('"CHECKPOINT"', "checkpoint")
            exec(pasted, names)
        except Exception:
            found[name] = {"error": traceback.format_exc()[-800:]}
            continue
        found[name] = {"names": sorted(names)}
        if MODULE != "none" and names.get("model"):
            found[name]["accuracy"] = accuracy(names["model"], x, y)
    sys.stdout.write(f"{json.dumps(found)}\n")


main()
