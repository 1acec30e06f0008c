"""Models of a registry under their registered names."""

from __future__ import annotations

import json

import pytest

from modelaudit.errors import UsageError
from modelaudit.registry.places import find_at
from modelaudit.registry.remote.address import Url, place_of
from modelaudit.registry.tracking import artifacts
from modelaudit.runs.found_models import find_models
from modelaudit.settings.selection import Selection, Shard
from modelaudit.structs import replace
from tests.registry.remote import stores


def paths(url, settings, **options):
    return [each.relative for each in find_models((Url(url),), settings, **options).targets]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("models:/", ["digits/2", "faces/1"]),
        ("models:/digits", ["digits/2"]),
        ("models:/digits/1", ["digits/1"]),
        ("models:/digits/latest", ["digits/2"]),
        ("models:/digits@old", ["digits/1"]),
        ("runs:/0123/model", ["0123/model"]),
    ],
)
def test_what_a_url_means(registry, settings, layout, url, found):
    registry.stores |= {f"1/0123/artifacts/model/{name}": data for name, data in layout.items()}
    if url.endswith("@old"):
        registry.aliases["digits", "old"] = 1
    assert paths(url, settings) == found


def test_versions_with_an_alias_are_audited_and_all_if_asked(registry, settings):
    assert paths("models:/", settings, all_versions=True) == ["digits/1", "digits/2", "faces/1"]
    registry.aliases |= {("digits", "champion"): 1, ("digits", "old"): 1}
    found = find_models((Url("models:/digits"),), settings).targets
    (old,) = [each for each in found if each.relative == "digits/1"]
    assert old.origin == (
        "MLflow 3.5.0, flavour tensorflow, Keras 3.11.0, no signature, registered as digits, "
        "version 1, aliases champion, old"
    )
    assert len(found) == 2


def test_a_version_is_compared_with_the_one_before(settings):
    (place,) = [x for x in find_at(Url("models:/digits/2"), settings) if x.models.candidates]
    (model,) = place.models.candidates
    assert (model.relative, place.address) == ("digits/2", "models:")
    assert model.previous.as_posix().endswith("/digits/1/data/model.h5")


def test_several_models_in_a_version_keep_their_paths(registry, settings, layout):
    more = {"more/b.h5": layout["data/model.h5"] + b"x"}
    registry.add("pair", 1, layout | more)
    assert paths("models:/pair", settings) == ["pair/1/data/model.h5", "pair/1/more/b.h5"]


def test_what_is_left_out_is_named_and_not_fetched(registry, settings, layout):
    registry.add("faces", 2, layout, status="PENDING_REGISTRATION")
    only = replace(settings, selection=Selection(exclude=("digits",)))
    found = find_models((Url("models:/"),), only)
    named = dict(found.named)
    assert [each.relative for each in found.targets] == ["faces/1"]
    assert "PENDING_REGISTRATION" in named["faces/2"]
    assert "--exclude" in named["digits/2"]
    assert "--all-versions" in named["digits/1"]
    assert registry.sent["model.h5"] == len(layout["data/model.h5"])


def test_each_model_is_in_one_shard(settings):
    found = [
        find_models((Url("models:/"),), replace(settings, selection=Selection(shard=Shard(n, 2))))
        for n in (1, 2)
    ]
    assert sorted(x.relative for part in found for x in part.targets) == ["digits/2", "faces/1"]
    assert sum(part.elsewhere for part in found) == 2


@pytest.mark.parametrize(
    "url", ["models:/digits/9", "models:/nobody", "models:/digits@nobody", "models:/digits/x",
            "models:/@x", "runs:/", "runs:/../x"],
)  # fmt: skip
def test_what_is_not_there_is_a_usage_error(settings, url):
    with pytest.raises(UsageError, match=r"models:|runs:"):
        find_models((Url(url),), settings)


@pytest.mark.parametrize("address", ["", "sqlite:///ml.db", "file:///mlruns", "databricks",
                                     "http://[x", "http://x:y"])  # fmt: skip
def test_a_server_is_needed(settings, address):
    with pytest.raises(UsageError, match="tracking server"):
        find_models((Url("models:/"),), replace(settings, tracking_uri=address))


@pytest.mark.parametrize("text", ["models:/", "models:/a/1", "runs:/1/model", "models:"])
def test_such_urls_are_no_paths(text):
    assert place_of(text) == Url(text)
    assert str(place_of(text)) == text


def test_logged_models_and_old_sources_are_found(registry, settings, layout):
    key = "m-" + "0" * 32
    registry.stores |= {f"1/models/{key}/artifacts/{name}": x for name, x in layout.items()}
    uri = f"mlflow-artifacts:/1/models/{key}/artifacts"
    registry.answers[f"logged-models/{key}"] = (
        b'{"model": {"info": {"artifact_uri": "%s", "name": "x"}}}' % uri.encode()
    )
    registry.add("new", 1, {}, source=f"models:/{key}")
    registry.add("old", 1, {}, source="runs:/abc/model")
    registry.stores |= {f"1/abc/artifacts/model/{name}": x for name, x in layout.items()}
    assert paths("models:/new", settings) == ["new/1"]
    assert paths("models:/old", settings) == ["old/1"]
    assert paths(f"models:/{key}", settings) == [key]


def test_files_on_this_machine_are_read_in_place(registry, settings, tmp_path):
    from tests.made import files

    (tmp_path / "store").mkdir()
    files.minimal_h5(tmp_path / "store" / "model.h5")
    registry.add("local", 1, {}, source=f"file://{tmp_path}/store")
    allowed = replace(settings, local_artifacts=str(tmp_path))
    assert paths("models:/local", allowed) == ["local/1"]
    assert paths("models:/local", settings) == []
    assert registry.sent == {}


def test_a_directory_with_the_name_of_our_reports_is_searched(registry, settings, layout):
    registry.add("odd", 1, {"modelaudit/model.h5": layout["data/model.h5"]})
    assert paths("models:/odd", settings) == ["odd/1"]


def test_files_in_a_bucket_are_read_there(registry, settings, layout, monkeypatch):
    monkeypatch.setattr(artifacts, "_STORES", frozenset(("counted",)))
    stores.forget()
    for name, data in layout.items():
        stores.FILES.pipe(f"/bucket/models/x/{name}", data)
    registry.add("far", 1, {}, source="counted://bucket/models/x")
    assert paths("models:/far", settings) == ["far/1"]
    assert registry.sent == {}


def test_a_model_is_inspected_under_its_name(modelaudit, settings):
    options = {"MLFLOW_TRACKING_URI": settings.tracking_uri}
    options["XDG_CACHE_HOME"] = settings.cache.directory
    ran = modelaudit("inspect", "models:/faces/1", env=options)
    assert (ran.returncode, ran.stdout.splitlines()[0]) == (0, "models:/faces/1")
    ran = modelaudit("inspect", "--json", "models:/faces/1", env=options)
    (said,) = json.loads(ran.stdout)
    assert (said["path"], said["model"]["path"]) == ("models:/faces/1", "faces/1")
