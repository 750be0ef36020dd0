"""`coabench train` as its users run it: from the command line, killed and gone on with, alone and in company."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from coabench_phi35v.backbone import Phi35Vision
from coabench_phi35v.model import Phi3VForCausalLM
from coabench_tiny.checkpoint import write
from support.in_process import in_process
from support.process import ROOT, Run, start, wait_for
from support.rafdb_tree import REAL_COUNTS, make_rafdb

from coabench.api import train as coabench_train
from coabench.backbone import BackboneRequest
from coabench.errors import JobError
from coabench.training.plan import Training, check
from coabench.training.progress import TrainingProgress
from coabench.training.trainer import make_arguments

pytestmark = pytest.mark.slow

SMALL = ("--set", "num_crops=1", "--set", "max_new_tokens=3", "--device", "cpu", "--dtype", "float32", "--steps", "4",
         "--batch-size", "8", "--rank", "4", "--lr", "1e-3", "--evaluations", "2")  # fmt: skip
"""A training of seconds; what it learns does not matter here."""
VARIED = ("--dora", "--rslora", "--lora-plus", "4", "--part-lr", "vision=5e-4", "--modules-to-save", "projector")
"""A LoRA in all its variants at once."""


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random checkpoint of the tiny backbone's size."""
    folder = tmp_path_factory.mktemp("model")
    write(folder, seed=5)
    return folder


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Options for fifty images of two data sets, where it does not matter what is learnt from."""
    root = make_rafdb(tmp_path_factory.mktemp("few"), basic=(4, 1), annotations=False)
    return ("--dataset", "raf-db-basic", "--dataset", "raf-db-compound", "--data-root", str(root))


@pytest.fixture
def train(coabench: Run, model: Path) -> Run:
    """Run ``coabench train`` on the random model and the shipped faces, as far as that needs no process of its own."""
    return partial(coabench, "train", "--backbone", f"phi-3.5-vision:{model}", *SMALL)


@pytest.fixture
def train_process(coabench_process: Run, model: Path) -> Run:
    """Train in a process of its own."""
    return partial(coabench_process, "train", "--backbone", f"phi-3.5-vision:{model}", *SMALL)


def log(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "training.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "training.json").read_text())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """The folder of a finished training, with a published export."""
    folder = tmp_path_factory.mktemp("trained") / "adapter"
    command = ("train", "--backbone", f"phi-3.5-vision:{model}", *SMALL, "--dev", "0.006")
    result = in_process(folder.parent, [], {})(*command, "--output", folder, "--export", "published")
    assert result.returncode == 0, result.stderr
    assert "to use it" in result.stdout
    return folder


# -- what comes out ----------------------------------------------------------------------------------------------------


def test_the_folder_says_what_it_is(trained: Path) -> None:
    told = manifest(trained)
    assert told["status"] == "complete"
    assert told["examples"] == 1260 - 7 + 2 * (1980 - 11)  # stage 1 on basic, stage 2 both ways, dev taken off
    assert [(part["dataset"], part["fit"], part["dev"]) for part in told["identity"]["data"]] == [
        ("synthface-basic", 1253, 7),
        ("synthface-compound", 1969, 11),
    ]
    assert told["options"]["num_crops"] == 1
    assert {name for name in told["dev"] if not name.startswith(("low ", "high "))} == {
        "uar",
        "invalid",
        "uar synthface-basic",
        "uar synthface-compound",
    }
    assert told["dev"]["low uar"] <= told["dev"]["uar"] < told["dev"]["high uar"]
    assert told["selected_step"] in (2, 4)
    assert told["identity"]["strategies"][0]["prompts"]
    assert not (trained / "checkpoints").exists()


def test_the_log_has_losses_and_dev_scores(trained: Path) -> None:
    lines = log(trained)
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4]
    assert [line["step"] for line in lines if "uar" in line] == [2, 4]
    assert lines[0]["loss"] > lines[-2]["loss"]
    for line in lines:
        assert sum(n for answers in line["seen"].values() for n in answers.values()) == 8 * line["step"]
    assert any((trained / "tensorboard").glob("events.out.tfevents.*"))


def test_the_step_selected_is_the_one_restored(train: Run, tmp_path: Path) -> None:
    options = ("--dataset", "drawn", "--dev", "0.4", "--patience", "1", "--trainer", "eval_on_start=true")
    result = train(*options, "--output", "out")
    assert result.returncode == 0, result.stderr
    evaluated = {line["step"]: line["uar"] for line in log(tmp_path / "out") if "uar" in line}
    assert list(evaluated) == [0, 2, 4]  # the random model is right about nothing, before the first step too
    assert manifest(tmp_path / "out")["selected_step"] == 2
    assert manifest(tmp_path / "out")["dev"]["uar"] == evaluated[2]


def test_plain_peft_loads_it_and_agrees_with_our_merge(trained: Path, model: Path) -> None:
    import torch
    from peft import PeftModel

    options = Phi35Vision.Options(num_crops=1)
    merged = Phi35Vision(BackboneRequest(str(model), str(trained), "cpu", "float32", options))
    merged.load()
    base = Phi35Vision(BackboneRequest(str(model), None, "cpu", "float32", options))
    base.load()
    with_peft = PeftModel.from_pretrained(base.model, str(trained)).merge_and_unload()
    assert isinstance(with_peft, Phi3VForCausalLM)
    theirs = with_peft.state_dict()
    for name, mine in merged.model.state_dict().items():
        assert torch.allclose(mine, theirs[name], atol=1e-6), name
    original = Phi35Vision(BackboneRequest(str(model), None, "cpu", "float32", options))
    original.load()
    before = original.model.state_dict()
    assert sum(not torch.equal(v, before[n]) for n, v in theirs.items()) == 16 + 2 + 6 * 6 + 1


def test_the_published_layout_loads(trained: Path, model: Path) -> None:
    folder = trained / "published"
    assert sorted(path.name for path in folder.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "config.json", "non_lora_state_dict.bin",
    ]  # fmt: skip
    assert json.loads((folder / "adapter_config.json").read_text())["task_type"] == "CAUSAL_LM"
    backbone = Phi35Vision(BackboneRequest(str(model), str(folder), "cpu", "float32", Phi35Vision.Options()))
    backbone.load()
    assert backbone.identity()["adapter"]["rank"] == 4
    assert backbone.details()["notes"] == []


def test_the_same_command_again_has_nothing_to_do(train: Run, trained: Path) -> None:
    before = (trained / "adapter_model.safetensors").stat().st_mtime_ns
    result = train("--dev", "0.006", "--output", trained)
    assert result.returncode == 0, result.stderr
    assert "already complete" in result.stderr
    assert (trained / "adapter_model.safetensors").stat().st_mtime_ns == before


def test_an_evaluation_takes_the_options_of_the_training(
    coabench: Run, trained: Path, model: Path, tmp_path: Path
) -> None:
    backbone = ("evaluate", "--backbone", f"phi-3.5-vision:{model}", "--adapter", trained, "--device", "cpu",
                "--dtype", "float32", "--limit", 2)  # fmt: skip
    result = coabench(*backbone, "--output", "same")
    assert result.returncode == 0, result.stderr
    assert "differs" not in result.stderr
    assert json.loads((tmp_path / "same" / "run.json").read_text())["identity"]["backbone"]["facts"]["num_crops"] == 1
    other = coabench(*backbone, "--output", "other", "--strategy", "direct", "--set", "num_crops=4")
    assert other.returncode == 0, other.stderr
    assert "differs from the adapter's training in num_crops: 1 -> 4" in other.stderr
    assert "trained on the questions of chain-of-affect:corrected, not of direct" in other.stderr


def test_the_split_it_was_trained_on_is_refused(coabench: Run, trained: Path, model: Path, tmp_path: Path) -> None:
    command = ("evaluate", "--backbone", f"phi-3.5-vision:{model}", "--adapter", trained, "--split", "train",
               "--limit", 2, "--dtype", "float32", "--output", "train")  # fmt: skip
    refused = coabench(*command)
    assert refused.returncode == 2
    assert "was trained on synthface-compound, split 'train'" in refused.stderr
    assert not (tmp_path / "train").exists()
    allowed = coabench(*command, "--allow-trained-split")
    assert allowed.returncode == 0, allowed.stderr
    notes = json.loads((tmp_path / "train" / "run.json").read_text())["notes"]
    assert any("trained on this split" in note for note in notes)


def test_a_full_training_is_a_model_of_its_own(
    train: Run, coabench: Run, few: tuple[str, ...], model: Path, tmp_path: Path
) -> None:
    result = train(*few, "--full", "--dev", 0, "--steps", 2, "--output", "whole", "--strategy", "direct",
                   "--strategy", "one-shot")  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert manifest(tmp_path / "whole")["dev"] is None
    run = coabench("evaluate", "--backbone", f"phi-3.5-vision:{tmp_path / 'whole'}", "--set", "max_new_tokens=3",
                   "--set", "num_crops=1", "--limit", 2, "--output", "run", "--device", "cpu")  # fmt: skip
    assert run.returncode == 0, run.stderr
    for name in ("config.json", "tokenizer.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (model / name).read_bytes()
    assert (tmp_path / "whole" / "model.safetensors").read_bytes() != (model / "model.safetensors").read_bytes()


# -- killed, and in company --------------------------------------------------------------------------------------------


def test_a_killed_training_goes_on_to_the_same_weights(
    train: Run, environment: dict[str, str], few: tuple[str, ...], model: Path, tmp_path: Path
) -> None:
    options = (*few, *VARIED, "--dev", "0", "--steps", "8", "--evaluations", "4")
    assert train(*options, "--output", "whole").returncode == 0
    command = ["train", "--backbone", f"phi-3.5-vision:{model}", *SMALL, *options]
    with (tmp_path / "killed.log").open("w") as told:
        process = start(tmp_path, environment, *command, "--output", "killed", stdout=told, stderr=told)
        state = tmp_path / "killed" / "checkpoints" / "checkpoint-2" / "trainer_state.json"
        wait_for(state.exists, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    torn = tmp_path / "killed" / "checkpoints" / "checkpoint-7"
    torn.mkdir()
    (torn / "adapter_model.safetensors").write_bytes(b"half")  # as if it had died while writing
    again = train(*options, "--output", "killed")
    assert again.returncode == 0, again.stderr
    assert "resuming from" in again.stderr
    weights = [(tmp_path / name / "adapter_model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]
    assert log(tmp_path / "whole") == log(tmp_path / "killed")


@pytest.mark.skipif(os.name != "posix", reason="Windows does not let one delete what is open")
def test_a_folder_that_vanishes_ends_the_training(model: Path, tmp_path: Path) -> None:
    class Vandal(TrainingProgress):
        def log(self, line: Mapping[str, Any]) -> None:
            shutil.rmtree(tmp_path / "out")

    settings = {"steps": 3, "batch_size": 2, "rank": 4, "dev": 0.0, "device": "cpu", "dtype": "float32"}
    with pytest.raises(JobError, match="was deleted or moved"):
        coabench_train(backbone=f"phi-3.5-vision:{model}", options={"num_crops": 1}, output=tmp_path / "out",
                       progress=Vandal(), **settings)  # fmt: skip
    assert not list((tmp_path / "out").glob("*.json"))


@pytest.mark.skipif(os.name != "posix", reason="signals are sent")
def test_a_signal_stops_a_training_that_then_continues(
    train: Run, few: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (*few, "--dev", "0", "--steps", "8", "--evaluations", "4", "--output", "out")
    events = tmp_path / "events"
    forward, calls = Phi3VForCausalLM.forward, count()

    def interrupted(*arguments: Any, **values: Any) -> Any:
        if next(calls) == 9:  # in step 5: a step is two micro-batches
            assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
            signal.raise_signal(signal.SIGTERM)
        return forward(*arguments, **values)

    with monkeypatch.context() as patch:
        patch.setattr(Phi3VForCausalLM, "forward", interrupted)
        stopped = train(*options, SCRIPTED_EVENTS=str(events))
    said = stopped.stderr
    assert stopped.returncode == 143
    assert "stopped by SIGTERM: the same command continues from the last checkpoint" in said
    assert "Traceback" not in said
    assert (manifest(tmp_path / "out")["status"], manifest(tmp_path / "out")["reason"]) == ("stopped", "SIGTERM")
    assert list(manifest(tmp_path / "out"))[-1] == "learnt"
    lines = events.read_text().splitlines()
    assert lines[:2] == ["training running from 0", "step 1: epoch, grad_norm, learning_rate, loss, seconds"]
    assert lines[-1] == "training stopped: stopped by SIGTERM"
    events.unlink()
    again = train(*options, SCRIPTED_EVENTS=str(events))
    assert again.returncode == 0
    assert "resuming from" in again.stderr
    lines = events.read_text().splitlines()
    first = int(lines[0].removeprefix("training running from "))
    assert first == 4
    assert [line.partition(":")[0] for line in lines[1:-1]] == [f"step {step}" for step in range(first + 1, 9)]
    assert lines[-1] == "training complete: selected_step, dev, trainable"
    assert manifest(tmp_path / "out")["status"] == "complete"


@pytest.mark.timeout(900)  # two starts of torch, twice
def test_two_processes_train_as_one_does(
    train: Run, environment: dict[str, str], few: tuple[str, ...], model: Path, tmp_path: Path
) -> None:
    options = (*few, *VARIED, "--dropout", "0", "--dev", "0.3")
    assert train(*options, "--output", "one").returncode == 0
    pair = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "coabench"]
    command = [*pair, "train", "--backbone", f"phi-3.5-vision:{model}", *SMALL, *options, "--output", "two"]
    together = partial(subprocess.run, command, cwd=tmp_path, env={**environment, "OMP_NUM_THREADS": "1"},
                       capture_output=True, text=True, check=False)  # fmt: skip
    result = together()
    assert result.returncode == 0, result.stderr
    one, two = log(tmp_path / "one"), log(tmp_path / "two")
    assert len(one) == len(two) == 6
    check_alike(one, two)
    assert manifest(tmp_path / "two")["sessions"][0]["processes"] == 2
    again = together()  # every process learns that nothing is left to do; none waits for the others
    assert again.returncode == 0, again.stderr
    assert "already complete: nothing to train" in again.stderr
    assert log(tmp_path / "two") == two


def check_alike(one: list[dict[str, Any]], two: list[dict[str, Any]]) -> None:
    for mine, theirs in zip(one, two, strict=True):
        assert mine["seen"] == theirs["seen"]
        numbers = [{name: value for name, value in each.items() if name != "seen"} for each in (mine, theirs)]
        assert numbers[0] == pytest.approx(numbers[1], abs=1e-3)


def srun(environment: dict[str, str]) -> list[dict[str, str]]:
    """The environment of each of two processes of srun."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "SLURM_NTASKS": "2"}
    return [{**environment, **shared, "SLURM_PROCID": rank, "SLURM_LOCALID": rank} for rank in ("0", "1")]


