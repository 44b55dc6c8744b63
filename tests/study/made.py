"""Results of studies that nobody trained."""

from gan_jax.study.result import Result

ENVIRONMENT = {
    "time": "2026-01-01T00:00:00+00:00",
    "python": "3.12.0",
    "packages": {"gan-jax": "0.1.0", "jax": "0.10.2", "orbax-checkpoint": None},
    "devices": {"platform": "cpu", "kind": "made up", "count": 2},
    "processes": 1,
    "cpus": 4,
    "git_revision": "abc",
}


def result(variant, seed, values, better="higher", diverged_at=None, overrides=None, more=None, **fields):
    """A result with the score "modes" at the steps 0, 100, ... and others of the same kind.

    Args:
        more: score -> (its values, what is better).
        fields: of `Result`, in place of the made up ones.
    """
    scores = {"modes": (values, better), **(more or {})}
    made = {
        "digest": f"digest of {variant}",
        "overrides": overrides or {},
        "steps": 100 * max(0, len(values) - 1),
        "scores": {
            name: [(100 * index, value) for index, value in enumerate(found)]
            for name, (found, _) in scores.items()
        },
        "better": {name: direction for name, (_, direction) in scores.items()},
        "protocol": {name: f"2,500 fakes, {name}" for name in scores},
        "seconds": 2.0,
        "environment": ENVIRONMENT,
    }
    return Result(variant=variant, seed=seed, diverged_at=diverged_at, **{**made, **fields})
