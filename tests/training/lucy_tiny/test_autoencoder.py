import numpy as np
import pytest
import torch

from training.lucy_tiny.architecture import build_autoencoder
from training.lucy_tiny.autoencoder import fit_basis, patches, read_basis, set_linear, train_decoder
from training.lucy_tiny.noise import smooth_noise


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    noise = np.stack([smooth_noise((3 * 128, 128), 12, rng) for _ in range(6)])
    return (
        np.clip(128 + 45 * noise, 0, 255)
        .astype(np.uint8)
        .reshape(6, 3, 128, 128)
        .transpose(0, 2, 3, 1)
        .copy()
    )


@pytest.fixture(scope="module")
def basis(pictures):
    return fit_basis(pictures)


def to_tensor(pictures):
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def test_the_network_computes_the_principal_components(pictures, basis):
    """GroupNorm and SiLU stand in the way; a wrong constant would bend every colour."""
    torch.manual_seed(0)
    vae = build_autoencoder()
    set_linear(vae, basis)
    with torch.no_grad():
        latents = vae.encode(to_tensor(pictures)).latent_dist
    np.testing.assert_allclose(latents.mean.numpy(), basis.encode(pictures), atol=0.01)
    assert latents.std.max() < 1e-5


def test_a_basis_can_be_read_from_the_encoder_that_has_it(pictures, basis):
    torch.manual_seed(0)
    vae = build_autoencoder()
    set_linear(vae, basis)
    read = read_basis(vae)
    np.testing.assert_allclose(read.encode(pictures), basis.encode(pictures), atol=0.01)
    np.testing.assert_allclose(read.scale, basis.scale, rtol=0.01)


def test_latents_have_unit_variance(pictures, basis):
    """The schedule's signal-to-noise ratios mean nothing for any other."""
    np.testing.assert_allclose(basis.encode(pictures).std(axis=(0, 2, 3)), 1, atol=0.05)


def test_an_untrained_decoder_already_gives_the_colours(pictures, basis):
    torch.manual_seed(0)
    vae = build_autoencoder()
    set_linear(vae, basis)
    with torch.no_grad():
        decoded = vae.decode(torch.from_numpy(basis.encode(pictures))).sample
    wanted = to_tensor(pictures).mean(dim=(2, 3))
    torch.testing.assert_close(decoded.mean(dim=(2, 3)), wanted, atol=0.05, rtol=0)


def test_patches_keep_rows_columns_and_colours_in_order():
    picture = np.zeros((16, 24, 3), np.uint8)
    picture[8 + 3, 16 + 5, 1] = 255
    flat = patches(picture)
    assert flat.shape == (2, 3, 192)
    assert flat[1, 2, (3 * 8 + 5) * 3 + 1] == 1
    assert (flat == 1).sum() == 1


@pytest.mark.nightly
def test_training_changes_the_decoder_and_not_the_encoder(pictures, basis):
    torch.manual_seed(0)
    vae = build_autoencoder()
    set_linear(vae, basis)
    before = {name: value.clone() for name, value in vae.state_dict().items()}
    losses = []
    train_decoder(vae, pictures, 1.5, torch.device("cpu"), on_step=lambda share, loss: losses.append(loss))
    changed = {
        name.split(".")[0] for name, value in vae.state_dict().items() if not value.equal(before[name])
    }
    assert changed == {"decoder"}
    assert losses
