"""Any data set of labelled faces on disk (the loader ``faces``), and the data sets of the literature that it reads."""

from __future__ import annotations

from coabench import hookimpl
from coabench.base import shipped
from coabench.hookspecs import Register

LOADER = "coabench_faces.dataset:Faces"

CARDS = {
    "affectnet": "AffectNet, 8 emotions, a label file per image (files on request from its authors)",
    "affectnet-csv": "AffectNet, 8 emotions, labels in CSV files (files on request from its authors)",
    "c-expr-db": "C-EXPR-DB, 7 compound emotions of video frames (files on request from its author)",
    "caer-s": "CAER-S, 7 emotions in scenes of television series (files from its authors)",
    "ck-plus": "CK+, 7 posed emotions, peak frames (files on request from its authors)",
    "fer2013": "FER2013, 7 emotions, 48×48 grey values (files from Kaggle)",
    "ferplus": "FERPlus, 8 emotions by the votes of 10 annotators on FER2013 (files from Kaggle and GitHub)",
    "jaffe": "JAFFE, 7 posed emotions (files on request from its authors)",
    "kdef": "KDEF, 7 posed emotions, frontal (files from its authors)",
    "raf-ce": "RAF-CE, 14 compound emotions (files on request from its authors)",
    "sfew": "SFEW 2.0, 7 emotions in stills from films (files on request from its authors)",
}
"""Data sets of the literature, each with a card of that name in ``datasets_registry``; what `list` says of each."""


@hookimpl
def coabench_register_datasets(register: Register) -> None:
    register("faces", LOADER, description="any labelled faces on disk, as a card of yours describes them")
    for name, description in CARDS.items():
        register(name, LOADER, description=description, card=shipped.path("datasets_registry", f"{name}.yaml"))
