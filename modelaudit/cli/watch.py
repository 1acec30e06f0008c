"""What a slot notes while it audits a model, so that a later run need not do it again."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from modelaudit.errors import ProbeError
from modelaudit.facts import Artifact, Format, Json
from modelaudit.probe.here import Seen
from modelaudit.probe.protocol import Status
from modelaudit.registry.snapshot import Looker
from modelaudit.schema import Audit
from modelaudit.settings import Limits, Settings
from modelaudit.store.codec import decode, encode, layout

if TYPE_CHECKING:
    from modelaudit.pipeline import Probe

# Endings that another night may not have: the machine was busy, or the runtime did not start.
CHANCE = frozenset({Status.TIMEOUT, Status.MEMORY, Status.UNAVAILABLE})

PAUSE_SECONDS = 0.25  # between two pieces that a writer writes; few pause for longer

SEEN_LAYOUT = layout(Seen)


class Recalled(NamedTuple):
    """What running a model showed (as text), and the state and content of its files then."""

    seen: str
    files: str
    content: str


class Watch:
    """One model while it is audited.

    Args:
        model: what is audited.
        limits: bounds on what is read.
        probe: runs models, if any are run.
        recalled: what is known of running this one.
        asked: the model is to be run, whether or not there is a way.

    Attributes:
        probe: runs the model and remembers what was seen, or recalls what was seen earlier, or
            fails because there is neither; None where nothing is to be run.
    """

    def __init__(
        self,
        model: Path,
        limits: Limits,
        probe: Probe | None,
        recalled: Recalled | None,
        *,
        asked: bool = False,
    ) -> None:
        self._model, self._limits, self._live = model, limits, probe
        self._seen: Seen | None = None
        self._before = Looker(limits).snapshot(model)
        # Times tell nothing about a file that was just written to; its bytes do.
        self._content = "" if self._before.settled else Looker(limits).content(model)
        self._recalled = recalled.seen if recalled and self._same(recalled) else None
        self.probe = self._probe if probe or recalled or asked else None

    def undisturbed(self, *, patient: bool = False) -> bool:
        """Whether the files are still as they were when the audit began.

        With `patient` files that were written to shortly before it began get a moment more: their
        writer may have paused in the middle of one.
        """
        if patient and not self._before.settled:
            time.sleep(PAUSE_SECONDS)
        return Looker(self._limits).snapshot(self._model).files == self._before.files

    def notes(self, audit: Audit) -> dict[str, Json]:
        """What is needed to use the audit again; {} where that would not be right.

        Keys: `files`, `settled` and `content` of the model's files, `seen` as text or "".
        """
        content = Looker(self._limits).content(self._model)
        if not repeatable(audit) or not self.undisturbed():
            return {}
        if self._content not in ("", content):
            return {}
        return {
            "files": self._before.text,
            "settled": self._before.settled,
            "content": content,
            "seen": json.dumps(encode(self._seen)) if self._seen else "",
        }

    def _same(self, recalled: Recalled) -> bool:
        same = self._before.text == recalled.files
        return same and self._content in ("", recalled.content)

    def _probe(self, artifact: Artifact, settings: Settings) -> Seen:
        if self._recalled is not None:
            self._seen = decode(Seen, json.loads(self._recalled))
        elif self._live is not None:
            self._seen = self._live(artifact, settings)
        else:
            raise ProbeError("the model was written to while the run went on")
        return self._seen


def repeatable(audit: Audit) -> bool:
    """Whether the same audit would end the same another time, whatever the machine does."""
    if audit.model.get("format") == Format.UNREADABLE.value:
        return False
    return not any(each.get("status") in CHANCE for each in audit.observations)
