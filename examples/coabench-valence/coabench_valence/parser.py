"""The parser: a sentence about how the person looks, and nothing else."""

import re

from coabench.labels import fold
from coabench.parser import Parsed

SENTENCE = re.compile(r"(?:the )?(?:person|face|expression|man|woman|child|he|she|it) (?:is|looks|seems) (.+)")


def looks(response):
    """Read "The person looks unpleasant." and the answer alone. "not pleasant" is neither: no label is searched for."""
    text = fold(response.text).strip(" .")
    for rule, match in (("answer", re.fullmatch("(.+)", text)), ("looks", SENTENCE.fullmatch(text))):
        label = response.spellings.get(match[1]) if match else None
        if label:
            return Parsed(label, rule)
    return Parsed(None, None)
