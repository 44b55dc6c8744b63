"""The draws of many steps at once are those of each step."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.core import draws

STATE = {"key": jax.random.key(1), "step": jnp.int32(3), "w": jnp.ones(4)}


def step(state, x):
    """A step that draws by itself and in a loop, and has numbers of the step that need no draw."""
    key = jax.random.fold_in(state["key"], state["step"])
    noise = jax.random.normal(key, (4,))

    def descend(w, index):
        moved = 0.5 * w + jax.random.uniform(jax.random.fold_in(key, index), (4,)) * jnp.mean(w)
        return moved, jnp.mean(moved)

    w, means = jax.lax.scan(descend, state["w"] + noise, jnp.arange(3))
    return {**state, "w": w, "step": state["step"] + 1}, x * means.sum() / (1 + state["step"])


def parts():
    return draws.ahead(step, lambda state, _: (state["key"], state["step"]), STATE, jnp.float32(1.0), steps=5)


def test_the_same_numbers_step_by_step():
    draw, rest = parts()
    drawn = jax.vmap(draw, in_axes=(None, 0))(STATE["key"], STATE["step"] + jnp.arange(5))
    whole = cut = STATE
    for index in range(5):
        whole, shown = step(whole, jnp.float32(2.0))
        cut, shown_too = rest(jax.tree.map(lambda x, i=index: x[i], drawn), cut, jnp.float32(2.0))
        np.testing.assert_allclose(cut["w"], whole["w"], rtol=1e-5)
        np.testing.assert_allclose(shown_too, shown, rtol=1e-5)
        assert int(cut["step"]) == int(whole["step"])


def test_nothing_is_drawn_in_the_rest():
    draw, rest = parts()
    drawn = jax.eval_shape(draw, STATE["key"], STATE["step"])
    text = str(jax.make_jaxpr(rest)(drawn, STATE, jnp.float32(1.0)))
    assert "random_bits" not in text
    assert "threefry" not in text
    # A key, the noise, 1 + step as a float; the loop's. Not step + 1.
    assert [x.shape for x in jax.tree.leaves(drawn)] == [(), (4,), (), (3, 4)]


def test_what_is_large_is_drawn_where_it_is_used():
    def large(key, x):
        return x + jax.random.normal(key, (2**19,)).sum()

    def parts(**limit):
        draw, rest = draws.ahead(
            large, lambda key, _: (key,), STATE["key"], jnp.float32(0.0), steps=2, **limit
        )
        drawn = jax.eval_shape(draw, STATE["key"])
        return drawn, str(jax.make_jaxpr(rest)(drawn, STATE["key"], jnp.float32(0.0)))

    drawn, rest = parts()
    assert not jax.tree.leaves(drawn)
    assert "random_bits" in rest
    drawn, rest = parts(largest=2**40)
    assert [x.shape for x in jax.tree.leaves(drawn)] == [()]
    assert "random_bits" not in rest
