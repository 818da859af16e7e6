import json

import pytest

from export.errors import ExportError
from export.scheduler_file import SCHEDULER, load_scheduler

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@pytest.fixture
def load(tmp_path):
    """Loads the scheduler of a folder with this configuration."""
    (tmp_path / SCHEDULER).parent.mkdir()

    def load(**config):
        (tmp_path / SCHEDULER).write_text(json.dumps(config))
        return load_scheduler(tmp_path, "DDIMScheduler")

    return load


@pytest.mark.parametrize("name", ["PNDMScheduler", "DEISMultistepScheduler", "EulerDiscreteScheduler"])
def test_it_is_the_checkpoints_own_with_its_betas(load, name):
    scheduler = load(_class_name=name, **BETAS)
    assert type(scheduler).__name__ == name
    assert scheduler.config["beta_end"] == BETAS["beta_end"]


@pytest.mark.parametrize("config", [{"_class_name": "OfTheFutureScheduler"}, {}])
def test_without_its_class_the_fallback_has_its_values(load, config):
    scheduler = load(**config, **BETAS)
    assert type(scheduler).__name__ == "DDIMScheduler"
    assert scheduler.config["beta_schedule"] == "scaled_linear"


@pytest.mark.parametrize("name", ["FlowMatchEulerDiscreteScheduler", "EDMEulerScheduler", "IPNDMScheduler"])
def test_a_unet_of_another_training_is_refused(load, name):
    """Its picture would be noise: every recipe would denoise by diffusers' default betas."""
    with pytest.raises(ExportError, match=f"is of a {name} without a beta_schedule"):
        load(_class_name=name)


@pytest.mark.parametrize(
    "config", [{"beta_schedule": "none of these"}, {"beta_schedule": "linear", "num_train_timesteps": "many"}]
)
def test_a_broken_value_is_refused_with_the_files_name(load, config):
    with pytest.raises(ExportError, match=r"scheduler_config\.json does not load"):
        load(_class_name="DDIMScheduler", **config)
