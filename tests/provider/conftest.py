"""Everything here runs in a real Airflow, against a real sandbox over sockets where money moves."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent


def load_once():
    """The one `airflow_home`, whichever folder comes first: a second one would be a second Airflow home."""
    if "tradehook_airflow_home" not in sys.modules:
        spec = importlib.util.spec_from_file_location("tradehook_airflow_home", HERE / "airflow_home.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["tradehook_airflow_home"] = module
        spec.loader.exec_module(module)
    return sys.modules["tradehook_airflow_home"]


home = load_once()
airflow_database, account, run_dag, unmasked = home.airflow_database, home.account, home.run_dag, home.unmasked


def pytest_collection_modifyitems(items):
    home.mark_warnings(items, folder=HERE)
