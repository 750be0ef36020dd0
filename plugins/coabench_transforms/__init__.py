"""Transforms of images for coabench: what a camera, a network or an editor may have done to a picture of a face."""

from __future__ import annotations

from coabench import hookimpl
from coabench.hookspecs import Register


@hookimpl
def coabench_register_transforms(register: Register) -> None:
    here = "coabench_transforms"
    register("jpeg", f"{here}.compression:Jpeg", description="compressed: quality=1 to 95, of libjpeg's scale")
    register("blur", f"{here}.filters:Blur", description="out of focus: sigma=0 to 100 pixels, or 0% to 100%")
    register("noise", f"{here}.filters:Noise", description="Gaussian noise: sigma=0 to 100 percent of the range")
    register("resolution", f"{here}.compression:Resolution", description="pixels=1 to 4096 of the shorter side")
    register("mirror", f"{here}.filters:Mirror", description="left and right exchanged")
    register("grey", f"{here}.light:Grey", description="without colour: the luma of ITU-R BT.601")
    register("brightness", f"{here}.light:Brightness", description="factor=0 to 16 of the light, clipped at white")
    register("contrast", f"{here}.light:Contrast", description="factor=0 to 4 of the light's contrast")
    register("gamma", f"{here}.light:Gamma", description="gamma=0.05 to 20, the exponent of every value")
    register("rotate", f"{here}.geometry:Rotate", description="degrees=-180 to 180, anticlockwise")
    register("shift", f"{here}.geometry:Shift", description="percent=0 to 100 of the shorter side, random direction")
    register("margin-in", f"{here}.geometry:MarginIn", description="a tighter crop: percent=0 to 45 off each side")
    register("margin-out", f"{here}.geometry:MarginOut", description="a wider crop: percent=0 to 200 more at each side")
    register("patch", f"{here}.occlusion:Patch", description="a random square: area=0 to 100 percent of the image")
    register("cover-eyes", f"{here}.occlusion:Eyes", description="a bar: height=0 to 200 percent; needs landmarks")
    register("cover-mouth", f"{here}.occlusion:Mouth", description="a bar: height=0 to 200 percent; needs landmarks")
    register("cover-upper", f"{here}.occlusion:Upper", description="to=-100 to 300, 0 eyes, 100 mouth; landmarks")
    register("cover-lower", f"{here}.occlusion:Lower", description="since=-100 to 300, 0 eyes, 100 mouth; landmarks")
    register("sunglasses", f"{here}.worn:Sunglasses", description="transmittance=0 to 100 percent; needs landmarks")
    register("mask", f"{here}.worn:Mask", description="top=-50 to 100: 0 mouth, 100 eyes; needs landmarks")
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
