"""Looking once and asking many times: golden exchanges, caches that change nothing, options scored as a tree."""

from __future__ import annotations

import math

import pytest
import torch
from coabench_phi35v.model import Phi3VForCausalLM
from coabench_phi35v.prompt import Control, ImageAt, chat
from coabench_phi35v.viewing import Phi35Viewing

from coabench.dialogue import Message, Question
from coabench.errors import JobError, UserError
from coabench.labels import Choices
from coabench.support.shared_cache import SharedCache

pytestmark = pytest.mark.slow

TOLERANCE = 5e-4
BASIC = Choices(("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral"))


def look(oracle, backbone, names):
    return backbone.look([backbone.prepare([oracle.image(name)]) for name in names])


def question(step):
    return Question(step["user"].removeprefix("<|image_1|>\n"), Choices(step["label_scores"]))


def close(own, other, tolerance=TOLERANCE):
    assert list(own) == list(other)
    assert max(abs(own[name] - other[name]) for name in own) <= tolerance


def one_pass_per_option(backbone, tail_logits, ids, pictures, options):
    """Score options the plain way: the whole sequence once per option, nothing shared."""
    scores = {}
    for option in options:
        tail = [*backbone.tokenizer.text(option), backbone.tokenizer.control(Control.END)]
        logits = tail_logits(backbone, [*ids, *tail], pictures, len(tail))
        scores[option] = sum(float(row.log_softmax(-1)[token]) for row, token in zip(logits, tail, strict=True))
    return scores


@pytest.fixture(scope="module")
def tail_logits():
    def run(backbone, ids, pictures, tail):
        """Return what is predicted for each of the last *tail* tokens, (tail, vocabulary)."""
        model = backbone.model
        with torch.inference_mode():
            images = dict(enumerate(model.model.vision_embed_tokens(pictures)))
            causal = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()[None, None]
            long = [len(ids) > model.sizes.rope.original]
            states = model.model(model.embed([ids], [images]), torch.arange(len(ids))[None], long, causal)
            return model.lm_head(states[0, -1 - tail : -1]).float()

    return run


# -- golden exchanges -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", ["endoftext", "end"])
@pytest.mark.parametrize("key", ["base|nc4", "lora_random|nc4", "lora_random|nc1", "lora_random|nc16"])
def test_golden_chain(oracle, loaded, key, stop):
    """Both steps, generated and scored, one image at a time; the second question is served from the cache."""
    which, num_crops = key.split("|nc")
    backbone = loaded(which, num_crops=int(num_crops), stop=stop)
    cases = {name.split("|")[2]: case for name, case in oracle.json("chain").items() if name.startswith(f"{key}|")}
    assert cases
    for face, case in cases.items():
        viewing = look(oracle, backbone, [face])
        for name in ("step1", "step2"):
            step = case[name]
            (answer,) = viewing.ask([question(step)])
            if min(step["margins"]) > TOLERANCE:
                assert answer.response == (step["text_raw"] if stop == "endoftext" else step["text"])
                if stop == "endoftext":
                    assert answer.new_tokens == len(step["gen_ids"])
            assert answer.prompt_tokens == step["input_len"]
            assert (answer.cached_tokens > 300) == (name == "step2")
            assert (answer.scores, answer.label, answer.match) == (None, None, None)
            if stop == "end":
                (scored,) = viewing.ask([question(step)], "score")
                close(scored.scores, {label: s["label_end"] for label, s in step["label_scores"].items()})
                assert scored.response == max(scored.scores, key=scored.scores.get)
                assert (scored.cached_tokens, scored.new_tokens) == (step["input_len"] - 1, 0)


