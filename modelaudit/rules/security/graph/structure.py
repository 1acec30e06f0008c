"""MA751, MA752, MA755 and MA756: other content that a graph can hide."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Graph, GraphNode
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules.examples import model, tensor
from modelaudit.rules.grammar import times
from modelaudit.rules.grouped import LISTED
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.security.config.paths import leads_out
from modelaudit.rules.security.graph.access import lowered
from modelaudit.rules.security.graph.examples import constant, graph_facts, graph_with, harmless
from modelaudit.rules.security.graph.operations import GraphOperation, graph_file, operations
from modelaudit.rules.security.graph.reachability import Reach, every_node
from modelaudit.rules.security.op_threats import NATIVE, OF_TENSORRT, RUNS_GRAPH, WATCHED
from modelaudit.structs import replace

_LISTS = ("layer_names", "weight_names_missing")


def check_embedded(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Graphs inside string constants, and graphs that are built when the model runs."""
    held = operations(facts.artifact)
    for operation in held.watched:
        if operation.node.op == RUNS_GRAPH and not held.embedded:
            when = f"run by {operation.via}" if operation.via else "not run by anything in the file"
            yield rule.finding(
                f"{RUNS_GRAPH} runs a graph that cannot be inspected; {when}.",
                file=graph_file(facts.artifact),
                route=operation.route,
                evidence={"op": RUNS_GRAPH, "reached": operation.via or None},
                key=RUNS_GRAPH,
                severity=lowered(rule.severity, 2) if operation.reach is Reach.DEAD else None,
            )
    for found in held.embedded:
        ops = sorted({node.op for _, node in every_node(found.graph)})
        reaching = [op for op in ops if op in WATCHED]
        names = f", including {', '.join(reaching[:8])}" if reaching else ""
        yield rule.finding(
            f"The constant `{found.where}` contains a graph with {len(ops)} kinds of "
            f"operation{names}.",
            file=graph_file(facts.artifact),
            route=f"nested/{found.where}",
            evidence={"ops": [*ops[:64]], "reached": found.via or None},
            key="nested",
            severity=lowered(rule.severity, 2) if found.reach is Reach.DEAD else None,
        )


