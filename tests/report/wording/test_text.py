from __future__ import annotations

import math
import re
import unicodedata
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from hypothesis import example, given
from hypothesis import strategies as st

from modelaudit.audit_types.architecture import LayerRow
from modelaudit.report.blocks import (
    COLUMN_GAP,
    PAGE_CHARACTERS,
    Cell,
    Section,
    Table,
    num,
    paragraphs,
    prose,
    spans,
)
from modelaudit.report.sections.architecture import stages
from modelaudit.report.wording import text
from modelaudit.report.wording.json_value import finite_interval, finite_number, plain
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.structs import replace

FONTS = Path(__file__).parents[3] / "templates" / "fonts"
ANY_TEXT = st.text(alphabet=st.characters(), max_size=80)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(ANY_TEXT)
def test_invisible_characters_are_escaped_and_ordinary_text_is_kept(given_text):
    shown = text.printable(given_text)
    for char in shown:
        assert char in "\n\t" or unicodedata.category(char) not in text.INVISIBLE
    shown.encode("utf-8")
    assert text.printable(shown) == shown
    if given_text.isascii() and given_text.isprintable():
        assert shown == given_text


def test_a_right_to_left_override_is_escaped():
    assert text.printable("a\u202egnp.exe") == "a\\u{202E}gnp.exe"


def test_accents_do_not_pile_up():
    piled = "z" + "\u0301" * 9 + "y" + "\u0301"
    assert text.printable(piled) == "z" + "\u0301" * 3 + "\\u{0301}" * 6 + "y\u0301"


@given(ANY_TEXT, st.integers(min_value=4, max_value=60))
def test_shortened_text_keeps_its_limit_and_both_ends(given_text, limit):
    flat = text.one_line(text.printable(given_text))
    short = text.shorten(given_text, limit)
    assert len(short) <= limit
    assert "\n" not in short
    if len(flat) > limit:
        head, tail = short.split("…", 1) if flat.count("…") == 0 else ("", "")
        assert flat.startswith(head)
        assert flat.endswith(tail)
    else:
        assert short == flat
    assert len(text.cut(given_text, limit)) <= limit


@given(st.lists(st.sampled_from(["a", " ", "卷", "\u202e", "\U0001f996"])).map("".join), st.data())
def test_no_escaped_character_is_cut(given_text, data):
    written = "".join(f"\\u{{{ord(c):04X}}}" if ord(c) > 127 else c for c in given_text)
    limit = data.draw(st.integers(4, 60))
    for short in (text.shorten(written, limit), text.cut(written, limit)):
        assert len(short) <= limit
        assert set(re.sub(r"\\u\{[0-9A-F]{4,5}\}", "", short)) <= set("a …")


@given(ANY_TEXT, st.floats(4, 60))
def test_a_fitted_name_is_a_shortened_one(given_text, room):
    short = text.fitted(given_text, room)
    assert len(short) <= room
    assert short in {text.shorten(given_text, limit) for limit in range(1, 61)}


@pytest.mark.parametrize(("letter", "most"), [("n", 20), ("N", 17), ("W", 12), ("卷", 10)])
def test_wide_letters_count_more(letter, most):
    assert text.fitted(letter * most, 20.4) == letter * most
    assert len(text.fitted(letter * 50, 20.4)) in (most, most + 1)  # the ellipsis is narrow
    assert "…" in text.fitted(letter * (most + 1), 20.4)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"), (0, "0"), (1234567, "1,234,567"), (0.98765, "0.988"), (-0.5, "−0.5"),
        (math.nan, "not a number"), (math.inf, "∞"), (1e-7, "1e−07"), (1234.5, "1,234"),
    ],
)  # fmt: skip
def test_numbers(value, shown):
    assert text.number(value) == shown


@given(st.floats(min_value=0, max_value=1))
def test_a_percentage_never_claims_all_or_nothing_wrongly(share):
    shown = text.percent(share)
    assert shown.startswith("100") == (share == 1)
    assert (shown == "0\u00a0%") == (share == 0)


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0\u00a0bytes"), (999, "999\u00a0bytes"), (1000, "1.0\u00a0kB"), (443_120, "443\u00a0kB"),
     (2_500_000_000, "2.5\u00a0GB"), (10**16, "10,000\u00a0TB"), (None, "–")],
)  # fmt: skip
def test_file_sizes(size, shown):
    assert text.file_size(size) == shown


def test_instants():
    assert text.instant("2026-03-14T09:26:53+00:00") == "2026-03-14 09:26 UTC"
    assert text.instant("2026-03-14T09:26:53Z") == "2026-03-14 09:26 UTC"
    assert text.instant("yesterday") == "yesterday"


@given(JSON)
@example(1.0000000000000001e45)
def test_any_json_reads_as_one_line(value):
    shown = plain(value, 60)
    assert isinstance(shown, str)
    assert "\n" not in shown
    assert len(shown) <= 60


