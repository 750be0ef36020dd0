"""`coabench adapters card`: the hub's own classes read what it says; a push takes what is for others, on request."""

from __future__ import annotations

import base64
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from coabench_tiny.backbone import ADAPTERS
from huggingface_hub import ModelCard, constants
from support.few_faces import few_faces
from support.process import Run

SHIPPED = ADAPTERS / "chain-of-affect"


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as takes a commit."""

    asked: list[tuple[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        lines = [json.loads(line) for line in body.splitlines()]
        self.asked.append((self.path, lines))
        files = lines[0].get("files", []) if len(lines) == 1 else []
        answers = {
            "create": {"url": "https://huggingface.co/me/coa"},
            "preupload": {"files": [{**file, "uploadMode": "regular", "shouldIgnore": False} for file in files]},
            "commit": {"commitUrl": "https://huggingface.co/me/coa/commit/1", "commitOid": "1", "success": True},
        }
        answer = next(
            (text for word, text in answers.items() if f"/{word}" in self.path), {"warnings": [], "errors": []}
        )
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Any]]]:
    """What a hub on this machine was asked."""
    Hub.asked = []
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_abc")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield Hub.asked
        server.shutdown()


def test_a_card_has_the_figures_of_complete_runs_of_this_adapter(
    coabench: Run, tmp_path: Path, asked: list[tuple[str, Any]]
) -> None:
    how = ("--dataset", "synthface-basic", "--data-root", few_faces(tmp_path / "few"), "--decode", "score")
    evaluated = coabench("evaluate", *how, "--output", "run")
    assert evaluated.returncode == 0, evaluated.stderr
    made = coabench("adapters", "card", SHIPPED, "--run", "run", "--output", "README.md")
    assert made.returncode == 0, made.stderr
    assert not asked
    card = ModelCard.load(tmp_path / "README.md")
    figures = {each.metric_type: each.metric_value for each in card.data.eval_results or []}
    assert figures == {
        name: json.loads((tmp_path / "run" / "metrics.json").read_text())[name] for name in ("uar", "war")
    }
    assert "Responsible use" in card.text
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    manifest["sessions"][0]["command"].append("--allow-trained-split")
    (tmp_path / "run" / "run.json").write_text(json.dumps(manifest))
    learnt = coabench("adapters", "card", SHIPPED, "--run", "run")
    assert (learnt.returncode, "has learnt from" in learnt.stderr) == (2, True)
    other = coabench("adapters", "card", ADAPTERS / "direct", "--run", "run")
    assert (other.returncode, "is not one of this adapter" in other.stderr) == (2, True)


def test_a_push_takes_weights_config_card_and_no_image_of_the_training(
    coabench: Run, asked: list[tuple[str, Any]], tmp_path: Path
) -> None:
    adapter = shutil.copytree(SHIPPED, tmp_path / "coa")
    manifest = json.loads((SHIPPED / "training.json").read_text())
    (adapter / "training.json").write_text(json.dumps({**manifest, "learnt_earlier": [manifest["learnt"]]}))
    pushed = coabench("adapters", "card", adapter, "--push", "me/coa")
    assert pushed.returncode == 0, pushed.stderr
    assert "pushed: https://huggingface.co/me/coa/commit/1" in pushed.stdout
    assert "private" in {*map(str, [*asked[0][1][0], *asked[0][1][0].values()])}
    lines = next(lines for path, lines in asked if "/commit/" in path)
    files = {
        line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in lines if line["key"] == "file"
    }
    assert {*files} == {"README.md", "adapter_config.json", "adapter_model.safetensors", "training.json"}
    assert files["adapter_model.safetensors"] == (SHIPPED / "adapter_model.safetensors").read_bytes()
    assert not {"learnt", "learnt_earlier", "sessions"} & {*json.loads(files["training.json"])}
