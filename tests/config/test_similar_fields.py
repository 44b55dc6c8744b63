"""Fields that may have been meant."""

import pytest
from absl import flags

from gan_jax.config.components import complete
from gan_jax.config.config_flag import check_field, unknown_flag
from gan_jax.config.similar_fields import similar_fields
from gan_jax.utils.names import did_you_mean
from tests import runs


@pytest.fixture(scope="module")
def config():
    return complete(runs.get_config())


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ("lr", ["discriminator_optimizer.learning_rate", "generator_optimizer.learning_rate"]),
        ("learning_rate", ["discriminator_optimizer.learning_rate", "generator_optimizer.learning_rate"]),
        ("generator_optimzer.learning_rate", ["generator_optimizer.learning_rate"]),
        ("dta.name", ["data.name"]),
        ("batchsize", ["batch_size"]),
        ("steps", ["num_steps"]),
        ("optimizer", ["discriminator_optimizer", "generator_optimizer"]),
        ("latent_dim", ["algorithm.latent_size"]),
        ("latent_size", ["algorithm.latent_size"]),
        ("qqq", []),
    ],
)
def test_similar_fields(given, fields, config):
    assert similar_fields(config, given)[: max(len(fields), 1)] == fields


def test_an_unknown_field_is_said_with_those_that_may_be_meant(config):
    with pytest.raises(flags.Error, match=r"the config has no 'lr'; it has .*\(did you mean --config\.discr"):
        check_field(config, "lr")


def test_an_unknown_flag_is_said_with_flags_and_fields(config):
    values = flags.FlagValues()
    flags.DEFINE_string("workdir", None, "", flag_values=values)
    assert unknown_flag(values, "wokrdir") == "there is no flag --wokrdir (did you mean --workdir?)"
    assert unknown_flag(values, "lr") == "there is no flag --lr"
    flags.DEFINE_string("config", None, "", flag_values=values)
    assert unknown_flag(values, "lr").endswith("--lr; fields of the config are set with --config.FIELD=VALUE")
    values["config"].value = config
    assert unknown_flag(values, "batch_size").endswith("--batch_size (did you mean --config.batch_size?)")
    assert unknown_flag(values, "lr").count("_optimizer.learning_rate") == 2


def test_did_you_mean():
    assert did_you_mean("trian", ["train", "sample"]) == " (did you mean train?)"
    assert did_you_mean("FDI", ["fid", "kid"]) == " (did you mean fid?)"
    assert did_you_mean("zzz", ["fid"]) == ""