def check_foreign(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """One finding for the operations that TensorFlow does not have and the same thing runs.

    They usually are of one library. Operations that call native code have a finding each.
    """
    uses: dict[str, list[GraphOperation]] = {}
    for operation in operations(facts.artifact).foreign:
        uses.setdefault(operation.node.op, []).append(operation)
    together: dict[tuple[str, bool, str], dict[str, list[GraphOperation]]] = {}
    for op, found in uses.items():
        live = [each for each in found if each.reach is not Reach.DEAD]
        first = (live or found)[0]
        key = ("TensorRT" if op in OF_TENSORRT else op * (op in NATIVE), bool(live), first.via)
        together.setdefault(key, {})[op] = [first, *(each for each in found if each is not first)]
    for (native, alive, via), group in together.items():
        op, (first, *_) = next(iter(group.items()))
        built = op in OF_TENSORRT
        what = "calls native code by its name" if native else "is not a TensorFlow operation"
        if len(group) > 1:
            what = "are not TensorFlow operations"
        if built:
            is_one = "is an operation" if len(group) == 1 else "are operations"
            what = f"{is_one} that only builds of TensorFlow with TensorRT have"
        old = (facts.artifact.provenance.tensorflow or "").startswith("1.")
        one = "one " if len(group) == 1 else ""
        what += f", or {one}of tf.contrib of TensorFlow 1" if old and not native else ""
        counts = {name: times(len(found)) for name, found in group.items()}
        names = [f"{name} ({count})" for name, count in counts.items()]
        shown = ", ".join(names[:LISTED]) + (" …" if len(names) > LISTED else "")
        said = f"{shown} {what}" if len(group) > 1 else f"{op} {what} ({counts[op]})"
        yield rule.finding(
            f"{said}; {f'run by {via}' if via else 'not run by anything in the file'}.",
            file=graph_file(facts.artifact),
            route=first.route,
            evidence={
                "op": op,
                "ops": [*list(group)[:64]],
                "measured": sum(map(len, group.values())),
                "unit": "operations",
                "reached": via or None,
            },
            key=",".join(sorted(group)),
            severity=None if alive else lowered(rule.severity, 1),
            title="The graph needs a TensorFlow with TensorRT" if built else "",
            fix=_WITH_TENSORRT if built else "",
        )


_WITH_TENSORRT = (
    "Load it with a build of TensorFlow that has TensorRT, on a GPU, or use the SavedModel that was "
    "converted. The engines in it are of one version of TensorRT."
)


def check_assets(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Assets whose file name leads outside the assets directory."""
    for graph in facts.artifact.graphs:
        for name, filename in graph.assets.items():
            if how := leads_out(filename):
                yield rule.finding(
                    f"The asset of `{name}` is {filename[:300]!r}, which {how}.",
                    file=graph_file(facts.artifact),
                    route=f"assets/{name}",
                    evidence={"path": filename[:1000], "tensor": name},
                    key="asset",
                )


def check_tensor_names(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Names of stored tensors, and in a file's own list of names, that lead outside a directory."""
    named = [("A stored tensor is named", each.file, each.name) for each in facts.artifact.tensors]
    h5 = facts.artifact.extra.get("h5")
    for key in _LISTS if isinstance(h5, dict) else ():
        listed = h5.get(key) if isinstance(h5, dict) else None
        names = listed if isinstance(listed, list) else []
        file = facts.artifact.root.name
        named += [("The list of weights contains", file, n) for n in names if isinstance(n, str)]
    for what, file, name in named:
        # TensorFlow names a value of the root object like this: `/.ATTRIBUTES/OBJECT_CONFIG_JSON`.
        own = facts.artifact.lite is not None or name.startswith("/.ATTRIBUTES/")
        # Names of ONNX begin with a slash, and converters to TensorFlow Lite keep them.
        inside = name.removeprefix("/") if own else name
        if leads_out(inside):
            yield rule.finding(
                f"{what} {name[:300]!r}.",
                file=file,
                route=name[:300],
                evidence={"name": name[:1000]},
                key="name",
            )


def _embedded() -> Facts:
    inner = Graph((), (GraphNode("write", "WriteFile", ()),), held_by="x")
    facts = harmless()
    return replace(facts, artifact=replace(facts.artifact, graphs=(*facts.artifact.graphs, inner)))


def _asset() -> Facts:
    return graph_facts(Graph(("serve",), (constant("path"),), assets={"path:0": "../../outside"}))


RULES = (
    Rule(
        code="MA751",
        name="graph-in-constant",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.GRAPH,),
        summary="A string constant contains a whole graph",
        pass_title="No string constant contains a graph",
        why="`DatasetFromGraph` runs a graph that is serialised inside another one, where tools "
        "that list operations do not find it. Its operations are checked as well.",
        fix="Export the prediction function without its input pipeline.",
        check=check_embedded,
        bad=_embedded,
        good=harmless,
    ),
    Rule(
        code="MA752",
        name="foreign-operation",
        family=Family.SECURITY,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.GRAPH,),
        summary="The graph needs an operation that TensorFlow does not have",
        pass_title="All operations are TensorFlow's own",
        why="The operation comes from a native library that must be loaded first and then runs "
        "with your permissions. Plain TensorFlow rejects the model. Decision forests and vendor "
        "builds use such libraries legitimately.",
        fix="Find out which package the operation comes from, and whether you trust it. Without "
        "the package the model does not run.",
        check=check_foreign,
        bad=lambda: graph_with("PlantedOperation"),
        good=harmless,
    ),
    Rule(
        code="MA755",
        name="asset-path-traversal",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.GRAPH,),
        summary="An asset's file name leads outside the model",
        pass_title="All assets are inside the model",
        why="TensorFlow joins the name to the assets directory and opens the resulting path: a "
        "file elsewhere on the machine that loads the model.",
        fix="Do not load it. Export the model again, so that its assets are copied into it.",
        check=check_assets,
        bad=_asset,
        good=harmless,
    ),
    Rule(
        code="MA756",
        name="tensor-name-traversal",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.MEDIUM,
        needs=(Need.TENSORS,),
        summary="A stored tensor's name is a path that leaves its directory",
        pass_title="No tensor's name is a path that leaves its directory",
        why="Tools that unpack a checkpoint into one file per tensor build paths from the names, "
        "and this name makes them write elsewhere. TensorFlow never gives a variable such a name.",
        fix="Do not unpack it. Rename the variable where the model is built and save the model "
        "again.",
        check=check_tensor_names,
        bad=lambda: Facts(model(tensors=(tensor("../../outside"),))),
        good=lambda: Facts(model(tensors=(tensor("dense/kernel"),))),
    ),
)