def test_a_rank_that_is_killed_in_a_stage_ends_the_others_and_one_process_finishes(
    train: Run, environment: dict[str, str], model: Path, tmp_path: Path
) -> None:
    (tmp_path / "stages.yaml").write_text("schema: 1\nstages: [{name: first, steps: 2}, {name: second, steps: 12}]")
    options = ("--dataset", "drawn", "--dropout", "0", "--dev", "0", "--evaluations", "6", "--stages", "stages.yaml")
    assert train(*options, "--output", "one").returncode == 0
    command = ("train", "--backbone", f"phi-3.5-vision:{model}", *SMALL, *options, "--output", "two")
    first, second = (start(tmp_path, each, *command) for each in srun(environment))
    checkpoints = tmp_path / "two" / "2-second" / "checkpoints"
    wait_for(lambda: any(checkpoints.glob("checkpoint-*/trainer_state.json")), first)
    second.kill()
    said = first.communicate(timeout=120)[1]
    second.communicate()
    assert first.returncode == 1
    assert "another process of this job is gone" in said
    assert not any(words in said for words in ("Traceback", "gemm_4bit"))  # an error, what bitsandbytes complains of
    assert json.loads((tmp_path / "two" / "stages.json").read_text())["status"] == "running"
    again = train(*options, "--output", "two")
    assert again.returncode == 0, again.stderr
    assert "two/1-first is already complete" in again.stderr
    note = manifest(tmp_path / "two" / "2-second")["notes"][-1]
    assert note.startswith("a training of 2 processes is resumed with 1")
    assert note in again.stderr
    for stage in ("1-first", "2-second"):  # the second begins with the adapter that two processes made
        check_alike(log(tmp_path / "one" / stage), log(tmp_path / "two" / stage))


