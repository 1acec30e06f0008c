"""Explanations of rules for the report tests."""

from __future__ import annotations

from modelaudit.findings import Severity
from modelaudit.report.report import RuleInfo

RULES = {
    info.code: info
    for info in (
        RuleInfo(
            "MA101",
            "truncated-file",
            "integrity",
            Severity.CRITICAL,
            "The file ends before its own header says",
            "The file is as long as its header says",
            "A file that was cut off in a copy or download cannot be restored; whatever loads from "
            "it is a part of the model.",
            "Copy the file again and compare the checksums:\n\n    sha256sum model.h5",
        ),
        RuleInfo(
            "MA203",
            "keras-major-mismatch",
            "compatibility",
            Severity.MEDIUM,
            "Saved by a Keras that the installed one cannot read in full",
            "The installed Keras reads what this file's Keras wrote",
            "Keras 3 changed how layers are saved. A file that loads may still lose settings.",
            "Load with `tf_keras`:\n\n```\nimport tf_keras\n"
            "model = tf_keras.models.load_model('model.h5')\n```",
            ("https://keras.io/guides/migrating_to_keras_3/",),
        ),
        RuleInfo(
            "MA301",
            "lambda-layer",
            "architecture",
            Severity.MEDIUM,
            "A Lambda layer holds Python code",
            "No layer holds Python code",
            "Python bytecode inside a model is bound to one Python version and can do anything "
            "when it is loaded.",
            "Replace the `Lambda` by a registered layer.",
        ),
        RuleInfo(
            "MA402",
            "fresh-layer",
            "weights",
            Severity.HIGH,
            "A layer is still at its initial values",
            "Every layer holds trained values",
            "Weights that equal what the initializer draws were never trained, or were not "
            "restored. The model then answers by chance.",
            "Restore by name and look at what stays untouched:\n\n"
            "    status = checkpoint.restore(path)\n    status.assert_existing_objects_matched()",
            ("Glorot and Bengio 2010",),
        ),
        RuleInfo(
            "MA501",
            "asymmetric-kernels",
            "symmetry",
            Severity.INFO,
            "Kernels of the last layers favour one orientation",
            "Kernels of the last layers favour no orientation",
            "It hints at training without mirrored images.",
            "Train with `RandomFlip`.",
        ),
        RuleInfo(
            "MA601",
            "collapsed-output",
            "behaviour",
            Severity.HIGH,
            "The output does not depend on the input",
            "The output depends on the input",
            "A model that gives one answer to everything has learned nothing or lost it.",
            "See the diagnosis.",
        ),
        RuleInfo(
            "MA602",
            "flip-sensitive",
            "behaviour",
            Severity.MEDIUM,
            "Mirroring the input changes the answer",
            "Mirroring the input keeps the answer",
            "If mirrored images are as valid as upright ones, the model is unreliable on them.",
            "Add augmentation:\n\n    keras.layers.RandomFlip('horizontal')",
        ),
        RuleInfo(
            "MA701",
            "unsafe-code",
            "security",
            Severity.CRITICAL,
            "Loading the model runs code from the file",
            "Loading the model runs no code from the file",
            "Whoever loads the file hands over the machine.",
            "Do not load it.",
        ),
        RuleInfo(
            "MA702",
            "file-writing-op",
            "security",
            Severity.CRITICAL,
            "The graph writes files",
            "The graph writes no files",
            "See MA701.",
            "Do not load it.",
        ),
    )
}
