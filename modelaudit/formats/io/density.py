"""How many parts a file of some size may have, so that no small file takes long to audit.

Each part costs time and memory, however few bytes it takes in the file. The numbers are chosen so
that 10 MB take about 2 s and 300 MB, whatever they contain. Nearly all honest models have fewer
parts; those with thousands of tiny tensors may have more, and are audited in part.
"""

from __future__ import annotations

from msgspec import Struct

from modelaudit.errors import LimitExceeded
from modelaudit.settings import Limits

# Bytes of the name of a tensor or function, with the groups that it is in: a file may store the
# name of a group once, and everything in it repeats that.
LONGEST_NAME = 4096


class Density(Struct, frozen=True):
    """A bound: `free` parts, and one more for every `each` bytes.

    Attributes:
        what: the parts, for errors.
        setting: the field of `Limits` that bounds them in files of any size.
        free: parts that a file of any size may have.
        each: bytes.
    """

    what: str
    setting: str
    free: int
    each: int

    def most(self, size: int, limits: Limits) -> tuple[int, str]:
        """The number of parts that `size` bytes may have, and the setting that says so."""
        dense = int((self.free + size // self.each) * limits.density)
        fixed = getattr(limits, self.setting)
        assert isinstance(fixed, int)
        return (dense, "density") if dense < fixed else (fixed, self.setting)

    def check(self, count: int, size: int, limits: Limits, file: str) -> None:
        """Count the parts of `size` bytes.

        Raises:
            LimitExceeded: there are too many.
        """
        most, setting = self.most(size, limits)
        if count > most:
            raise LimitExceeded(file, self.what, count, most, setting)


DATASETS = Density("tensors of HDF5 files", "tensors", 1_500, 20_000)
CONSTANTS = Density("tensors of graphs", "tensors", 2_000, 5_000)
LINKS = Density("HDF5 links", "hdf5_objects", 4_000, 10_000)
ATTRIBUTES = Density("HDF5 attributes", "hdf5_objects", 20_000, 500)
TEXTS = Density("texts in HDF5 attributes", "hdf5_objects", 50_000, 100)
NAME_BYTES = Density("bytes of names", "config_bytes", 4 << 20, 2)
NAMES = Density("names of layers and weights", "tensors", 20_000, 400)
VARIABLES = Density("tensors of checkpoints", "tensors", 2_500, 20_000)
MEMBERS = Density("archive members", "files", 20_000, 200)
ENTRIES = Density("table entries", "tensors", 20_000, 200)
NODES = Density("graph nodes", "graph_nodes", 30_000, 150)
REFERENCES = Density("tables, vectors and strings", "graph_nodes", 200_000, 50)
EDGES = Density("inputs and attributes of graph nodes", "graph_nodes", 300_000, 20)
ENDPOINTS = Density("inputs and outputs of signatures", "graph_nodes", 20_000, 500)
MESSAGES = Density("messages inside a protobuf message", "proto_bytes", 400_000, 8)
OBJECTS = Density("objects with metadata", "graph_nodes", 5_000, 500)
STRINGS = Density("texts of a tensor", "json_nodes", 100_000, 8)
TOKENS = Density("tokens and escapes of protobuf text", "json_nodes", 200_000, 100)
CONTAINERS = Density("JSON objects and lists", "json_nodes", 150_000, 32)
ELEMENTS = Density("JSON elements", "json_nodes", 250_000, 32)
