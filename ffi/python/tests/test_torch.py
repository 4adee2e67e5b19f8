"""Images as functions of torch tensors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import widebragg as wb

from conftest import SMALL

torch = pytest.importorskip("torch", reason="torch is not installed")
import widebragg.torch  # noqa: E402

# torch itself uses what it deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")

#: Two by two pixels, in spec and in c-parity with a carryover: phi passes 0.
CASES = {
    "spec": SMALL + " -roi 12 13 8 9",
    "c-parity": SMALL + " -roi 12 13 8 9 -phi -0.5 -osc 1 -phisteps 3 --phi-carryover-mode c-parity",
}
#: Name, value, and the step of gradcheck.
NAMES = ["a", "alpha", "misset_x", "misset_z", "distance", "lambda", "scale"]


def experiment(case: str) -> wb.Experiment:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wb.WidebraggWarning)
        return wb.Experiment(CASES[case])


def tensors(of: wb.Experiment, names: list[str]) -> list[torch.Tensor]:
    values = of.parameters(names).values()
    return [torch.tensor(value, dtype=torch.float64, requires_grad=True) for _, value in values]


@pytest.mark.parametrize("case", CASES)
def test_gradcheck(case):
    of = experiment(case)
    names = list(of.parameters(NAMES))

    def image(*values: torch.Tensor) -> torch.Tensor:
        # Photons by the thousand, as derivatives are compared with one tolerance for all parameters.
        pixels = wb.torch.render(of, dict(zip(names, values)))
        return pixels[8:10, 12:14] / scale

    values = tensors(of, names)
    scale = wb.torch.render(of, dict(zip(names, values))).detach().max()
    assert torch.autograd.gradcheck(image, values, check_forward_ad=True)


def test_the_image_is_the_experiment_s(small):
    (a,) = tensors(small, ["a"])
    image = wb.torch.render(small, {"a": a})
    assert image.dtype == torch.float64 and tuple(image.shape) == small.shape
    np.testing.assert_allclose(image.detach().numpy(), small.render(), rtol=1e-6)


def test_float32_has_the_gradients_of_float64(small):
    data = torch.from_numpy(small.replace(misset_deg=(10.1, 20, 30)).render())
    slopes = []
    for dtype in (torch.float64, torch.float32):
        value = torch.tensor(70.0, dtype=dtype, requires_grad=True)
        ((wb.torch.render(small, {"a": value}) - data) ** 2).sum().backward()
        slopes.append(value.grad.item())
    assert slopes[1] == pytest.approx(slopes[0], rel=1e-5)


def test_functional_transforms(small):
    names = ["a", "misset_x"]
    start = torch.stack([value.detach() for value in tensors(small, names)])

    def image(values: torch.Tensor) -> torch.Tensor:
        return wb.torch.render(small, dict(zip(names, values)))

    forward, reverse = torch.func.jacfwd(image)(start), torch.func.jacrev(lambda v: image(v).sum())(start)
    assert forward.shape == (*small.shape, 2)
    torch.testing.assert_close(forward.sum(dim=(0, 1)), reverse, rtol=1e-6, atol=0.0)
    batch = torch.stack([start, start + 0.1])
    images = torch.func.vmap(image)(batch)
    torch.testing.assert_close(images[1], image(batch[1]))


def test_a_fit_finds_a_cell(small):
    data = torch.from_numpy(small.replace(cell=(70.2, 80, 90, 85, 95, 100)).render()).double()
    a = torch.tensor(70.0, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([a], line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = ((wb.torch.render(small, {"a": a}) - data) ** 2).sum() / data.square().sum()
        loss.backward()
        return loss

    for _ in range(5):
        optimiser.step(closure)
    assert a.item() == pytest.approx(70.2, abs=1e-4)


def test_what_cannot_be_used_is_refused(small):
    one = torch.tensor(1.0)
    for parameters, words in [
        ({}, "there are none"),
        ({"cell": one}, "not single parameters"),
        ({"a": torch.ones(2)}, "a scalar is needed"),
        ({"colour": one}, "--wrt colour"),
    ]:
        with pytest.raises(ValueError, match=words):
            wb.torch.render(small, parameters)


def listed(interpolate: bool, more: str = "") -> wb.Experiment:
    """An experiment with structure factors of its own."""
    rng = np.random.default_rng(6)
    hkl = np.stack(np.meshgrid(*[np.arange(-9, 10)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wb.WidebraggWarning)
        return wb.Experiment(SMALL + more, hkl=(hkl, rng.uniform(10, 100, len(hkl))), interpolate=interpolate)


@pytest.mark.parametrize("interpolate", [False, True])
@pytest.mark.parametrize("case", ["", " -phi -0.5 -osc 1 -phisteps 3 --phi-carryover-mode c-parity"])
def test_gradcheck_by_structure_factors(interpolate, case):
    of = listed(interpolate, " -roi 12 13 8 9" + case)
    F = torch.from_numpy(of.structure_factors[1])
    # Of the thousands of nodes, some of those that the pixels see.
    total = torch.func.grad(lambda F: wb.torch.render(of, {}, F=F).sum())(F)
    seen = torch.nonzero(total.abs().flatten() > total.abs().max() / 100).flatten()[:5]
    assert len(seen) >= 2
    scale = wb.torch.render(of, {}, F=F).max()
    a = torch.tensor(70.0, dtype=torch.float64, requires_grad=True)

    def image(nodes: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        grid = F.flatten().index_put((seen,), nodes).reshape(F.shape)
        return wb.torch.render(of, {"a": a}, F=grid)[8:10, 12:14] / scale

    nodes = F.flatten()[seen].clone().requires_grad_()
    assert torch.autograd.gradcheck(image, [nodes, a], check_forward_ad=True)


def test_structure_factors_are_those_that_are_given():
    of = listed(False)
    first, grid = of.structure_factors
    F = torch.tensor(grid, requires_grad=True)
    image = wb.torch.render(of, {}, F=F)
    np.testing.assert_allclose(image.detach().numpy(), of.render(), rtol=1e-6)
    weights = torch.rand(of.shape, dtype=torch.float64)
    (image * weights).sum().backward()
    np.testing.assert_array_equal(F.grad.numpy(), of.structure_factor_slopes(weights.numpy()))
    brighter = wb.torch.render(of, {}, F=(2 * F).float())
    torch.testing.assert_close(brighter, 4 * image, rtol=1e-5, atol=0.0)
    images = torch.func.vmap(lambda F: wb.torch.render(of, {}, F=F))(torch.stack([F.detach(), 2 * F.detach()]))
    torch.testing.assert_close(images[1], 4 * images[0])
    for wrong, words in [(F[1:], "the grid has"), (F.detach()[None], "the grid has")]:
        with pytest.raises(ValueError, match=words):
            wb.torch.render(of, {}, F=wrong)
    with pytest.raises(ValueError, match="none but default_F"):
        wb.torch.render(experiment("spec"), {}, F=F)


def test_structure_factors_are_fitted():
    of = listed(False)
    true = torch.from_numpy(of.structure_factors[1])
    data = wb.torch.render(of, {}, F=true)
    seen = torch.func.grad(lambda F: wb.torch.render(of, {}, F=F).sum())(true)
    strong = seen > seen.max() / 50
    guess = torch.where(strong, true * 0.9, true).requires_grad_()
    optimiser = torch.optim.LBFGS([guess], line_search_fn="strong_wolfe", max_iter=40, lr=1.0)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = ((wb.torch.render(of, {}, F=guess) - data) ** 2).sum() / data.square().sum()
        loss.backward()
        return loss

    before = closure().item()
    optimiser.step(closure)
    assert closure().item() < before / 1000
