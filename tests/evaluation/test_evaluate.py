"""Scores of fakes against reals: the metrics' own functions on one pass, with the protocol beside them."""

import dataclasses
import re

import numpy as np
import pytest

from gan_jax.evaluation import scores
from gan_jax.evaluation.evaluate import Evaluator, chosen
from gan_jax.evaluation.generated import GeneratedSet
from gan_jax.evaluation.metric import ALL, Comparison, Metric
from gan_jax.evaluation.scores import METRICS
from gan_jax.evaluation.sources.image_source import relabelled
from gan_jax.metrics.frechet import fid, intra_class_fid
from gan_jax.metrics.inception_score import inception_score
from gan_jax.metrics.prdc import prdc, squared_neighbours
from gan_jax.utils.errors import UserError
from tests.metrics import toy

REAL, FAKE = toy.images(60, 1), toy.images(40, 2) // 2
REAL_LABELS, FAKE_LABELS = ((np.arange(n) % 3).astype(np.int32) for n in (60, 40))


def evaluator(*metrics: str, labels=True, **options) -> Evaluator:
    real = toy.source(REAL, REAL_LABELS if labels else None, num_classes=3 if labels else None, name="reals")
    given = {"num_fakes": 40, "progress": False, **options}
    return Evaluator(metrics, real, given.pop("network", toy.network()), **given)


def fake(labels=True, **fields) -> GeneratedSet:
    source = toy.source(
        FAKE, FAKE_LABELS if labels else None, num_classes=3 if labels else None, name="fakes"
    )
    return GeneratedSet(source=source, **fields)


def features(images):
    return images.reshape(len(images), -1).astype(np.float32) / 2


def logits(images):
    return images.reshape(len(images), -1)[:, :3].astype(np.float32) / 64


def test_the_scores_are_those_of_the_functions_on_the_features():
    record = evaluator("fid", "prdc", "inception_score", "intra_class_fid")(fake())
    values = {name: score.value for name, score in record.scores.items()}
    real, generated = features(REAL), features(FAKE)
    assert values["fid"] == pytest.approx(fid(real, generated), rel=1e-12)
    found = prdc(real, generated, manifold_k=3, density_k=5)
    assert (values["precision"], values["coverage"]) == (found.precision, found.coverage)
    expected = inception_score(logits(FAKE), 10)
    assert values["inception_score"] == pytest.approx(expected.whole, rel=1e-6)
    assert values["inception_score_splits"] == pytest.approx(expected.mean, rel=1e-6)
    intra = intra_class_fid(real, REAL_LABELS, generated, FAKE_LABELS, 3)
    assert values["intra_class_fid"] == pytest.approx(intra.mean, rel=1e-12)
    assert values["intra_class_fid_2"] == pytest.approx(intra.per_class[2], rel=1e-12)


def test_the_record_says_how_it_was_measured():
    record = evaluator("fid", num_reals=50)(fake(step=7, which="last", averaged=True, labels="none", seed=3))
    assert (record.fake, record.step, record.which, record.averaged, record.seed) == (
        "fakes",
        7,
        "last",
        True,
        3,
    )
    setting = record.setting
    assert (setting.num_fakes, setting.num_reals, setting.real) == (40, 50, "reals")
    assert (setting.network, setting.network_digest, setting.resizer) == ("toy", "toy", "none")
    assert setting.precision == "float32"
    assert record.seconds > 0
    assert record.environment["devices"]["platform"] == "cpu"


def test_every_metric_is_given_what_it_declares(monkeypatch):
    seen: list[Comparison] = []

    def compute(given):
        seen.append(given)
        return {"a": 1.0}

    for images, kept in ((0, 0), (7, 7), (ALL, 40)):
        metric = Metric(1, "", {"a": "lower"}, compute, images=images)
        monkeypatch.setitem(scores.METRICS, "probe", metric)
        evaluator("probe")(fake(seed=5))
        assert (len(seen[-1].fake.images), seen[-1].seed) == (kept, 5)
        assert len(seen[-1].real.images) == (60 if images == ALL else kept)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_yields_the_scores_that_it_declares_and_its_version(name):
    metric = METRICS[name]
    assert metric.version >= 1
    assert metric.scores
    assert set(metric.scores.values()) <= {"lower", "higher", "neither"}


def test_too_few_images_are_refused_before_anything_is_computed():
    with pytest.raises(UserError, match="kid needs at least 1000 fakes, and there are 40: give more, take"):
        evaluator("kid")
    with pytest.raises(UserError, match="kid needs at least 1000 reals, and there are 60: give more"):
        evaluator("kid", num_fakes=1000)


