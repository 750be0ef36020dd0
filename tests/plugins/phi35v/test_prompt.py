"""Token ids of chats, those of the published tokenizer and template; and nothing smuggled through text."""

from __future__ import annotations

import hashlib
import json
import re

import numpy as np
import pytest
from coabench_phi35v.prompt import ChatTokenizer, Control, ImageAt, chat

from coabench.dialogue import Message, Question
from coabench.errors import UserError
from coabench.labels import Choices

S1 = (
    "Select an emotion label from the following options: 'Surprise', 'Fear', 'Disgust', 'Happiness', 'Sadness', "
    "'Anger', or 'Neutral'."
)
CONTROLS = {control.value: control for control in Control}


@pytest.fixture(scope="module")
def tokenizer(oracle):
    return ChatTokenizer(oracle.tiny / "tokenizer.json")


def pieces(text):
    """Split rendered text into the pieces it stands for."""
    parts = re.split("(" + "|".join(map(re.escape, CONTROLS)) + ")", text)
    return [CONTROLS.get(part, part) for part in parts if part]


def render(parts):
    return "".join(part.value if isinstance(part, Control) else part for part in parts)


def test_golden_ids(oracle, tokenizer):
    golden = oracle.json("tokenizer_golden")["with_special"]
    assert len(golden) > 10
    for text, ids in golden.items():
        if "</s>" not in text:  # no chat has one
            assert tokenizer.encode(pieces(text), []) == ids, text


def test_golden_decodings(oracle, tokenizer):
    for ids, text in oracle.json("tokenizer_golden")["decode_skip_special"].items():
        assert tokenizer.decode(json.loads(ids)) == text


def test_golden_chats(oracle):
    golden = oracle.json("tokenizer_golden")["chat"]
    x, y, z = Message("user", "X"), Message("assistant", "Y"), Message("user", "Z")
    assert render(chat([x])) == golden["user_gen"]
    assert render(chat([x, y, z])) == golden["three"]


@pytest.mark.parametrize("num_crops", [1, 4, 16])
@pytest.mark.parametrize("size", ["100x100", "48x64", "1000x200"])
def test_golden_prompts(oracle, tokenizer, size, num_crops):
    golden = oracle.json("processor")[f"{size}|nc{num_crops}"]
    ids = tokenizer.encode(chat(Question(S1, Choices()).messages), [golden["num_img_tokens"]])
    assert len(ids) == golden["input_len"]
    assert hashlib.sha256(np.array([ids]).tobytes()).hexdigest() == golden["input_ids_sha256"]


def test_two_images_in_one_prompt(oracle, tokenizer):
    golden = oracle.json("batch")["two_images"]
    first, second = ImageAt(0), ImageAt(1)
    parts = [Control.USER, "\n", first, "\n", second, "\nCompare ", first, " with the other.", Control.END, "\n"]
    ids = tokenizer.encode([*parts, Control.ASSISTANT, "\n"], [757, 757])
    assert len(ids) == golden["input_len"]
    assert [i for i in ids if i >= 0] == golden["ids_non_image"]
    assert {str(i): ids.count(i) for i in (-1, -2)} == golden["neg_counts"]


def test_images_of_a_chat_keep_their_own_index(tokenizer):
    exemplar = (Message("user", "What?", (2,)), Message("assistant", "Fear"))
    question = Question("And this?", Choices(), images=(0, 2), context=exemplar)
    ids = tokenizer.encode(chat(question.messages), [3, 9, 2])
    runs = [i for at, i in enumerate(ids) if i < 0 and (at == 0 or ids[at - 1] != i)]
    assert runs == [-3, -1, -3]
    assert [ids.count(i) for i in (-1, -2, -3)] == [3, 0, 4]


@pytest.mark.parametrize("text", [*CONTROLS, "</s>", "<|system|>", "<|placeholder1|>", "<|image_1|>", "<|image_2|>"])
def test_text_cannot_smuggle_special_tokens(tokenizer, text):
    clean = tokenizer.encode(chat([Message("user", "a b", (0,))]), [1])
    ids = tokenizer.encode(chat([Message("user", f"a {text} b", (0,))]), [1])
    special = [i for i in ids if i < 3 or i >= 32000]
    assert special == [i for i in clean if i < 3 or i >= 32000]
    assert text in tokenizer.decode([i for i in ids if i >= 0])


def test_a_broken_tokenizer_is_named(tmp_path, oracle):
    path = tmp_path / "tokenizer.json"
    with pytest.raises(UserError, match=r"tokenizer.json cannot be used"):
        ChatTokenizer(path)
    content = json.loads((oracle.tiny / "tokenizer.json").read_text())
    content["added_tokens"] = [t for t in content["added_tokens"] if t["content"] != "<|end|>"]
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"knows no <\|end\|>"):
        ChatTokenizer(path)
