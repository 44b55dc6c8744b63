"""config.phases: the config of each phase, what is refused, and that all have one state."""

import pytest

from gan_jax.config import phases
from gan_jax.config.build import build
from gan_jax.config.components import complete
from gan_jax.utils.errors import UserError
from tests.runs import tiny
from tests.variants import config_of


def config(tmp_path, *listed, **fields):
    chosen = tiny(tmp_path, **fields)
    with chosen.unlocked():
        chosen.phases = list(listed)
    return complete(chosen)


def test_without_phases_a_run_is_one(tmp_path):
    whole = config(tmp_path)
    (only,) = phases.phase_configs(whole)
    assert (only.name, only.start, only.stop) == ("", 0, whole.num_steps)
    assert only.config is whole


def test_changes_hold_from_their_phase_on_and_the_last_goes_on_to_the_end(tmp_path):
    first, second, third = phases.phase_configs(
        config(
            tmp_path,
            dict(name="a", num_steps=5, generator_optimizer=dict(learning_rate=0.5)),
            dict(name="b", num_steps=10, batch_size=4, loss=dict(name="hinge")),
            dict(name="c", generator_optimizer=dict(name="sgd", learning_rate=0.1)),
            num_steps=40,
        )
    )
    assert [(one.start, one.stop) for one in (first, second, third)] == [(0, 5), (5, 15), (15, 40)]
    assert first.config.generator_optimizer.b1 == second.config.generator_optimizer.b1 == 0.5
    assert second.config.generator_optimizer.learning_rate == 0.5
    assert [one.config.batch_size for one in (first, second, third)] == [8, 4, 4]
    assert [one.config.loss.name for one in (first, second, third)] == ["non_saturating", "hinge", "hinge"]
    assert "b1" not in third.config.generator_optimizer  # another component takes the place of the one before
    assert third.config.generator_optimizer.momentum == 0.0  # complete


def test_penalties_change_in_the_fields_that_are_given(tmp_path):
    both = dict(r1=dict(weight=1.0, every=4), r2=dict(weight=2.0))
    chosen = config(
        tmp_path,
        dict(name="a", num_steps=5),
        dict(name="b", penalties=dict(r1=dict(weight=0.5), lecam=dict(weight=0.1))),
        penalties=both,
    )
    _, second = phases.phase_configs(chosen)
    found = second.config.penalties
    assert (found.r1.weight, found.r1.every, found.r2.weight) == (0.5, 4, 2.0)
    assert found.lecam.weight == 0.1


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ([dict(num_steps=40)], r"phases\[0\].name=None"),
        ([dict(name="a", num_steps=20), dict(name="a")], r"phases\[1\].name='a'"),
        ([dict(name="a", num_steps=20, seed=1), dict(name="b")], "phase a cannot change seed"),
        ([dict(name="a"), dict(name="b")], "phase a has num_steps=None.*only the last"),
        ([dict(name="a", num_steps=20), dict(name="b", num_steps=0)], "phase b has num_steps=0"),
        ([dict(name="a", num_steps=20), dict(name="b", num_steps=5)], "25 steps together.*num_steps=25"),
        ([dict(name="a", num_steps=40), dict(name="b")], "phase b has num_steps=0.*0 steps here"),
        ([dict(name="a", loss="hinge")], "loss='hinge' must be a dict"),
        (["a"], "must be a list of dict"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, listed, words):
    with pytest.raises(UserError, match=words):
        build(config(tmp_path, *listed, num_steps=40))


def test_another_state_is_refused_with_the_first_difference(tmp_path):
    with pytest.raises(
        UserError, match=r"phases a and b have different states: .*dense_0.* is float32\[8\] in"
    ):
        build(config(tmp_path, dict(name="a", num_steps=5), dict(name="b", generator=dict(widths=(9,)))))


def test_an_error_names_its_phase(tmp_path):
    with pytest.raises(UserError, match=r"phase b: .*widths"):
        build(config(tmp_path, dict(name="a", num_steps=5), dict(name="b", generator=dict(widths=(-1,)))))


def test_batches_are_numbered_in_a_phase_and_the_first_has_those_of_a_run_without(tmp_path):
    alone = build(config(tmp_path, num_steps=10))
    plan = build(config(tmp_path, dict(name="a", num_steps=5), dict(name="b"), num_steps=10))
    first, second = plan.phases
    assert (first.sampler.indices(0, 5) == alone.phases[0].sampler.indices(0, 5)).all()
    assert (second.sampler.indices(0, 5) != first.sampler.indices(0, 5)).any()
    assert [plan.phase_after(step).name for step in (0, 4, 5, 10)] == ["a", "a", "b", "b"]
    assert [plan.phase_before(step).name for step in (0, 5, 6, 10)] == ["a", "a", "b", "b"]


def test_a_record_from_before_a_component_existed_has_its_default():
    config = complete(config_of("cyclegan"))
    with config.unlocked():
        for absent in ("augment", "phases"):
            del config[absent]
    config = complete(config)
    assert (config.augment.name, config.phases) == ("none", [])