# -- the published preset ----------------------------------------------------------------------------------------------


def test_the_published_preset_counts_the_published_examples(coabench: Run, oracle: Path, tmp_path: Path) -> None:
    make_rafdb(tmp_path / "RAF-DB", counts=REAL_COUNTS, annotations=False, distinct=2)
    data = ("--dataset", "raf-db-basic", "--dataset", "raf-db-compound", "--data-root", "RAF-DB")
    model = f"phi-3.5-vision:{oracle / 'tiny'}"
    published = ("train", "--backbone", model, "--preset", "published", *data, "--device", "cpu")
    planned = coabench(*published, "--dry-run", "--set", "num_crops=1")
    assert planned.returncode == 0, planned.stderr
    assert "18,595 questions about 15,433 images" in planned.stdout
    assert "5,810 of 32 questions" in planned.stdout
    assert "12,271 chain-of-affect:corrected / primary / raf-db-basic" in planned.stdout
    assert "6,324 chain-of-affect:corrected / secondary / raf-db-compound" in planned.stdout
    assert not (tmp_path / "adapters").exists()
    names = ["raf-db-basic", "raf-db-compound"]
    request = Training(
        model, ["chain-of-affect"], names, data_root=tmp_path / "RAF-DB", preset="published", device="cpu"
    )
    plan, literal = check(request), check(replace(request, preset="published-literal"))
    assert (plan.schedule.steps, plan.warmup, plan.identity.warmup_steps) == (5810, 175, 175)
    arguments = make_arguments(plan, tmp_path / "c")
    assert (arguments.adam_beta1, arguments.adam_beta2, arguments.adam_epsilon) == (0.9, 0.98, 1e-7)
    assert (arguments.max_grad_norm, arguments.warmup_steps) == (1.0, 175)
    assert (literal.schedule.steps, literal.schedule.share, literal.schedule.micro_batch) == (5810, False, 4)
    assert literal.identity.recipe == {**plan.identity.recipe, "share": False, "micro_batch": 4}
    shutil.rmtree(tmp_path / "RAF-DB")
    make_rafdb(tmp_path / "RAF-DB", annotations=False)
    started = coabench(*published, "--steps", 1, "--batch-size", 2, "--set", "num_crops=1", "--output", "coa")
    assert started.returncode == 0, started.stderr
    told = manifest(tmp_path / "coa")
    assert told["identity"]["recipe"]["rank"] == 32
    assert told["identity"]["backbone"]["training"] == {"extra_bos": True}
    assert told["identity"]["trainer"] == {"adam_beta2": 0.98, "adam_epsilon": 1e-7}


