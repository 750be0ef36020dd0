"""The page of a training: finished, running, stopped, of an older version, with a damaged log."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from support.browser import Open
from support.in_process import command
from support.report_run import EVIL, VISIBLE

from coabench.errors import UserError
from coabench.reports.training_page import training_page

OLD = Path(__file__).parents[1] / "support" / "written_by_0_1_0" / "adapters" / "rank-1"


def line(step: int, **numbers: Any) -> dict[str, Any]:
    return {"step": step, "epoch": 0.1 * step, **numbers, "seconds": 1.0 * step}


LINES = [
    line(5, loss=1.5, learning_rate=2e-4, grad_norm=1.0, seen={f"direct / {EVIL}": {"Fear": 30, EVIL: 10}}),
    line(5, **{"uar": 0.4, "low uar": 0.31, "high uar": 0.52, "invalid": 0.125, f"uar {EVIL}": 0.4}),
    line(10, loss=0.5, learning_rate=1e-4, seen={f"direct / {EVIL}": {"Fear": 60, EVIL: 20}}),
    line(10, uar=0.6, invalid=0.0) | {"low uar": 0.47, "high uar": 0.71},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished training whose every text is hostile."""
    manifest = json.loads((OLD / "training.json").read_text())
    manifest["identity"]["stages"] = [{"name": EVIL}]
    manifest["identity"]["data"][0]["dataset"] = EVIL
    manifest |= {"notes": [EVIL], "steps": 10, "selected_step": 10, "of another version": [1]}
    manifest["dev"] = {name: value for name, value in LINES[3].items() if "uar" in name or name == "invalid"}
    manifest["sessions"][0] |= {"device": EVIL, "preset": EVIL}
    made = tmp_path / "adapter"
    made.mkdir()
    (made / "training.json").write_text(json.dumps(manifest))
    (made / "training.jsonl").write_text("".join(json.dumps(each) + "\n" for each in LINES))
    return made


def change(folder: Path, **fields: Any) -> None:
    manifest = json.loads((folder / "training.json").read_text())
    (folder / "training.json").write_text(json.dumps({**manifest, **fields}))


def words(page: str) -> str:
    """Return the text of a page, in one line."""
    return " ".join(re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL).split())


def test_it_shows_what_came_out_and_when_and_nothing_of_it_is_code(folder: Path) -> None:
    page = training_page(folder)
    assert page == training_page(folder)
    shown = words(page)
    assert "Dev UAR 60.00 % 95 % interval 47.0 to 71.0" in shown
    assert "The best of 2 evaluations" in shown
    assert "step 10, chosen" in shown
    assert "5 20 40.0 [31.0,&nbsp;52.0] 12.5 40.0" in shown  # step, examples of a batch of 4, mean, invalid, part
    assert "Fear 60 75.0" in shown
    assert EVIL not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;\\u202egnp.exe") >= 7
    assert "<img" not in page
    assert "default-src &#39;none&#39;" in page
    assert 'http-equiv="refresh"' not in page


def test_one_that_runs_or_stopped_shows_how_far_it_is(folder: Path) -> None:
    change(folder, status="running", steps=40, selected_step=None, dev=None)
    with (folder / "training.jsonl").open("a") as file:
        file.write('{"step": 11, "lo')  # as it is while a line is written
    shown = words(training_page(folder, reload=10))
    assert "Running, or killed: 10 of 40 steps logged" in shown
    assert "Dev UAR, best so far 60.00 %" in shown
    assert "step 10, best so far" in shown
    change(folder, status="stopped", reason="SIGTERM")
    assert "Stopped: SIGTERM. 10 of 40 steps logged; the same command continues" in words(training_page(folder))


