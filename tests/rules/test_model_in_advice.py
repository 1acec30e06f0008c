"""Advice names the audited model, and no name can change what a pasted command does."""

from __future__ import annotations

import ast
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.diagnosis.loading_code import loading_code
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model_in_advice import in_shell, name_model, with_model
from modelaudit.structs import replace

ADVICE = (
    'Load it:\n    keras.models.load_model("MODEL", compile=False)\n    modelaudit audit MODEL --x'
)


def test_code_and_commands_have_the_path():
    assert with_model(ADVICE, "flowers/1 2.h5") == (
        'Load it:\n    keras.models.load_model("flowers/1 2.h5", compile=False)\n'
        "    modelaudit audit 'flowers/1 2.h5' --x"
    )


@given(st.text(min_size=1, max_size=60).filter(str.isprintable))
def test_any_path_is_one_string_and_one_word(path):
    code, command = with_model('f("MODEL")\nmodelaudit audit MODEL', path).split("\n")
    (argument,) = ast.parse(code).body[0].value.args
    assert argument.value == path
    *words, last = shlex.split(command)
    assert words == ["modelaudit", "audit"]
    assert last in {path, f"./{path}"}
    assert not last.startswith("-")


@pytest.mark.parametrize("path", ["a'+run()+'b", "+run()+", "x y", "it's"])
@pytest.mark.parametrize(
    "name", ['"MODEL"', "modelaudit audit MODEL", "a\\'\" modelaudit audit MODEL"]
)
def test_a_name_from_the_file_with_the_placeholder_stays_one_string(name, path):
    code = with_model(f'load("MODEL").get_layer({name!r})', path)
    assert [ast.unparse(x.func) for x in ast.walk(ast.parse(code)) if isinstance(x, ast.Call)] == [
        "load(" + repr(path) + ").get_layer",
        "load",
    ]


@pytest.mark.parametrize("path", ["", "a\nb", "\u202ea", "a\x1b[2J", "a" * 500])
def test_what_a_page_cannot_show_is_left_out(path):
    assert with_model(ADVICE, path) == ADVICE
    assert in_shell(path) == "MODEL"


def test_sentences_about_other_models_stay():
    for text in ("OWNER/MODEL", 'load("MODEL.keras")', "a MODEL of yours", "modelaudit repair X"):
        assert with_model(text, "mine.h5") == text


def test_the_diagnosis_loads_the_model_by_its_path():
    facts = replace(examples.healthy(), path="it's {undo}.keras")
    load = loading_code(facts)
    assert 'load_model("it\'s {undo}.keras"' in load.model
    assert shlex.split(load.own) == ["it's {undo}.keras"]


def test_a_fix_names_the_runtime_that_is_to_load_the_model():
    lost = rule("MA401")
    found = run_rule(lost, lost.bad())
    ((told, *_),) = (each.findings for each in name_model((found,), "a b.h5", "tf==2.21"))
    assert "`modelaudit repair 'a b.h5' --for tf==2.21 --out recalibrated.keras" in told.fix
