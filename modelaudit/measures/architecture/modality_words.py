"""Kinds of data that models take, and how texts speak of each."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from modelaudit.audit_types.model import InputModality


class Modality(StrEnum):
    """A kind of input."""

    IMAGE = "image"
    VOLUME = "volume"
    VIDEO = "video"
    TEXT = "text"
    TABLE = "table"
    AUDIO = "audio"
    SERIES = "series"
    UNKNOWN = "unknown"


class ModalityWords(Struct, frozen=True):
    """How texts speak of the inputs.

    Attributes:
        one, many: an input, and several.
        unit: one value along an axis of the input, in the plural.
        oriented: whether an input has sides that a flip exchanges.
        timed: whether its first axis is time, which can be reversed.
    """

    one: str
    many: str
    unit: str
    oriented: bool = False
    timed: bool = False


WORDS = {
    Modality.IMAGE: ModalityWords("image", "images", "pixels", oriented=True),
    Modality.VOLUME: ModalityWords("volume", "volumes", "voxels", oriented=True),
    Modality.VIDEO: ModalityWords("series of images", "series of images", "pixels", oriented=True),
    Modality.TEXT: ModalityWords("text", "texts", "tokens"),
    Modality.TABLE: ModalityWords("row", "rows", "values"),
    Modality.AUDIO: ModalityWords("recording", "recordings", "positions", timed=True),
    Modality.SERIES: ModalityWords("time series", "time series", "time steps", timed=True),
    Modality.UNKNOWN: ModalityWords("input", "inputs", "positions", oriented=True),
}


def words_for(modality: InputModality | None) -> ModalityWords:
    """The words for a kind; audits of earlier versions, which lack it, spoke of images."""
    return WORDS[Modality(modality.kind) if modality else Modality.IMAGE]


@lru_cache(maxsize=1024)  # each audit asks for the titles of all causes
def in_words(said: str, words: ModalityWords) -> str:
    """A text with the words for the model's inputs in place of `{image}`, `{images}`, `{Images}`.

    `{varied}` asks for a variety of inputs. What is between `[[` and `]]` is only said of inputs
    with sides.
    """
    image = words.one == "image"
    for key, value in (
        ("image", words.one),
        ("images", words.many),
        ("Images", words.many[:1].upper() + words.many[1:]),
        ("varied", "images of different classes or targets" if image else f"real {words.many}"),
    ):
        said = said.replace("{" + key + "}", value)
    said = re.sub(r"\[\[(.*?)\]\]", r"\1" if words.oriented else "", said).rstrip()
    return re.sub(r"(?<=[.] )[a-z]", lambda start: start[0].upper(), said)
