"""The limits on one capture's request."""

from frontend_proxy.errors import InvalidInput
from frontend_proxy.garments import pictures_of
from frontend_proxy.images import read_header
from frontend_proxy.job_factory import check_steps
from frontend_proxy.schemas import Capture
from frontend_proxy.settings import Settings

PICTURES = ("user_image", "jacket_render", "garment_image", "mask")


def check_capture(capture: Capture, settings: Settings) -> None:
    """Raises UndecodableImage, ImageTooLarge, InvalidInput."""
    own = ((name, getattr(capture, name)) for name in PICTURES)
    for name, image in (*own, *pictures_of(capture.garments)):
        if image is not None:
            read_header(image, name, settings.max_image_bytes, settings.max_image_pixels)
    if capture.num_samples > settings.max_captures:
        raise InvalidInput(f"num_samples: this server makes at most {settings.max_captures} at a time")
    check_steps(capture.steps, settings.max_steps)
