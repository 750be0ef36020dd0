"""What a server can and is: fields of its own, the dialect it keeps to, what it runs on, how it reads a prompt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coabench_openai.prompt_check import odd_prompt
from support.chat_server import ChatServer, Handler, Request, completion, hang_up, honest, label_for, says

from coabench.dialogue import Message
from coabench.errors import JobError, UserError


def manifest(run: Path) -> Any:
    return json.loads((run / "run.json").read_text())


def test_further_fields_are_sent_with_every_request_and_are_part_of_the_identity(
    server: ChatServer, evaluate: Any, tmp_path: Path
) -> None:
    fields = {"body.add_special_tokens": "true", "backbone.body.chat_template_kwargs": '{"enable_thinking": false}'}
    evaluate(options=fields)
    sent = {"add_special_tokens": True, "chat_template_kwargs": {"enable_thinking": False}}
    assert all(request.body.items() >= sent.items() for request in server.requests)
    assert manifest(tmp_path / "run")["identity"]["backbone"]["facts"]["body"] == sent
    with pytest.raises(UserError, match="another"):
        evaluate(options={**fields, "body.add_special_tokens": "false"})


def keeps_to(*dialects: str) -> Any:
    """Limit answers in some dialects, and pass over the fields of others."""

    def behave(handler: Handler, request: Request) -> None:
        body = request.body
        if "response_format" in body and "response_format" in dialects:
            options = body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"]
            return says(json.dumps({"answer": options[0]}))(handler, request)
        if "structured_outputs" in body and "structured_outputs" in dialects:
            return says(body["structured_outputs"]["choice"][0])(handler, request)
        return honest(handler, request)

    return behave


@pytest.mark.parametrize(
    ("dialects", "found"),
    [(("structured_outputs", "response_format"), "structured_outputs"), (("response_format",), "json_schema")],
)
def test_the_dialect_that_a_server_keeps_to_is_found_out(
    dialects: Any, found: str, server: ChatServer, evaluate: Any, tmp_path: Path
) -> None:
    server.always = keeps_to(*dialects)
    records = evaluate("direct", options={"constrain": "auto"})
    assert {record["turns"][0]["response"] for record in records} == {"Happily Surprised"}
    assert manifest(tmp_path / "run")["identity"]["backbone"]["facts"]["constrain"] == found


def test_a_server_that_limits_nothing_is_called_so_before_anything_is_written(evaluate: Any, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="limits answers in no dialect"):
        evaluate("direct", options={"constrain": "auto"})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("answer", [says("  \n "), says("Well, this", finish_reason="length")])
def test_a_run_whose_answers_are_nearly_all_cut_off_or_blank_says_so(
    answer: Any, server: ChatServer, evaluate: Any, tmp_path: Path
) -> None:
    evaluate(output="whole")
    server.always = answer
    evaluate(batch_size=8, dataset="testing-basic", strategy="chain-of-affect")
    said = [[n for n in manifest(tmp_path / run)["notes"] if "nearly all answers" in n] for run in ("whole", "run")]
    assert (len(said[0]), len(said[1])) == (0, 1)


def test_white_space_before_a_response_does_not_count(server: ChatServer, evaluate: Any) -> None:
    plain = evaluate()
    server.always = lambda handler, request: says(f" \n{label_for(request)}")(handler, request)
    assert evaluate(output="spaced") == plain


def runs_on(fingerprint: str) -> Any:
    def behave(handler: Handler, request: Request) -> None:
        request.answered = True
        handler.reply(200, json.dumps({**completion(request, label_for(request)), "system_fingerprint": fingerprint}))

    return behave


def test_what_the_server_runs_on_is_recorded_and_a_change_is_said(
    server: ChatServer, evaluate: Any, tmp_path: Path
) -> None:
    server.then.extend([runs_on("vllm-1")] * 4)
    server.always = lambda handler, request: (runs_on("vllm-1") if request.trial else hang_up)(handler, request)
    with pytest.raises(JobError):
        evaluate("direct", batch_size=4, options={"retries": "0"})
    server.always = runs_on("vllm-2")  # and between two sessions
    evaluate("direct", batch_size=4)
    run = manifest(tmp_path / "run")
    assert "the server has changed during the run: its system_fingerprint was vllm-1, vllm-2" in run["notes"]
    assert [session["backbone"]["system_fingerprint"] for session in run["sessions"]] == ["vllm-1", "vllm-2"]
    evaluate("direct", output="other")
    assert not [note for note in manifest(tmp_path / "other")["notes"] if "changed" in note]


def test_a_prompt_without_the_beginning_that_the_tokenizer_adds_is_noted(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    made = Tokenizer(models.WordLevel({"<s>": 0, "<unk>": 1}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", unk_token="<unk>")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'][0]['text'] }} {% endfor %}"
    tokenizer.save_pretrained(tmp_path)
    chat = [Message("user", "one two three")]
    assert odd_prompt(str(tmp_path), chat, 4) is None
    assert odd_prompt(str(tmp_path), chat, 0) is None  # the server counts nothing
    assert odd_prompt("my-vlm", chat, 3) is None  # there is no tokenizer
    assert "BOS" in str(odd_prompt(str(tmp_path), chat, 3))
    assert "counts 9 tokens" in str(odd_prompt(str(tmp_path), chat, 9))
