"""Names of layers and weights stand in quotes in every message: one can be a word, as `even`."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

import modelaudit.rules
import modelaudit.runtimes
from modelaudit.facts import Artifact
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts, Rule

RULES = Path(modelaudit.rules.__file__).parent
RUNTIMES = Path(modelaudit.runtimes.__file__).parent
QUOTED = re.compile(r"`[^`\n]*`|\"[^\"\n]*\"|'[^'\n]*'")
CODE = re.compile(r"\n.*", re.DOTALL)


def strings_renamed(value: object, renamed: Callable[[str], str]) -> object:
    """A copy with every text that `renamed` changes, in structs and containers."""
    if isinstance(value, str) and type(value) is str:
        return renamed(value)
    if isinstance(value, msgspec.Struct):
        fields = {
            name: strings_renamed(getattr(value, name), renamed) for name in value.__struct_fields__
        }
        return type(value)(**fields)
    if isinstance(value, Mapping):
        return {
            strings_renamed(key, renamed): strings_renamed(each, renamed)
            for key, each in value.items()
        }
    if isinstance(value, tuple | list | set | frozenset):
        return type(value)(strings_renamed(each, renamed) for each in value)
    return value


def names_of(artifact: Artifact) -> set[str]:
    architecture = artifact.architecture
    layers = architecture.layers if architecture else ()
    return {part for layer in layers for part in layer.route.split("/")}


def with_rare_names(facts: Facts) -> Facts:
    """The same model, with names that are no words."""
    names = sorted(names_of(facts.artifact), key=len, reverse=True)
    if not names:
        return facts
    pattern = re.compile(rf"(?<![^/])(?:{'|'.join(map(re.escape, names))})(?=/|\Z)")
    return strings_renamed(facts, lambda text: pattern.sub(lambda each: f"Q{each[0]}Q", text))


def names_of_nodes(artifact: Artifact) -> set[str]:
    """Names of operations and functions in graphs, but for those that are also kinds of them."""
    bodies = [
        nodes
        for graph in artifact.graphs
        for nodes in (graph.nodes, *(each.nodes for each in graph.functions.values()))
    ]
    kinds = {node.op for nodes in bodies for node in nodes}
    functions = {name for graph in artifact.graphs for name in graph.functions}
    return (functions | {node.name for nodes in bodies for node in nodes}) - kinds


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.code)
def test_every_name_of_a_node_is_quoted(rule: Rule) -> None:
    facts = rule.bad()
    names = names_of_nodes(facts.artifact)
    for finding in run_rule(rule, facts).findings:
        for text in (finding.title, finding.detail, CODE.sub("", finding.fix)):
            bare = QUOTED.sub("", text)
            told = [name for name in names if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", bare)]
            assert finding.code == "MA753" or told == [], text  # "loops forever"


def names_of_files(artifact: Artifact) -> set[str]:
    told = {each.path for each in artifact.files} | {each.file for each in artifact.problems}
    return {artifact.root.name, *told} - {""}


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.code)
def test_every_name_of_a_file_is_quoted(rule: Rule) -> None:
    """One can be a word: `checkpoint names a checkpoint outside its directory`."""
    facts = rule.bad()
    names = names_of_files(facts.artifact)
    for finding in run_rule(rule, facts).findings:
        for text in (finding.title, finding.detail, CODE.sub("", finding.fix)):
            bare = QUOTED.sub("", text)
            told = [name for name in names if re.search(rf"(?<![\w.]){re.escape(name)}", bare)]
            assert told == [], text


def unquoted(facts: Facts, rule: Rule) -> Iterator[str]:
    renamed = with_rare_names(facts)
    for finding in run_rule(rule, renamed).findings:
        for text in (finding.title, finding.detail, CODE.sub("", finding.fix)):
            bare = QUOTED.sub("", text)
            if any(f"Q{name}Q" in bare for name in names_of(facts.artifact)):
                yield text


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.code)
def test_every_name_of_a_layer_is_quoted(rule: Rule) -> None:
    facts = rule.bad()
    assert [*unquoted(facts, rule)] == []


KEYS = {"key", "route"}  # arguments that identify a finding, and are not shown as text


def bare_routes(tree: ast.AST) -> Iterator[str]:
    """Routes in texts of more than one word that are put in without quotes."""
    keys = {
        id(node)
        for each in ast.walk(tree)
        if isinstance(each, ast.keyword) and each.arg in KEYS
        for node in ast.walk(each.value)
    }
    for text in ast.walk(tree):
        if not isinstance(text, ast.JoinedStr) or id(text) in keys:
            continue
        said = "".join(part.value for part in text.values if isinstance(part, ast.Constant))
        before = ""
        for part in text.values:
            if isinstance(part, ast.FormattedValue):
                name = ast.unparse(part.value)
                bare = part.conversion == -1 and not before.endswith(("`", '"', "/"))
                if " " in said and bare and re.fullmatch(r"(.*\.)?route|.*\.routes\[0\]", name):
                    yield f"line {part.lineno}: {name}"
                before = ""
            else:
                before = str(part.value)


@pytest.mark.parametrize(
    "path", sorted([*RULES.rglob("*.py"), *RUNTIMES.rglob("*.py")]), ids=lambda path: path.stem
)
def test_no_sentence_has_a_bare_route(path: Path) -> None:
    assert [*bare_routes(ast.parse(path.read_text(encoding="utf-8")))] == []


def test_names_that_are_words_are_told_from_words() -> None:
    """As "even applies softmax", which reads as if something else were not enough."""
    for rule in CATALOGUE:
        facts = rule.bad()
        names = names_of(facts.artifact)
        for finding in run_rule(rule, facts).findings:
            if names and finding.location.route in names:
                start = finding.detail.split(" ", 1)[0].rstrip(":,")
                assert start not in names, finding.detail
