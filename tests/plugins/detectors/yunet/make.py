"""Make blue.onnx, a network with the inputs and outputs of YuNet: its faces are the cells of 32 pixels that are blue.

pip install onnx, then `python make.py` in this folder. A real YuNet is a user's file; this one shows that frames reach
the network with their colours in order and that its boxes come back to the right place.
"""

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

CHANNELS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}

nodes, constants, outputs = [], [], []
for stride in (8, 16, 32):
    nodes.append(helper.make_node("AveragePool", ["input"], [f"mean_{stride}"],
                                  kernel_shape=[stride, stride], strides=[stride, stride]))  # fmt: skip
    for kind, channels in CHANNELS.items():
        name = f"{kind}_{stride}"
        weight = np.zeros((channels, 3, 1, 1), np.float32)
        bias = np.zeros(channels, np.float32)
        if kind in ("cls", "obj"):
            bias[:] = -8
            if stride == 32:  # blue, green, red: a cell is a face where blue is high and red is low
                weight[0, :, 0, 0] = (16 / 255, 0, -16 / 255)
        if kind == "bbox":
            bias[:2] = 0.5  # the middle of the cell; width and height are exp(0) cells
        constants += [numpy_helper.from_array(weight, f"w_{name}"), numpy_helper.from_array(bias, f"b_{name}"),
                      numpy_helper.from_array(np.array([1, -1, channels]), f"s_{name}")]  # fmt: skip
        nodes += [
            helper.make_node("Conv", [f"mean_{stride}", f"w_{name}", f"b_{name}"], [f"c_{name}"], kernel_shape=[1, 1]),
            helper.make_node("Transpose", [f"c_{name}"], [f"t_{name}"], perm=[0, 2, 3, 1]),
        ]
        if kind in ("cls", "obj"):
            nodes += [
                helper.make_node("Reshape", [f"t_{name}", f"s_{name}"], [f"r_{name}"]),
                helper.make_node("Sigmoid", [f"r_{name}"], [name]),
            ]
        else:
            nodes.append(helper.make_node("Reshape", [f"t_{name}", f"s_{name}"], [name]))
# OpenCV asks for the outputs by name, in this order.
outputs = [
    helper.make_tensor_value_info(f"{kind}_{stride}", TensorProto.FLOAT, [1, "cells", CHANNELS[kind]])
    for kind in CHANNELS
    for stride in (8, 16, 32)
]
image = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "height", "width"])
graph = helper.make_graph(nodes, "blue", [image], outputs, constants)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
checker.check_model(model)
save(model, "blue.onnx")
