"""Sphinx's settings for the site. `tools.site` copies this folder and adds the pages before it runs Sphinx."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before autodoc imports the package

from crowdcount import __version__

project = "crowdcount"
release = __version__
html_title = "crowdcount"
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
extensions += ["tools.site.alt_texts", "tools.site.docstrings"]

# The committed outputs are what is shown.
nb_execution_mode = "off"
nb_render_markdown_format = "myst"
# Widgets would be drawn by scripts from elsewhere.
nb_ipywidgets_js = {}
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 4
# "The price is $5 or $6" is no formula.
myst_dmath_allow_space = False
myst_dmath_allow_digits = False

# MathJax comes with the pages; see tools/shipped.py.
mathjax_path = "mathjax.js"
mathjax3_config = {"svg": {"fontCache": "global"}, "options": {"enableMenu": False}}

# Docstrings write code in single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
# scikit-learn gives every class these.
_REQUESTS = ", ".join(f"set_{name}_request" for name in ("fit", "predict", "score", "transform"))
autodoc_default_options = {"exclude-members": _REQUESTS}
# A type called `count` may be that of several classes.
suppress_warnings = ["ref.python"]
maximum_signature_line_length = 80
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