def test_what_is_not_known_is_said(folder: Path) -> None:
    shown = words(training_page(OLD))
    assert "Nothing was evaluated while it trained" in shown
    assert "The log does not say how many examples of each answer were seen" in shown
    assert "chosen" not in shown
    with (folder / "training.jsonl").open("a") as file:
        file.write('{"step": "six"}\n{"step": 12, "loss": 3.25}\n')
    shown = words(training_page(folder))
    assert "Line 5 of training.jsonl is damaged" in shown
    assert "3.25" not in shown
    (folder / "training.jsonl").unlink()
    assert "There is no training.jsonl" in words(training_page(folder))
    for damaged, expected in (({"learnt": [1]}, "is damaged"), ({"identity": {"recipe": 3}}, "recipe cannot be read")):
        change(folder, **damaged)
        with pytest.raises(UserError, match=expected):
            training_page(folder)


def test_rewards_are_drawn_in_place_of_losses(folder: Path) -> None:
    lines = [
        line(step, loss=-0.5, reward=reward, kl=0.1, answer_tokens=3.5) for step, reward in ((1, -0.25), (2, 0.75))
    ]
    (folder / "training.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    page = training_page(folder)
    shown = words(page)
    assert "Last reward 0.7500" in shown
    assert "Reward over the steps, from -0.25 to 0.75" in page
    assert "Divergence over the steps, from 0.1 to 0.1" in page
    assert "Length over the steps, from 3.5 to 3.5" in page
    assert "Loss" not in shown


def test_a_long_log_is_drawn_as_means(folder: Path) -> None:
    lines = [line(step, loss=1.0 if step % 2 else 3.0, learning_rate=1e-4) for step in range(1, 1001)]
    (folder / "training.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    page = training_page(folder)
    assert page.count('<td class="number">2.0000</td>') == 500
    assert "Means of several entries" in page


def test_the_published_recipe_stands_beside(folder: Path) -> None:
    assert "published recipe" not in training_page(folder)  # the embedded model has none
    identity = json.loads((folder / "training.json").read_text())["identity"]
    identity["backbone"]["name"] = "phi-3.5-vision"
    identity["recipe"] |= {"share": False, "dropout": 0.05}
    identity["trainer"] = {"adam_beta2": 0.98, "adam_epsilon": 1e-7}
    change(folder, identity=identity)
    page = training_page(folder)
    assert "It differs from the published recipe in" in page
    rows = dict(re.findall(r'<tr><th scope="row">(\w+)</th><td>(.*?)</td><td>', page))
    assert rows["share"] == '<strong class="bad">false</strong>'
    assert [rows[name] for name in ("dropout", "adam_beta2", "adam_epsilon")] == ["0.05", "0.98", "1e-07"]


def test_the_command_line(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = command(tmp_path, ["report", "adapter"], {})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "adapter.html").read_text(encoding="utf-8") == training_page(folder)
    refused = command(tmp_path, ["report", "adapter", "--samples", "3"], {})
    assert refused.returncode == 2
    assert "--samples is for runs" in refused.stderr
    assert "--watch follows a training" in command(tmp_path, ["report", ".", "--watch"], {}).stderr

    change(folder, status="running")
    pages = []

    def sleep(seconds: float) -> None:
        pages.append((tmp_path / "adapter.html").read_text(encoding="utf-8"))
        change(folder, status="complete")

    monkeypatch.setattr(time, "sleep", sleep)
    assert command(tmp_path, ["report", "adapter", "--watch"], {}).returncode == 0
    assert ['<meta http-equiv="refresh" content="10">' in page for page in pages] == [True]
    assert (tmp_path / "adapter.html").read_text(encoding="utf-8") == training_page(folder)


def test_in_a_browser(folder: Path, tmp_path: Path, browser_page: Open) -> None:
    (tmp_path / "page.html").write_text(training_page(folder), encoding="utf-8")
    page = browser_page(tmp_path / "page.html", color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("#curves svg[role=img]").count() == 3
    assert VISIBLE in page.locator(".banner").last.inner_text()
    page.locator("#curves details summary").click()
    assert page.locator("#curves tbody tr").count() == 2