@pytest.mark.parametrize(
    ("metric", "options", "message"),
    [
        ("inception_score", {"network": toy.network(classes=None)}, "needs a network that classifies"),
        ("path_length", {}, "needs a network with layers"),
        ("intra_class_fid", {"labels": False}, "needs labelled reals, and reals has no labels"),
        ("memorisation", {}, "needs reals that the generator was not trained on"),
    ],
)
def test_what_the_reals_or_the_network_lack(metric, options, message):
    with pytest.raises(UserError, match=message):
        evaluator(metric, **options)


def test_what_the_fakes_lack():
    with pytest.raises(UserError, match="needs labelled fakes, and fakes has no labels"):
        evaluator("intra_class_fid")(fake(labels=False))
    other = dataclasses.replace(fake().source, num_classes=4)
    with pytest.raises(UserError, match="fakes has 4 classes and reals 3"):
        evaluator("intra_class_fid")(GeneratedSet(source=other))
    larger = toy.source(toy.images(40, shape=(5, 4, 1)), name="larger")
    with pytest.raises(UserError, match="larger are 5 x 4 x 1 and those of reals 4 x 4 x 1"):
        evaluator("fid")(GeneratedSet(source=larger))
    maps = dataclasses.replace(toy.network(), maps=lambda params, images: [images])
    with pytest.raises(UserError, match="path_length needs a generator"):
        evaluator("path_length", network=maps)(fake())


def test_unknown_metrics():
    with pytest.raises(
        UserError, match=r"unknown metric 'fed' \(did you mean fid\?\); the metrics are fid, kid"
    ):
        chosen(("fid", "fed"))
    with pytest.raises(UserError, match="no metric is named"):
        chosen(())


def test_fid_of_few_images_is_measured_with_a_warning(caplog):
    assert evaluator("fid", num_fakes=10)(fake()).scores["fid"].value > 0
    assert "the covariance is singular and the value biased" in caplog.text


def test_memorised_images_are_found_with_held_out_reals():
    held_out = toy.source(toy.images(50, 9), name="held out")
    copied = Evaluator(
        ("memorisation",),
        toy.source(REAL, name="reals"),
        toy.network(),
        num_fakes=40,
        held_out=held_out,
        progress=False,
    )
    copies = copied(GeneratedSet(source=toy.source(REAL[:40], name="copies"))).scores
    fresh = copied(GeneratedSet(source=toy.source(toy.images(40, 10), name="fresh"))).scores
    assert copies["copying_c_t"].value < -3 < fresh["copying_c_t"].value
    assert copies["nearest_median_ratio"].value == 0


def test_what_follows_from_the_reals_alone_is_computed_once(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path))
    calls = []

    def counted(features, k):
        calls.append(k)
        return squared_neighbours(features, k)

    monkeypatch.setattr(scores, "squared_neighbours", counted)
    real = toy.source(REAL, name="reals", fingerprint="reals of this test")

    def measured():
        fresh = Evaluator(("prdc",), real, toy.network(), num_fakes=40, progress=False)
        return [fresh(fake()).scores["coverage"].value for _ in range(2)]

    first = measured()
    assert calls == [5]
    assert measured() == first
    assert calls == [5]
    other = dataclasses.replace(real, fingerprint="others")
    Evaluator(("prdc",), other, toy.network(), num_fakes=40, progress=False)(fake())
    assert calls == [5, 5]


def test_a_metric_that_fails_leaves_the_others(monkeypatch, caplog):
    def fails(given):
        raise UserError("too few of something")

    monkeypatch.setitem(scores.METRICS, "probe", Metric(1, "", {"a": "lower", "b": "lower"}, fails))
    found = evaluator("probe", "fid")(fake()).scores
    assert np.isnan(found["a"].value)
    assert np.isnan(found["b"].value)
    assert found["fid"].value > 0
    assert "probe cannot be measured: too few of something" in caplog.text
    with pytest.raises(UserError, match="too few of something"):
        evaluator("probe")(fake())


def test_other_scores_than_those_declared_are_details(monkeypatch):
    monkeypatch.setitem(
        scores.METRICS, "probe", Metric(3, "p", {"a": "higher"}, lambda given: {"a": 1.0, "a_b": 2.0})
    )
    found = evaluator("probe")(fake()).scores
    assert (found["a"].better, found["a_b"].better) == ("higher", "detail")
    assert (found["a"].version, found["a"].protocol) == (3, "p")


def test_weights_and_files_are_told_apart():
    one, two = (
        evaluator("fid")(GeneratedSet(source=toy.source(FAKE, fingerprint=f))).fake_id for f in ("x", "y")
    )
    assert (one, two) == ("x", "y")
    assert evaluator("fid")(fake(identity="weights")).fake_id == "weights"


