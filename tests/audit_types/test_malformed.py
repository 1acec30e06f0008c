"""A file that is no audit ends as one clear error that names the file and the place in it."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit import schema
from modelaudit.errors import SchemaError

TEXT = (Path(__file__).parent / "earlier" / "partial_restore.json").read_text(encoding="utf-8")


def changed(path: str, value: object) -> bytes:
    """The audit with another value at a path like `behaviour.outputs.0.name`."""
    data = json.loads(TEXT)
    owner: Any = data
    *above, last = path.split(".")
    for key in above:
        owner = owner[int(key) if key.isdigit() else key]
    owner[last] = value
    return json.dumps(data).encode()


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("behaviour.outputs.0.name", 3, "Expected `str`, got `int` - at `$.behaviour.outputs[0]"),
        ("behaviour.outputs.0.transforms.0.agreement", 1.5, "<= 1.0 - at `$.behaviour.outputs"),
        ("weights.tensors.0.min", "low", "at `$.weights.tensors[0].min`"),
        ("weights.tensors.0.min", True, "at `$.weights.tensors[0].min`"),
        ("weights.tensors.0.min", 10**400, "000… is out of range"),
        ("weights.tensors.0.zeros", -1, "Expected `int` >= 0 - at `$.weights.tensors[0].zeros`"),
        ("weights.tensors.0.shape", [3, None], "at `$.weights.tensors[0].shape[1]`"),
        ("model.slug", "../../etc", "at `$.model.slug`"),
        ("verdict", "excellent", "Invalid enum value 'excellent' - at `$.verdict`"),
        ("findings", {}, "Expected `array`, got `object` - at `$.findings`"),
        ("findings.0.code", "rm -rf", "at `$.findings[0].code`"),
        ("architecture.dialect", "keras9", "at `$.architecture.dialect`"),
        ("symmetry", None, "at `$.symmetry`"),
        ("created", "yesterday", "at `$.created`"),
    ],
    ids=itertools.count(),
)  # fmt: skip
def test_what_does_not_fit_is_named_with_its_place(tmp_path, path, value, said):
    file = tmp_path / "audit.json"
    file.write_bytes(changed(path, value))
    with pytest.raises(SchemaError, match="^" + re.escape(f"{file}: ")) as caught:
        schema.load(file)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "written",
    [
        TEXT.encode()[:-100],
        TEXT.encode("utf-16"),
        TEXT.encode().replace(b'"verdict"', b'"verdict\xff"'),
        TEXT.encode().replace(b'"bytes": ', b'"bytes": 1e999, "x": ', 1),
        TEXT.encode().replace(b'"bytes": ', b'"bytes": NaN, "x": ', 1),
        changed("behaviour.dead", {"\ud800": "\udfff"}),
        changed("weights.\ud800", 1),
        TEXT.encode().replace(b'"evidence": {', b'"evidence": {"deep": ' + b"[" * 10**6, 1),
        TEXT.encode().replace(b'"bytes": ', b'"bytes": ' + b"9" * 5000, 1),
        b'{"schema_version": "1.0"' + b', "findings": []' * 10**5,
    ],
    ids=["cut", "utf-16", "no utf-8", "1e999", "NaN", "surrogates", "key", "deep", "long", "open"],
)
def test_what_cannot_be_read_at_all_is_one_error(tmp_path, written):
    file = tmp_path / "audit.json"
    file.write_bytes(written)
    with pytest.raises(SchemaError, match="^" + re.escape(f"{file}: ")):
        schema.load(file)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
LEAVES = ("tool", "model", "exit", "findings.0", "skipped.0", "architecture.layers.1", "weights")
DEEPER = ("symmetry.layers.0", "behaviour.inputs", "behaviour.outputs.0.collapse", "restore")


@given(st.sampled_from(LEAVES + DEEPER), st.data(), JSON)
def test_any_value_anywhere_is_read_or_refused(path, data, value):
    owner: Any = json.loads(TEXT)
    for key in path.split("."):
        owner = owner[int(key) if key.isdigit() else key]
    key = data.draw(st.sampled_from(sorted(owner)))
    try:
        audit = schema.loads(changed(f"{path}.{key}", value).decode())
    except SchemaError as error:
        assert "\n" not in str(error)
    else:
        schema.dumps(audit)
