"""What is deployed is really deployed here: by its own script, with its own settings."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def load_once():
    if "tradehook_deployment" not in sys.modules:
        spec = importlib.util.spec_from_file_location("tradehook_deployment", HERE / "deployment.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["tradehook_deployment"] = module
        spec.loader.exec_module(module)
    return sys.modules["tradehook_deployment"]


load_once()


@pytest.fixture(scope="session")
def servers():
    """A deployment needs the executor and a queue; where they are missing, that is said, and nothing is passed over."""
    if importlib.util.find_spec("airflow.providers.celery") is None:
        pytest.fail("This proof needs the Celery executor: pip install 'tradehook[celery]'", pytrace=False)
    if shutil.which("redis-server") is None:
        pytest.fail("This proof needs a Redis server to start: apt-get install redis-server", pytrace=False)