@pytest.mark.parametrize("decode", ["generate", "score"])
def test_batches_change_no_answer(oracle, loaded, decode):
    """Three mixed sizes together, both questions, against each alone and asked afresh."""
    backbone = loaded("lora_random", num_crops=4)
    names = ["100x100", "1000x200", "48x64"]
    first = Question("Select an emotion label: Surprise, Fear or Anger.", Choices(("Surprise", "Fear", "Anger")))
    second = [Question(f"It is {name}. What else: {', '.join(BASIC - name)}?", BASIC - name) for name in BASIC[:3]]
    viewing = look(oracle, backbone, names)
    together = [viewing.ask([first] * 3, decode), viewing.ask(second, decode)]
    for row, name in enumerate(names):
        for answers, asked in zip(together, (first, second[row]), strict=True):
            (alone,) = look(oracle, backbone, [name]).ask([asked], decode)
            assert answers[row].response == alone.response
            assert answers[row].prompt_tokens == alone.prompt_tokens
            if decode == "score":
                close(answers[row].scores, alone.scores)
        assert together[0][row].cached_tokens == 0
        assert together[1][row].cached_tokens > 300


def test_some_questions_may_be_missing(oracle, loaded):
    backbone = loaded("base", num_crops=1)
    names = ["Surprise_Fear_0", "Anger_Disgust_3", "Fear_Anger_9"]
    ask = Question("Select an emotion label.", BASIC)
    other = Question("The primary emotion was Fear. What else?", BASIC - "Fear")
    viewing = look(oracle, backbone, names)
    assert viewing.ask([None] * 3) == [None] * 3
    rounds = [[None, ask, ask], [ask, None, other], [other, other, None], [ask, ask, ask]]
    for questions in rounds:
        for decode in ("score", "generate"):
            answers = viewing.ask(questions, decode)
            for name, asked, answer in zip(names, questions, answers, strict=True):
                if asked is None:
                    assert answer is None
                    continue
                (alone,) = look(oracle, backbone, [name]).ask([asked], decode)
                assert answer.response == alone.response
                if decode == "score":
                    close(answer.scores, alone.scores)


def test_a_continued_chat_reuses_the_answer_too(oracle, loaded):
    backbone = loaded("base", num_crops=1)
    viewing = look(oracle, backbone, ["100x100"])
    (first,) = viewing.ask([Question("What is it?", BASIC)])
    context = (Message("user", "What is it?", (0,)), Message("assistant", first.response))
    more = Question("And what else?", BASIC, images=(), context=context)
    (second,) = viewing.ask([more], "score")
    assert second.cached_tokens == first.prompt_tokens + first.new_tokens - 1
    (fresh,) = look(oracle, backbone, ["100x100"]).ask([more], "score")
    close(second.scores, fresh.scores)


@pytest.fixture
def encoded(loaded, monkeypatch):
    """How many images each call of the vision tower encodes; nothing is kept from other tests."""
    backbone = loaded("base", num_crops=1)
    calls = []
    tower = type(backbone.model.model.vision_embed_tokens)
    embed = tower.forward
    monkeypatch.setattr(tower, "forward", lambda self, pictures: calls.append(len(pictures)) or embed(self, pictures))
    monkeypatch.setattr(backbone, "_shared", SharedCache.on(torch.device("cpu")))
    return calls


def shown_first(exemplar, name, oracle, backbone):
    return backbone.prepare([oracle.image(exemplar), oracle.image(name)])


def after(label, text="What?"):
    context = (Message("user", "Example", (0,)), Message("assistant", label))
    return Question(text, BASIC, images=(1,), context=context)


def test_equal_images_are_encoded_once(oracle, loaded, encoded):
    backbone = loaded("base", num_crops=1)
    batch = [shown_first("64x48", name, oracle, backbone) for name in ("100x100", "48x64", "100x100")]
    viewing = backbone.look(batch)
    for text in ("What?", "And then?"):
        viewing.ask([after("Fear", text)] * 3, "score")
    assert encoded == [1, 2]  # the exemplar, then the two images that differ