def test_a_training_that_0_1_0_began_ends_as_it_began(oracle: Path, tmp_path: Path) -> None:
    make_rafdb(tmp_path / "RAF-DB", annotations=False)
    request = Training(
        f"phi-3.5-vision:{oracle / 'tiny'}", ["chain-of-affect"], ["raf-db-basic"], data_root=tmp_path / "RAF-DB",
        preset="published", settings={"steps": 40}, device="cpu", output=tmp_path / "coa",
    )  # fmt: skip
    today = check(request)
    assert (today.warmup, today.trainer, today.continues) == (2, {"adam_beta2": 0.98, "adam_epsilon": 1e-7}, False)
    then = {**today.manifest, "schema": 1, "status": "failed"}
    then["identity"] = {**then["identity"], "trainer": {}}
    del then["identity"]["warmup_steps"]
    (tmp_path / "coa").mkdir()
    (tmp_path / "coa" / "training.json").write_text(json.dumps(then))
    plan = check(request)
    assert (plan.warmup, plan.trainer, plan.continues) == (1, {}, True)
    assert plan.identity.to_json() == then["identity"]
    assert check(replace(request, overwrite=True)).warmup == 2
    (tmp_path / "coa" / "training.json").write_text(json.dumps({**then, "status": "complete"}))
    assert not check(request).continues  # it is another training, and refused as such


