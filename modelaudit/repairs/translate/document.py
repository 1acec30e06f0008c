"""The whole saved document of a model, for one target: its config, and its training settings."""

from __future__ import annotations

from modelaudit.formats.keras.json_config import text
from modelaudit.repairs.translate.to_keras2 import to_keras2
from modelaudit.repairs.translate.to_keras3 import to_keras3
from modelaudit.repairs.translate.translation import Config, Node, Translation, Untranslatable
from modelaudit.runtimes.profile import RuntimeProfile

# Keys of an archive's document beside the model's config.
_BESIDE = ("compile_config",)


def translated(saved: Config, translation: Translation, *, archive: bool, training: bool) -> Node:
    """The document that the target reads.

    Args:
        saved: the document as saved.
        translation: the target, and the collector of changes.
        archive: whether it is the config.json of a .keras archive.
        training: keep the training settings of an archive.

    Raises:
        Untranslatable: a part has no equal in the target.
    """
    target = translation.target
    if archive and not target.archives:
        raise Untranslatable("", f"{target.name} has no .keras archives; write an .h5 file")
    new = to_keras3(saved, translation) if target.keras3 else to_keras2(saved, translation)
    if archive:
        new |= _named(text(new.get("class_name")), target)
        if training:
            new |= {key: saved[key] for key in _BESIDE if saved.get(key)}
    return new


def _named(name: str, target: RuntimeProfile) -> Node:
    """Module and registered name of a model class, as the target's archives state them."""
    if name == "Sequential":
        module = "tf_keras" if target.legacy and target.is_internal("tf_keras", name) else "keras"
        return {"module": module, "registered_name": None}
    package = "tf_keras" if target.legacy else "keras"
    modules = target.modules_of("Functional", package)
    deep = [module for module in modules if module.endswith("functional")]
    module = next(iter(deep), f"{package}.src.engine.functional")
    return {"module": module, "registered_name": "Functional"}
