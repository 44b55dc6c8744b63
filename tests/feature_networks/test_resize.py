"""Each resizer against the program that it reproduces, up and down, and against values by hand."""

import warnings
from functools import partial

import jax
import numpy as np
import pytest

from gan_jax.feature_networks.resize import RESIZERS, resize

SIZES = [  # (height, width) from, to
    ((32, 32), (299, 299)),
    ((7, 13), (31, 29)),
    ((1, 1), (5, 3)),
    ((1, 6), (4, 1)),
    ((64, 48), (23, 75)),
    ((301, 40), (299, 40)),
    ((90, 33), (9, 11)),
]
TOLERANCE = 5e-4  # of 255; the greatest found is 1.4e-4


def pictures(height, width, channels=3, seed=0):
    """uint8 [2, height, width, channels]: noise of 0 and 255 beside noise of all values."""
    rng = np.random.default_rng(seed)
    sharp = rng.integers(0, 2, (1, height, width, channels)) * 255
    smooth = rng.integers(0, 256, (1, height, width, channels))
    return np.concatenate([sharp, smooth]).astype(np.uint8)


def by_pytorch(images, size):
    torch = pytest.importorskip("torch", reason="the reference of `legacy`")
    tensor = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2)
    made = torch.nn.functional.interpolate(tensor, size=size, mode="bilinear", align_corners=False)
    return made.permute(0, 2, 3, 1).numpy()


def by_torch_fidelity(images, size):
    torch = pytest.importorskip("torch", reason="the reference of `legacy_tf`")
    module = pytest.importorskip(
        "torch_fidelity.interpolate_compat_tensorflow", reason="the reference of `legacy_tf`"
    )
    tensor = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2)
    made = module.interpolate_bilinear_2d_like_tensorflow1x(tensor, size=size, align_corners=False)
    return made.permute(0, 2, 3, 1).numpy()


def by_clean_fid(images, size):
    module = pytest.importorskip("cleanfid.resize", reason="the reference of `clean`")
    with warnings.catch_warnings():  # it calls a Pillow function with an argument that is going out of use
        warnings.simplefilter("ignore")
        func = module.make_resizer("PIL", False, "bicubic", (size[1], size[0]))
        return np.stack([func(image) for image in images])


REFERENCES = {"legacy": by_pytorch, "legacy_tf": by_torch_fidelity, "clean": by_clean_fid}


def test_every_resizer_has_a_reference():
    assert set(REFERENCES) == set(RESIZERS)


@pytest.mark.parametrize(("source", "target"), SIZES)
@pytest.mark.parametrize("resizer", RESIZERS)
def test_resizers_are_their_references(resizer, source, target):
    images = pictures(*source)
    found = np.asarray(resize(images, target[0], target[1], resizer))
    expected = REFERENCES[resizer](images, target)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("resizer", RESIZERS)
def test_the_resizers_differ_from_each_other(resizer):
    """By far more than the tolerance, so that the comparison above can tell them apart."""
    images = pictures(40, 24)
    for target in ((17, 13), (81, 50)):
        found = np.asarray(resize(images, target[0], target[1], resizer))
        for other, reference in REFERENCES.items():
            if other != resizer:
                assert np.abs(found - reference(images, target)).mean() > 100 * TOLERANCE


@pytest.mark.parametrize("resizer", RESIZERS)
def test_a_size_that_stays_and_an_image_of_one_colour_keep_their_values(resizer):
    images = pictures(9, 12)
    np.testing.assert_array_equal(resize(images, 9, 12, resizer), images)
    plain = np.full((1, 10, 7, 1), 200, np.uint8)
    np.testing.assert_allclose(resize(plain, 33, 5, resizer), 200.0, rtol=1e-6)
    single = np.array([3.0, 77.0, 255.0], np.float32).reshape(1, 1, 1, 3)
    np.testing.assert_allclose(
        resize(single, 2, 4, resizer), np.broadcast_to(single, (1, 2, 4, 3)), rtol=1e-6
    )


def test_bilinear_values_by_hand():
    """Two pixels, 0 and 100, drawn out to four, in both dimensions."""
    row = np.array([0.0, 100.0], np.float32)
    expected = {"legacy": [0.0, 25.0, 75.0, 100.0], "legacy_tf": [0.0, 50.0, 100.0, 100.0]}
    for resizer, listed in expected.items():
        values = np.array(listed)
        np.testing.assert_allclose(resize(row.reshape(1, 1, 2, 1), 1, 4, resizer).ravel(), values, atol=1e-5)
        np.testing.assert_allclose(resize(row.reshape(1, 2, 1, 1), 4, 1, resizer).ravel(), values, atol=1e-5)


def test_clean_by_hand_at_half_the_size():
    """In the middle of a row the stretched cubic sees eight pixels, at the distances 1/4, 3/4, 5/4, 7/4."""
    taps = np.array([-0.01171875, -0.03515625, 0.11328125, 0.43359375])
    images = np.eye(16, dtype=np.float32).reshape(16, 1, 16, 1) * 200  # a point at each place
    found = np.asarray(resize(images, 1, 8, "clean"))[:, 0, 4, 0]
    np.testing.assert_allclose(
        found[5:13], 200 * np.clip(np.concatenate([taps, taps[::-1]]), 0, 1), atol=1e-4
    )


def test_clean_is_clipped_and_bilinear_needs_no_clipping():
    edge = np.repeat(np.array([0, 255], np.uint8), 8).reshape(1, 1, 16, 1)
    found = np.asarray(resize(edge, 1, 61, "clean"))
    assert found.min() == 0.0
    assert found.max() == 255.0
    inner = np.clip(edge.astype(np.float32), 50, 200)
    assert np.asarray(resize(inner, 1, 61, "clean")).max() > 205  # the cubic overshoots where it may
    assert np.asarray(resize(inner, 1, 61, "legacy")).max() <= 200


@pytest.mark.parametrize("resizer", RESIZERS)
def test_it_works_under_jit_and_takes_floats_as_they_are(resizer):
    images = pictures(11, 8, channels=1).astype(np.float32) + 0.25
    jitted = jax.jit(partial(resize, height=5, width=19, resizer=resizer))
    np.testing.assert_allclose(jitted(np.clip(images, 0, 255)), REFERENCES_1[resizer](images), atol=TOLERANCE)


REFERENCES_1 = {  # of one channel; clean-fid only takes three
    name: lambda images, name=name: REFERENCES[name](np.repeat(np.clip(images, 0, 255), 3, axis=3), (5, 19))[
        ..., :1
    ]
    for name in REFERENCES
}


@pytest.mark.parametrize(
    ("shape", "size", "resizer", "said"),
    [
        ((1, 4, 4, 3), (2, 2), "bicubic", "resizer='bicubic' is not one of legacy, legacy_tf, clean"),
        ((4, 4, 3), (2, 2), "clean", "give images"),
        ((1, 0, 4, 3), (2, 2), "clean", "cannot resize"),
        ((1, 4, 4, 3), (0, 2), "legacy", "to 0 x 2"),
    ],
)
def test_misuse_is_refused(shape, size, resizer, said):
    with pytest.raises(ValueError, match=said):
        resize(np.zeros(shape, np.uint8), size[0], size[1], resizer)
