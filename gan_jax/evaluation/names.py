"""Names of metrics of ours and of resizers for the command line, which must not import JAX to list them."""

METRICS = (
    *("fid", "kid", "inception_score", "prdc", "intra_class_fid", "classification_accuracy", "modes"),
    *("sliced_wasserstein", "ms_ssim", "path_length", "memorisation", "duplicates", "density"),
    *("l1", "psnr", "ssim", "psnr_luma", "ssim_luma", "lpips_paired", "cycle_error", "colourfulness"),
    *("tile_patterns", "level_copies", "broken_pipes", "playable"),
    *("pitch", "clicks", "label_accuracy"),
    *("bits_per_dim", "reconstruction", "sampling"),
)
BACK = "_b_to_a"  # what stands behind a metric of the way back, of a method that translates both ways
BORDERED = ("l1", "psnr", "ssim", "psnr_luma", "ssim_luma")  # those that can leave a border out
RESIZERS = ("legacy", "legacy_tf", "clean")
FAKES = 50_000  # images that are drawn from a generator, where nobody says how many
DEFAULT = "fid,kid,inception_score,prdc"  # the metrics, where none are named
OF_PAIRS = "l1,psnr,ssim"  # likewise, before those, where the truth of each fake is known
OF_POINTS = "density,fid,prdc"  # likewise, where the reals are points
OF_OTHERS = "fid,prdc"  # likewise, where they are no images
OF_TILES = f"tile_patterns,level_copies,broken_pipes,playable,{OF_OTHERS}"
OF_SOUNDS = f"pitch,clicks,{OF_OTHERS}"
# By the codec of the reals, where they are no images: the metrics and the network, where none are named.
USUAL_METRICS = {"points": OF_POINTS, "tiles": OF_TILES, "wave": OF_SOUNDS, "spectrogram": OF_SOUNDS}
USUAL_NETWORKS = {"points": "points", "tiles": "random", "wave": "spectral", "spectrogram": "spectral"}
