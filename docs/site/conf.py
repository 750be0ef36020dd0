"""The documentation as a site: `make docs`. The source is the repository's root, so that links are those of files."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins"), str(Path(__file__).parent)]

from coabench.base.version import __version__  # noqa: E402

project = "coabench"
author = "the coabench contributors"
release = version = __version__
language = "en"
exclude_patterns = ["docs/site"]
root_doc = "docs/index"
include_patterns = [
    "docs/*.md", "docs/**/*.md", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CODE_OF_CONDUCT.md",
    "benchmarks/README.md", "benchmarks/*/*.md", "datasets_registry/README.md", "results/README.md",
    "examples/**/README.md",
]  # fmt: skip

extensions = [
    "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "docstrings", "sphinx_copybutton",
    "command_reference",
]  # fmt: skip
myst_enable_extensions = ["attrs_block"]
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]  # an example with an ellipsis is no valid Python

default_role = "code"  # docstrings quote names as Markdown does
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
smartquotes = False  # "--option" stays what it is

html_theme = "furo"
html_title = f"coabench {release}"
html_static_path: list[str] = []
html_show_sphinx = False
html_copy_source = False
html_additional_pages = {"index": "to_index.html"}
templates_path = [str(Path(__file__).parent / "templates")]
copybutton_exclude = ".linenos, .gp"
