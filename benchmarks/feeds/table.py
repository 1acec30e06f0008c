"""Compares what was said about each feed with what was done to it, and prints the tables."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np

from benchmarks.feeds.cases import Bench, Case, Predict, accuracy, benches, cases_of, predictor
from benchmarks.feeds.forms import TURNS, Feed, Floats
from modelaudit.diagnosis.procedure import FAULTS
from modelaudit.measures.input_corrections import words_of
from modelaudit.measures.statistics import wilson
from modelaudit.measures.value_transforms import JOIN, domain_transforms

COUNTED, HARMLESS, SLACK = 0.10, 0.05, 0.02
# Lines that load the model and call it; the others change the images.
LOADING = ("import", "from", "predict", "model", "serve", "def", "    ")
TURN, VALUE, LABEL = "orientation-mismatch", "input-domain", "labels-renumbered"


@dataclass(frozen=True)
class Said:
    """One cause of a diagnosis: its name, its transform, and the code that undoes it.

    `texts` are its evidence, which names orientations that the model does not tell apart.
    """

    cause: str
    transform: str
    code: str
    texts: tuple[str, ...] = ()

    def tells(self, turn: str) -> bool:
        """Whether an orientation, instead of the one named, is said to be as good."""
        rest = [part for part in self.transform.split(JOIN) if part not in TURNS]
        words = words_of(JOIN.join([turn, *rest]))
        told = (text for text in self.texts if "cannot distinguish" in text)
        return any(words in re.split(r" images |, |\.$", text) for text in told)

    def undo(self, x: Floats) -> Floats:
        """The images (n, H, W, C) after the lines of the code that change them."""
        lines = self.code.splitlines()
        steps = [line for line in lines if not line.startswith(LOADING)]
        held = {"np": np, "images": x}
        exec("\n".join(steps), held)  # the advice of the diagnosis, as a reader would paste it
        return np.ascontiguousarray(held["images"], np.float32)


@dataclass(frozen=True)
class Answer:
    """What an audit said of a case: causes, best first; and how it ended."""

    causes: tuple[Said, ...]
    verdict: str
    why: str  # empty if the feed is named
    alike: bool  # right but for what cannot be known: see `judged`

    @property
    def right(self) -> bool:
        return not self.why

    @property
    def accused(self) -> bool:
        """Whether the first cause is a fault, or any cause one of the feed."""
        first = bool(self.causes) and self.causes[0].cause in FAULTS
        return first or any(each.cause in {TURN, VALUE, LABEL} for each in self.causes)


Scored = tuple[Case, Feed, Answer]


def asked(feed: Feed) -> set[str]:
    """The kinds of causes that have to be named."""
    kinds = ((TURN, feed.turn), (VALUE, feed.convention or feed.swapped), (LABEL, feed.renumbered))
    return {kind for kind, done in kinds if done}


def considered(feed: Feed, own: str) -> int:
    """The number of causes that may name it: a convention can change scale and channel order."""
    both = feed.convention and "caffe" in {feed.convention, own}
    return 2 if both else max(1, feed.faults)


def undone(feed: Feed, turns: Sequence[str], *, mirrored: bool) -> bool:
    """Whether the turns undo the feed's, up to a mirror image if `mirrored`."""
    start: Floats = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    x = start
    for name in (feed.turn, *turns):
        x = TURNS[name](x) if name else x
    return np.array_equal(x, start) or (mirrored and np.array_equal(x, start[:, :, ::-1]))


