"""A model here, a model behind a server, a classifier and a replay, in one leaderboard."""

import json
from pathlib import Path

from support.chat_server import ChatServer, says
from support.colour_net import write_onnx
from support.process import Run

from coabench.evaluation.job import evaluate
from coabench.evaluation.plan import Evaluation


def test_a_leaderboard_ranks_all_kinds_of_backbones_side_by_side(coabench: Run, faces: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    backbones = {
        "model": ("tiny", "chain-of-affect"),
        "classifier": (f"classifier:{write_onnx(tmp_path / 'colour.onnx')}", "top-2-pair:known"),
        "replay": (f"replay:{runs / 'model'}", "chain-of-affect"),
    }
    for name, (backbone, strategy) in backbones.items():
        evaluate(Evaluation(backbone, strategy, "synthface-compound", data_root=faces, output=runs / name))
    backbones["server"] = ("openai:somebody", "direct")
    with ChatServer(says("Happily Surprised")) as server:
        address = {"base_url": server.url}
        evaluate(
            Evaluation(
                *backbones["server"], "synthface-compound", data_root=faces, options=address, output=runs / "server"
            )
        )
    told = coabench("leaderboard", runs, "--format", "json")
    assert told.returncode == 0, told.stderr
    rows = {row["name"]: row for row in json.loads(told.stdout) if row["name"] in backbones}
    assert {row["kind"] for row in rows.values()} == {"run"}  # all are ranked, in one group
    assert len({row["fingerprint"] for row in rows.values()}) == 1
    assert [rows[name]["backbone"] for name in backbones] == ["tiny", "classifier", "replay", "openai"]
    assert rows["replay"]["uar"] == rows["model"]["uar"] > rows["classifier"]["uar"]
    assert rows["classifier"]["strategy"] == "top-2-pair:known"
    assert rows["server"]["model"] == "somebody"
    assert rows["model"]["images_per_second"] > 0
    assert rows["replay"]["images_per_second"] is None
