"""Run code snippets of the advice on models, and write their results as JSON.

Arguments: images, and a JSON file of jobs `{"module", "model", "folder", "codes"}`: the module of
the model's Keras (or `none`), its path, the directory to run in, and `[[name, code], ...]`. Each
job runs in a fork of one process that has imported TensorFlow, and writes `found.json` there.
"""

import importlib
import json
import os
import sys
import traceback
from pathlib import Path

import numpy as np
import tensorflow as tf


def surroundings(x, y, module, model):
    """What a user has when following the advice: images, labels, model code, files."""
    given = {"images": x, "labels": y, "series": x, "volumes": x}
    np.save("reference_inputs.npy", x[:8])
    if module == "none":
        loaded = tf.saved_model.load(model)
        serve = loaded.signatures["serving_default"]
        answers = next(iter(serve(tf.constant(x[:8])).values())).numpy()
    else:
        keras = importlib.import_module(module)
        trained = keras.models.load_model(model, compile=False)
        answers = np.asarray(trained(x[:8], training=False))
        trained.save_weights("trained.weights.h5")
        written = tf.train.Checkpoint(model=trained).save("checkpoint")
        given["checkpoint"] = written
        given["trained"] = trained
        given["build_model"] = lambda: keras.models.clone_model(trained)
    np.save("reference_outputs.npy", answers)
    return given


def accuracy(model, x, y):
    return float(np.mean(np.asarray(model(x, training=False)).argmax(axis=1) == y))


def run(x, y, module, model, codes):
    given = surroundings(x, y, module, model)
    found = {}
    for name, code in codes:
        names = given | ({} if "model = " in code else {"model": given.get("trained")})
        if "for batch in images" in code:  # of the rules
            names["images"] = [x[start::4] for start in range(4)] * 15
        try:
            pasted = code.replace('"MODEL', f'"{model}').replace('"CHECKPOINT"', "checkpoint")
            exec(pasted, names)
        except Exception:
            found[name] = {"error": traceback.format_exc()[-800:]}
            continue
        found[name] = {"names": sorted(names)}
        if module != "none" and names.get("model"):
            found[name]["accuracy"] = accuracy(names["model"], x, y)
    return found


def main(images, jobs):
    with np.load(images) as held:
        x, y = held["x"].astype("float32"), held["y"]
    for module in ("keras", "tf_keras"):
        importlib.import_module(module)
    for job in json.loads(Path(jobs).read_text()):
        child = os.fork()
        if child == 0:
            try:
                os.chdir(job["folder"])
                found = run(x, y, job["module"], job["model"], job["codes"])
                Path("found.json").write_text(json.dumps(found))
            except BaseException:
                traceback.print_exc(file=sys.stdout)
            finally:
                sys.stdout.flush()
                os._exit(0)
        os.waitpid(child, 0)


main(*sys.argv[1:])
