"""Spoken digits as WAV files, by espeak-ng: zero to nine in several voices, pitches and speeds.

    apt-get install espeak-ng
    python experiments/signals/speech.py digits
    gan-jax train --config specgan_tones --workdir runs/digits --config.data.name=waves \
        --config.data.folder=digits --config.data.length=8192 --config.data.rate=8000 \
        --config.data.form=spectrogram --config.generator.condition=auto --config.discriminator.condition=auto

Each word gets a sub-folder, which is its class. A rule-based synthesiser is far simpler than people.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import subprocess
import sys
from pathlib import Path

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
VOICES = ("en-gb", "en-us", "en-gb-scotland", "en-gb+f2", "en-us+f4", "en-us+m3")
PITCHES = (30, 45, 60, 75)  # espeak-ng's own scale, 0 to 99
SPEEDS = (140, 165, 190, 215)  # words a minute


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--few", action="store_true", help="one voice, pitch and speed: 10 files")
    given = parser.parse_args()
    if shutil.which("espeak-ng") is None:
        sys.exit("speech.py: espeak-ng is not installed: apt-get install espeak-ng")
    if given.out.exists():
        sys.exit(f"speech.py: {given.out} is there already: give a new folder")
    kinds = list(itertools.product(VOICES, PITCHES, SPEEDS))[: 1 if given.few else None]
    for word in WORDS:
        (given.out / word).mkdir(parents=True)
        for voice, pitch, speed in kinds:
            path = given.out / word / f"{voice}_{pitch}_{speed}.wav"
            settings = ["-v", voice, "-p", str(pitch), "-s", str(speed), "-w", str(path)]
            subprocess.run(["espeak-ng", *settings, word], check=True)
    sys.stdout.write(f"{len(WORDS) * len(kinds)} words in {given.out}\n")


if __name__ == "__main__":
    main()
