"""The studies in experiments/ can be opened, and every variant's networks and method fit together."""

import json
from pathlib import Path

import pytest

from gan_jax.config.build import build_algorithm, check_components
from gan_jax.data.codecs import Points
from gan_jax.data.spec import DataSpec, Field
from gan_jax.study.groups import grouped
from gan_jax.study.results import RESULTS
from gan_jax.study.study import open_study, runs_of
from tests.shipped import no_compiler

FOLDER = Path(__file__).parent.parent.parent / "experiments"
STUDIES = sorted(path.parent.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("study.py"))
SPECS = {
    "ring": DataSpec({"image": Field((1, 1, 2), Points())}, None),
    "grid": DataSpec({"image": Field((1, 1, 2), Points())}, None),
    "spiral": DataSpec({"image": Field((1, 1, 2), Points())}, None),
    "stacked_mnist": DataSpec({"image": Field((28, 28, 3))}, 1000),
    "fashion_mnist": DataSpec({"image": Field((28, 28, 1))}, 10),
}


def test_there_are_studies():
    assert {"mode_collapse/ring", "mode_collapse/grid", "stacked_mnist/quarter"} <= set(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_every_program_of_a_study_can_be_built(name):
    study = open_study(FOLDER / name)
    runs = runs_of(study)
    assert len(runs) == len(study.variants) * study.seeds
    # One measures nothing, one takes minutes for a run, and one has as many trials as the paper.
    fewest = {"soak": 1, "comparison/images": 3, "published/pacgan_ring": 10}
    assert study.seeds >= fewest.get(name, 20)
    with no_compiler():
        for group in grouped([run for run in runs if run.seed == 0]):
            check_components(group.config)
            build_algorithm(group.config, SPECS[group.config.data.name])


@pytest.mark.parametrize("name", [name for name in STUDIES if (FOLDER / name / RESULTS).is_file()])
def test_written_results_are_those_of_the_study_as_it_is(name):
    """A field that is newer than the results must not make them another study's: see `study.NEWER`."""
    results = (FOLDER / name / RESULTS).read_text().splitlines()
    written = {(row["variant"], row["digest"]) for row in map(json.loads, results)}
    assert written <= {(run.variant, run.digest) for run in runs_of(open_study(FOLDER / name))}
