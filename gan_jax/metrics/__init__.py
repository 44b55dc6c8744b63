"""Metrics as plain functions of features, logits, labels or images, each imported from its own module.

    from gan_jax.metrics.frechet import fid, intra_class_fid
    from gan_jax.metrics.kernel_distance import kid
    from gan_jax.metrics.inception_score import inception_score
    from gan_jax.metrics.prdc import prdc

`scores.METRICS` has them by name, `networks.open_network` the feature networks, `extract.Extractor` is the
pass over the images, `protocol.Record` a score with all that it means.
"""