@pytest.mark.parametrize("decode", ["generate", "score"])
def test_an_exemplar_is_computed_once_for_all_batches(oracle, loaded, encoded, monkeypatch, decode):
    backbone = loaded("base", num_crops=1)

    def ask(exemplar, label, *names):
        viewing = backbone.look([shown_first(exemplar, name, oracle, backbone) for name in names])
        return viewing.ask([after(label)] * len(names), decode)

    (first,) = ask("64x48", "Fear", "100x100")
    second = ask("64x48", "Fear", "48x64", "100x100")
    assert encoded == [1, 1, 2]  # exemplar, query; then two queries alone
    assert [answer.cached_tokens for answer in second] == [first.cached_tokens] * 2
    assert first.cached_tokens > 313  # the exemplar's image and words
    other = ask("64x48", "Anger", "48x64")[0]  # another answer: the image is kept, the words are not
    assert encoded == [1, 1, 2, 1]
    shown = ask("100x100", "Fear", "48x64")[0]  # another image behind the same tokens
    assert encoded == [1, 1, 2, 1, 1, 1]
    monkeypatch.setattr(backbone, "_shared", SharedCache())  # keeps nothing
    for answer, exemplar, label in (
        (second[0], "64x48", "Fear"),
        (other, "64x48", "Anger"),
        (shown, "100x100", "Fear"),
    ):
        (fresh,) = ask(exemplar, label, "48x64")
        assert fresh.response == answer.response
        if decode == "score":
            close(answer.scores, fresh.scores)


def test_nothing_is_kept_while_the_weights_are_trained(oracle, loaded, encoded, monkeypatch):
    backbone = loaded("base", num_crops=1)
    monkeypatch.setattr(backbone.model.lm_head.weight, "requires_grad", True)
    for _ in range(2):
        backbone.look([shown_first("64x48", "100x100", oracle, backbone)]).ask([after("Fear")], "score")
    assert encoded == [1, 1, 1, 1]  # exemplar, query; both again


# -- scoring ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_tree_equals_one_pass_per_option(oracle, loaded, tail_logits, attention):
    backbone = loaded("lora_random", num_crops=4, attention=attention)
    options = Choices(("Surprise", "Happily Surprised", "Happily Disgusted", "Happily", "Sadly Angry", "Anger"))
    asked = Question("Which of them?", options)
    prepared = backbone.prepare([oracle.image("48x64")])
    (answer,) = backbone.look([prepared]).ask([asked], "score")
    ids = backbone.tokenizer.encode(chat(asked.messages), [prepared[0].tokens])
    close(answer.scores, one_pass_per_option(backbone, tail_logits, ids, list(prepared), options))


def test_the_first_of_equal_options_wins(oracle):
    backbone = oracle.backbone(num_crops=1)
    backbone.model.lm_head.weight.zero_()  # every token is as likely as any other
    options = Choices(("Disgust", "Sadness", "Fear", "Anger"))
    (answer,) = look(oracle, backbone, ["100x100"]).ask([Question("Which?", options)], "score")
    assert answer.scores["Sadness"] == answer.scores["Fear"] == answer.scores["Anger"] > answer.scores["Disgust"]
    assert answer.response == "Sadness"
    assert answer.scores["Fear"] == pytest.approx(-3 * math.log(32064), abs=1e-4)


def test_options_are_needed_for_scoring(oracle, loaded):
    with pytest.raises(UserError, match=r"without options"):
        look(oracle, loaded("base", num_crops=1), ["100x100"]).ask([Question("Which?", Choices())], "score")


# -- around 4,096 tokens ----------------------------------------------------------------------------------------------


class Dictated:
    """A tokenizer whose prompts are given; it remembers the ids that it is to decode."""

    def __init__(self, tokenizer, prompts):
        self.tokenizer, self.prompts, self.decoded = tokenizer, prompts, []

    def __getattr__(self, name):
        return getattr(self.tokenizer, name)

    def encode(self, pieces, image_tokens):
        return list(self.prompts[next(piece for piece in pieces if isinstance(piece, str) and piece != "\n")])

    def decode(self, ids):
        self.decoded.append(list(ids))
        return self.tokenizer.decode(ids)


