import torch
from torch import Tensor
from torch.nn import functional as F

from leyden.training.augment import Standardize, flip_half, over_views, random_flip, random_shift


def images(count: int) -> torch.Tensor:
    return torch.randint(256, (count, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_standardised_features_have_mean_0_and_deviation_1() -> None:
    features = torch.tensor([[0.0, 10.0], [2.0, 30.0]])
    scaled = Standardize(features.mean(0), features.std(0))(features)
    half = 0.5**0.5
    assert torch.allclose(scaled, torch.tensor([[-half, -half], [half, half]]))


def test_bytes_are_standardised_as_fractions_of_255() -> None:
    standardize = Standardize(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([1.0, 0.5, 0.25]))
    white = torch.full((2, 3, 1, 1), 255, dtype=torch.uint8)
    assert torch.allclose(standardize(white).flatten(1), torch.tensor([[1.0, 1.0, 0.0]]).expand(2, 3))


def test_about_half_of_the_images_are_mirrored_and_no_pixel_is_changed() -> None:
    torch.manual_seed(0)
    before = images(1000)
    after = random_flip(before)
    mirrored = (after == before.flip(-1)).flatten(1).all(1)
    kept = (after == before).flatten(1).all(1)
    assert bool((mirrored ^ kept).all())
    assert 450 < int(mirrored.sum()) < 550


def test_which_half_is_flipped_depends_on_the_seed_alone() -> None:
    before = images(1000)
    mirrored = [(flip_half(before, seed) == before.flip(-1)).flatten(1).all(1) for seed in (0, 0, 1)]
    assert torch.equal(mirrored[0], mirrored[1])
    assert all(450 < int(which.sum()) < 550 for which in (*mirrored, mirrored[0] ^ mirrored[2]))


def test_a_shifted_image_is_a_crop_of_the_reflected_one_and_all_25_crops_occur() -> None:
    torch.manual_seed(0)
    before = images(500)
    after = random_shift(before, pixels=2)
    padded = F.pad(before, (2, 2, 2, 2), mode="reflect")
    crops = torch.stack([padded[:, :, i : i + 8, j : j + 8] for i in range(5) for j in range(5)], dim=1)
    which = (crops == after[:, None]).flatten(2).all(2)
    assert bool((which.sum(1) == 1).all())
    assert bool(which.any(0).all())


def quarter(images: Tensor) -> Tensor:
    """An answer that tells views apart: the mean of the upper left quarter."""
    return images[:, :, :4, :4].mean((1, 2, 3))


def test_views_are_averaged_with_the_weights_that_are_published() -> None:
    original = images(5).float()
    padded = F.pad(original, (1, 1, 1, 1), mode="reflect")
    mirrored = (quarter(original) + quarter(original.flip(-1))) / 2
    up, down = padded[:, :, :8, :8], padded[:, :, 2:, 2:]
    shifted = sum(quarter(view) for view in (up, up.flip(-1), down, down.flip(-1))) / 4
    assert torch.equal(over_views(quarter, original, "none"), quarter(original))
    assert torch.allclose(over_views(quarter, original, "mirror"), mirrored)
    assert torch.allclose(over_views(quarter, original, "mirror_shift"), (mirrored + shifted) / 2)
    assert float((mirrored - shifted).abs().max()) > 1


def test_over_mirrored_views_an_image_and_its_mirror_image_are_the_same() -> None:
    original = images(5).float()
    assert torch.allclose(*(over_views(quarter, view, "mirror") for view in (original, original.flip(-1))))