def judged(
    feed: Feed, bench: Bench, sound: float, causes: Sequence[Said], predict: Callable[[], Predict]
) -> tuple[str, bool]:
    """Why the feed is not named, empty if it is; and whether what is missing cannot be known.

    That is a mirror image that changes nothing, or that the answer names as indistinguishable; or
    brightness and contrast that standardising each image lost, if no other values reach more.

    Args:
        feed: what was done.
        bench: the network and its images.
        sound: its accuracy on the sound feed.
        causes: what was said, best first.
        predict: loads the network.
    """
    some = causes[: considered(feed, bench.own)]
    if missing := asked(feed) - {each.cause for each in some}:
        return f"not named: {', '.join(sorted(missing))}", False
    # Only the first of several causes with one transform has the code that undoes it.
    named = {each.transform: each for each in some[::-1] if each.cause in {TURN, VALUE}}
    x = feed.images(bench.measured.test_x, bench.own)
    for each in named.values():
        x = each.undo(x)
    parts = [part for transform in named for part in transform.split(" + ")]
    turns = [part for part in parts if part in TURNS]
    exact = undone(feed, turns, mirrored=bench.mirrored)
    told = [turn for turn in TURNS if undone(feed, [turn], mirrored=False)]
    among = any(each.tells(turn) for each in some for turn in told if each.cause == TURN)
    if not exact and not undone(feed, turns, mirrored=True):
        return f"other orientation: {' '.join(turns)}", among
    if named and (len(turns) < len(parts) or not exact):
        reached, asked_for = accuracy(predict(), x, bench.measured.test_y), sound
        if feed.swapped:  # exchanging channels of scaled values leaves the means exchanged
            exchanged = Feed("", swapped=True).images(bench.measured.test_x, bench.own)
            back = np.ascontiguousarray(exchanged[..., ::-1])
            asked_for = min(sound, accuracy(predict(), back, bench.measured.test_y))
        if reached < asked_for - SLACK:
            lost = (
                feed.convention == "standard" and reached >= _most(feed, bench, predict()) - SLACK
            )
            text = f"{' + '.join(parts)} reaches {reached:.1%} of {asked_for:.1%}"
            return text, lost or (among and not exact)
    return ("", False) if exact else (f"mirrored besides: {' '.join(turns)}", True)


def _most(feed: Feed, bench: Bench, predict: Predict) -> float:
    """The accuracy that other values reach at most, in the right orientation."""
    x = Feed("", convention=feed.convention, swapped=feed.swapped).images(
        bench.measured.test_x, bench.own
    )
    given = accuracy(predict, x, bench.measured.test_y)
    best = max(
        accuracy(predict, d.apply(x), bench.measured.test_y) for d in domain_transforms(x, 3)
    )
    return best if best >= given + COUNTED else 2.0  # else nothing names them


def report(data: Path, root: Path, only: str) -> None:
    """Print the tables of the cases audited so far, and every case that is not as it should be."""
    answers: list[Scored] = []
    for bench in benches(data, root, only):
        ways = {feed.name: feed for feed in bench.feeds}
        predict = cache(lambda path=bench.path: predictor(path))
        for case in cases_of(root, f"^{bench.name}$"):
            kept = root / "found" / f"{case.key}.json"
            if not kept.exists():
                continue
            row = json.loads(kept.read_text(encoding="utf-8"))
            causes = tuple(said(each) for each in row["diagnosis"]["causes"])
            feed = ways[case.feed]
            why, alike = "", False
            if feed.faults:
                why, alike = judged(feed, bench, case.sound, causes, predict)
            answers.append((case, feed, Answer(causes, row["verdict"], why, alike)))
    _sums(answers, {(case.net, case.feed): case.cost for case in cases_of(root, only)})
    _table("fault", answers, lambda case: _kind(case.feed))
    _table("network", answers, lambda case: f"{case.net} ({case.sound:.0%})")
    _others(answers)


class _Step(TypedDict):
    code: NotRequired[str]


class _Evidence(TypedDict):
    text: str


class _Cause(TypedDict):
    cause: str
    transform: NotRequired[str]
    next_steps: list[_Step]
    evidence: list[_Evidence]


def said(cause: _Cause) -> Said:
    codes = [step.get("code", "") for step in cause["next_steps"]]
    code = next((code for code in codes if "images = " in code), "")
    texts = tuple(each["text"] for each in cause["evidence"])
    return Said(cause["cause"], cause.get("transform", ""), code, texts)


