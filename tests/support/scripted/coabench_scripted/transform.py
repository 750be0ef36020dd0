"""A transform: the image stands on its head."""

from coabench.transform import Transform


class UpsideDown(Transform):
    def __init__(self, request):
        pass

    def apply(self, image, subject):
        return image.rotate(180)
