"""Transforms of images for coabench: what a camera, a network or an editor may have done to a picture of a face."""

from __future__ import annotations

from coabench import hookimpl
from coabench.hookspecs import Register


@hookimpl
def coabench_register_transforms(register: Register) -> None:
    here = "coabench_transforms"
    register("jpeg", f"{here}.compression:Jpeg", description="compressed: quality=1 to 95, of libjpeg's scale")
    register("blur", f"{here}.filters:Blur", description="out of focus: sigma=0 to 100 pixels of a Gaussian")
    register("mirror", f"{here}.filters:Mirror", description="left and right exchanged")
    register("grey", f"{here}.light:Grey", description="without colour: the luma of ITU-R BT.601")
    register("brightness", f"{here}.light:Brightness", description="factor=0 to 16 of the light, clipped at white")
