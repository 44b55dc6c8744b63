"""Metrics as plain functions of features, logits, labels or images, each imported from its own module.

    from gan_jax.metrics.frechet import fid, intra_class_fid
    from gan_jax.metrics.kernel_distance import kid
    from gan_jax.metrics.inception_score import inception_score
    from gan_jax.metrics.prdc import prdc

`frechet.frechet_distance` compares moments that were computed elsewhere. `gan_jax.evaluation` has the metrics
and feature networks by name, and scores with their protocols.
"""
