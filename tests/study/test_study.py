"""Variants, seeds, digests, and which runs share a program."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.config.build import build_algorithm, example_batch
from gan_jax.config.components import complete
from gan_jax.config.config_file import run_config_file
from gan_jax.config.overrides import overridden
from gan_jax.config.phases import phase_configs
from gan_jax.data.codecs import Points
from gan_jax.data.spec import DataSpec, Field
from gan_jax.study.groups import grouped, split_numbers
from gan_jax.study.results import Shard
from gan_jax.study.study import Study, digest, grid, open_study, runs_of
from gan_jax.utils.errors import UserError
from tests.study import tiny

SPEC = DataSpec({"image": Field((1, 1, 2), Points())}, None)


def test_every_variant_has_every_seed():
    runs = runs_of(tiny.study())
    assert [(run.variant, run.seed) for run in runs] == [
        (variant, seed) for variant in ("base", "fast", "hinge") for seed in range(3)
    ]
    assert [run.config.seed for run in runs] == [0, 1, 2] * 3


def test_a_digest_is_of_what_trains_and_measures():
    base = complete(tiny.config())
    for field, other in (
        ("seed", 5),
        ("steps_per_call", 2),
        ("data.dir", "x"),
        ("evaluation.every_steps", 3),
    ):
        assert digest(overridden(base, {field: other}, "")) == digest(base), field
    changes: list[tuple[str, Any]] = [
        ("num_steps", 13),
        ("batch_size", 4),
        ("evaluation.num", 65),
        ("loss.name", "hinge"),
        ("penalties.r2.weight", 0.1),
        ("ema.decay", 0.8),
    ]
    for field, other in changes:
        assert digest(overridden(base, {field: other}, "")) != digest(base), field


def test_a_field_that_is_newer_than_results_changes_no_digest_of_them():
    """`norm_first` is new in one network, and in the other it has always been."""
    points, pictures = tiny.config(), run_config_file("dcgan_shapes")
    for config, is_new in ((points, True), (pictures, False)):
        now = overridden(config, {"generator.norm_first": False}, "it")
        before = now.copy_and_resolve_references()
        with before.unlocked():
            del before.generator.norm_first
        assert (digest(now) == digest(before)) == is_new
        assert digest(overridden(config, {"generator.norm_first": True}, "it")) != digest(now)


def test_variants_change_neither_the_base_nor_each_other():
    study = tiny.study(
        variants={
            "with": {"penalties.r2.weight": 1.5, "generator.widths": (4, 4)},
            "base": {},
            "schedule": {"algorithm.instance_noise": dict(name="linear", start=0.1, end=0.0, steps=4)},
        }
    )
    assert study.base is not None
    before = study.base.to_json_best_effort()
    changed, base, schedule = (run.config for run in runs_of(study) if run.seed == 0)
    assert changed.penalties.r2.weight == 1.5
    assert tuple(changed.generator.widths) == (4, 4)
    assert "r2" not in base.penalties
    assert tuple(base.generator.widths) == (8,)
    assert schedule.algorithm.instance_noise.end == 0.0
    assert study.base.to_json_best_effort() == before


def test_a_variant_may_name_a_config_of_its_own():
    measured = {"evaluation.metrics": "density", "evaluation.network": "points"}
    variants = {"ring": {"config": "gan_ring", "batch_size": 32, **measured}, "base": {}}
    runs = runs_of(tiny.study(variants=variants))
    ring = runs[0]
    named = complete(run_config_file("gan_ring"))
    assert ring.config.generator == named.generator != tiny.config().generator
    assert (ring.config.batch_size, named.batch_size) == (32, 512)
    alone = tiny.study(base=None, variants={"ring": variants["ring"]}, compare_to=None)
    assert [run.digest for run in runs_of(alone)] == [run.digest for run in runs if run.variant == "ring"]
    with pytest.raises(UserError, match="no base config, and the variant 'plain' names none"):
        tiny.study(base=None, variants={"ring": variants["ring"], "plain": {}}, compare_to=None)
    with pytest.raises(UserError, match="did you mean gan_ring"):
        runs_of(tiny.study(variants={"odd": {"config": "gan_rin"}, "base": {}}))


def test_a_component_that_is_chosen_anew_has_its_own_fields():
    chosen = overridden(
        tiny.config(), {"generator_optimizer.name": "sgd", "generator_optimizer.momentum": 0.9}, ""
    )
    assert chosen.generator_optimizer.to_dict() == {
        "name": "sgd",
        "learning_rate": 1e-2,
        "momentum": 0.9,
        "weight_clip": 0.0,
        "historical_averaging": 0.0,
        "finite_gradients": False,
    }


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"loss.nam": "hinge"}, "loss has no 'nam'"),
        ({"penalties.r9.weight": 1.0}, "'r9' is not one of"),
        ({"algorithm.name": "unrolled", "algorithm.k": 5}, "algorithm has no 'k'"),
        ({"ema.name": "half_life"}, "ema.images"),
    ],
)
def test_an_override_that_does_not_fit_is_said(overrides, said):
    with pytest.raises(UserError, match=said):
        runs_of(tiny.study(variants={"odd": overrides, "base": {}}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(variants={}, compare_to=None), "no variants"),
        (dict(seeds=0), "seeds=0"),
        (dict(variants={"base": {}, "a,b": {}}), "'a,b': a name must not be empty or hold a comma"),
        (dict(variants={"a b": {}, "a_b": {}}), "the variants 'a b' and 'a_b' have the same files"),
        (dict(compare_to="plain"), "'plain' is no variant"),
        (dict(ranked_by=()), "ranked_by is empty"),
    ],
)
def test_an_incomplete_study_is_said(changes, said):
    with pytest.raises(UserError, match=said):
        tiny.study(**changes)


def test_a_study_can_only_rank_by_what_it_measures():
    with pytest.raises(UserError, match=r"does not measure fid; .* gives modes_reached"):
        runs_of(tiny.study(ranked_by=("fid",)))


def test_a_grid_has_every_combination():
    variants = grid({"loss.name": ["hinge", "minimax"], "penalties.r1.weight": [0.1, 1.0]})
    assert list(variants) == [
        "loss=hinge r1.weight=0.1",
        "loss=hinge r1.weight=1.0",
        "loss=minimax r1.weight=0.1",
        "loss=minimax r1.weight=1.0",
    ]
    assert list(grid({"generator.widths": [(8, 4)]})) == ["generator.widths=(8 4)"]
    assert variants["loss=minimax r1.weight=0.1"] == {"loss.name": "minimax", "penalties.r1.weight": 0.1}


def test_a_folder_without_a_study_or_with_a_broken_one_is_said(tmp_path):
    with pytest.raises(UserError, match=r"there is no study\.py in it"):
        open_study(tmp_path)
    (tmp_path / "study.py").write_text("def get_study():\n    return 1 / 0\n")
    with pytest.raises(UserError, match="line 2: ZeroDivisionError"):
        open_study(tmp_path)
    (tmp_path / "study.py").write_text("def get_study():\n    return {}\n")
    with pytest.raises(UserError, match="returns a Study"):
        open_study(tmp_path)
    (tmp_path / "study.py").write_text("from tests.study.tiny import study as get_study\n")
    assert isinstance(open_study(tmp_path), Study)


# Programs


def test_runs_that_differ_in_numbers_share_a_program():
    first, second = grouped(runs_of(tiny.study()))
    assert [run.variant for run in first.runs] == ["base"] * 3 + ["fast"] * 3
    assert {name: values.tolist() for name, values in first.numbers.items()} == {
        "generator_optimizer.learning_rate": np.array([1e-2] * 3 + [3e-2] * 3, np.float32).tolist(),
        "penalties.r1.weight": np.array([0.1] * 3 + [0.3] * 3, np.float32).tolist(),
    }
    assert [run.variant for run in second.runs] == ["hinge"] * 3
    assert second.numbers == {}
    assert first.id != second.id


@pytest.mark.parametrize(
    ("field", "other", "shared"),
    [
        ("discriminator_optimizer.b1", 0.9, True),
        ("discriminator_optimizer.b1", 0.0, False),  # 0 and 1 can switch a part of the program off
        ("algorithm.instance_noise", 0.1, False),
        ("penalties.r1.every", 3, False),
        ("batch_size", 4, False),
        ("num_steps", 13, False),
        ("data.num_examples", 40, False),
        ("ema.decay", 0.5, False),
        ("generator.widths", (9,), False),
        ("evaluation.num", 65, False),
    ],
)
def test_what_can_share_a_program(field, other, shared):
    runs = runs_of(tiny.study(variants={"base": {}, "other": {field: other}}, seeds=1))
    assert len(grouped(runs)) == (1 if shared else 2)


def test_a_schedule_is_no_number():
    ramp = dict(name="linear", start=1e-3, end=1e-4, steps=4)
    runs = runs_of(tiny.study(variants={"base": {}, "ramp": {"generator_optimizer.learning_rate": ramp}}))
    assert len(grouped(runs)) == 2
    assert "generator_optimizer.learning_rate" not in split_numbers(runs[-1].config)[1]


def test_a_program_holds_no_more_runs_than_it_may():
    groups = grouped(runs_of(tiny.study()), at_once=4)
    assert [len(group.runs) for group in groups] == [4, 2, 3]
    assert len({group.id for group in groups}) == 3


def test_a_number_in_the_program_is_the_number_of_the_config():
    """Rates, both decays, a penalty's weight and noise, traced, against the config of that run."""
    variant = {
        "generator_optimizer.learning_rate": 2e-2,
        "discriminator_optimizer.b1": 0.3,
        "discriminator_optimizer.b2": 0.9,
        "penalties.r1.weight": 2.0,
        "algorithm.instance_noise": 0.2,
    }
    base = {"algorithm.instance_noise": 0.1}
    (group,) = grouped(runs_of(tiny.study(variants={"base": base, "other": variant}, seeds=1)))
    assert set(group.numbers) == set(variant)
    algorithm_of = group.algorithm_of(SPEC)

    @jax.jit
    def traced(state, batches, numbers):
        return algorithm_of(numbers).step(state, batches)

    for index, run in enumerate(group.runs):
        alone = build_algorithm(run.config, SPEC)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), example_batch(SPEC, 8))
        state = alone.init(jax.random.key(1), zeros)
        batches = {"image": jax.random.normal(jax.random.key(2), (1, 8, 1, 1, 2))}
        numbers = {name: values[index] for name, values in group.numbers.items()}
        found, expected = traced(state, batches, numbers), jax.jit(alone.step)(state, batches)
        for a, b in zip(
            jax.tree.leaves(found[0].generator), jax.tree.leaves(expected[0].generator), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        for a, b in zip(
            jax.tree.leaves(found[0].discriminator), jax.tree.leaves(expected[0].discriminator), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("of_phase", [1e-2, 3e-2, 2e-2])  # the first run's own, the second's, and neither's
def test_a_number_that_a_phase_sets_is_the_same_for_all_runs(of_phase):
    base = tiny.config()
    base.phases = [
        dict(name="own", num_steps=6),
        dict(name="set", generator_optimizer=dict(learning_rate=of_phase)),
    ]
    variants = {"base": {}, "fast": {"generator_optimizer.learning_rate": 3e-2, "penalties.r1.weight": 2.0}}
    (group,) = grouped(runs_of(tiny.study(base=base, variants=variants, seeds=1)))
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), example_batch(SPEC, 8))
    batches = {"image": jax.random.normal(jax.random.key(2), (1, 8, 1, 1, 2))}
    algorithm_of = group.algorithm_of(SPEC, 1)
    for index, run in enumerate(group.runs):
        alone = build_algorithm(phase_configs(run.config)[1].config, SPEC, 6)
        state = alone.init(jax.random.key(1), zeros)
        numbers = {name: values[index] for name, values in group.numbers.items()}
        found = jax.jit(lambda s, b, n: algorithm_of(n).step(s, b))(state, batches, numbers)
        expected = jax.jit(alone.step)(state, batches)
        for player in ("generator", "discriminator"):
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
                getattr(found[0], player),
                getattr(expected[0], player),
            )


# Shards


def test_shards_part_the_runs():
    runs = runs_of(tiny.study())
    parts = [Shard(index, 4).part(runs) for index in (1, 2, 3, 4)]
    assert sorted((run.variant, run.seed) for part in parts for run in part) == sorted(
        (run.variant, run.seed) for run in runs
    )
    assert Shard.parse("3/16") == Shard(3, 16)
    assert Shard.parse("1/1").suffix == ""


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/2"])
def test_a_shard_that_is_none_is_said(text):
    with pytest.raises(UserError, match="write INDEX/COUNT"):
        Shard.parse(text)
