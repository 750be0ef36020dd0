"""Options that several commands have."""

from __future__ import annotations

import pytest
from support.process import Run


@pytest.mark.parametrize(
    "words",
    [
        ("power", "--classes", "10", "--uar", "nan"),
        ("power", "--classes", "10", "--difference", "nan"),
        ("power", "--classes", "10", "--disagreement", "nan"),
        ("calibrate", "run", "--part", "nan"),
        ("predict", "film.mp4", "--every", "nan"),
        ("webcam", "--every", "inf"),
        ("webcam", "--stale-after", "nan"),
        ("webcam", "--seconds", "nan"),
    ],
)
def test_a_number_is_finite(coabench: Run, words: tuple[str, ...]) -> None:
    refused = coabench(*words)
    assert refused.returncode == 2
    assert f"{words[-1]} is no number" in refused.stderr