@given(JSON)
def test_access_to_json_never_raises(value):
    assert finite_number(value) is None or math.isfinite(finite_number(value))
    assert finite_interval(value) is None or len(finite_interval(value)) == 2


def test_reasons_in_a_list_of_evidence_are_without_markup():
    assert plain([{"text": "axis of `bn` is a list"}, {"text": "old"}]) == (
        "axis of bn is a list; old"
    )


def test_shapes():
    assert text.shape([None, 28, 28, 1]) == "any × 28 × 28 × 1"
    assert text.shape([]) == "scalar"
    assert text.shape(None) == ""


def test_code_is_distinguished_from_prose():
    found = paragraphs("Load `it` so:\n\n    a = 1\n\n    b = 2\nThen go on.\n```\nc\n```")
    assert [p.code for p in found] == [False, True, False, True]
    assert found[1].spans[0].text == "a = 1\n\nb = 2"
    announced = paragraphs("Train again:\nif x:\n    a = 1\n\nThen go on:\n\n    b")
    assert [p.spans[0].text for p in announced if p.code] == ["if x:\n    a = 1", "b"]
    assert [(s.text, s.code) for s in spans("a `b` c")] == [
        ("a ", False),
        ("b", True),
        (" c", False),
    ]


@given(st.lists(st.lists(st.text(max_size=90), min_size=3, max_size=3), max_size=6))
def test_columns_have_the_full_width_of_the_table(cells):
    rows = tuple(tuple(map(num, row)) for row in cells)
    columns = Table("", ("a", "bb", "ccc"), rows).layout()
    assert sum(columns) == pytest.approx(100, abs=0.1)
    assert all(column > 0 for column in columns)


def test_the_column_of_rule_codes_fits_in_the_font_of_the_pdf():
    with TTFont(FONTS / "Inter-Regular.otf") as font:
        glyphs, advances = font.getBestCmap(), font["hmtx"]
        widths = {
            rule.code: sum(advances[glyphs[ord(letter)]][0] for letter in rule.code)
            / font["head"].unitsPerEm
            for rule in CATALOGUE
        }
    character = (210 - 2 * 18) / (8 * 25.4 / 72) / PAGE_CHARACTERS  # of A4 in em of a table
    for code, width in widths.items():
        first, *_ = Table("", ("a", "b"), ((Cell(code), Cell("word " * 120)),)).layout()
        assert first / 100 * PAGE_CHARACTERS - COLUMN_GAP >= width / character, code


def test_width_is_given_to_columns_where_it_saves_lines():
    short, long = "load the whole model", "word " * 120
    rows = ((Cell("tf-keras==2.21.0"), Cell(short), Cell("Loads", mark="loads"), Cell(long)),)
    columns = Table("", ("Runtime", "Call", "Result", "Because"), rows).layout()
    assert columns[3] > 50
    assert columns[0] >= 100 * len("tf-keras==2.21.0") / PAGE_CHARACTERS  # words are not broken


@pytest.mark.parametrize(
    ("rows", "limit", "printed"), [(4, 1, 4), (14, 12, 14), (30, 12, 12), (4, 0, 0), (3, 40, 3)]
)
def test_a_nearly_complete_table_is_printed_completely(rows, limit, printed):
    table = Table("", ("a",), tuple((num(str(n)),) for n in range(rows)), print_rows=limit)
    assert len(table.printed) == printed


def test_a_column_of_numbers_may_have_missing_values():
    rows = (
        (Cell("a"), Cell("–"), Cell("–"), num("1")),
        (Cell("b"), num("2"), Cell("–"), Cell("none")),
    )
    assert Table("", ("a", "b", "c", "d"), rows).numeric == (False, True, False, False)


def test_terms_are_not_explained_for_an_omitted_table():
    terms, plain = prose("What it means.", tone="terms"), prose("Said.")
    table = Table("", ("a",), ((num("1"),),))
    left_out = replace(table, print_rows=0)
    assert Section("x", "X", (plain, terms, table)).printed == (plain, terms, table)
    assert Section("x", "X", (plain, terms, left_out)).printed == (plain,)
    assert Section("x", "X", (plain, left_out)).printed == (plain,)
    assert Section("x", "X", (terms,)).printed == (terms,)


def layer_row(route, class_name, shape, params):
    return LayerRow(
        route=route, class_name=class_name, output_shape=shape, params=params, config_digest=""
    )


def test_a_model_within_the_model_is_no_stage():
    layers = [
        layer_row("in", "InputLayer", (None, 16, 16, 1), 0),
        layer_row("inner", "Functional", (None, 64), 30),
        layer_row("inner/conv", "Conv2D", (None, 16, 16, 4), 30),
        layer_row("head", "Dense", (None, 64), 5),
    ]
    found = stages(layers)
    assert [(stage.size, stage.layers, stage.params) for stage in found] == [
        ("16 × 16", 2, 30),
        ("vector", 1, 5),
    ]
