"""Sphinx: sphinx-build -W docs docs/_build/html"""

from importlib.metadata import version as version_of

project = "timetric"
author = "The timetric contributors"
copyright = "2026, The timetric contributors"
release = version_of("timetric")

extensions = ["sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 80
html_theme = "alabaster"
html_theme_options = {"description": "A home for time series on the web"}
html_show_sourcelink = False
