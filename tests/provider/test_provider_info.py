"""What Airflow reads about us fits its schema: one that does not kills every Airflow process."""

from __future__ import annotations

import importlib
import importlib.util
import json
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import jsonschema
import pytest

from tradehook import registry
from tradehook_provider.connections import _EXTRAS, _KEY_EXTRAS
from tradehook_provider.get_provider_info import get_provider_info

AIRFLOW = Path(next(iter(importlib.util.find_spec("airflow").submodule_search_locations)))
ROOT = Path(__file__).parents[2]
FORMS = {form["connection-type"]: form for form in get_provider_info()["connection-types"]}


def test_it_fits_the_schema_that_airflow_checks_at_every_start():
    jsonschema.validate(get_provider_info(), json.loads((AIRFLOW / "provider_info.schema.json").read_text()))


def test_the_form_fits_the_stricter_schema_for_authors():
    schema = json.loads((AIRFLOW / "provider.yaml.schema.json").read_text())
    jsonschema.validate([*FORMS.values()], {**schema, **schema["properties"]["connection-types"], "required": []})


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


def test_every_exchange_has_a_form():
    assert {*FORMS} == {*registry.EXCHANGES}


@pytest.mark.parametrize("exchange", registry.EXCHANGES)
def test_the_forms_and_the_reader_know_the_same_fields(exchange):
    card, fields = registry.spec(exchange), set(FORMS[exchange]["conn-fields"])
    if not card.options:
        assert fields == {*_EXTRAS, *_KEY_EXTRAS}
        return
    # Of many options, those that everybody needs have a field; the others go into the extras.
    assert fields >= {*_EXTRAS, "token"}
    options = {option.name: option for option in card.options}
    assert fields <= {*_EXTRAS, *options}
    for name in fields - {*_EXTRAS}:
        allowed = {choice for choice in FORMS[exchange]["conn-fields"][name]["schema"].get("enum", ()) if choice}
        assert allowed == {*options[name].choices}, name


@pytest.mark.parametrize("exchange", registry.EXCHANGES)
def test_the_environments_are_those_of_the_exchange(exchange):
    assert [*registry.spec(exchange).hosts] == FORMS[exchange]["conn-fields"]["environment"]["schema"]["enum"]


@pytest.mark.parametrize("exchange", registry.EXCHANGES)
def test_fields_that_hold_secrets_have_names_that_airflow_masks(airflow_database, exchange):
    """`format: password` alone masks nothing: only names do."""
    from airflow.sdk._shared.secrets_masker import should_hide_value_for_key

    for name, field in FORMS[exchange]["conn-fields"].items():
        assert should_hide_value_for_key(name) is (field["schema"].get("format") == "password"), name
    for option in registry.spec(exchange).options:
        assert should_hide_value_for_key(option.name) or not option.is_secret, option.name


@pytest.mark.parametrize("exchange", registry.EXCHANGES)
def test_the_hook_is_the_one_the_form_names(airflow_database, exchange):
    form = FORMS[exchange]
    module, _, name = form["hook-class-name"].rpartition(".")
    hook = getattr(importlib.import_module(module), name)
    assert (form["connection-type"], form["hook-name"]) == (hook.conn_type, hook.hook_name)
    assert (hook.conn_type, hook.default_conn_name) == (exchange, f"{exchange}_default")
    assert hook().exchange_conn_id == hook.default_conn_name
    for deprecated in ("get_connection_form_widgets", "get_ui_field_behaviour"):
        assert deprecated not in vars(hook)