def test_without_sharing_the_loss_is_the_mean_over_micro_batches(
    train: Run, few: tuple[str, ...], tmp_path: Path
) -> None:
    records = (*few, "--strategy", "direct", "--dev", 0, "--steps", 1, "--evaluations", 1, "--no-share")
    for size in (2, 4):
        result = train(*records, "--micro-batch", size, "--output", f"m{size}")
        assert result.returncode == 0, result.stderr
    assert manifest(tmp_path / "m2")["identity"]["recipe"]["micro_batch"] == 2
    losses = [log(tmp_path / name)[0]["loss"] for name in ("m2", "m4")]
    assert losses[0] != pytest.approx(losses[1], rel=1e-5)  # labels of one token and of several
    assert losses[0] == pytest.approx(losses[1], rel=0.1)
    refused = train(*records, "--micro-batch", 2, "--output", "m4")
    assert refused.returncode == 2
    assert "recipe.micro_batch: 4 -> 2" in refused.stderr


# -- what goes wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--targets", "langage"), "did you mean 'language'"),
        (("--preset", "publised"), "no preset 'publised'"),
        (("--trainer", "learning_rate=1"), "use --lr instead"),
        (("--trainer", "optimm=sgd"), "did you mean 'optim'"),
        (("--trainer", "optim=nothing"), "refuses these settings"),
        (("--trainer", "optim=lomo"), "install `lomo_optim`"),
        (("--trainer", "eval_steps=1"), "use --evaluations instead"),
        (("--trainer", "greater_is_better=false"), "use --dev instead"),
        (("--trainer", "label_smoothing_factor=0.1"), "computes its own loss"),
        (("--trainer", "neftune_noise_alpha=5"), "is not possible"),
        (("--trainer", "push_to_hub=true"), "`coabench adapters card --push`"),
        (("--trainer", "max_grad_norm=a"), "expected: a number"),
        (("--trainer", "fsdp=true"), "over GPUs alone"),
        (("--trainer", "deepspeed=zero2.json"), "over GPUs alone"),
        (("--micro-batch", "3"), "expected: a divisor of 8"),
        (("--set", "extra_boss=true"), "did you mean 'extra_bos'"),
        (("--dev", "1"), "0 or more, less than 1"),
        (("--dev", "0.0001"), "holds no sample"),
        (("--full", "--export", "published"), "is for adapters"),
        (("--dataset", "drawn", "--dev", "0", "--strategy", "chain-of-affect:corected"), "no variant"),
        (("--backbone", "scripted:a"), "cannot be trained"),
        (("--dataset", "synthface-basic", "--dataset", "synthface-basic"), "names the same thing twice"),
    ],
)
def test_wrong_usage_is_told_and_writes_nothing(
    train: Run, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    result = train("--output", "out", *arguments)
    assert result.returncode == 2, result.stderr
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["fsdp", "deepspeed"])
def test_what_accelerate_launch_switches_on_is_seen(train: Run, tmp_path: Path, name: str) -> None:
    result = train("--output", "out", **{f"ACCELERATE_USE_{name.upper()}": "true"})
    assert result.returncode == 2, result.stderr
    assert f"{name} shards a model over GPUs alone" in result.stderr
    assert not (tmp_path / "out").exists()


