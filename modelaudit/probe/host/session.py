"""A model in a runtime: requests to the child, and validated answers.

Failures are values: if a model raises an error, crashes, hangs or runs out of memory, the result is
an `Observation`. After the child has died, all further requests return the same one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from numpy.typing import NDArray

from modelaudit.audit_types.loading import Status
from modelaudit.errors import ProbeError
from modelaudit.facts import Json
from modelaudit.probe.child import frames
from modelaudit.probe.host.channel import Channel, ChildEnded
from modelaudit.probe.host.feed import ActivationRequest, Feed
from modelaudit.probe.host.scratch_dirs import remove
from modelaudit.probe.host.validation import (
    NAME,
    TEXT,
    UntrustedAnswer,
    details,
    digest,
    error_text,
    failure_text,
    items,
    mapping,
    port,
    require,
    text,
)
from modelaudit.probe.protocol import Observation, VariableDigest
from modelaudit.structs import replace
from modelaudit.terminal_text import plain

Array = NDArray[Any]
Outputs = dict[str, Array]
T = TypeVar("T")

HELLO = "hello"  # sent by the child without a request
OUT_OF_MEMORY = ("ResourceExhaustedError", "MemoryError")


class Session:
    """A child with (after `load`) a model. Use as a context manager, or call `close`.

    Attributes:
        observation: result of the last attempt to load.
        attempts: one observation per loading call tried.
        rows: number of samples of each stored input.
    """

    def __init__(
        self,
        start: Observation,
        model: Mapping[str, Json],
        channel: Channel | None,
        scratch: Path | None = None,
    ) -> None:
        self.observation = start
        self.attempts: tuple[Observation, ...] = ()
        self.rows: dict[str, int] = {}
        self._model = dict(model)
        self._channel = channel
        self._scratch = scratch
        self._blank = start
        self._dead = start if channel is None else None
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child and remove its files. Can be called repeatedly."""
        if self._dead is None:
            self._dead = replace(self._blank, status=Status.REFUSED, error="session closed")
        if self._channel is not None:
            self._channel.close()
        if self._scratch is not None:
            remove(self._scratch)

    @property
    def alive(self) -> bool:
        """Whether the child can answer requests."""
        return self._dead is None

    def greet(self) -> None:
        """Wait for the child's first message: its sandbox, and whether it will run a model."""
        self._ask(HELLO, {}, {}, lambda *_: None)
        if self._dead is not None:
            self.observation = self._dead

    def load(self, calls: Sequence[str], values: Mapping[str, Array] | None = None) -> Observation:
        """Try the calls in order until one loads the model, of `values`; then describe it."""
        for call in calls:
            self._blank = replace(self._blank, call=call)
            failed = self._ask("load", {**self._model, "call": call}, values or {}, lambda *_: None)
            seen = self._describe() if failed is None else failed
            self.attempts += (seen,)
            self.observation = seen
            if seen.status is Status.LOADED or self._dead is not None:
                break
        return self.observation

    def _describe(self) -> Observation:
        def checked(header: dict[str, Any], _: Outputs) -> Observation:
            layers = [mapping(entry) for entry in items(header.get("layers"))]
            return replace(
                self._observe(Status.LOADED),
                inputs=tuple(port(entry) for entry in items(header.get("inputs"))),
                outputs=tuple(port(entry) for entry in items(header.get("outputs"))),
                layers={text(entry.get("route")): text(entry.get("class")) for entry in layers},
                details={text(entry.get("route")): details(entry) for entry in layers},
                notes=tuple(text(note) for note in items(header.get("notes"))),
            )

        return self._ask("describe", {}, {}, checked)

    def digests(self) -> tuple[VariableDigest, ...] | Observation:
        """SHA-256 of each variable of the restored model; "" for objects other than strings."""

        def checked(header: dict[str, Any], _: Outputs) -> tuple[VariableDigest, ...]:
            return tuple(digest(entry) for entry in items(header.get("digests")))

        return self._ask("digests", {}, {}, checked)

    def variables(self, paths: Iterable[str]) -> Outputs | Observation:
        """Values of variables, by their paths in `digests`; bfloat16 as float32."""
        wanted = list(paths)

        def checked(_: dict[str, Any], arrays: Outputs) -> Outputs:
            require(set(arrays) == set(wanted), "other variables than requested")
            return arrays

        return self._ask("variables", {"paths": wanted}, {}, checked)

    def put(self, arrays: Mapping[str, Array], *, drop: Iterable[str] = ()) -> Observation | None:
        """Store inputs in the child by name; the first axis is the batch axis."""
        dropped = list(drop)
        answer = self._ask("put", {"drop": dropped}, arrays, lambda *_: None)
        if answer is None:
            for name in dropped:
                self.rows.pop(name, None)
            self.rows.update({name: len(array) for name, array in arrays.items()})
        return answer

    def predict(
        self,
        feeds: Sequence[Feed],
        *,
        batch_size: int = 32,
        training: bool | None = False,
        rows: int | None = None,
        traced: bool = True,
    ) -> Outputs | Observation:
        """Outputs by name, with one row per sample; string outputs are omitted.

        Args:
            batch_size: samples per batch.
            training: value of the training flag. None calls the model without the flag, so that
                flags saved in it apply. Graphs and signatures have no flag; False is then None.
            rows: number of samples to use, from the first on; None for all.
            traced: False calls a Keras model layer by layer, as for any flag other than False. In
                half precision, results can differ from those of the traced graph by rounding.
        """
        request = self._run(feeds, batch_size, training) | {"traced": traced}
        request["rows"] = expected = self._expected_rows(feeds, rows)

        def checked(_: dict[str, Any], arrays: Outputs) -> Outputs:
            for array in arrays.values():
                require(array.ndim > 0 and len(array) == expected, "an output of another length")
            return arrays

        return self._ask("predict", request, {}, checked)

    def activations(
        self,
        feeds: Sequence[Feed],
        watches: Sequence[ActivationRequest],
        *,
        batch_size: int = 32,
        training: bool | None = False,
    ) -> tuple[Outputs, ...] | Observation:
        """Outputs or inputs of a Keras model's layers in one pass: for each watch, route -> values.

        A layer's second call in a pass is `route@1`. Statistics are, instead of the values,
        `route:mean`, `:var` (population), `:min`, `:max` per channel over samples and positions,
        and `:count`. Unknown routes are missing from the answer.
        """
        request = self._run(feeds, batch_size, training)
        request["watches"] = [
            {"routes": [*each.routes], "into": each.into, "statistics": each.statistics}
            for each in watches
        ]

        def checked(_header: dict[str, Any], arrays: Outputs) -> tuple[Outputs, ...]:
            found: list[dict[str, Array]] = [{} for _ in watches]
            for key, values in arrays.items():
                index, _slash, call = key.partition("/")
                require(index in map(str, range(len(watches))), "a watch that was not requested")
                watch = watches[int(index)]
                route = call.rpartition(":")[0] if watch.statistics else call
                known = route in watch.routes or route.rpartition("@")[0] in watch.routes
                require(known, "a layer that was not requested")
                found[int(index)][call] = values
            return tuple(found)

        return self._ask("activations", request, {}, checked)

    def refit(
        self,
        feeds: Sequence[Feed],
        layers: Mapping[str, tuple[str, str]],
        *,
        rows: int | None = None,
    ) -> Observation | None:
        """Set the statistics of BatchNormalization layers to those of their inputs.

        All inputs are one batch, and each layer is refitted before it runs. `restore` undoes this.

        Args:
            layers: route -> paths of the variables of mean and variance.
            rows: number of samples to use, from the first on; None for all.
        """
        together = self._expected_rows(feeds, rows)
        request = self._run(feeds, together, training=False) | {"rows": together}
        asked = {route: list(paths) for route, paths in layers.items()}
        return self._ask("refit", request | {"layers": asked}, {}, lambda *_: None)

    def assign(self, values: Mapping[str, Array]) -> Observation | None:
        """Overwrite variables of this copy of the model; `restore` undoes it."""
        return self._ask("assign", {}, values, lambda *_: None)

    def restore(self) -> Observation | None:
        """Reset all changed variables to their loaded values."""
        return self._ask("restore", {}, {}, lambda *_: None)

    def compile(self, training: str, *, archive: bool) -> Observation | None:
        """Compile a Keras model with `training`, the settings in its file, as `load_model` does."""
        request = {"training": training, "archive": archive}
        return self._ask("compile", request, {}, lambda *_: None)

    def save(self, suffix: str) -> bytes | Observation:
        """The bytes of a Keras model's file as its Keras saves it; `suffix` is .h5 or .keras."""

        def checked(_: dict[str, Any], arrays: Outputs) -> bytes:
            require(set(arrays) == {"file"}, "something else than a file")
            return bytes(arrays["file"])

        return self._ask("save", {"suffix": suffix}, {}, checked)

    def _run(self, feeds: Sequence[Feed], batch_size: int, training: bool | None) -> dict[str, Any]:
        if batch_size < 1:
            raise ProbeError(f"a batch of {batch_size} samples")
        described = [{"put": f.put, "transform": f.transform.as_json()} for f in feeds]
        return {"feeds": described, "batch_size": batch_size, "training": training}

    def _expected_rows(self, feeds: Sequence[Feed], most: int | None = None) -> int:
        unknown = [feed.put for feed in feeds if feed.put not in self.rows]
        if unknown or not feeds:
            raise ProbeError(f"inputs were not stored before: {unknown}")
        given = min(self.rows[feed.put] for feed in feeds)
        return given if most is None else min(given, most)

    def _ask(
        self,
        verb: str,
        request: Mapping[str, Any],
        arrays: Mapping[str, Array],
        checked: Callable[[dict[str, Any], Outputs], T],
    ) -> T | Observation:
        """Send a request; return the validated answer, or the observation of a failure."""
        if self._dead is not None:
            return self._dead
        try:
            header, results = self._exchange(verb, request, arrays)
            if header.pop("ok"):
                return checked(header, results)
        except ChildEnded as end:
            self._dead = self._observe(end.status, end.error_type, end.error, end.signal)
            return self._dead
        except frames.FrameError as error:
            raise ProbeError(f"{verb}: {error}") from error
        except UntrustedAnswer as error:
            self.close()
            reason = f"the child answered {verb} with {error}"
            self._dead = self._observe(Status.CRASHED, "ProtocolError", reason)
            return self._dead
        return self._refusal(verb, header)

    def _exchange(
        self, verb: str, request: Mapping[str, Any], arrays: Mapping[str, Array]
    ) -> tuple[dict[str, Any], Outputs]:
        if self._channel is None:
            raise ProbeError("request to a session without a child")
        if verb != HELLO:
            return self._channel.ask(verb, request, arrays)
        header = self._channel.hello()
        versions = mapping(header.get("versions", {}))
        sandbox = mapping(header.get("sandbox", {}))
        self._blank = replace(
            self._blank,
            versions={text(key): text(value) for key, value in versions.items()},
            sandbox={
                **self._blank.sandbox,
                **{text(k): v if v is True else text(v) for k, v in sandbox.items()},
            },
        )
        return header, {}

    def _refusal(self, verb: str, header: dict[str, Any]) -> Observation:
        """The observation for a negative answer."""
        if verb == HELLO:
            refused = header.get("refused")
            if refused is not None:
                reason = f"--require-sandbox, and the sandbox lacks {text(refused)}"
                self._dead = self._observe(Status.REFUSED, "", reason)
            else:
                reason = error_text(header.get("error"))
                self._dead = self._observe(
                    Status.UNAVAILABLE, str(header.get("error_type"))[:NAME], reason
                )
            return self._dead
        kind = str(header.get("error_type"))[:NAME]
        status = Status.MEMORY if kind in OUT_OF_MEMORY else Status.FAILED
        return self._observe(status, kind, failure_text(kind, header.get("error")))

    def _observe(
        self, status: Status, error_type: str = "", error: str = "", signal: int | None = None
    ) -> Observation:
        return replace(
            self._blank,
            status=status,
            error_type=plain(error_type),
            error=plain(error)[:TEXT],
            signal=signal,
            log=plain(self._channel.log) if self._channel else "",
            seconds=time.monotonic() - self._start,
            peak_memory=self._channel.peak if self._channel else 0,
        )
