"""Study the cases of a population again from the files that are there, without training.

    python -m benchmarks.population.restudy DIRECTORY [--first N] [--networks N] [--given]

For a change of what an audit measures: every case of the networks in DIRECTORY (see
`make.py`) gets the same inputs as before, and its behaviour and features are written again.
Networks whose numbers are in DIRECTORY/restudied are skipped, so an interrupted run can be
continued. `--given` keeps what built-in inputs showed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
from benchmarks.feeds.forms import CONVENTIONS, TURNS, Feed
from benchmarks.population import nets
from benchmarks.population import session as sessions
from benchmarks.population.data import drawn
from benchmarks.population.make import measured


def feed_of(condition: str) -> Feed:
    """The feed of a case by its name, which joins the changes of the feed and of the weights."""
    parts = condition.split(", ")
    return Feed(
        condition,
        turn=next((each for each in parts if each in TURNS), ""),
        convention=next((each for each in parts if each in CONVENTIONS), ""),
        swapped="red and blue exchanged" in parts,
        renumbered="renumbered" in parts,
    )


class Live:
    """The Keras model of a network, made once for networks of the same kind."""

    def __init__(self, n: nets.Net, before: Live | None) -> None:
        import keras

        alike = before and before.n.number // 3 == n.number // 3
        self.n = n
        if before and alike and before.n.mirrored == n.mirrored:
            self.model, self.adapter = before.model, before.adapter
        else:
            keras.backend.clear_session()
            self.model = nets.build(keras, n)
            self.adapter = sessions.adapter(self.model)

    def session(self, path: Path, artifact: Any) -> sessions.HereSession:
        """A session with the weights of a file."""
        if self.n.saver == "export":
            return sessions.opened(artifact)
        self.model.load_weights(path)
        return sessions.opened(artifact, self.adapter)


def restudied(
    root: Path, kept: Path, live: Live, *, given_only: bool
) -> Iterator[tuple[dict[str, Any], Any]]:
    """Each case of a network with its features, and its behaviour."""
    n = live.n
    with gzip.open(root / "seen" / f"{kept.stem}.json.gz", "rt", encoding="utf-8") as read:
        how = json.load(read)
    given, answers = drawn(n.data, 112, n.shape, n.classes, n.channels, 20_000 + n.number)
    made = json.loads(kept.read_text(encoding="utf-8"))["cases"]
    file = root / f"{n.number}.npz"
    known: dict[str, Any] = {}
    for case, each in zip(made, how, strict=True):
        if given_only and case["mode"] == "built-in":
            yield case, each
            continue
        path = root / "models" / each["file"]
        if path.name not in known:
            static = sessions.static(path)
            known = {path.name: (static, live.session(path, static.artifact))}
        static, session = known[path.name]
        feed, some = feed_of(case["condition"]), slice(case["n"])
        x = feed.images(given[some], n.convention) if n.image else given[some]
        labels = {"y": feed.labels(answers[some], n.number)} if case["mode"] == "labelled" else {}
        np.savez(file, x=x, **labels)
        facts = sessions.studied(static, session, None if case["mode"] == "built-in" else file)
        yield (
            case | {"features": measured(facts)},
            {"file": path.name, "behaviour": msgspec.to_builtins(facts.behaviour)},
        )
    file.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--networks", type=int, default=400, help="up to which network")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--given", action="store_true", help="only cases with inputs")
    asked = parser.parse_args()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    root, live = asked.directory, None
    (root / "restudied").mkdir(exist_ok=True)
    for number in range(asked.first, asked.networks):
        kept, done = root / "cases" / f"{number}.json", root / "restudied" / str(number)
        if done.exists() or not kept.exists():
            continue
        start = time.process_time()
        live = Live(nets.net(number), live)
        found = list(restudied(root, kept, live, given_only=asked.given))
        row = json.loads(kept.read_text(encoding="utf-8")) | {"cases": [case for case, _ in found]}
        with gzip.open(root / "seen" / f"{number}.json.gz", "wt", encoding="utf-8") as out:
            json.dump([how for _, how in found], out)
        kept.write_text(json.dumps(row), encoding="utf-8")
        done.touch()
        print(number, len(found), f"{time.process_time() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