def test_fewer_questions_than_a_batch_are_told(coabench: Run, model: Path) -> None:
    result = coabench("train", "--backbone", f"phi-3.5-vision:{model}", "--batch-size", 9000, "--epochs", 1)
    assert result.returncode == 2, result.stderr
    assert "less than one step" in result.stderr


def test_processes_that_do_not_divide_the_batch_are_told(train: Run) -> None:
    world = {"RANK": "0", "WORLD_SIZE": "3", "LOCAL_RANK": "0"}
    result = train("--output", "out", **world)
    assert result.returncode == 2
    assert "a batch of 8 cannot be dealt out evenly to 3 processes" in result.stderr
    assert "--batch-size 9" in result.stderr
    quiet = train("--output", "out", **{**world, "RANK": "1"})
    assert (quiet.returncode, quiet.stderr) == (2, "")


def test_the_folder_of_another_training_is_refused(train: Run, trained: Path) -> None:
    refused = train("--dev", "0.006", "--output", trained, "--seed", 3)
    assert refused.returncode == 2
    assert "seed: 0 -> 3" in refused.stderr
    assert manifest(trained)["identity"]["seed"] == 0


def test_a_data_set_without_a_train_split_is_refused(train: Run, tmp_path: Path) -> None:
    card = ROOT / "datasets_registry" / "synthface-basic.yaml"
    text = card.read_text().replace("splits: [test, dev, train]", "splits: [test]")
    head, _, tail = text.partition("\ncounts:")
    rest = tail.partition("\n\n")[2]
    (tmp_path / "testonly.yaml").write_text(f"{head}\n\n{rest}" if tail else text)
    result = train("--dataset", "testonly.yaml", "--output", "out")
    assert result.returncode == 2, result.stderr
    assert "has no train split" in result.stderr


