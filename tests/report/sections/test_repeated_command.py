"""The command that repeats an audit names its files as they were given."""

from __future__ import annotations

from pathlib import Path

import pytest
import report_samples as samples
from sample_audits import changed

from modelaudit.cli.options.common import settings_from
from modelaudit.report.sections.appendix import command


@pytest.mark.parametrize("given", ["../png", "images", "/data/probe images.npz"])
def test_the_path_of_the_probe_data_is_whole(given):
    settings = settings_from(fail_on="high", jobs=1, probe_data=Path(given))
    assert settings.probe.data == given
    inputs = {"kind": "user", "n": 2, "shape": [2], "value_range": [0, 1], "source": given}
    audit = changed(samples.healthy(), behaviour={"inputs": inputs})
    quoted = f"'{given}'" if " " in given else given
    assert f" --probe-data {quoted} " in command(audit)
