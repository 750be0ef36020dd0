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
    register("random-flip", f"{here}.chance:RandomFlip", description="left and right exchanged, with a chance of p")
    register("random-crop", f"{here}.chance:RandomCrop", description="nearer and shifted: strength=0 to 0.9 cut off")
    register(
        "random-colour", f"{here}.chance:RandomColour", description="brightness, contrast, colours: strength=0 to 1"
    )
    register("random-grey", f"{here}.chance:RandomGrey", description="without colour, with a chance of p=0 to 1")
    register("random-blur", f"{here}.chance:RandomBlur", description="sigma=0 to 100 at most, with a chance of p")
    register(
        "random-erasing", f"{here}.chance:RandomErasing", description="covers area=0.02 to 1 at most, by a chance p"
    )