def test_a_loss_that_is_no_number_ends_the_training_and_keeps_the_checkpoints(
    train: Run, few: tuple[str, ...], tmp_path: Path
) -> None:
    options = (
        *few,
        "--dev",
        0,
        "--steps",
        6,
        "--evaluations",
        6,
        "--lr",
        "1e30",
        "--warmup",
        0,
        "--schedule",
        "constant",
    )
    result = train(*options, "--output", "out", "--trainer", "max_grad_norm=0")
    assert result.returncode == 1, result.stderr
    assert "at step" in result.stderr
    assert "lower --lr" in result.stderr
    assert manifest(tmp_path / "out")["status"] == "failed"
    assert list((tmp_path / "out" / "checkpoints").glob("checkpoint-*"))


def test_an_image_that_cannot_be_read_is_named(train: Run, train_process: Run, tmp_path: Path) -> None:
    make_rafdb(tmp_path / "RAF-DB", basic=(2, 1), compound=(0, 0), annotations=False)
    broken = next((tmp_path / "RAF-DB").rglob("train_00003_aligned.jpg"))
    broken.write_bytes(b"no picture")
    for workers, perform in enumerate((train, train_process)):
        where = ("--dataset", "raf-db-basic", "--data-root", "RAF-DB", "--output", f"out{workers}")
        result = perform(*where, "--dev", 0, "--trainer", f"dataloader_num_workers={workers}")
        assert result.returncode == 1, result.stderr
        assert "raf-db-basic/train_00003 cannot be trained on" in result.stderr
        assert "Traceback" not in result.stderr
        assert manifest(tmp_path / f"out{workers}")["status"] == "failed"


def test_an_unfinished_adapter_is_not_evaluated(coabench: Run, trained: Path, model: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    half.mkdir()
    told = manifest(trained)
    (half / "training.json").write_text(json.dumps({**told, "status": "running"}))
    (half / "adapter_model.safetensors").write_bytes((trained / "adapter_model.safetensors").read_bytes())
    result = coabench("evaluate", "--backbone", f"phi-3.5-vision:{model}", "--adapter", half, "--limit", 2)
    assert result.returncode == 2
    assert "is not finished" in result.stderr


def test_running_out_of_memory_says_what_to_lower(
    train: Run, few: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def hungry(*arguments: Any, **values: Any) -> Any:
        return torch.empty(2**60, dtype=torch.uint8)

    monkeypatch.setattr(Phi3VForCausalLM, "forward", hungry)
    result = train(*few, "--dev", 0, "--output", "out")
    assert result.returncode == 1, result.stderr[-2000:]
    assert "too little memory for this training" in result.stderr
    assert "--micro-batch (now 4)" in result.stderr
