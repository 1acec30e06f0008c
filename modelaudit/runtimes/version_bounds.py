"""From which version on TensorFlow or Keras does what neither signatures nor experiments show.

Profiles of versions tell most of what differs. What is here was seen in one version with a profile
and not in the one before, so each bound is known only to lie between these two; `seen` says more
where more is known. Bounds of code of the program's own stand with the checks of that code.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from modelaudit.runtimes.profile import RuntimeProfile


class VersionBound(Struct, frozen=True):
    """What a library does from a version on, and if `end` is given, before another.

    Attributes:
        library: whose version it is.
        first: the first version.
        what: what it does.
        seen: how the bound is known, where more is known than that it lies between two profiles.
        end: the first version that no longer does it; () if all later ones do.
    """

    library: Literal["keras", "tensorflow"]
    first: tuple[int, ...]
    what: str
    seen: str = ""
    end: tuple[int, ...] = ()

    def holds(self, profile: RuntimeProfile) -> bool:
        """Whether it is so in a runtime."""
        return self.covers(profile.keras if self.library == "keras" else profile.tensorflow)

    def covers(self, version: tuple[int, ...]) -> bool:
        """Whether it is so in a version of its library."""
        return self.first <= version and not (self.end and version >= self.end)


WHOLE_SIZES = VersionBound(
    "tensorflow", (2, 1), "refuses fractions in shapes", "1.15 makes integers; 2.0 was not tried"
)
ATTRIBUTES_IGNORED = VersionBound(
    "tensorflow", (2, 5), "ignores attributes that an operation does not have", "2.4 refuses them"
)
TYPE_11 = VersionBound(
    "tensorflow",
    (2, 4),
    "may have the type of number 11",
    "2.3 ends at 10; later versions reserve it",
    end=(2, 7),
)
TABLES_TAKE_TENSORS = VersionBound(
    "tensorflow",
    (2, 7),
    "restores lookup tables by functions of tensors",
    "they take strings from 2.13 on",
    end=(2, 13),
)
NAMES_CHECKED = VersionBound(
    "tensorflow",
    (2, 12),
    "refuses keywords of Python as signature inputs of functions that TensorFlow 2 saved",
    "observed between 2.11 and 2.12; other names, such as `input.1`, load from 2.10 to 2.21",
)
NAMES_CHECKED_IN_TF1_OBJECTS = VersionBound(
    "tensorflow",
    (2, 14),
    "the same of object graphs of 1.15",
    "observed between 2.12 and 2.15",
)
NAMES_CHECKED_IN_TF1_GRAPHS = VersionBound(
    "tensorflow", (2, 19), "the same of graphs without objects", "observed between 2.18 and 2.19"
)
METADATA_FILE = VersionBound(
    "keras", (2, 5), "keeps the metadata of a SavedModel in a file of its own"
)
REVIVES_BY_NAME = VersionBound(
    "keras",
    (2, 5),
    "makes the objects of a SavedModel again by their classes, or ends at the error",
    "later versions revive the saved functions; 2.5 to 2.11 go on at a ValueError alone",
    end=(2, 12),
)
MESSAGE_OF_COUNTS = VersionBound("keras", (2, 7), "says of other numbers of layers what is quoted")
TOP_LEVEL_GROUP = VersionBound(
    "keras", (2, 7), "has a group in HDF5 for weights of the model itself", "2.6 has none"
)
TABLES_NOT_IN_HDF5 = VersionBound(
    "keras", (2, 9), "refuses lookup tables in HDF5", "the first with which this was tried"
)
NEW_OPTIMIZERS = VersionBound(
    "keras", (2, 11), "has optimizers that list their variables", "older ones have slots of weights"
)
MODULES_READ = VersionBound("keras", (2, 13), "reads the `module` of objects in a config")
SAFE_MODE = VersionBound("keras", (2, 13), "asks for safe_mode=False for code in archives")
RECURRENT_WITH_UNITS = VersionBound(
    "keras", (2, 13), "refuses recurrent layers of 0 units", "2.9 does not"
)
OPTIMIZERS_BUILT_AS_ARE = VersionBound(
    "keras",
    (2, 15),
    "does not build older optimizers, which have no `build`, after it reads them",
    end=(3,),
)
IMPORTS_KERAS_ALONE = VersionBound(
    "keras", (3, 9), "imports no module of another package because a file names it"
)
LAYERS_AS_ACTIVATIONS = VersionBound("keras", (3, 10), "reads a layer as an activation")
OPTIMIZERS_BY_ONE_FUNCTION = VersionBound(
    "keras",
    (3, 10),
    "makes the variables of optimizers by one function: the product of the momenta of Nadam comes "
    "last, and averages come before sums of gradients",
)
CASTS_LEFT_OUT = VersionBound("keras", (3, 10), "does not record casts among the layers of a model")
SUBCLASS_CHECKED = VersionBound(
    "keras", (3, 11), "says of optimizers that they are no KerasSaveable", "3.10 does not"
)
DENSE_WITH_UNITS = VersionBound(
    "keras", (3, 13), "refuses Dense layers of 0 units", "3.12 does not, by their sources"
)
CONTAINERS_READ = VersionBound("keras", (3, 15), "looks for weights in lists of lists")
