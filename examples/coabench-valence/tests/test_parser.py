import pytest
from coabench.parser import Response
from coabench.testing import ParserConformance, ScriptedBackbone

from coabench_valence.circumplex import VALENCES
from coabench_valence.parser import looks


class TestParser(ParserConformance):
    parser = "looks"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("Unpleasant", ("unpleasant", "answer")),
        ("The person looks unpleasant.", ("unpleasant", "looks")),
        ("The person looks not pleasant.", (None, None)),
        ("She seems pleasant, or neither.", (None, None)),
    ],
)
def test_only_what_is_said_is_read(text, parsed):
    assert looks(Response(text, VALENCES, {valence: valence for valence in VALENCES})) == parsed


def test_a_run_is_read_with_it(coabench_run):
    says = {"valence": "It looks unpleasant.", "arousal": "calm", "label": "Sadly Fearful"}
    run = coabench_run(strategy="valence-arousal", backbone=ScriptedBackbone(says), parser="looks")
    assert run.metrics["invalid"] == 0
