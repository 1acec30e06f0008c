"""Where models are audited."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from msgspec import Struct

EngineName: TypeAlias = Literal["local", "ray"]
ENGINES = get_args(EngineName)


class Engine(Struct, frozen=True):
    """Where models are audited.

    Attributes:
        name: "local" for processes of this machine, "ray" for a Ray cluster.
        address: of the cluster; "" for that of the variable RAY_ADDRESS or of this machine.
    """

    name: EngineName = "local"
    address: str = ""