def _kind(feed: str) -> str:
    words = feed.split()
    return (
        " ".join(words[: words.index("values")] + ["other values"]) if "values" in words else feed
    )


def _column(case: Case, feed: Feed) -> str:
    if feed.faults > 1:
        return "two, 64 labelled"
    return "one, 64 labelled" if case.labelled else "one, 256 unlabelled"


COLUMNS = ("one, 64 labelled", "one, 256 unlabelled", "two, 64 labelled")


def _sums(answers: Sequence[Scored], alone: Mapping[tuple[str, str], float]) -> None:
    """Print how many are named; `alone` is the cost of each feed of each network."""
    for low, high, words in (
        (COUNTED, np.inf, "10 points or more"),
        (HARMLESS, COUNTED, "5 to 10"),
    ):
        for column in COLUMNS:
            some = [
                each
                for each in answers
                if each[1].faults and _column(*each[:2]) == column and low <= each[0].cost < high
            ]
            _named(f"cost {words}, {column}", some)
            if "two" in column:
                parts = [
                    each
                    for each in some
                    if all(alone[each[0].net, x] >= HARMLESS for x in each[0].feed.split(", "))
                ]
                _named("  of these, each of the two costs 5 points or more alone", parts)
    for words, size in (("64 labelled", True), ("256 unlabelled", False)):
        sound = [a.accused for case, f, a in answers if not f.faults and case.labelled == size]
        print(f"sound feeds accused, {words}: {sum(sound)} of {len(sound)}")
    costly = [
        answer.verdict
        for case, feed, answer in answers
        if feed.faults and case.labelled and case.cost >= COUNTED
    ]
    print("verdicts of labelled feeds that cost 10 points or more:", dict(Counter(costly)))


def _named(words: str, some: Sequence[Scored]) -> None:
    if some:
        right = sum(answer.right for _, _, answer in some)
        low, high = wilson(right, len(some))
        share = f"{right / len(some):.0%}, {low:.0%} to {high:.0%}"
        if alike := sum(answer.alike for _, _, answer in some):
            share += f"; {alike} more but for what cannot be known"
        print(f"{words}: {right} of {len(some)} named ({share})")


def _table(head: str, answers: Sequence[Scored], key: Callable[[Case], str]) -> None:
    print(f"\n| {head} | {' | '.join(COLUMNS)} | cost 5 to 10 | sound accused |\n|{'---|' * 6}")
    for row in dict.fromkeys(key(case) for case, _, _ in answers):
        cells = []
        mine = [each for each in answers if key(each[0]) == row]
        for column in COLUMNS:
            some = [
                answer.right for case, feed, answer in mine
                if feed.faults and case.cost >= COUNTED and _column(case, feed) == column
            ]  # fmt: skip
            cells.append(f"{sum(some)} of {len(some)}" if some else "")
        small = [
            answer.right for case, feed, answer in mine
            if feed.faults and HARMLESS <= case.cost < COUNTED
        ]  # fmt: skip
        sound = [answer.accused for _, feed, answer in mine if not feed.faults]
        cells += [f"{sum(some)} of {len(some)}" if some else "" for some in (small, sound)]
        print(f"| {row} | {' | '.join(cells)} |")


def _others(answers: Sequence[Scored]) -> None:
    print()
    for case, feed, answer in answers:
        said = "; ".join(f"{each.cause} {each.transform}".strip() for each in answer.causes[:3])
        ending = f"{case.key}, cost {case.cost:.1%}: {answer.why} [{said}] {answer.verdict}"
        if not feed.faults and answer.causes and answer.causes[0].cause in FAULTS:
            print("sound, first cause a fault:", ending)
        elif not feed.faults and answer.accused:
            print("sound, accused:", ending)
        elif feed.faults and case.cost >= HARMLESS and not answer.right:
            print("not named:", ending)
        elif feed.faults and case.labelled and case.cost >= COUNTED and answer.verdict == "pass":
            print("passed:", ending)
