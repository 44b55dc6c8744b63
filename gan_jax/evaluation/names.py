"""Names of metrics and resizers for the command line, which must not import JAX to list them."""

METRICS = (
    *("fid", "kid", "inception_score", "prdc", "intra_class_fid", "classification_accuracy", "modes"),
    *("sliced_wasserstein", "ms_ssim", "path_length", "memorisation", "duplicates", "density"),
)
RESIZERS = ("legacy", "legacy_tf", "clean")
DEFAULT = "fid,kid,inception_score,prdc"  # the metrics, where none are named
OF_POINTS = "density,fid,prdc"  # likewise, where the reals are points