def ids_of_length(backbone, picture, length):
    parts = [Control.USER, "\n", ImageAt(0), "\nAnswer.", Control.END, "\n", Control.ASSISTANT, "\n"]
    base = backbone.tokenizer.encode(parts, [picture.tokens])
    return base[:-3] + [(1000 + 7 * i) % 30000 + 100 for i in range(length - len(base))] + base[-3:]


def test_generation_past_the_short_factors(oracle, loaded):
    """Rows of 4094, 4096, 4097 and 900 tokens in one batch: each switches on its own."""
    backbone, golden = loaded(), oracle.json("long")
    picture = oracle.picture("100x100", 1)
    names = ["len4094", "len4096", "len4097", "short"]
    lengths = [4094, 4096, 4097, 900]
    prompts = {n: ids_of_length(backbone, picture, length) for n, length in zip(names, lengths, strict=True)}
    for group in (["len4094"], names):
        dictated = Dictated(backbone.tokenizer, prompts)
        viewing = Phi35Viewing(backbone.model, dictated, [(picture,)] * len(group), frozenset(), 7)
        answers = viewing.ask([Question(name, BASIC) for name in group])
        for name, answer, ids in zip(group, answers, dictated.decoded, strict=True):
            if name in golden:
                assert answer.prompt_tokens == golden[name]["input_len"]
                wanted = golden[name]["greedy"][:7]
                assert ids[: len(wanted)] == wanted
        again = viewing.ask([Question(name, BASIC) for name in group])
        assert [a.response for a in again] == [a.response for a in answers]
        assert answers[0].new_tokens == 7


def test_options_on_both_sides_of_the_switch(oracle, loaded, tail_logits):
    """Each option counts with the factors of its own length, whatever its neighbours need."""
    backbone = loaded("lora_random")
    picture = oracle.picture("100x100", 1)
    options = Choices(("Fear", "Disgust", "Happily Surprised", "Surprise"))  # 2 to 5 tokens and the end
    prompts = {f"p{n}": ids_of_length(backbone, picture, n) for n in (4092, 400)}
    viewing = Phi35Viewing(
        backbone.model, Dictated(backbone.tokenizer, prompts), [(picture,)] * 2, frozenset({32007}), 5
    )
    lengths = {option: 4092 + len(backbone.tokenizer.text(option)) + 1 for option in options}
    assert min(lengths.values()) <= 4096 < max(lengths.values())
    answers = viewing.ask([Question(name, options) for name in prompts], "score")
    for answer, ids in zip(answers, prompts.values(), strict=True):
        close(answer.scores, one_pass_per_option(backbone, tail_logits, ids, [picture], options))


# -- when it goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decode", ["generate", "score"])
def test_nan_is_no_answer(oracle, decode):
    backbone = oracle.backbone(num_crops=1)
    backbone.model.lm_head.weight[5] = math.nan
    with pytest.raises(JobError, match=r"NaN"):
        look(oracle, backbone, ["100x100"]).ask([Question("Which?", BASIC)], decode)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
    ],
)
def test_out_of_memory_says_what_to_lower(oracle, loaded, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(Phi3VForCausalLM, "embed", fail)
    with pytest.raises(JobError, match=r"--batch-size(.|\n)*num_crops"):
        look(oracle, loaded("base", num_crops=1), ["100x100"]).ask([Question("Which?", BASIC)])


def test_bfloat16_answers(oracle):
    backbone = oracle.backbone(oracle.adapter, dtype="bfloat16", num_crops=1)
    golden = oracle.json("chain")["lora_random|nc1|Surprise_Fear_0"]
    viewing = look(oracle, backbone, ["Surprise_Fear_0"])
    (answer,) = viewing.ask([question(golden["step1"])], "score")
    wanted = {label: s["label_end"] for label, s in golden["step1"]["label_scores"].items()}
    assert answer.response == max(wanted, key=wanted.get)
    # In probabilities: an unlikely label's log-probability adds up the rounding of several tokens.
    close({k: math.exp(v) for k, v in answer.scores.items()}, {k: math.exp(v) for k, v in wanted.items()}, 0.05)
