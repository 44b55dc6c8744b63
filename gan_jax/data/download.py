"""Getting a file from one of several mirrors, into memory: nothing is on the disk before it is verified."""

import http.client
import time
import urllib.request
from collections.abc import Callable, Sequence

from tqdm import tqdm

from gan_jax.utils.errors import UserError
from gan_jax.utils.untrusted import plain

TIMEOUT_SECONDS = 20.0  # of silence, for each mirror
SLOWEST = 1_000  # bytes a second, on average after the time above


def download(
    urls: Sequence[str], verify: Callable[[bytes, str], bytes], advice: str, most_bytes: int
) -> bytes:
    """What `verify` makes of the first address that answers with the right content.

    Args:
        urls: addresses of the same file, tried in turn.
        verify: (body, address) -> what is wanted of it; raises UserError for a wrong body.
        advice: what to do when no address will do.
        most_bytes: a longer body is not read.

    Raises:
        UserError: no address answered with the right content; says what each of them did.
    """
    failures = []
    for url in urls:
        try:
            return verify(_get(url, most_bytes), url)
        except UserError as error:
            failures.append(str(error))
        # ValueError: of an address or a header that is none, as a redirection may give.
        except (OSError, http.client.HTTPException, ValueError) as error:
            failures.append(f"{url}: {plain(error)}")
    raise UserError("The download failed. " + " ".join(f"[{f}]" for f in failures) + f" {advice}")


def _get(url: str, most_bytes: int) -> bytes:
    # Official addresses from our own tables, or a file:// address in a test.
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
        said = (response.headers.get("Content-Length") or "").strip()
        total = int(said) if said.isascii() and said.isdecimal() and len(said) < 20 else None
        body, title, begun = bytearray(), url.rsplit("/", 1)[-1], time.monotonic()
        with tqdm(desc=title, total=total, unit="B", unit_scale=True, leave=False, disable=None) as bar:
            while part := response.read1(1 << 16):
                body += part
                if max(len(body), total or 0) > most_bytes:
                    raise UserError(f"{url} is another file: it is longer than {most_bytes} bytes")
                if (taken := time.monotonic() - begun) > TIMEOUT_SECONDS and len(body) < SLOWEST * taken:
                    raise UserError(f"{url} is too slow: {len(body)} bytes in {taken:.0f} seconds")
                bar.update(len(part))
    if total is not None and len(body) < total:
        raise UserError(f"{url} was cut off after {len(body)} of {total} bytes")
    return bytes(body)
