"""What Airflow reads about us fits its schema: one that does not kills every Airflow process."""

from __future__ import annotations

import importlib.util
import json
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import jsonschema
import pytest

from tradehook_provider.connections import _KNOWN_EXTRAS
from tradehook_provider.get_provider_info import get_provider_info

AIRFLOW = Path(next(iter(importlib.util.find_spec("airflow").submodule_search_locations)))
ROOT = Path(__file__).parents[2]
FORM = get_provider_info()["connection-types"][0]


def test_it_fits_the_schema_that_airflow_checks_at_every_start():
    jsonschema.validate(get_provider_info(), json.loads((AIRFLOW / "provider_info.schema.json").read_text()))


def test_the_form_fits_the_stricter_schema_for_authors():
    schema = json.loads((AIRFLOW / "provider.yaml.schema.json").read_text())
    jsonschema.validate([FORM], {**schema, **schema["properties"]["connection-types"], "required": []})


def test_the_package_name_is_the_distributions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert get_provider_info()["package-name"] == project["name"]
    found = [point for point in entry_points(group="apache_airflow_provider") if point.dist.name == project["name"]]
    assert [point.value for point in found] == ["tradehook_provider.get_provider_info:get_provider_info"]


@pytest.mark.parametrize("kind", ["hooks", "operators", "sensors", "triggers"])
def test_every_module_it_names_is_there_and_none_is_left_out(kind):
    named = {module for entry in get_provider_info()[kind] for module in entry["python-modules"]}
    folder = ROOT / "provider" / "tradehook_provider" / kind
    there = {f"tradehook_provider.{kind}.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__"}
    assert named == there - {"tradehook_provider.triggers.watching"}


def test_the_form_and_the_reader_know_the_same_fields():
    assert set(FORM["conn-fields"]) == set(_KNOWN_EXTRAS)


def test_fields_that_hold_secrets_have_names_that_airflow_masks(airflow_database):
    """`format: password` alone masks nothing: only names do."""
    from airflow.sdk._shared.secrets_masker import should_hide_value_for_key

    for name, field in FORM["conn-fields"].items():
        assert should_hide_value_for_key(name) is (field["schema"].get("format") == "password"), name


def test_the_hook_is_the_one_the_form_names(airflow_database):
    from tradehook_provider.hooks.true_markets import TrueMarketsHook

    assert FORM["hook-class-name"] == f"{TrueMarketsHook.__module__}.{TrueMarketsHook.__qualname__}"
    assert (FORM["connection-type"], FORM["hook-name"]) == (TrueMarketsHook.conn_type, TrueMarketsHook.hook_name)
    for deprecated in ("get_connection_form_widgets", "get_ui_field_behaviour"):
        assert deprecated not in vars(TrueMarketsHook)