def test_a_part_of_the_training_set_is_no_base_for_memorisation(caplog):
    held_out = toy.source(toy.images(50, 9), name="held out")
    evaluator("memorisation", held_out=held_out, num_reals=50)
    assert "with 50 of 60 training images" in caplog.text


def named(source, names, order=(0, 1, 2)):
    """The source whose class i is called names[order[i]] and has the label order[i]."""
    return relabelled(source, np.array(order, np.int32), names)


NAMES = ("ape", "Cat", "dog")


@pytest.mark.parametrize(
    ("real_names", "fake_names", "order", "note"),
    [
        (NAMES, ("dog", "ape", "cat"), (1, 2, 0), None),
        (NAMES, NAMES, (0, 1, 2), None),
        (None, NAMES, (0, 1, 2), r"the labels of reals have no names: .* by number \(0 ape, 1 Cat, 2 dog\)"),
        (NAMES, None, (0, 1, 2), "the labels of fakes have no names"),
        (None, None, (0, 1, 2), "the labels of fakes have no names"),
        (None, ("2", "1", "0"), (2, 1, 0), "the labels of reals have no names"),
        (("0", "1", "2"), None, (0, 1, 2), "the labels of fakes have no names"),
    ],
    ids=str,
)
def test_classes_are_matched_by_name_or_number(real_names, fake_names, order, note, caplog):
    """The fakes count their classes in another order, and the scores are the same."""
    expected = evaluator("intra_class_fid")(fake()).scores["intra_class_fid"].value
    caplog.clear()
    reals = dataclasses.replace(
        toy.source(REAL, REAL_LABELS, num_classes=3, name="reals"), class_names=real_names
    )
    measure = Evaluator(("intra_class_fid",), reals, toy.network(), num_fakes=40, progress=False)
    for _ in range(2):
        record = measure(GeneratedSet(source=named(fake().source, fake_names, order)))
    assert record.scores["intra_class_fid"].value == expected
    last = "dog" if real_names == NAMES else "2"
    assert f"intra_class_fid_{last}" in record.scores
    said = [message for message in caplog.messages if "have no names" in message]
    assert len(said) == (note is not None)
    assert note is None or re.search(note, said[0])


@pytest.mark.parametrize("names", [("ape", "cat", "emu"), ("0", "1", "2")])
@pytest.mark.parametrize("metric", [name for name, metric in METRICS.items() if "labels" in metric.needs])
def test_other_classes_are_refused_by_every_metric_that_compares_them(names, metric):
    reals = dataclasses.replace(toy.source(REAL, REAL_LABELS, num_classes=3, name="reals"), class_names=NAMES)
    others = dataclasses.replace(fake().source, class_names=names)
    measure = Evaluator(
        (metric, "fid"), reals, toy.network(), num_fakes=40, held_out=reals_like(NAMES), progress=False
    )
    with pytest.raises(UserError, match=f"{metric} needs the same classes on both sides: of fakes and reals"):
        measure(GeneratedSet(source=others))
    if "held_out" in METRICS[metric].needs:
        with pytest.raises(UserError, match="needs the same classes on both sides: of held out and reals"):
            Evaluator((metric,), reals, toy.network(), num_fakes=40, held_out=reals_like(names))
    Evaluator(("fid",), reals, toy.network(), num_fakes=40, progress=False)(GeneratedSet(source=others))


def reals_like(names):
    source = toy.source(toy.images(30, 7), REAL_LABELS[:30], num_classes=3, name="held out")
    return dataclasses.replace(source, class_names=names)


def test_a_generator_is_asked_for_the_classes_that_it_knows(monkeypatch):
    """The paths of path_length, beside a metric that has the fakes' labels in the reals' order."""
    asked = []

    def generate(latents, labels):
        asked.append(labels)
        return latents

    def compute(given):
        return {"probe": float(given.generate(np.zeros(3), np.array([0, 1, 2])).sum())}

    monkeypatch.setitem(
        scores.METRICS, "probe", Metric(1, "", {"probe": "lower"}, compute, needs=frozenset({"labels"}))
    )
    reals = dataclasses.replace(toy.source(REAL, REAL_LABELS, num_classes=3, name="reals"), class_names=NAMES)
    measure = Evaluator(("probe",), reals, toy.network(), num_fakes=40, progress=False)
    names = ("dog", "ape", "cat")
    measure(GeneratedSet(source=dataclasses.replace(fake().source, class_names=names), generate=generate))
    assert [names[label] for label in asked[0]] == ["ape", "cat", "dog"]
