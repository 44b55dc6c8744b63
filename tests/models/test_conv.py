"""The three convolutions against plain autodiff, against loops over the definition, and against PyTorch."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from gan_jax.distributed import parallel
from gan_jax.models.layers import conv, conv_blocks, conv_cpu
from gan_jax.models.layers.layers import Conv, ConvTranspose

BATCH, LARGE_CHANNELS, SMALL_CHANNELS = 2, 3, 4


def array(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# Independent implementations: NumPy loops over the definition, float64


def slide(x, w, stride, pads):
    """Cross-correlation: y[i, j] = sum over (a, b) of x[i * s + a - top, j * s + b - left] w[a, b]."""
    x, w = np.pad(np.float64(x), ((0, 0), *pads, (0, 0))), np.float64(w)
    height = (x.shape[1] - w.shape[0]) // stride + 1
    width = (x.shape[2] - w.shape[1]) // stride + 1
    y = np.zeros((x.shape[0], height, width, w.shape[3]))
    for i, j in itertools.product(range(height), range(width)):
        window = x[:, i * stride : i * stride + w.shape[0], j * stride : j * stride + w.shape[1]]
        y[:, i, j] = np.einsum("nabi,abio->no", window, w)
    return y


def stamp(y, w, stride, size, crop):
    """Each pixel of y stamps w at `stride` times its place; overlaps add up; `crop` is cut off."""
    y, w = np.float64(y), np.float64(w)
    (top, _), (left, _) = crop
    full = np.zeros((y.shape[0], size[0] + 50, size[1] + 50, w.shape[2]))
    for i, j in itertools.product(range(y.shape[1]), range(y.shape[2])):
        place = full[:, i * stride : i * stride + w.shape[0], j * stride : j * stride + w.shape[1]]
        place += np.einsum("no,abio->nabi", y[:, i, j], w)
    return full[:, top : top + size[0], left : left + size[1]]


def same_pads(n, kernel, stride):
    """TensorFlow's SAME: ceil(n / stride) outputs, and the odd pixel of padding comes last."""
    total = max((-(-n // stride) - 1) * stride + kernel - n, 0)
    return total // 2, total - total // 2


# Against autodiff of the plain convolution

SIZES = [(9, 7), (8, 10), (7, 8)]
TRIED: dict[
    conv.Padding, list[conv.Pair]
] = {  # (kernel, stride): both parities, kernels smaller than the stride and larger
    "SAME": [(2, 1), (3, 3), (4, 2), (5, 2), (7, 1)],
    "VALID": [(1, 2), (3, 1), (4, 3), (6, 1)],
    ((1, 2), (0, 3)): [(1, 3), (2, 2), (5, 1), (6, 3), (7, 2)],
}
CASES: list[tuple[conv.Pair, conv.Pair, conv.Pair, conv.Padding]] = [
    (SIZES[(k + s) % 3], (k, k), (s, s), padding) for padding, pairs in TRIED.items() for k, s in pairs
]
CASES += [((6, 9), (3, 2), (2, 1), "SAME"), ((5, 5), (1, 1), (2, 2), ((2, 1), (1, 2)))]
BLOCKS: list[tuple[conv.Pair, conv.Pair, conv.Pair, conv.Padding]] = [  # those of `conv_blocks`
    ((12, 14), (9, 9), (1, 1), "SAME"),
    ((13, 12), (7, 8), (1, 1), ((3, 2), (1, 0))),
]
CASES += BLOCKS
# To one pixel, with zeros around the image, without, and with pixels that no tap sees.
CASES += [
    ((2, 2), (4, 4), (2, 2), "SAME"),
    ((3, 4), (3, 2), (1, 1), "VALID"),
    ((1, 3), (4, 5), (3, 3), "SAME"),
]
CASES += [((4, 5), (4, 4), (3, 3), ((1, 0), (0, 1)))]


def plain_maps(g):
    """convolve, convolve_transpose and convolve_weights out of `lax` and autodiff alone."""

    def forward(x, w):
        return lax.conv_general_dilated(x, w, g.stride, g.padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def transpose(y, w):
        x = jnp.zeros((y.shape[0], *g.large, w.shape[2]))
        return jax.linear_transpose(lambda x: forward(x, w), x)(y)[0]

    def weights(x, y):
        w = jnp.zeros((*g.kernel, x.shape[3], y.shape[3]))
        return jax.linear_transpose(lambda w: forward(x, w), w)(y)[0]

    return forward, transpose, weights


def our_maps(g):
    maps = (conv.convolve, conv.convolve_transpose, conv.convolve_weights)
    return tuple(functools.partial(lambda f, a, b: f(a, b, g), f) for f in maps)


def everything(maps, arguments):
    """Values, first derivatives, and the gradients of a penalty on the first derivatives (as R1's)."""

    def one(f, a, b):
        def potential(a, b):
            return jnp.sum(jnp.sin(f(a, b)))

        def penalty(a, b):
            in_a, in_b = jax.grad(potential, (0, 1))(a, b)
            return jnp.sum(jnp.square(in_a)) + jnp.sum(jnp.cos(in_b))

        return f(a, b), jax.grad(potential, (0, 1))(a, b), jax.grad(penalty, (0, 1))(a, b)

    return [one(f, a, b) for f, (a, b) in zip(maps, arguments, strict=True)]


def arrays_of(g):
    x = array(1, BATCH, *g.large, LARGE_CHANNELS)
    y = array(2, BATCH, *g.small, SMALL_CHANNELS)
    w = array(3, *g.kernel, LARGE_CHANNELS, SMALL_CHANNELS) / np.float32(np.prod(g.kernel))
    return x, y, w


def assert_all_close(found, expected, tolerance=1e-5):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1.0, float(np.abs(b).max())))


def case_name(case):
    size, kernel, stride, padding = case
    pad = padding if isinstance(padding, str) else "explicit"
    return f"{size[0]}x{size[1]}-k{kernel[0]}{kernel[1]}-s{stride[0]}{stride[1]}-{pad}"


EVERY_OTHER = [
    pytest.param(case, id=case_name(case), marks=pytest.mark.slow if number % 2 else ())
    for number, case in enumerate(CASES)
]


@pytest.mark.parametrize("case", EVERY_OTHER)
def test_values_and_two_derivatives_are_those_of_plain_autodiff(case):
    g = conv.geometry(*case)
    x, y, w = arrays_of(g)
    arguments = [(x, w), (y, w), (x, y)]
    both = jax.jit(lambda a: (everything(our_maps(g), a), everything(plain_maps(g), a)))
    assert_all_close(*both(arguments))


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_both_spellings_agree(case):
    """The one for the CPU and the one for other devices, whatever this machine is."""
    g = conv.geometry(*case)
    x, y, w = arrays_of(g)
    assert_all_close(*jax.jit(both_spellings, static_argnums=3)(x, y, w, g))


@pytest.mark.parametrize("case", BLOCKS, ids=case_name)
def test_a_large_kernel_and_few_channels_make_blocks(case):
    g = conv.geometry(*case)
    assert conv_blocks.is_faster(g, LARGE_CHANNELS, SMALL_CHANNELS)
    assert not conv_blocks.is_faster(conv.geometry((13, 11), (9, 9), (1, 1), "SAME"), 3, 32)
    x, _, w = arrays_of(g)
    found = conv_blocks.pixels(conv_cpu.convolve(x, conv_blocks.kernel(w), conv_blocks.geometry(g)))
    assert_all_close(found, slide(x, w, 1, g.padding))
    np.testing.assert_array_equal(conv_blocks.taps(conv_blocks.kernel(w)), 4 * w)


def both_spellings(x, y, w, g):
    found = conv_cpu.transpose(y, w, g), conv_cpu.weights(x, y, g)
    return found, (conv._transpose_default(y, w, g), conv._weights_default(x, y, g))


@pytest.mark.parametrize("channels", [conv_cpu.FEW_CHANNELS - 1, conv_cpu.FEW_CHANNELS])
@pytest.mark.parametrize("case", CASES[::3], ids=case_name)
def test_the_cpu_form_for_few_channels_and_for_many(case, channels):
    g = conv.geometry(*case)
    y = array(2, BATCH, *g.small, SMALL_CHANNELS)
    w = array(3, *g.kernel, channels, SMALL_CHANNELS) / np.float32(np.prod(g.kernel))
    both = jax.jit(lambda y, w: (conv_cpu.transpose(y, w, g), conv._transpose_default(y, w, g)))
    assert_all_close(*both(y, w))


@pytest.mark.parametrize(
    ("batch", "size", "parts"), [(6, 4, 1), (6, 5, 2), (6, 12, 3), (5, 9, 5), (7, 100, 7)]
)
def test_weight_gradients_are_summed_over_parts_that_stay_in_the_cache(batch, size, parts, monkeypatch):
    """Where no number of parts would do, it is one example each."""
    monkeypatch.setattr(conv_cpu, "KERNEL_BYTES", 4 * 4 * 6 * SMALL_CHANNELS * 4)
    g = conv.geometry((size, 4), (3, 3), (1, 1), "SAME")
    x, y = array(1, batch, *g.large, LARGE_CHANNELS), array(2, batch, *g.small, SMALL_CHANNELS)
    assert conv_cpu._parts(jnp.asarray(y)) == parts
    assert_all_close(jax.jit(conv_cpu.weights, static_argnums=2)(x, y, g), conv._weights_default(x, y, g))


def test_parts_of_a_batch_that_devices_split_move_no_rows_between_them(monkeypatch):
    monkeypatch.setattr(conv_cpu, "KERNEL_BYTES", 1)
    mesh = parallel.make_mesh()
    g = conv.geometry((6, 5), (3, 3), (1, 1), "SAME")
    x, y = array(1, 4 * mesh.size, 6, 5, 2), array(2, 4 * mesh.size, 6, 5, 3)

    def gradient(x, y):
        with conv_cpu.batch_split_over(mesh.size):
            return conv_cpu.weights(x, y, g)

    split = parallel.split_on(mesh, 0)
    jitted = jax.jit(gradient, in_shardings=split, out_shardings=parallel.replicated(mesh))
    compiled = jitted.lower(x, y).compile()
    text = compiled.as_text() or ""
    assert "while" in text
    assert mesh.size == 1 or "all-reduce" in text
    assert not [name for name in ("all-gather", "all-to-all", "collective-permute") if name in text]
    assert_all_close(compiled(x, y), conv._weights_default(x, y, g))


# Against the definition

STAMPED = [
    # size, kernel, stride, padding, crop
    ((8, 8), 4, 2, "SAME", None),
    ((7, 9), 5, 2, "SAME", None),  # odd sizes: 4x5 to 7x9
    ((9, 6), 3, 3, "SAME", None),
    ((6, 5), 3, 1, "SAME", None),
    ((6, 4), 1, 2, "SAME", None),  # the kernel is smaller than the stride: gaps stay 0
    ((9, 11), 5, 2, "VALID", ((0, 0), (0, 0))),
    ((8, 7), 4, 2, ((1, 1), (2, 1)), ((1, 1), (2, 1))),
]


@pytest.mark.parametrize(("size", "kernel", "stride", "padding", "crop"), STAMPED)
def test_transposed_convolution_is_stamping(size, kernel, stride, padding, crop):
    crop = crop or tuple(same_pads(n, kernel, stride) for n in size)
    g = conv.geometry(size, (kernel, kernel), (stride, stride), padding)
    assert g.padding == crop
    _, y, w = arrays_of(g)
    expected = stamp(y, w, stride, size, crop)
    x = array(4, BATCH, *size, LARGE_CHANNELS)
    both = jax.jit(lambda x, y, w: (conv.convolve_transpose(y, w, g), conv.convolve(x, w, g)))
    transposed, found = both(x, y, w)
    np.testing.assert_allclose(transposed, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found, slide(x, w, stride, crop), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (4, 2), (3, 1), (2, 3)])
def test_keras_sizes_and_values(kernel, stride, padding):
    """Keras's documented sizes of Conv2DTranspose, its kernel [kh, kw, out, in], and its values."""
    small = (3, 4)
    if padding == "SAME":
        size = tuple(n * stride for n in small)
        low = max(kernel - stride, 0) // 2
    else:
        size = tuple(n * stride + max(kernel - stride, 0) for n in small)
        low = 0
    y, w, bias = array(1, 1, *small, 5), array(2, kernel, kernel, 2, 5), array(3, 2)
    layer = ConvTranspose(2, kernel, size, stride=stride, padding=padding)
    found = np.asarray(jax.jit(layer.apply)({"params": {"kernel": w, "bias": bias}}, y))
    expected = np.zeros((1, *size, 2))
    for i, j, a, b in itertools.product(range(3), range(4), range(kernel), range(kernel)):
        row, column = i * stride + a - low, j * stride + b - low
        if 0 <= row < size[0] and 0 <= column < size[1]:
            expected[0, row, column] += np.float64(w[a, b]) @ y[0, i, j]
    np.testing.assert_allclose(found, expected + bias, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "output_padding"),
    [(4, 2, 1, 0), (5, 2, 2, 1), (5, 2, 0, 0), (3, 1, 1, 0), (3, 3, 0, 2), (6, 3, 2, 1)],
)
def test_pytorch_agrees(kernel, stride, padding, output_padding):
    """`padding=p` is our pairs (p, p); `output_padding` only chooses among the sizes that fit."""
    torch = pytest.importorskip("torch", reason="PyTorch is not a dependency; it is compared with if present")
    small = (5, 4)
    size = tuple((n - 1) * stride - 2 * padding + kernel + output_padding for n in small)
    y, w, bias = array(1, 2, *small, 5), array(2, kernel, kernel, 3, 5), array(3, 3)
    layer = ConvTranspose(3, kernel, size, stride=stride, padding=((padding, padding),) * 2)
    found = np.asarray(jax.jit(layer.apply)({"params": {"kernel": w, "bias": bias}}, y))
    expected = torch.nn.functional.conv_transpose2d(
        torch.from_numpy(y.transpose(0, 3, 1, 2).copy()),
        torch.from_numpy(w.transpose(3, 2, 0, 1).copy()),  # [in, out, kh, kw]
        torch.from_numpy(bias),
        stride=stride,
        padding=padding,
        output_padding=output_padding,
    ).numpy()
    np.testing.assert_allclose(found, expected.transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-5)


