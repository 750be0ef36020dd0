"""ultralytics for real: a YOLOv8n with random weights, saved as a .pt as ultralytics saves it.

What it finds means nothing; that it is loaded, fed and read correctly does.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process


def _works() -> str:
    """Return why ultralytics cannot be imported, in a process of its own: it changes the one that imports it."""
    environment = {**os.environ, "YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "false"}
    code = "import ultralytics.nn.tasks"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with face.pt (one class), objects.pt (80 classes) and code.pt (which would run a command)."""
    if reason := _works():
        pytest.skip(f"ultralytics cannot be imported here: {reason}")
    folder = tmp_path_factory.mktemp("yolo")
    code = """
import os, torch
from support.footage import photograph
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel

class Code:
    def __reduce__(self):
        return os.system, ("touch RAN",)

torch.manual_seed(0)
picture = torch.from_numpy(photograph().copy()).permute(2, 0, 1)[None].float() / 255
for name, names in (("face", {0: "face"}), ("objects", {i: f"thing {i}" for i in range(80)})):
    model = YOLO("yolov8n.yaml")
    model.model = DetectionModel("yolov8n.yaml", nc=len(names), verbose=False)
    model.model.names = names
    with torch.no_grad():  # as built, it is equally unsure of everything; now it shall be sure of a few places
        model.model.train()
        for _ in range(20):
            model.model(picture)
        model.model.eval()
        for head in (branch[-1] for branch in model.model.model[-1].cv3):
            seen = []
            hook = head.register_forward_hook(lambda module, given, result: seen.append(result))
            model.model(picture)
            hook.remove()
            logits = seen[0] - head.bias[:, None, None]
            head.weight.mul_(3 / logits.std())
            head.bias.fill_(1 - float((logits * 3 / logits.std()).quantile(0.998)))
    model.save(f"{name}.pt")
torch.save({"model": Code()}, "code.pt")
torch.save({"model": None}, "nothing.pt")
"""
    run(code, folder, folder)
    return folder


def run(code: str, folder: Path, home: Path) -> "subprocess.CompletedProcess[str]":
    """Run code in a process of its own; AssertionError with what it said where it fails."""
    environment = {**os.environ, "HOME": str(home), "YOLO_OFFLINE": "1", "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def test_it_finds_what_ultralytics_finds(weights: Path, tmp_path: Path) -> None:
    code = """
from pathlib import Path
import numpy as np
from coabench.registry.detectors import find_detector
from support.footage import photograph
frame = photograph()
choice = find_detector("yolov8n-face", Path("face.pt"))
detector = choice.open(choice.options(threshold=0.7))
faces = detector.detect(frame)
assert faces == detector.detect(frame)
from ultralytics import YOLO
boxes = YOLO("face.pt").predict(frame[..., ::-1].copy(), conf=0.7, imgsz=512, verbose=False)[0].boxes
theirs = sorted((-round(score, 4), *map(round, box)) for score, box in zip(boxes.conf.tolist(), boxes.xyxy.tolist()))
ours = sorted((-face.score, *face.box) for face in faces)
assert len(ours) == len(theirs) > 3, (len(ours), len(theirs))
assert np.abs(np.array(ours) - np.array(theirs)).max() <= 1, (ours[:9], theirs[:9])
"""
    run(code, weights, tmp_path)


def test_it_calls_nobody_writes_nothing_and_leaves_the_process_alone(weights: Path, tmp_path: Path) -> None:
    code = """
import os, socket, sys
def forbidden(*arguments, **keywords):
    raise AssertionError(arguments)
socket.getaddrinfo = socket.gethostbyname = socket.create_connection = forbidden
from pathlib import Path
import cv2, torch
threads, environment = (cv2.getNumThreads(), torch.get_num_threads()), dict(os.environ)
from coabench.registry.detectors import find_detector
from support.footage import photograph
find_detector("auto", Path("face.pt")).open().detect(photograph())
assert (cv2.getNumThreads(), torch.get_num_threads()) == threads
changed = {name for name in os.environ if environment.get(name) != os.environ[name]}
assert not {name for name in changed if "YOLO" in name or "OMP" in name}, changed
"""
    done = run(code, weights, tmp_path)
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_face_model_is_refused_and_runs_no_code(weights: Path, tmp_path: Path) -> None:
    code = """
from pathlib import Path
from coabench.registry.detectors import find_detector
from coabench.errors import UserError
Path("nonsense.pt").write_bytes(b"nonsense" * 99)
Path("cut.pt").write_bytes(Path("face.pt").read_bytes()[:100_000])
for name in ("objects", "code", "nothing", "nonsense", "cut"):
    try:
        find_detector("yolov8n-face", Path(f"{name}.pt")).open()
    except UserError as error:
        print(name, error, sep=": ")
    else:
        raise AssertionError(name)
"""
    told = run(code, weights, tmp_path).stdout
    assert "objects: --detector-weights objects.pt finds no faces" in told
    assert told.count("cannot be used") == 4
    assert not (weights / "RAN").exists()


def test_a_device_that_is_not_there_is_refused(weights: Path, tmp_path: Path) -> None:
    code = """
from pathlib import Path
from coabench.registry.detectors import find_detector
from coabench.errors import UserError
choice = find_detector("yolov8n-face", Path("face.pt"))
for device in ("cuda:99", "toaster"):
    try:
        choice.open(choice.options(device=device))
    except UserError as error:
        assert "--set device=cpu" in str(error)
    else:
        raise AssertionError(device)
"""
    run(code, weights, tmp_path)
