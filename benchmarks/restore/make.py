"""Train small networks, save them in eleven formats, and make restore faults and honest twins.

    python -m benchmarks.restore.make DIRECTORY [--set 1..6|8..12] [--seed N] [--share S]
        [--only NET,NET]

DIRECTORY/faults and DIRECTORY/twins hold one directory per model. faults.tsv and twins.tsv list
them: faults with the severity asked, and what a finding has to say to name the fault. Trained
networks are kept in DIRECTORY/nets, so that an interrupted run can be continued; `--only` makes no
faults, so that several processes can prepare the networks. CPU only; 10 to 60 minutes.
From set 3 on a fault that changes no weight or cannot be seen in any file is not made, and twins
have to answer right; run `effects.py` after it.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
import tf_keras

import modelaudit
from benchmarks.restore.answers import asked, called, difference, probes
from benchmarks.restore.builders import (
    eleventh,
    fifth,
    fourth,
    more,
    ninth,
    seventh,
    sixth,
    tenth,
    twelfth,
)
from benchmarks.restore.builders import first as builders
from benchmarks.restore.faults import FAULTS, Fault
from benchmarks.restore.formats import FORMATS, WITHOUT_OPTIMIZER, Format
from benchmarks.restore.nets import Net, aliases, as_legacy, compiled, fit, train, works
from benchmarks.restore.twins import OF_FILES, of_layers, of_training, of_weights
from benchmarks.restore.twins_more import of_transfers, of_ways
from benchmarks.restore.values import (
    Stock,
    Unsuited,
    kernel_zero,
    mean_or_variance_reset,
    penalized,
)

Pairs = list[tuple[str, str]]  # network, format
SETS = {  # set 7 is made from files of others
    1: builders.FIRST, 2: builders.SECOND, 3: more.THIRD, 4: fourth.FOURTH, 5: fifth.FIFTH,
    6: sixth.SIXTH, 8: seventh.EIGHTH, 9: ninth.NINTH, 10: tenth.TENTH, 11: eleventh.ELEVENTH,
    12: twelfth.TWELFTH,
}  # fmt: skip
COLUMNS = ("path", "fault", "network", "format", "severity", "codes", "words", "where", "run")
COLUMNS += ("effect",)


@dataclass
class Shop:
    """What all models of one network are made from, and where they go."""

    out: Path
    net: Net
    seed: int
    strict: bool = False  # as from set 3 on
    ways: int = 3  # of training twins
    transfers: bool = False  # as from set 9 on
    rows: list[dict[str, str]] = field(default_factory=list)
    twins: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.seed, *self.net.name.encode()])
        nets = self.out / "nets"
        nets.mkdir(parents=True, exist_ok=True)
        file = nets / f"{self.net.name}.keras"
        if not file.exists():
            train(keras, self.net, self.seed).save(file)
        new, old = keras.models.load_model(file), file.with_suffix(".h5")
        if not old.exists():
            as_legacy(tf_keras, self.net, new, self.seed + 1).save(old)
        self.models = {False: new, True: tf_keras.models.load_model(old)}
        self.kept = {old: model.get_weights() for old, model in self.models.items()}
        self.probes = probes(keras, self.net)
        self.answers = {old: called(model, self.probes) for old, model in self.models.items()}
        self.stocks = {old: self._stock(old) for old in self.models}
        self.held = self.net.data(np.random.default_rng(self.seed + 1), 512)
        self.scores = {old: works(model, self.net, self.held) for old, model in self.models.items()}

    def _stock(self, legacy: bool) -> Stock:
        k = tf_keras if legacy else keras
        k.utils.set_random_seed(self.seed + 2)
        file = self.out / "nets" / f"{self.net.name}.later{'_k2' * legacy}.npz"
        if not file.exists():
            later = compiled(k, self.net, rate=self.net.rate / 3)
            later.set_weights(self.kept[legacy])
            fit(later, self.net.data(np.random.default_rng(self.seed + 3), 1024), 2)
            np.savez(file, *later.get_weights())
        with np.load(file) as saved:
            weights = [saved[f"arr_{place}"] for place in range(len(saved.files))]
        return Stock(self.rng, self.net.build(k), weights, self.strict)

    def save(self, model: Any, form: Format, folder: Path) -> Path:
        if not folder.exists():
            folder.mkdir(parents=True)
            form.save(model, folder / form.file)
        return folder / form.file

    def sound(self) -> dict[str, Path]:
        """Save the network in every format."""
        paths = {}
        for form in FORMATS.values():
            folder = self.out / "twins" / f"sound_{self.net.name}_{form.name}"
            paths[form.name] = self.save(self.models[form.legacy], form, folder)
            self._twin(paths[form.name], "sound", form)
        return paths

    def _twin(self, path: Path, kind: str, form: Format) -> None:
        row = {"path": os.fspath(path.relative_to(self.out / "twins")), "twin": kind}
        self.twins.append(row | {"network": self.net.name, "format": form.name})

    def fault(self, fault: Fault, form: Format, sound: dict[str, Path]) -> None:
        """Make one faulty model.

        Raises:
            Unsuited: the fault does not apply to the network or the format.
        """
        model, stock = self.models[form.legacy], self.stocks[form.legacy]
        folder = self.out / "faults" / f"{fault.name}_{self.net.name}_{form.name}"
        record, effect, layers = None, "", []
        if fault.golden:
            record = modelaudit.record(model, sound[form.name])
        try:
            if fault.harm is not None:
                layers = fault.harm(model, stock)
                effect = self._effect(form)
                where = [] if form.name == "export" else [layer.name for layer in layers]
                path = self.save(model, form, folder)
            else:
                shutil.copytree(sound[form.name].parent, folder)
                path = folder / form.file
                assert fault.edit is not None
                where = fault.edit(path, model, stock)
            if record is not None:
                shutil.move(record, path.parent / record.name)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            model.set_weights(self.kept[form.legacy])
            if record is not None:
                record.unlink(missing_ok=True)
        severity = asked(fault.severity, effect)
        if fault.harm is kernel_zero and any(map(penalized, layers)):
            severity = "medium"
        # Without steps of an optimizer, a converter may have folded the mean into beta.
        if fault.harm is mean_or_variance_reset and form.name in WITHOUT_OPTIMIZER:
            severity = "medium"
        known = aliases(model).values()
        if fault.run:  # a difference of outputs does not say where it comes from
            where = []
        where = where + [x for w in where for names in known if w in names for x in names]
        values = (
            *(folder.name, fault.name, self.net.name, form.name, severity),
            *(" ".join(fault.codes), fault.words, " ".join(dict.fromkeys(where))),
            *(str(fault.run), effect),
        )
        self.rows.append(dict(zip(COLUMNS, values, strict=True)))

    def _effect(self, form: Format) -> str:
        """How far the outputs of a changed model are from those of the sound one."""
        if not self.strict:
            return ""
        model = self.models[form.legacy]
        pairs = zip(model.get_weights(), self.kept[form.legacy], strict=True)
        if all(np.array_equal(a, b) for a, b in pairs):
            raise Unsuited
        return difference(self.answers[form.legacy], called(model, self.probes))

    def varied(self, sound: dict[str, Path], turn: int) -> None:
        """Make the twins from set 3 on, in all formats; those that answer wrong are left out."""
        places = dict.fromkeys((False, True), turn)

        def keep(kind: str, model: Any, legacy: bool) -> None:
            enough = self.scores[legacy] - 0.15
            if kind.startswith("random_"):
                enough = min(0.5, enough)
            if works(model, self.net, self.held) < enough:
                print(f"{self.net.name}: {kind} does not answer right", flush=True)
                return
            names = [f.name for f in FORMATS.values() if f.legacy == legacy]
            self._save_twin(kind, model, names[places[legacy] % len(names)])
            places[legacy] += 1

        for legacy in (False, True):
            made = of_weights(self.models[legacy], self.stocks[legacy].other, self.rng)
            for place, (kind, model) in enumerate(made):
                if (place + turn) % 2 == legacy:
                    keep(kind, model, legacy)
        trained = keras, self.net, self.models[False], self.seed + 7, turn
        for kind, model in of_ways(*trained, self.ways):
            keep(kind, model, False)
        for kind, model in of_transfers(*trained) if self.transfers else ():
            keep(kind, model, False)
        self._edited_twins(sound, turn)

    def honest(self, sound: dict[str, Path], turn: int) -> None:
        """Make the twins of this network in formats that change from network to network."""
        new, old = ("keras", "h5", "export", "weights", "ckpt"), ("h5_k2", "saved_k2", "keras_k2")
        for legacy, names in ((False, new), (True, old)):
            stock = self.stocks[legacy]
            made = of_weights(self.models[legacy], stock.other, self.rng)
            for place, (kind, model) in enumerate(made):
                if (place + turn) % 2 == legacy:
                    self._save_twin(kind, model, names[(place // 2 + turn) % len(names)])
        for kind, model in of_training(keras, self.net, self.seed + 7) if turn % 2 == 0 else ():
            for name in {"keras", "h5" if "random" in kind else new[turn % 5]}:
                self._save_twin(kind, model, name)
        for kind, model in of_layers(keras, self.net, self.seed + 9) if turn % 3 == 0 else ():
            self._save_twin(kind, model, "keras")
        self._edited_twins(sound, turn)

    def _edited_twins(self, sound: dict[str, Path], turn: int) -> None:
        for edit, formats in OF_FILES:
            form = FORMATS[formats[turn % len(formats)]]
            folder = self.out / "twins" / f"{edit.__name__}_{self.net.name}_{form.name}"
            shutil.copytree(sound[form.name].parent, folder)
            edit(folder / form.file, self.models[form.legacy], self.stocks[form.legacy])
            self._twin(folder / form.file, edit.__name__, form)

    def _save_twin(self, kind: str, model: Any, name: str) -> None:
        folder = self.out / "twins" / f"{kind}_{self.net.name}_{name}"
        self._twin(self.save(model, FORMATS[name], folder), kind, FORMATS[name])


def _plan(nets: tuple[Net, ...], rng: np.random.Generator) -> list[tuple[Fault, Pairs]]:
    """For each fault, all pairs of network and format in random order."""
    plan = []
    for fault in FAULTS:
        pairs = [(net.name, form) for net in nets for form in fault.formats]
        plan.append((fault, [pairs[i] for i in rng.permutation(len(pairs))]))
    return plan


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--set", type=int, choices=SETS, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="of the faults of each kind")
    parser.add_argument("--only", default="", help="prepare these networks, make no faults")
    options = parser.parse_args()
    nets = SETS[options.set]
    out = options.directory
    if not options.only:
        shutil.rmtree(out / "faults", ignore_errors=True)
    left = {fault.name: math.ceil(fault.count * options.share) for fault in FAULTS}
    plan = _plan(nets, np.random.default_rng(options.seed))
    shops, ways = {}, 3 if options.share == 1 else 1
    for turn, net in enumerate(nets):
        if options.only and net.name not in options.only.split(","):
            continue
        how = {"strict": options.set > 2, "ways": ways, "transfers": options.set > 8}
        shops[net.name] = shop = Shop(out, net, options.seed, **how)
        done = out / "nets" / f"{net.name}.tsv"
        if done.exists():
            with done.open(newline="") as file:
                shop.twins = list(csv.DictReader(file, delimiter="\t"))
        else:
            for folder in (out / "twins").glob(f"*_{net.name}_*"):
                shutil.rmtree(folder)
            (shop.varied if shop.strict else shop.honest)(shop.sound(), turn)
            write_table(done, shop.twins)
        scores = [round(score, 3) for score in shop.scores.values()]
        print(net.name, len(shop.twins), "twins; scores", *scores, flush=True)
    if options.only:
        return
    for fault, pairs in plan:
        for name, form in pairs:
            if not left[fault.name]:
                break
            shop = shops[name]
            sound = {f: out / "twins" / f"sound_{name}_{f}" / FORMATS[f].file for f in FORMATS}
            try:
                shop.fault(fault, FORMATS[form], sound)
            except Unsuited:
                continue
            left[fault.name] -= 1
        print(fault.name, "lacks" if left[fault.name] else "", left[fault.name] or "", flush=True)
    write_table(out / "faults.tsv", [row for shop in shops.values() for row in shop.rows])
    write_table(out / "twins.tsv", [row for shop in shops.values() for row in shop.twins])


if __name__ == "__main__":
    main()