def test_same_is_pytorchs_padding_only_where_it_is_symmetric():
    """k=4, s=2: SAME crops (1, 1), PyTorch's padding=1. k=5, s=2: (1, 2), which PyTorch cannot say."""
    assert conv.geometry((8, 8), (4, 4), (2, 2), "SAME").padding == ((1, 1), (1, 1))
    assert conv.geometry((8, 8), (5, 5), (2, 2), "SAME").padding == ((1, 2), (1, 2))


def test_wrong_size_says_what_would_fit():
    layer = ConvTranspose(2, 5, (12, 14))
    with pytest.raises(ValueError, match=r"does not take \(7, 7\) to \(12, 14\).*to \(6, 7\)"):
        layer.init(jax.random.key(0), jnp.zeros((1, 7, 7, 3)))


def test_conv_layer_is_slide_plus_bias():
    x, w, bias = array(1, 2, 7, 6, 3), array(2, 5, 5, 3, 4), array(3, 4)
    found = np.asarray(Conv(4, 5, stride=2).apply({"params": {"kernel": w, "bias": bias}}, x))
    expected = slide(x, w, 2, (same_pads(7, 5, 2), same_pads(6, 5, 2))) + bias
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


# Under the transformations that the rest of the library uses

G = conv.geometry((7, 6), (5, 5), (2, 2), "SAME")


