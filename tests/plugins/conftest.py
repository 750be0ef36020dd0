"""What tests of several plugins use."""

from pathlib import Path

import pytest
from support.few_faces import few_faces


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of one synthetic face of every label, for ``--data-root``; nobody changes it."""
    return few_faces(tmp_path_factory.mktemp("faces"))
