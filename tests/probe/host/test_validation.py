"""Answers of a child are checked, and texts of errors are reproducible."""

from __future__ import annotations

from modelaudit.probe.host.validation import TEXT, error_text

SAID = """Restoring from checkpoint failed.

Detected at node 'save_1/RestoreV2_{n}' defined at (most recent call last):
Node: 'save_1/RestoreV2_{n}'
model/variables.data-00000-of-00001; No such file or directory
\t [[{{{{node save_1/RestoreV2_{n}}}}}]]

Original stack trace for 'save_1/RestoreV2_{n}':
<Layer object at 0x7f6f0f02{n:04x}>
"""


def test_an_error_is_the_same_whichever_node_failed_first():
    first, second = (error_text(SAID.format(n=n)) for n in (2, 24))
    assert first == second
    assert "No such file or directory" in first
    assert "node" not in first.lower()


def test_informative_text_is_kept():
    for text in ("Input 0 is incompatible: expected 0x10 channels", "Unknown layer: 'Node'"):
        assert error_text(text) == text
    assert len(error_text("x" * 10 * TEXT)) == TEXT
