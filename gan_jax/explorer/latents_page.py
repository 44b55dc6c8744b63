"""The page of a run that draws: a picture, and what can be done to its latent."""

from __future__ import annotations

import json
import re

from gan_jax.explorer.asked import Choices, name_of, safe_name, settings_of, view_of
from gan_jax.explorer.named import Named, header
from gan_jax.explorer.pictures import Pictures
from gan_jax.explorer.site import PNG, Answer
from gan_jax.reports.page import escaped, page, paragraph, resource
from gan_jax.summaries.pictures import encode_png

GALLERY = 12  # pictures of seeds to begin with
_EXTENT, _PSI = 4.0, 1.5  # ends of the sliders
_COMFORTABLE = 448  # pixels: smaller pictures are enlarged with their pixels seen


class LatentsPage:
    """A run that draws, as `site.answer` serves it.

    Args:
        pictures: of the run; the first one is drawn at once, so that the program is compiled.
        named: the run.
    """

    def __init__(self, pictures: Pictures, named: Named) -> None:
        self._pictures, self._named = pictures, named
        self._choices = Choices(
            pictures.num_classes, len(pictures.directions.vectors), pictures.bands, pictures.truncates
        )
        first = "seed=0" if pictures.num_classes is None else "seed=0&label=0"
        height, width = pictures(view_of(first, self._choices)).shape[:2]
        self.page = page(
            f"{named.name}: gan_jax explore",
            header(named),
            self._body(height, width),
            style=resource("gan_jax.explorer", "explore.css"),
            script=resource("gan_jax.explorer", "explore.js"),
        )

    def answer(self, path: str, query: str, body: bytes | None) -> Answer | None:
        """picture.png?QUERY, see `asked.view_of`; with save=1 as a file with its settings."""
        if path != "/picture.png" or body is not None:
            return None
        view, named = view_of(query, self._choices), self._named
        image = self._pictures(view)
        if not re.search(r"(^|&)save=1(&|$)", query):
            return Answer(200, PNG, encode_png(image))
        made_with = {"run": named.name, "step": named.step, **settings_of(view)}
        texts = {"Software": "gan_jax explore", "gan_jax": json.dumps(made_with)}
        file = f"{safe_name(named.name) or 'run'}_{name_of(view, named.class_names)}"[:200]
        saved = {"Content-Disposition": f'attachment; filename="{file}.png"'}
        return Answer(200, PNG, encode_png(image, texts), saved)

    def _body(self, height: int, width: int) -> str:
        pictures = self._pictures
        small = " small" if max(height, width) < _COMFORTABLE else ""
        settings = {"classes": pictures.num_classes is not None, "gallery": GALLERY}
        return f"""\
<div class="explorer" data-settings="{escaped(json.dumps(settings))}">
<div class="shown">
<img id="picture" class="picture{small}" width="{width}" height="{height}" alt="the picture">
<p id="said" class="pale" role="status"></p>
</div>
<div class="acts">
<div class="row"><button id="random" type="button">New seed</button>
<button id="reset" type="button">Reset</button>
<a id="save" class="button" href="picture.png" download>Save PNG</a></div>
<div class="ways">
{_slot("a")}
<label class="slider"><span>from A to B</span>
<input id="way" type="range" min="0" max="1" step="0.01" value="0.5" disabled><output></output></label>
{_slot("b")}
</div>
</div>
<div class="settings">
<label class="field"><span>seed</span>
<input id="seed" type="number" min="0" max="4294967295" step="1" value="0"></label>
{self._classes()}{self._truncation()}{self._directions()}
</div>
</div>
<section>
<h2>Other seeds</h2>
<div id="gallery" class="gallery"></div>
<div class="row"><button id="more" type="button">More</button></div>
</section>"""

    def _classes(self) -> str:
        if (count := self._pictures.num_classes) is None:
            return ""
        names = list(self._named.class_names) or [str(label) for label in range(count)]
        options = "".join(f'<option value="{at}">{escaped(name)}</option>' for at, name in enumerate(names))
        return f'<label class="field"><span>class</span><select id="label">{options}</select></label>\n'

    def _truncation(self) -> str:
        if not self._pictures.truncates:
            return ""
        return (
            '<label class="slider"><span title="w\' = mean + psi (w - mean)">truncation</span>'
            f'<input id="psi" type="range" min="0" max="{_PSI:g}" step="0.05" value="1"><output></output>'
            "</label>\n"
        )

    def _directions(self) -> str:
        pictures = self._pictures
        about = {
            "ganspace": "Principal components of w, in standard deviations, with shares of its variance.",
            "sefa": "From the weights of the first layer (SeFa), in standard deviations, with their shares.",
            None: "The first entries of z, in standard deviations.",
        }[pictures.method]
        bands = ""
        if len(pictures.bands) > 1:
            names = ("all", *pictures.bands)
            options = "".join(f'<option value="{name}">{name}</option>' for name in names)
            bands = (
                f'<label class="field"><span>layers</span><select id="layers">{options}</select></label>\n'
            )
        sliders = "\n".join(
            f'<label class="slider"><span>{number}'
            f"{f' <small>{share:.0%}</small>' if pictures.method else ''}</span>"
            f'<input class="move" type="range" min="{-_EXTENT:g}" max="{_EXTENT:g}" step="0.1" value="0" '
            f'aria-label="direction {number}"><output></output></label>'
            for number, share in enumerate(pictures.directions.share, 1)
        )
        return f"<h2>Directions</h2>\n{bands}{sliders}\n{paragraph(about, 'pale')}"


def _slot(name: str) -> str:
    """A place for a picture that is kept."""
    upper = name.upper()
    return (
        f'<div class="slot"><button id="keep-{name}" type="button">Keep as {upper}</button>'
        f'<button id="kept-{name}" class="kept" type="button" title="back to {upper}" hidden>'
        f'<img alt="{upper}"></button></div>'
    )
