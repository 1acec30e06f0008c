"""A FastAPI server that starts only with the model that was saved.

    MODEL=digits.keras uvicorn app:app

At the start, the file is audited without running it, which compares it with its golden record, and
every weight of the loaded model is compared with the file. A server that would answer with another
model ends with the reason.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import keras
import numpy as np
from fastapi import FastAPI, HTTPException

import modelaudit

STATIC = modelaudit.Settings(probe=modelaudit.ProbeSettings(enabled=False))


class WrongModel(RuntimeError):
    """The model is not the one that was saved, or it must not be served."""


def load(path: str) -> keras.Model:
    """The model at `path`, shown to be the one that was saved.

    Raises:
        WrongModel: the file failed its audit, or the loaded weights are not those of the file.
    """
    (audit,) = modelaudit.audit(path, STATIC)  # before anything in the file can run
    if audit.verdict in (modelaudit.Verdict.FAIL, modelaudit.Verdict.INCOMPLETE):
        raise WrongModel(f"{path}: {audit.reason}")
    if not Path(f"{path}.golden.json").exists():
        raise WrongModel(f"{path}: no golden record; write one where the model is saved")
    model = keras.models.load_model(path, compile=False)
    proof = modelaudit.prove_restored(model, path)
    if not proof.faithful:
        raise WrongModel(f"{path}: {proof.describe()}")
    return model


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the model before the first request is accepted."""
    app.state.model = load(os.environ["MODEL"])
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/predict")
def predict(images: list[list[list[list[float]]]]) -> list[int]:
    """The class of each image; images have the shape of the model's input."""
    batch = np.asarray(images, np.float32)
    if batch.shape[1:] != app.state.model.input_shape[1:]:
        raise HTTPException(422, f"each image needs the shape {app.state.model.input_shape[1:]}")
    scores = app.state.model(batch)
    return [int(each) for each in np.argmax(scores, axis=-1)]
