"""Getting a file from one of several mirrors, into memory: nothing is on the disk before it is verified."""

import http.client
import urllib.request
from collections.abc import Callable, Sequence

from tqdm import tqdm

from gan_jax.utils.errors import UserError

TIMEOUT_SECONDS = 20.0  # of silence, for each mirror


def download(urls: Sequence[str], verify: Callable[[bytes, str], bytes], advice: str) -> bytes:
    """What `verify` makes of the first address that answers with the right content.

    Args:
        urls: addresses of the same file, tried in turn.
        verify: (body, address) -> what is wanted of it; raises UserError for a wrong body.
        advice: what to do when no address will do.

    Raises:
        UserError: no address answered with the right content; says what each of them did.
    """
    failures = []
    for url in urls:
        try:
            return verify(_get(url), url)
        except UserError as error:
            failures.append(str(error))
        except (OSError, http.client.HTTPException) as error:
            failures.append(f"{url}: {error}")
    raise UserError("The download failed. " + " ".join(f"[{f}]" for f in failures) + f" {advice}")


def _get(url: str) -> bytes:
    # Official addresses from our own tables, or a file:// address in a test.
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
        total = int(response.headers.get("Content-Length") or 0) or None
        body = bytearray()
        title = url.rsplit("/", 1)[-1]
        with tqdm(desc=title, total=total, unit="B", unit_scale=True, leave=False, disable=None) as bar:
            while part := response.read(1 << 16):
                body += part
                bar.update(len(part))
    return bytes(body)
