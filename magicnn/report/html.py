"""Pages that stand alone: their style is inside of them, and they ask for nothing outside."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from magicnn.report.style import palette_css
from magicnn.runs import atomic_path

__all__ = ["write_page"]


def write_page(path: Path, template: str, **values: Any) -> None:
    """Fill a template of `magicnn.report` and write the page.

    Parameters
    ----------
    path : Path
        The page.
    template : str
        Name of the template, which extends ``base.html``.
    **values
        What it shows; ``title`` is always needed.

    Raises
    ------
    InputError
        The page cannot be written.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    light, dark = palette_css()
    text = environment.get_template(template).render(style=_resource("style.css"), light=light, dark=dark, **values)
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _resource(name: str) -> str:
    return resources.files("magicnn.report").joinpath(f"templates/{name}").read_text("utf-8")
