"""The page of a run that makes pictures of pictures: one is dropped on it, and what is made of it appears."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np

from gan_jax.data.decoding import Unreadable, decoded
from gan_jax.data.given_pictures import reading_of
from gan_jax.explorer.asked import safe_name
from gan_jax.explorer.named import Named, header
from gan_jax.explorer.site import PNG, Answer
from gan_jax.inference.translate import UNTILED, PictureTranslator
from gan_jax.reports.page import escaped, page, resource
from gan_jax.summaries.pictures import encode_png
from gan_jax.utils.errors import UserError

_TOLD = {"a_to_b": "images of sources (a to b)", "b_to_a": "sources of images (b to a)"}


class TranslationPage:
    """A run that translates, as `site.answer` serves it.

    Args:
        translators: of each direction, made when it is first asked for.
        named: the run.
    """

    def __init__(self, translators: Mapping[str, Callable[[], PictureTranslator]], named: Named) -> None:
        self._translators, self._named = translators, named
        self._made: dict[str, PictureTranslator] = {}
        self._lock = threading.Lock()
        self.page = page(
            f"{named.name}: gan_jax explore",
            header(named),
            self._body(),
            style=resource("gan_jax.explorer", "explore.css"),
            script=resource("gan_jax.explorer", "translate.js"),
        )

    def answer(self, path: str, query: str, body: bytes | None) -> Answer | None:
        """translated.png?direction=a_to_b, of the picture that is sent."""
        if path != "/translated.png" or body is None:
            return None
        asked = parse_qs(query, strict_parsing=bool(query))
        direction = asked.pop("direction", [next(iter(self._translators))])[-1]
        if asked or direction not in self._translators:
            raise UserError(f"a query direction={' or '.join(self._translators)} is expected")
        made = self._translated(body, direction)
        named = self._named
        made_with = {"run": named.name, "step": named.step, "direction": direction, "seed": 0}
        return Answer(200, PNG, encode_png(made, {"gan_jax": json.dumps(made_with)}))

    def _translated(self, content: bytes, direction: str) -> np.ndarray:
        """What is made of a picture's file, uint8 [H, W, C]; one after the other."""
        with self._lock, tempfile.TemporaryDirectory() as folder:
            if direction not in self._made:
                self._made[direction] = self._translators[direction]()
            translator = self._made[direction]
            file = Path(folder) / "picture"
            file.write_bytes(content)
            try:
                with decoded(file, reading_of(translator.field, translator.channels)) as image:
                    picture = np.asarray(image).reshape(image.height, image.width, translator.channels)
            except Unreadable as error:
                raise UserError(f"the picture is {error}") from None
            if translator.tile is None and max(translator.padded_sides(*picture.shape[:2])) > UNTILED:
                translator.tile = translator.largest_tile()
            return translator(picture)

    def _body(self) -> str:
        options = "".join(
            f'<option value="{name}">{escaped(_TOLD.get(name, name))}</option>' for name in self._translators
        )
        direction = ""
        if len(self._translators) > 1:
            direction = (
                f'<label class="field"><span>makes</span><select id="direction">{options}</select></label>'
            )
        return f"""\
<div class="translation" data-name="{escaped(safe_name(self._named.name) or "run")}">
{direction}
<label class="drop" id="drop"><input id="file" type="file" accept="image/*">
Drop a picture here, paste one, or choose a file. A new size takes some seconds the first time.</label>
<p id="said" class="pale" role="status"></p>
<div class="beside" id="pair" hidden>
<figure><figcaption><b>given</b></figcaption><img id="given" alt="given"></figure>
<figure><figcaption><b>made</b></figcaption><img id="picture" alt="made"></figure>
</div>
<div class="row"><a id="save" class="button" download hidden>Save PNG</a></div>
</div>"""
