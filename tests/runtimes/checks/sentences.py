"""Faults in the form of what a finding says and advises."""

from __future__ import annotations

import re

_DOUBLED = re.compile(r"(?<!\.)[.,;:]\s*\.(?!\.)|[,;:]\s*[,;:]|\.\)\.|  +(?=\S)|\bOr or\b")
_BEGINS = re.compile(r"[A-Z0-9`({]|[a-z_]+[=.(-]|tf|tf_keras")
_SPAN = re.compile(r"`[^`]+`")
_CODE = re.compile(r"^    .*$", re.MULTILINE)


def faults(*texts: str) -> list[str]:
    """What is wrong with texts: how they begin, how they end, punctuation that is doubled.

    A text may have paragraphs, and blocks of code that are indented; a paragraph before a block
    may end in a colon.
    """
    found = []
    for text in texts:
        for paragraph in text.split("\n\n"):
            if paragraph.startswith("    "):
                continue
            prose = _SPAN.sub("`code`", _CODE.sub("", paragraph)).strip()
            if not _BEGINS.match(prose):
                found.append(f"begins so: {prose[:40]}")
            if not re.search(r"[^.][.:]\Z", prose):
                found.append(f"ends so: {prose[-40:]}")
            found += [
                f"punctuation: {prose[max(each.start() - 20, 0) : each.end()]}"
                for each in _DOUBLED.finditer(prose)
            ]
    return found
