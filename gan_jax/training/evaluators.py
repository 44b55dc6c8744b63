"""What measures a run while it trains, or the runs of a study, opened."""

from __future__ import annotations

import jax

from gan_jax.config.build import Plan
from gan_jax.data.dataset import Dataset
from gan_jax.data.views import turned
from gan_jax.evaluation.both_ways import BothWays, by_direction, way_back
from gan_jax.evaluation.evaluate import Evaluator, held_out_of
from gan_jax.evaluation.generated import GeneratedSet, scale_of
from gan_jax.evaluation.metric import uses_network
from gan_jax.evaluation.names import BACK
from gan_jax.evaluation.networks import open_network
from gan_jax.evaluation.requirements import Given, check, chosen
from gan_jax.evaluation.sources.sources import dataset_source
from gan_jax.feature_networks.simple_networks import no_network
from gan_jax.utils.errors import UserError


def open_evaluator(
    plan: Plan, mesh: jax.sharding.Mesh, fake: GeneratedSet | None = None
) -> Evaluator | BothWays:
    """What the run measures while it trains.

    Args:
        fake: images of the run, for what metrics need of them; None where they come later.

    Raises:
        UserError: it measures nothing, or something that a metric needs is missing.
    """
    there, back = by_direction(plan.evaluation.names)
    if not back:
        return _open_way(plan, mesh, there, plan.dataset, fake)
    if "b_to_a" not in plan.phases[-1].algorithm.directions:
        raise UserError(
            f"evaluation.metrics={plan.evaluation.metrics}: {back[0]}{BACK} needs a method that translates "
            f"both ways, and {type(plan.phases[-1].algorithm).__name__} does not: leave it out"
        )
    evaluator = _open_way(plan, mesh, back, turned(plan.dataset), fake and way_back(fake), BACK)
    return BothWays(_open_way(plan, mesh, there, plan.dataset, fake) if there else None, evaluator)


def _open_way(
    plan: Plan,
    mesh: jax.sharding.Mesh,
    names: tuple[str, ...],
    dataset: Dataset,
    fake: GeneratedSet | None,
    ending: str = "",
) -> Evaluator:
    """What measures these metrics against the images of a data set."""
    asked = plan.evaluation
    real = dataset_source(dataset)
    held_out = held_out_of(real, plan.data_dir)
    metrics = chosen(names, scale=scale_of(plan.phases[-1].algorithm))
    made_of = plan.conditions(plan.phases[-1])
    rows = None if made_of is None else made_of.dataset
    num = asked.num if rows is None else min(asked.num, len(rows))
    if real.size is not None:  # before a classifier is trained
        check(metrics, Given(real, num, real.size, fake=fake, held_out=held_out))
    if uses_network(metrics):
        network = open_network(asked.network, real, data_dir=plan.data_dir)
    else:
        network = no_network(real.codec)
    return Evaluator(
        metrics,
        real,
        network,
        num_fakes=num,
        held_out=held_out,
        mesh=mesh,
        progress=False,
        ending=ending,
    )
