"""Who takes part: names, modules and what each needs; no framework is imported here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Contender:
    """One way to train.

    Attributes:
        about: a line for the report.
        module: it has make(name, work, images) -> an object with steps(count), parameters(), device_bytes().
        packages: what must be importable.
        gpu_only: a reason to leave it out on a CPU; "" where there is none.
        works: those it takes part in; () for all.
        caches: whether it keeps compiled programs on disk.
        default: whether it is measured where nobody names contenders.
    """

    name: str
    about: str
    module: str
    packages: tuple[str, ...]
    gpu_only: str = ""
    works: tuple[str, ...] = ()
    caches: bool = False
    default: bool = True


JAX, KERAS, TORCH = (f"experiments.speed.{name}_contender" for name in ("jax", "keras", "torch"))
CUDA_GRAPHS = "CUDA graphs need a GPU"
DCGANS = ("dcgan28", "dcgan64", "dcgan64_narrow")
CONTENDERS: dict[str, Contender] = {
    contender.name: contender
    for contender in (
        Contender("ours", "gan_jax, float32", JAX, ("jax",), caches=True),
        Contender("ours-bf16", "gan_jax, precision=bfloat16", JAX, ("jax",), caches=True),
        Contender("plain-jax", "lax's convolutions and autodiff, a jitted call per step", JAX, ("jax",)),
        Contender("tf-function", "Keras/TensorFlow, a step in tf.function", KERAS, ("tensorflow", "keras")),
        Contender(
            "tf-function-xla", "the same with jit_compile=True", KERAS, ("tensorflow", "keras"), default=False
        ),
        Contender("keras-loop", "train_on_batch and predict", KERAS, ("tensorflow", "keras"), works=DCGANS),
        Contender("torch", "PyTorch, eager", TORCH, ("torch",)),
        Contender("torch-channels-last", "PyTorch, eager, channels_last", TORCH, ("torch",)),
        Contender("torch-bf16", "the same under autocast to bfloat16", TORCH, ("torch",)),
        Contender("torch-compile", "torch.compile, channels_last", TORCH, ("torch",), caches=True),
        Contender(
            "torch-compile-bf16",
            "the same under autocast to bfloat16",
            TORCH,
            ("torch",),
            caches=True,
            default=False,
        ),
        Contender(
            "torch-reduce-overhead",
            'torch.compile(mode="reduce-overhead")',
            TORCH,
            ("torch",),
            CUDA_GRAPHS,
            caches=True,
        ),
        Contender(
            "torch-max-autotune",
            'torch.compile(mode="max-autotune")',
            TORCH,
            ("torch",),
            CUDA_GRAPHS,
            caches=True,
        ),
        Contender("torch-graph", "eager, the whole step a CUDA graph", TORCH, ("torch",), CUDA_GRAPHS),
        Contender(
            "torch-compile-graph",
            "compiled, and the whole step a CUDA graph",
            TORCH,
            ("torch",),
            CUDA_GRAPHS,
            caches=True,
        ),
        Contender(
            "torch-compile-graph-bf16",
            "the same under autocast to bfloat16",
            TORCH,
            ("torch",),
            CUDA_GRAPHS,
            caches=True,
        ),
    )
}