def penalised(w, x, v):
    """A scalar that uses all three maps, and its second derivatives once more."""

    def logits(x):
        y = jnp.tanh(conv.convolve(x, w, G))
        return jnp.sum(jnp.tanh(conv.convolve_transpose(y, v, G)))

    return logits(x) + jnp.sum(jnp.square(jax.grad(logits)(x)))


def test_vmap_over_kernels_is_one_kernel_at_a_time():
    x, _, _ = arrays_of(G)
    w, v = array(5, 3, 5, 5, 3, 4) / 25, array(6, 3, 5, 5, 2, 4) / 25
    gradient = jax.grad(penalised, (0, 1, 2))
    found = jax.jit(jax.vmap(gradient, (0, None, 0)))(w, x, v)
    alone = jax.jit(gradient)
    expected = jax.tree.map(lambda *leaves: np.stack(leaves), *[alone(w[i], x, v[i]) for i in range(3)])
    assert_all_close(found, expected)


def test_scan_is_one_at_a_time():
    x, _, w = arrays_of(G)
    v = array(6, 5, 5, 2, 4) / np.float32(25)
    gradient = jax.grad(penalised)

    def body(w, x):
        return w - 0.1 * gradient(w, x[None], v), None

    once = jax.jit(lambda w: lax.scan(body, w, x)[0])(w)
    step = jax.jit(gradient)
    expected = w
    for i in range(BATCH):
        expected = expected - 0.1 * step(expected, x[i : i + 1], v)
    assert_all_close(once, expected)


