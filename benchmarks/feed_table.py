"""Compares what was said about each feed with what was done to it, and prints the tables."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from feed_cases import Bench, Case, Predict, accuracy, benches, cases_of, predictor
from feed_forms import TURNS, VALUES, Feed, Floats, corrected, corrections

from modelaudit.diagnosis.procedure import FAULTS
from modelaudit.measures.statistics import wilson

COUNTED, HARMLESS, SLACK = 0.10, 0.05, 0.02
TURN, VALUE, LABEL = "orientation-mismatch", "input-domain", "labels-renumbered"


@dataclass(frozen=True)
class Answer:
    """What an audit said of a case: causes with their transforms, best first; how it ended."""

    causes: tuple[tuple[str, str], ...]
    verdict: str
    exit: int
    right: bool
    why: str  # if it is not right

    @property
    def accused(self) -> bool:
        """Whether the first cause is a fault, or any cause a fault of the feed."""
        first = self.causes[0][0] in FAULTS if self.causes else False
        return first or any(cause in {TURN, VALUE, LABEL} for cause, _ in self.causes)


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
    x = corrected(start, [*([feed.turn] if feed.turn else []), *turns])
    return np.array_equal(x, start) or (mirrored and np.array_equal(x, start[:, :, ::-1]))


def judged(
    feed: Feed, bench: Bench, sound: float, causes: Sequence[tuple[str, str]],
    predict: Callable[[], Predict],
) -> str:  # fmt: skip
    """Why the feed is not named; empty if it is.

    Args:
        feed: what was done.
        bench: the network and its images.
        sound: its accuracy on the sound feed.
        causes: what was said, best first: causes and their transforms.
        predict: loads the network.
    """
    some = causes[: considered(feed, bench.own)]
    names: list[str] = []
    for _, transform in some:
        parts = corrections(transform)
        if parts is None:
            return f"unknown correction {transform}"
        names += parts
    turns = [name for name in names if name in TURNS]
    values = [name for name in names if name in VALUES]
    said = {cause for cause, _ in some}
    said |= {TURN} if turns else set()
    said |= {VALUE} if values else set()
    if missing := asked(feed) - said:
        return f"not named: {', '.join(sorted(missing))}"
    if (turns or feed.turn) and not undone(feed, turns, mirrored=bench.mirrored):
        return f"other orientation: {' '.join(turns)}"
    if values or VALUE in asked(feed):
        held = bench.measured
        upright = Feed("", "", feed.convention, feed.swapped)
        x = corrected(upright.images(held.test_x, bench.own), values)
        reached = accuracy(predict(), x, held.test_y)
        if reached < sound - SLACK:
            return f"other values: {' '.join(values)} reaches {reached:.1%} of {sound:.1%}"
    return ""


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
            causes = tuple((cause, transform) for cause, transform in row["causes"])
            feed = ways[case.feed]
            why = judged(feed, bench, case.sound, causes, predict) if feed.faults else ""
            answer = Answer(causes, row["verdict"], row["exit"], not why, why)
            answers.append((case, feed, answer))
    _sums(answers)
    _table("fault", answers, lambda case: _kind(case.feed))
    _table("network", answers, lambda case: f"{case.net} ({case.sound:.0%})")
    _others(answers)


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


def _sums(answers: Sequence[Scored]) -> None:
    alone = {(case.net, case.feed): case.cost for case, _, _ in answers}
    for low, high, words in ((COUNTED, 2.0, "10 points or more"), (HARMLESS, COUNTED, "5 to 10")):
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
        said = "; ".join(" ".join(each) for each in answer.causes[:3])
        ending = f"{case.key}, cost {case.cost:.1%}: {answer.why} [{said}] {answer.verdict}"
        if not feed.faults and answer.causes and answer.causes[0][0] in FAULTS:
            print("sound, first cause a fault:", ending)
        elif not feed.faults and answer.accused:
            print("sound, accused:", ending)
        elif feed.faults and case.cost >= HARMLESS and not answer.right:
            print("not named:", ending)
        elif feed.faults and case.labelled and case.cost >= COUNTED and answer.verdict == "pass":
            print("passed:", ending)
