"""What is predicted of reading a checkpoint into a model that Keras 3 has built."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modelaudit.formats.reader import read
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest, Prediction
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

DATA = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)


def predicted(path: Path, code: Path | None) -> Prediction:
    """By the file, and by the code of the program if it is given."""
    given = read_source_code([str(code)]) if code else None
    asked = [(as_installed(find_profile("tf==2.21.0")), LoadRequest(LoadCall.RESTORE))]
    return next(iter(predict_calls(read(path, Limits()), asked, given)))
