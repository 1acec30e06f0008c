"""An audit with names that are hard to typeset: very long, in many scripts, unbreakable."""

from __future__ import annotations

import json
import re

from sample_audits import failing

from modelaudit import schema
from modelaudit.schema import Audit

LONG = "".join(f"Conv{i}BatchNormRelu" for i in range(20))[:200]
NAMES = {
    "long": LONG,
    "Chinese": "卷积层第一块",
    "Japanese": "畳み込みレイヤー",
    "Korean": "합성곱 층",
    "Hebrew": "שכבת קונבולוציה",
    "Arabic": "طبقة الالتفاف",
    "mixed": "block/שכבה 3 of 5/طبقة (2)",
    "emoji": "🦖😀 dino 👩‍🔬 🇨🇭",
    "Devanagari": "संवलन परत",
    "Thai": "ชั้นสังวัตนาการ",
    "combining": "Fa\u0301ltu\u0308ng z\u0351\u036b\u0343\u036a\u0302\u036b\u033d",
    "capitals": "WWW_MMMM_" * 22,
    "wide": "ｗｉｄｅ＿卷" * 16,
}
PATH = f"מודלים/模型/نماذج/🦖/{LONG}"


def layer(number: int) -> str:
    """Name of a layer, conv_0 and so on in the failing audit."""
    return f"{list(NAMES.values())[number % len(NAMES)]}_{number}"


def foreign() -> Audit:
    """The failing audit with these names for its layers and itself."""

    def named(found: re.Match[str]) -> str:
        return json.dumps(layer(int(found[1])))[1:-1]

    said = re.sub(r"\bconv_(\d+)\b", named, schema.dumps(failing()))
    said = said.replace("vision/broken/digits-v4", json.dumps(PATH)[1:-1])
    return schema.loads(said.replace("vision-broken-digits-v4", "foreign"))