def test_eight_devices_agree_with_one():
    mesh = parallel.make_mesh()
    assert mesh.size == 8
    x = array(1, 16, 7, 6, 3)
    w, v = array(3, 5, 5, 3, 4) / np.float32(25), array(6, 5, 5, 2, 4) / np.float32(25)
    gradient = jax.grad(penalised, (0, 1, 2))
    expected = jax.jit(gradient)(w, x, v)
    split, whole = parallel.split_on(mesh, 0), parallel.replicated(mesh)
    found = jax.jit(gradient, in_shardings=(whole, split, whole))(w, x, v)
    assert_all_close(found, expected)


@pytest.mark.parametrize("spelling", ["this platform's", "default"])
def test_shard_map_agrees_with_one(spelling, monkeypatch):
    """With the check of varying axes on, which the default spelling must satisfy too."""
    if spelling == "default":
        monkeypatch.setattr(conv, "_per_platform", lambda canonical, default, a, b, g: default(a, b, g))
    mesh = parallel.make_mesh()
    x, v = array(1, 16, 7, 6, 3), array(6, 5, 5, 3, 4) / np.float32(25)
    shape = jax.sharding.PartitionSpec

    def gradient(v, x):
        def loss(v):
            y = conv.convolve(x, v, G)
            return jnp.sum(jnp.tanh(conv.convolve_transpose(y, v, G)))

        return jax.grad(loss)(v)

    def local(v, x):
        return lax.psum(gradient(lax.pcast(v, "batch", to="varying"), x), "batch")

    mapped = jax.shard_map(local, mesh=mesh, in_specs=(shape(), shape("batch")), out_specs=shape())
    assert_all_close(jax.jit(mapped)(v, x), jax.jit(gradient)(v, x))


def test_forward_mode_is_refused():
    """As the module says: only reverse mode, to any order."""
    x, _, w = arrays_of(G)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda w: conv.convolve(x, w, G), (w,), (w,))
