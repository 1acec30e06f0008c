"""What servers are asked with stays out of reports."""

from __future__ import annotations

import pytest

from modelaudit.registry.remote.library import error_text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ValueError("403, message='Forbidden', url='http://host:8/m.h5?X-Sig=secret'"),
            "403, message='Forbidden', url='http://host:8/m.h5'",
        ),
        (FileNotFoundError("sftp://me:secret@host/a"), "sftp://host/a"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (KeyError(), "KeyError"),
    ],
)
def test_addresses_are_shown_as_reports_show_them(error, said):
    assert error_text(error) == said
