"""What squashing, padding and cropping cost a classifier on pictures that are not square: a table.

    .venv/bin/python benchmarks/classifier_fit.py

The classifier is the smallest that reads a face, multinomial regression on 32 × 32 grey pixels, trained on the square
synthetic faces that come with coabench. It is measured on their test split, each face in the middle of a wider and of a
taller picture, whose other pixels repeat the edges of the face's picture. Figures are UAR, in percent.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import onnx
from command_line import parser_of, run_benchmark
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.linear_model import LogisticRegression

import coabench
from coabench.dataset import Sample
from coabench.registry.catalog import find_dataset

SIDE = 32
SHAPES = {"1:1": (100, 100), "5:4": (125, 100), "3:2": (150, 100), "16:9": (178, 100), "2:3": (100, 150)}
FITS = ("squash", "pad", "crop")


def picture(sample: Sample) -> Image.Image:
    return Image.open(io.BytesIO(sample.image.read())).convert("RGB")


def grey(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR).convert("L"), np.float32).ravel() / 255


def widened(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return a picture of *size*, width and height, with the image in its middle."""
    more = [(size[1] - image.height) // 2, (size[0] - image.width) // 2]
    return Image.fromarray(np.pad(np.asarray(image), [(more[0],) * 2, (more[1],) * 2, (0, 0)], "edge"))


def write(path: Path, model: LogisticRegression) -> None:
    """Write the regression as an ONNX file with its label list."""
    weights = numpy_helper.from_array(model.coef_.T.astype(np.float32), "weights")
    bias = numpy_helper.from_array(model.intercept_.astype(np.float32), "bias")
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, SIDE, SIDE])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, len(model.classes_)])
    graph = helper.make_graph(nodes, "regression", [image], [logits], [weights, bias])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9), str(path))
    path.with_suffix(".labels.txt").write_text("\n".join(model.classes_) + "\n")


def main() -> None:
    parser_of(__doc__).parse_args()
    dataset = find_dataset("synthface-basic").open(None)
    train, test = dataset.samples("train"), dataset.samples("test")
    model = LogisticRegression(C=0.02, max_iter=300)
    model.fit(np.stack([grey(picture(sample)) for sample in train]), [sample.target for sample in train])
    print("| Picture | " + " | ".join(FITS) + " |\n|---|" + "---|" * len(FITS))
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "net.onnx"), model)
        for name, size in SHAPES.items():
            images = [(widened(picture(sample), size), sample.target) for sample in test]
            figures = []
            for fit in FITS:
                run = coabench.evaluate(
                    backbone=f"classifier:{folder}/net.onnx", strategy="top-1", dataset=images,
                    labels="synthface-basic", output=Path(folder, f"{size}-{fit}"), options={"fit": fit},
                )  # fmt: skip
                figures.append(f"{100 * run.metrics['uar']:.1f}")
            print(f"| {name} | " + " | ".join(figures) + " |", flush=True)


if __name__ == "__main__":
    run_benchmark(main)
