from pathlib import Path

import jupytext

from magicnn import __version__
from magicnn.config import Settings
from magicnn.events import SCHEMA
from magicnn.images.features import FEATURES
from magicnn.predictions import PREDICTION_COLUMNS

project = "magicnn"
copyright = "2026, the magicnn developers"
release = __version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
]
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
html_theme = "pydata_sphinx_theme"
html_title = "magicnn"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}
exclude_patterns = ["_build"]
templates_path = ["_templates"]


def column_table(specs):
    lines = ["| column | shape | dtype | unit | meaning |", "|---|---|---|---|---|"]
    for name, spec in specs.items():
        shape = "[N]" if spec.shape == "event" else "[N, T]"
        truth = " (simulation)" if spec.is_truth else ""
        lines.append(f"| `{name}` | {shape} | {spec.dtype} | {spec.unit} | {spec.description}{truth} |")
    return "\n".join(lines) + "\n"


def write_column_tables(app):
    """Tables of columns from the code, for files.md to include."""
    folder = Path(app.srcdir) / "api" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    own = {
        "events": SCHEMA,
        "features": {n: s for n, s in FEATURES.items() if n not in SCHEMA},
        "predictions": {n: s for n, s in PREDICTION_COLUMNS.items() if n not in SCHEMA},
    }
    for name, specs in own.items():
        path, text = folder / f"columns_{name}.inc", column_table(specs)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def write_notebooks(app):
    """Each notebook as a page, not executed, and as a file to download."""
    for script in (Path(app.srcdir) / "notebooks").glob("*.py"):
        notebook = jupytext.read(script)
        jupytext.write(notebook, script.with_suffix(".ipynb"))
        heading, *rest = [
            cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```" for cell in notebook.cells
        ]
        title, _, text = heading.partition("\n")
        note = f"{{download}}`Download this notebook <{script.stem}.ipynb>`"
        page = "\n\n".join([title, note, text.strip(), *rest]) + "\n"
        path = script.with_suffix(".md")
        if not path.exists() or path.read_text(encoding="utf-8") != page:
            path.write_text(page, encoding="utf-8")


def is_settings(thing):
    return isinstance(thing, type) and issubclass(thing, Settings) and thing is not Settings


def list_settings(app, what, name, thing, options, lines):
    """Defaults and meanings of settings: their fields have descriptions, which autodoc does not know."""
    if what != "class" or not is_settings(thing):
        return
    lines += ["", ".. list-table::", "   :header-rows: 1", "", "   * - setting", "     - default", "     - meaning"]
    for key, field in thing.model_fields.items():
        default = "required" if field.is_required() else field.get_default(call_default_factory=True)
        shown = f"see ``{type(default).__name__}``" if isinstance(default, Settings) else f"``{default!r}``"
        shown = default if default == "required" else shown
        meaning = " ".join((field.description or "").split()).translate(str.maketrans({c: f"\\{c}" for c in "|*`"}))
        lines += [f"   * - ``{key}``", f"     - {shown}", f"     - {meaning}"]
    lines.append("")


def shorten_signature(app, what, name, thing, options, signature, returns):
    """The signature of settings would repeat the table."""
    return ("(**settings)", returns) if what == "class" and is_settings(thing) else None


def leave_out_fields(app, what, name, thing, skip, options):
    """The fields of settings stand in the table; aliases of types have no signature."""
    is_field = name in field_names(Settings) and not callable(thing) and not isinstance(thing, property)
    return True if is_field or name == "Range" else None


def field_names(base):
    names = {"model_config"}
    for model in base.__subclasses__():
        names |= set(model.model_fields) | field_names(model)
    return names


def setup(app):
    app.connect("builder-inited", write_column_tables, priority=0)
    app.connect("builder-inited", write_notebooks, priority=0)
    app.connect("autodoc-process-docstring", list_settings, priority=900)
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("autodoc-skip-member", leave_out_fields)
